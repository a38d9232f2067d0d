"""`tenfold tune`, `evaluate` and `train`: from a file to a report, from topics to a live release."""

import asyncio
import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from models.event_table import EventTable
from models.releases import load_release
from reco.errors import EventLogError, SettingsError, TrainingError
from reco.features import FEATURES
from reco.parameters import HOUR, Parameters
from streams.commands.log_options import in_words
from streams.commands.logs import read_parameters
from streams.import_progress import Refused
from streams.importing import Options
from streams.promotions import live_promotion
from streams.releases import RANKERS
from streams.settings import Settings
from streams.topics import TopicSet
from tests.models.shop_logs import SALES, START, shop_log, turned_log
from tests.reco.labelled import labels
from tests.streams.command_line import Command, run, use
from tests.streams.imports import run_import
from tests.streams.world import World

PARAMETERS = Path(__file__).parents[2] / "benchmarks" / "parameters"
KINDS = ("view", "cart", "purchase")
PARTS = ("test=0.2", "train=0.5")
QUICK = ("trees=30", "num_leaves=15", "min_data_in_leaf=20", "threads=1")

PROC = pytest.mark.skipif(
    not Path("/proc/version").exists(), reason="needs a folder that even root cannot write"
)


@pytest.fixture
def command(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`tenfold`, in this process; numbers that make it quick with `train` and `evaluate`."""
    use(settings, tmp_path, monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")

    def with_numbers(*arguments: object, sets: tuple[str, ...] = ()) -> Result:
        return run(monkeypatch, *arguments, *(part for one in sets for part in ("--set", one)))

    return with_numbers


@pytest.fixture
def quick_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters are tuned on few moments, and forests have few trees."""
    monkeypatch.setattr("models.evaluation.tuning.MAX_ASKED", 30)
    monkeypatch.setattr("models.evaluation.forest_tuning.TREES", (5, 20))


def written(path: Path, table: EventTable) -> Path:
    """The log of a table as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("session_id", "visitor_id", "item_id", "event_type", "ts", "country", "device"))
        for row in range(len(table)):
            event, context = table.event(row, int(table.ts[row])), table.context_values[table.contexts[row]]
            names = (table.sessions[row], event.visitor_id, event.sale_id, KINDS[table.kinds[row]], event.ts)
            writer.writerow((*names, context["country"], context["device"]))
    return path


def published(path: Path) -> Path:
    """The shop's sales as CSV; neighbours in the order in which visitors walk resemble each other."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("sale_id", "title", "opens_at", "price", "currency", "country", "tags"))
        for sale in range(SALES):
            tags = f"{'sea' if sale % 2 else 'city'}|{'pool' if sale % 3 else 'spa'}"
            title = f"{'Beach' if sale % 2 else 'Town'} number {sale // 4}"
            writer.writerow((f"sale{sale:02}", title, START - 1000, 100 + sale, "EUR", "FR", tags))
    return path


def figures(path: Path, metric: str = "") -> Mapping[str, float]:
    """The figure of each scorer in the tables of an evaluation, by its first metric unless one is named."""
    tables = json.loads(path.read_text())
    metrics = [f"{one['kind']}@{one['k']}" for one in tables["about"]["metrics"]]
    place = metrics.index(metric) if metric else 0
    return {row["scorer"]["name"]: row["figures"][place]["mean"] for row in tables["rows"]}


def reached(told: str) -> float:
    """The share of the answers that were candidates, as training says it."""
    return float(told.partition("answers among the candidates: ")[2].split()[0])


@pytest.mark.usefixtures("quick_tuning")
def test_parameters_are_tuned_and_then_used(command: Command, tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", shop_log(150))
    start, found, tables = (tmp_path / f"{name}.json" for name in ("start", "found", "tables"))
    start.write_text('{"boosting": {"lambda_l2": 3.0, "trees": 5}}')
    tuned = command("tune", log, "--protocol", "next-click", "--parameters", start, "-o", found)
    assert f"parameters: {found}" in tuned.output
    assert "session_knn.landing = " in tuned.output
    assert "num_leaves = 63: " in tuned.output
    assert read_parameters(found).recommenders != Parameters()
    assert read_parameters(found).boosting.keys() == {"trees", "num_leaves", "learning_rate", "lambda_l2"}
    given = ("--protocol", "next-click", "--parameters", found, "--json", tables)
    command("evaluate", log, *given, sets=("trees=30", "min_data_in_leaf=20", "threads=1", *PARTS))
    assert figures(tables)["mix"] > figures(tables)["popularity.clicks_lasting"]
    used = json.loads(tables.read_text())["about"]["training"]
    assert used["trees"] == 30
    assert used["num_leaves"] == read_parameters(found).boosting["num_leaves"]


def test_an_evaluation_with_sales_compares_three_rankers_and_writes_its_report(
    command: Command, tmp_path: Path
) -> None:
    written(tmp_path / "events.csv", shop_log(550))
    sales, report, tables = (tmp_path / name for name in ("sales.csv", "report.html", "tables.json"))
    done = command(
        *("evaluate", ".", "--protocol", "purchase", "--sales", published(sales)),
        *("--report", report, "--json", tables),
        sets=(*QUICK, "share=0.4"),
    )
    assert f"report: {report}" in done.output
    found = figures(tables)
    assert set(found) - {name for name in found if "." in name} == {
        *("mix", "visits only", "images and descriptions only"),
        *("lambdarank", "logistic regression"),
        *("fixed blend", "newest first", "cart first, then newest"),
    }
    assert {"popularity.clicks_lasting", "session_knn.stan", "covisitation.two_hops"} <= set(found)
    assert found["mix"] > found["images and descriptions only"]
    page = report.read_text()
    assert page.count("<svg") >= 4
    assert "listed sales" in page
    assert "trees=30" in page
    about = json.loads(tables.read_text())["about"]
    assert about["parameters"]["share"] == 0.4
    assert about["data_set"] == tmp_path.name, "a folder has a name also where it is the one that we are in"


@pytest.mark.parametrize("file", sorted(PARAMETERS.glob("*.json")), ids=lambda file: file.stem)
def test_parameters_of_published_figures_can_still_be_given(file: Path) -> None:
    assert read_parameters(file).recommenders != Parameters()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ('{"revisit": 1000}', "unknown field `revisit`"),
        ('{"boosting": {"tree": 20}}', "unknown field `tree`"),
        ('{"boosting": {"trees": 0}}', "`int` >= 1"),
        ("[]", "Expected `object`"),
    ],
)
def test_a_file_of_parameters_that_says_something_else_is_refused(
    tmp_path: Path, given: str, fault: str
) -> None:
    file = tmp_path / "found.json"
    file.write_text(given)
    with pytest.raises(EventLogError, match=f"{file}: .*{fault}"):
        read_parameters(file)


