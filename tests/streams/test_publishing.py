"""Sales of a file are published only if every row is right; a wrong one is named with place and remedy."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.sale_file import SaleRow, read_sales
from reco.errors import BrokerError, RefusedRecordError
from reco.events import Sale, SaleFact, Withdrawal
from streams.cli import tenfold
from streams.codecs import decode_sale
from streams.publishing import check, record, send, withdrawal
from streams.settings import Kafka, Settings
from streams.supervisor import environment_of
from streams.topics import TopicSet, topic_set
from tests.streams.imports import records

T = 1_748_761_200_000
RIGHT = {"sale_id": "a", "title": "Sea", "opens_at": T}


@pytest.mark.parametrize(
    ("wrong", "field", "what"),
    [
        ({"title": None}, "title", "is missing"),
        ({"sale_id": None}, "sale_id", "is missing"),
        ({"sale_id": "x" * 129}, "sale_id", "length"),
        ({"opens_at": "soon"}, "opens_at", "got `str`"),
        ({"opens_at": 1_748_761_200}, "opens_at", ">="),
        ({"closes_at": T}, "closes_at", "after opens_at"),
        ({"price": "12 EUR"}, "price", "got `str`"),
        ({"currency": "euro"}, "currency", "length"),
        ({"image_urls": ["u", 5]}, "image_urls", "got `int`"),
        ({"tags": ["x" * 65]}, "tags", "length"),
        ({"title": "\udcff"}, "row", "UTF-8"),
    ],
)
def test_a_wrong_row_is_named_with_place_field_and_remedy(
    wrong: dict[str, object], field: str, what: str
) -> None:
    document = {name: value for name, value in {**RIGHT, **wrong}.items() if value is not None}
    checked = check([SaleRow("sales.csv", 7, document)])
    assert checked.records == []
    (one,) = checked.wrong
    assert (one.file, one.line, one.field) == ("sales.csv", 7, field)
    assert what in one.what
    assert one.remedy
    assert (f"--map THEIRS={field}" in one.remedy) == (what == "is missing")
    assert str(one).startswith(f"sales.csv, line 7: {field}: ")


def test_images_that_are_not_separated_by_a_bar_are_refused_with_how_to_separate_them(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text('id,title,opens_at,images\na,Sea,2025-06-01,"https://a.eu/1.jpg, https://a.eu/2.jpg"\n')
    (one,) = check(read_sales(path, {})).wrong
    assert (one.line, one.field) == (2, "image_urls")
    assert "separate images by |" in one.remedy


def test_right_rows_become_records_whose_key_is_the_id_and_wrong_ones_do_not() -> None:
    rows = [
        SaleRow("f", 1, RIGHT),
        SaleRow("f", 2, {}, fault="no JSON object"),
        SaleRow("f", 3, {**RIGHT, "sale_id": "b"}, ("typo",)),
        SaleRow("f", 4, {**RIGHT, "sale_id": "c"}, ("typo",)),
    ]
    checked = check(rows)
    assert [decode_sale(key, value) for key, value in checked.records] == [
        Sale("a", "Sea", T),
        Sale("b", "Sea", T),
        Sale("c", "Sea", T),
    ]
    assert [(one.line, one.what) for one in checked.wrong] == [(2, "no JSON object")]
    assert checked.ignored == {"typo": 2}


def test_a_withdrawal_is_a_tombstone() -> None:
    assert withdrawal("a") == (b"a", None)
    with pytest.raises(RefusedRecordError):
        withdrawal("")


async def test_nothing_is_said_to_have_arrived_when_no_broker_answers() -> None:
    with pytest.raises(BrokerError, match="Publish the same again"):
        await send(Kafka(bootstrap_servers="127.0.0.1:1"), "sales", [record(Sale("a", "Sea", T))])


def publish(settings: Settings, *arguments: object, stdin: str = "") -> Result:
    """`tenfold publish` with these arguments."""
    runner = CliRunner(env=environment_of(settings))
    return runner.invoke(tenfold, ["publish", *map(str, arguments)], input=stdin)


def published(settings: Settings) -> list[SaleFact]:
    """What stands in the topic, in the order of each partition."""
    topic = topic_set(settings.topics).sales.name
    return [decode_sale(key, value) for _, key, value in asyncio.run(records(settings, topic))]


@pytest.fixture
def sales_file(tmp_path: Path) -> Path:
    """A file with two sales and a wrong row between them."""
    path = tmp_path / "sales.csv"
    path.write_text("id,name,opens_at\na,Sea,2025-06-01\nb,,2025-06-01\nc,Hills,2025-06-01\n")
    return path


@pytest.mark.broker
@pytest.mark.usefixtures("topics")
def test_one_wrong_row_stops_the_whole_publication(settings: Settings, sales_file: Path) -> None:
    result = publish(settings, sales_file, "--map", "name=title")
    assert result.exit_code == 1
    assert f"{sales_file}, line 3: title: is missing; give every sale a title" in result.output
    assert "Nothing is published" in result.output
    assert published(settings) == []


@pytest.mark.broker
def test_the_other_rows_are_published_if_wrong_ones_are_to_be_left_out(
    settings: Settings, sales_file: Path
) -> None:
    result = publish(settings, sales_file, "--map", "name=title", "--skip-wrong")
    assert result.exit_code == 0
    assert "2 published, 1 wrong" in result.output
    assert {fact.sale_id for fact in published(settings)} == {"a", "c"}


@pytest.mark.broker
def test_publishing_an_id_again_changes_the_sale_and_withdrawing_takes_it_back(settings: Settings) -> None:
    sale = '{"id": "a", "title": "Sea", "opens_at": 1748761200000, "colour": "blue"}\n'
    first = publish(settings, "-", stdin=sale)
    assert "Ignored: a sale has no field colour (rows: 1)" in first.output
    assert "1 published, 0 wrong" in first.output
    publish(settings, "-", stdin=sale.replace("Sea", "Hills"))
    assert "1 withdrawn, 0 wrong" in publish(settings, "--withdraw", "a").output
    assert published(settings) == [Sale("a", "Sea", T), Sale("a", "Hills", T), Withdrawal("a")]


@pytest.mark.broker
def test_ids_to_withdraw_that_are_not_published_are_named_and_not_counted(settings: Settings) -> None:
    publish(settings, "-", stdin='{"id": "a", "title": "Sea", "opens_at": 1748761200000}\n')
    result = publish(settings, "--withdraw", "nosuch", "a")
    assert result.exit_code == 0
    assert "Not among the sales that are published: nosuch\n1 withdrawn, 0 wrong" in result.output


def test_publishing_fails_if_every_row_is_wrong_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("id,title,opens_at\na,,2025-06-01\nb,,2025-06-01\n")
    result = CliRunner().invoke(tenfold, ["publish", str(path), "--skip-wrong"])
    assert result.exit_code == 1
    assert "line 3: title: is missing" in result.output
    assert result.output.endswith("Nothing is published. Correct the rows.\n")


@pytest.mark.parametrize(("name", "text"), [("sales.csv", "id,title,opens_at\n"), ("sales.jsonl", "\n")])
def test_a_file_without_a_sale_is_said_to_have_none_before_a_broker_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    result = CliRunner().invoke(tenfold, ["publish", name])
    assert (result.exit_code, result.output) == (1, f"No sale in {name}: nothing is published.\n")
    assert not (tmp_path / ".tenfold").exists()


@pytest.mark.broker
async def test_everything_sent_has_arrived(settings: Settings, topics: TopicSet) -> None:
    many = [record(Sale(f"sale-{n}", "Sea", T)) for n in range(1000)]
    await send(settings.kafka, topics.sales.name, many)
    assert sorted((key, value) for _, key, value in await records(settings, topics.sales.name)) == sorted(
        many
    )


@pytest.mark.parametrize("arguments", [["--map", "title"], ["--map", "=title"]])
def test_a_mapping_of_another_form_is_refused(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(tenfold, ["publish", str(tmp_path / "x.csv"), *arguments])
    assert result.exit_code == 2
    assert "THEIRS=OURS" in result.output


def test_what_is_read_from_a_file_can_be_checked_as_it_is(sales_file: Path) -> None:
    checked = check(read_sales(sales_file, {"name": "title"}))
    assert (len(checked.records), len(checked.wrong)) == (2, 1)
