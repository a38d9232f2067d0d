"""`tenfold releases` lists, shows, promotes and goes back; what workers would refuse is not promoted."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.release_promotion import Promoted
from reco.parameters import MINUTE
from streams.cli import tenfold
from streams.promotions import live_promotion
from streams.releases import RANKERS
from streams.settings import Settings
from tests.models.small_models import READ, TRAINED_AT, release
from tests.streams.command_line import Command


@pytest.fixture
def command(command: Command) -> Command:
    """`tenfold releases`."""
    return partial(command, "releases")


def live_of(settings: Settings) -> Promoted | None:
    topic = f"{settings.topics.prefix}releases"
    live = asyncio.run(live_promotion(settings.kafka, topic, RANKERS))
    return None if live is None else live.promoted


@pytest.mark.broker
def test_promote_makes_a_release_live_and_rollback_goes_back_step_by_step(
    settings: Settings, command: Command
) -> None:
    first, second = (release(settings.releases_dir(), seed).name for seed in (1, 2))

    assert f"{first}/mix is live; before, it was the built-in blend." in command("promote", first).output
    assert f"{second}/visits is live" in command("promote", second, "--ranker", "visits").output
    live = live_of(settings)
    assert live is not None
    assert (live.release_id, live.ranker, live.path) == (
        second,
        "visits",
        str(settings.releases_dir() / second),
    )

    assert f"{first}/mix is live again; before, it was {second}/visits." in command("rollback").output
    assert f"the built-in blend is live again; before, it was {first}/mix." in command("rollback").output
    assert live_of(settings) is None
    nothing = command("rollback")
    assert nothing.exit_code == 1
    assert "there is nothing before it" in str(nothing.exception)


@pytest.mark.broker
def test_a_release_that_workers_would_refuse_is_not_promoted(settings: Settings, command: Command) -> None:
    first, second = (release(settings.releases_dir(), seed) for seed in (1, 2))
    command("promote", first.name)
    (second / "visits.lgb.txt").write_text("tree")

    for refused, culprit in (
        ((second.name,), "visits.lgb.txt: its 4 bytes are not those that were released"),
        ((first.name, "--ranker", "content"), "holds no ranker content; take one of mix, visits"),
        (("../elsewhere",), "There is no release ../elsewhere"),
    ):
        result = command("promote", *refused)
        assert result.exit_code == 1
        assert culprit in str(result.exception)
    live = live_of(settings)
    assert live is not None
    assert live.release_id == first.name


@pytest.mark.broker
def test_the_list_has_the_newest_first_marks_the_live_one_and_names_what_is_broken(
    settings: Settings, command: Command
) -> None:
    trained_on = {"source": "shop", "first_event": 1_761_000_000_000, "last_event": 1_763_000_000_000}
    older = release(settings.releases_dir(), 1, trained_on=trained_on)
    newer = release(settings.releases_dir(), 2, created_at=1_764_100_000_000)
    broken = release(settings.releases_dir(), 3, created_at=1_764_200_000_000)
    (broken / "release.json").write_text("{")
    command("promote", older.name)

    lines = command("list").output.splitlines()

    assert lines[0].startswith(f"Live: {older.name}/mix, since 20")
    rows = [line.split() for line in lines[2:5]]
    assert [row[0] for row in rows] == [newer.name, older.name, broken.name]
    assert rows[2][1:] == ["broken"]
    said = "2025-11-24 16:00 UTC shop 2025-10-20 to 2025-11-13 auc 0.75, log_loss 0.125 live: mix"
    assert " ".join(rows[1][1:]) == said
    assert "live" not in rows[0]
    assert "release.json: Input data was truncated" in lines[5]


def test_releases_of_one_day_are_listed_by_the_time_at_which_they_were_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / ".tenfold" / "releases"
    names = [release(folder, 1, created_at=TRAINED_AT + n * MINUTE).name for n in range(6)]

    rows = [line.split() for line in CliRunner().invoke(tenfold, ["releases", "list"]).output.splitlines()]

    assert [row[0] for row in rows[-6:]] == names[::-1]
    assert [row[2] for row in rows[-6:]] == ["16:05", "16:04", "16:03", "16:02", "16:01", "16:00"]


def test_names_of_releases_stay_whole_on_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    trained_on = {"source": "logs/of/the/shop.parquet", "first_event": TRAINED_AT, "last_event": TRAINED_AT}
    made = release(tmp_path / ".tenfold" / "releases", 1, trained_on=trained_on)

    assert made.name in CliRunner().invoke(tenfold, ["releases", "list"]).output.split()


def test_without_a_broker_the_list_still_shows_the_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    folder = release(tmp_path / "elsewhere", 1)
    monkeypatch.setenv("TENFOLD_RELEASES_FOLDER", "elsewhere")

    shown = CliRunner().invoke(tenfold, ["releases", "list"]).output

    assert "Which one is live cannot be known: No broker is configured" in shown
    assert folder.name in shown


def test_show_verifies_a_release_and_shows_all_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    trained_on = {"rows": 7, "first_event": 1_761_000_000_000, "last_event": 1_763_000_000_000}
    folder = release(tmp_path / ".tenfold" / "releases", 1, trained_on=trained_on)
    show = ["releases", "show", folder.name]

    shown = CliRunner().invoke(tenfold, show).output

    period = ("2025-10-20 22:40 UTC", "2025-11-13 02:13 UTC")
    for fact in ("2025-11-24", *period, "log_loss", "0.125", "rows", "visits.lgb.txt", "covisitation"):
        assert fact in shown
    assert shown.count("verified, sha256") == 2
    assert set(READ) <= set(shown.split())
    (folder / "mix.lgb.txt").unlink()
    broken = CliRunner().invoke(tenfold, show)
    assert broken.exit_code == 1
    assert "mix.lgb.txt: is missing" in str(broken.exception)