def test_without_sales_nothing_is_said_about_descriptions(command: Command, tmp_path: Path) -> None:
    log, tables = written(tmp_path / "log.csv", shop_log(200)), tmp_path / "tables.json"
    given = ("--protocol", "next-click", "--json", tables)
    assert reached(command("evaluate", log, *given, sets=(*QUICK, *PARTS)).output) == 1, "all are open"
    assert not {"visits only", "images and descriptions only"} & set(figures(tables))


def test_a_log_is_trained_on_with_its_sales_and_becomes_a_release(
    command: Command, settings: Settings, tmp_path: Path
) -> None:
    log, sales = written(tmp_path / "log.csv", shop_log(200)), published(tmp_path / "sales.csv")
    done = command("train", log, "--target", "click", "--sales", sales, sets=QUICK)
    name = done.output.partition("release ")[2].partition(";")[0]
    release = load_release(settings.releases_dir() / name, FEATURES)
    assert set(release.rankers) == {"mix", "visits", "content"}
    assert "mix ndcg@10: " in done.output
    assert name in command("releases", "list").output
    assert 0.95 < reached(done.output) < 1, "all sales are open, and what was bought is no candidate"


def test_sales_that_name_their_fields_otherwise_are_read_or_what_is_left_out_is_said(
    command: Command, tmp_path: Path
) -> None:
    log, sales = written(tmp_path / "log.csv", shop_log(200)), published(tmp_path / "sales.csv")
    header, *rows = sales.read_text().splitlines()
    sales.write_text("\n".join((f"{header},ends_at", *(f"{row},{START}" for row in rows[: SALES // 2]))))
    given = ("train", log, "--target", "click", "--sales", sales)
    told = command(*given, sets=QUICK).output
    assert f"{sales}: a sale has no field ends_at (rows: {SALES // 2}); see --map-sale" in told
    assert 0.2 < reached(told) < 0.8
    with pytest.raises(TrainingError, match="no sale was open"):
        command(*given, "--map-sale", "ends_at=closes_at", sets=QUICK)
    refused = command("train", log, "--map-sale", "ends_at=closes_at")
    assert refused.exit_code == 2
    assert "name one with --sales" in refused.output


def test_what_a_log_does_not_say_and_what_is_no_event_is_told(command: Command, tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", shop_log(100))
    lines = [f"{line.partition(',')[0]},{line.split(',', 2)[2]}" for line in log.read_text().splitlines()]
    lines.insert(2, lines[1].replace("view", "liked"))
    log.write_text("\n".join(lines))
    told = command("train", log, "--target", "click", sets=QUICK).output
    assert f"{log}: no column visitor_id: each session counts as a visitor of its own" in told
    assert f"{log}: 1 row is no event, and left out:\n  1 unknown-type: row 2: type: 'liked'" in told
    assert "no event" not in command("train", log, "--map-type", "liked=click", sets=QUICK).output


def test_a_log_of_nothing_but_purchases_may_say_so_without_a_column(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "orders.csv"
    log.write_text(f"visitor_id,item_id,ts\nann,rome,{START}\nann,oslo,{START + 1000}\n")
    with pytest.raises(TrainingError, match=r"this log has no clicks, .*; take --protocol purchase"):
        command("evaluate", log, "--protocol", "next-click", "--map-type", "=purchase")
    done = command("evaluate", log, "--protocol", "next-click", "--map-type", "=bought")
    assert "must be one of click" in done.output


def test_fewer_purchases_than_make_a_rate_are_trained_on_where_nobody_clicks(
    command: Command, tmp_path: Path
) -> None:
    log = tmp_path / "orders.csv"
    pairs = [(f"v{one},rome,{START + one * HOUR}", f"v{one},oslo,{START + one * HOUR}") for one in range(90)]
    log.write_text("\n".join(("visitor_id,item_id,ts", *(row for pair in pairs for row in pair))))
    assert "makes it live" in command("train", log, "--map-type", "=purchase", sets=QUICK).output


def test_a_row_that_an_import_would_refuse_is_not_trained_on(command: Command, tmp_path: Path) -> None:
    log = written(tmp_path / "log.csv", shop_log(100))
    with log.open("ab") as file:
        file.write(
            f"1,ann,rome,view,{START + 10**12},FR,phone\n1,default,rome,view,{START},FR,phone\n".encode()
        )
        file.write(f"1,ann,\xfc,view,{START},FR,phone\n".encode("latin-1"))
    told = command("train", log, "--target", "click", sets=QUICK).output
    assert f"{log}: 3 rows are no events" in told
    assert all(reason in told for reason in ("1 in-the-future", "1 bad-id", "1 not-utf8"))


def test_rows_that_are_refused_for_one_reason_may_have_different_faults() -> None:
    wrong = ((2, "ts: no time"), (3, "price: no number"), (9, "ts: no time"))
    assert list(in_words({"wrong-type": Refused(3, wrong), "too-old": Refused(7, wrong[:1])})) == [
        "3 wrong-type: rows 2, 9: ts: no time; row 3: price: no number",
        "7 too-old: rows 2, ...: ts: no time",
    ]


def test_a_log_of_nothing_but_refused_rows_says_why(command: Command, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"visitor_id,item_id,ts\nann,rome,{START // 1000}\nann,oslo,soon\n,oslo,{START}\n")
    how = "write ms since the epoch or ISO 8601, such as 2025-06-01T07:00:00Z"
    who = "visitor_id: Expected `str`, got `null`"
    with pytest.raises(EventLogError) as refused:
        command("evaluate", log, "--protocol", "next-click")
    assert str(refused.value).splitlines() == [
        f"{log}: no row of it is an action of a visitor; see --map",
        "  1 too-old: row 1: ts: Expected `int` >= 946684800000; if the times are in seconds, add --seconds",
        f"  2 wrong-type: row 2: ts: Expected `int`, got `str`; {how}; row 3: {who}",
    ]
    with pytest.raises(TrainingError):
        command("evaluate", log, "--protocol", "next-click", "--seconds")


def test_settings_that_cannot_work_are_told_before_a_log_is_trained_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENFOLD_TOPICS_PARTITIONS", "many")
    with pytest.raises(SettingsError, match="partitions"):
        command("train", tmp_path / "no log is looked for.csv")


@PROC
def test_where_no_release_can_be_written_none_is_trained(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENFOLD_RELEASES_FOLDER", "/proc/tenfold")
    with pytest.raises(SettingsError, match=r"/proc/tenfold cannot be written: .* set releases\.folder"):
        command("train", tmp_path / "no log is looked for.csv")


@pytest.mark.usefixtures("quick_tuning")
def test_what_was_tuned_is_kept_if_there_is_too_little_to_grow_forests_on(
    command: Command, tmp_path: Path
) -> None:
    log, found = written(tmp_path / "log.csv", shop_log(30)), tmp_path / "found.json"
    with pytest.raises(TrainingError, match="at least 50 are needed"):
        command("tune", log, "--protocol", "next-click", "-o", found)
    assert read_parameters(found).recommenders != Parameters()


def test_a_wrong_row_of_the_sales_is_named(command: Command, tmp_path: Path) -> None:
    log, sales = written(tmp_path / "log.csv", shop_log(50)), tmp_path / "sales.csv"
    sales.write_text("sale_id,title,opens_at\nsale00,Rome,soon\n")
    with pytest.raises(Exception, match="line 2: opens_at"):
        command("train", log, "--sales", sales)


def test_the_topics_have_their_own_sales(command: Command, tmp_path: Path) -> None:
    for given in (("--sales", published(tmp_path / "sales.csv")), ("--map", "a=b"), ("--seconds",)):
        refused = command("train", *given)
        assert refused.exit_code == 2
        assert "the topics have their own sales" in refused.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("evaluate", "--protocol", "purchase", "--frozen"), "the protocol purchase always streams"),
        (("evaluate", "--protocol", "purchase", "--report", "no/r.html"), "there is no folder no"),
        (("evaluate", "--protocol", "purchase", "--json", "no/r.json"), "there is no folder no"),
        (("tune", "--protocol", "purchase", "-o", "no/p.json"), "there is no folder no"),
        (("tune", "--protocol", "purchase", "-o", "."), ". is a folder; name a file"),
        pytest.param(("tune", "--protocol", "hourly", "-o", "/proc/p.json"), "cannot be written", marks=PROC),
        pytest.param(
            ("evaluate", "--protocol", "hourly", "--json", "/proc/version"), "cannot be written", marks=PROC
        ),
        (("evaluate", "--protocol", "purchase", "--report", "."), ". is a folder; name a file"),
        (("evaluate", "--protocol", "purchase", "--set", "trees=0"), "Expected `int` >= 1"),
        (("evaluate", "--protocol", "purchase", "--set", "test=2"), "Expected `float` < 1.0"),
        (("evaluate", "--protocol", "purchase", "--set", "window=inf"), "Expected `float` <= 876600.0"),
        (("train", "--window", "inf"), "less than or equal to 876600"),
        (("train", "--set", "held_out=0"), "Expected `float` > 0.0"),
        (("evaluate", "--protocol", "purchase", "--set", "last_day=5"), "one of test, train, window, share,"),
        (("tune", "--protocol", "hourly", "-o", "p.json", "--set", "trees=9"), "one of first_day, last_day,"),
    ],
)
def test_an_option_that_cannot_work_is_refused_before_the_work(
    command: Command, tmp_path: Path, given: tuple[str, ...], message: str
) -> None:
    name, *options = given
    refused = command(name, written(tmp_path / "log.csv", shop_log(20)), *options)
    assert refused.exit_code == 2
    assert message in refused.output


@pytest.mark.broker
async def test_the_topics_are_trained_on_and_the_release_goes_live(
    command: Command, settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    log = written(tmp_path / "log.csv", shop_log(200))
    await run_import(settings, log)
    with pytest.raises(TrainingError, match="no sale was open"):
        await asyncio.to_thread(command, "train", "--target", "click", sets=QUICK)
    await run_import(settings, log, Options(publish_items=True, restart=True))
    done = await asyncio.to_thread(command, "train", "--target", "click", "--promote", sets=QUICK)
    live = await live_promotion(settings.kafka, topics.releases.name, RANKERS)
    assert live is not None
    assert f"{live.promoted.release_id}/mix is live" in done.output
    assert "alone ranks better" not in done.output
    release = load_release(settings.releases_dir() / live.promoted.release_id, FEATURES)
    assert set(release.rankers) == {"mix", "visits"}


def test_a_release_that_ranks_worse_than_the_blend_is_not_promoted(
    command: Command, settings: Settings, tmp_path: Path
) -> None:
    log = written(tmp_path / "log.csv", turned_log())
    with pytest.raises(
        TrainingError, match=r"is not promoted: .* worse than the fixed blend .*promote \S+` mak"
    ):
        command("train", log, "--target", "click", "--promote", sets=(*QUICK, "held_out=0.12"))
    assert len(list(settings.releases_dir().iterdir())) == 1
    done = command("train", log, "--target", "click", sets=(*QUICK, "held_out=0.12"))
    assert " alone ranks better than the mix on the newest moments: " in done.output


@pytest.mark.broker
async def test_the_topics_are_evaluated_with_their_sales_and_what_images_show(
    command: Command, world: World, tmp_path: Path
) -> None:
    tables, parts = tmp_path / "tables.json", (*QUICK, *PARTS)
    given = ("evaluate", "--protocol", "next-click", "--json", tables)
    log = written(tmp_path / "log.csv", shop_log(150))
    await run_import(world.settings, log, Options(publish_items=True))
    await asyncio.to_thread(command, *given, sets=parts)
    assert json.loads(tables.read_text())["about"]["data_set"] == "the topics"
    assert "images only" not in figures(tables)
    await world.label(*(labels(f"sale{one:02}", np.eye(4)[one % 4].tolist()) for one in range(SALES)))
    await asyncio.to_thread(command, *given, sets=parts)
    assert figures(tables, "MRR@20")["mix"] > figures(tables, "MRR@20")["images only"] > 0


@pytest.mark.broker
@pytest.mark.usefixtures("quick_tuning")
async def test_parameters_are_tuned_on_the_topics(
    command: Command, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.evaluation.tuning.GROUPS", {"revisits": {"": (HOUR, 24 * HOUR)}})
    found = tmp_path / "found.json"
    log = written(tmp_path / "log.csv", shop_log(100))
    await run_import(world.settings, log, Options(publish_items=True))
    tuned = await asyncio.to_thread(command, "tune", "--protocol", "next-click", "-o", found)
    assert f"revisits = {24 * HOUR}" in tuned.output
    assert read_parameters(found).recommenders.revisits in {HOUR, 24 * HOUR, Parameters().revisits}
