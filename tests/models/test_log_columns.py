"""What the columns of a log mean: types, times, context, payments, and what is assumed."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from models.event_log import FIRST_ROWS, EventLog, Row
from models.log_columns import EventReader, Meaning
from reco.errors import EventLogError
from reco.events import Event, Purchase

T = 1506826828020
WHO = {"visitor_id": "v", "item_id": "i", "event_type": "view", "ts": str(T)}


def reader(tmp_path: Path, columns: str, meaning: Meaning | None = None) -> EventReader:
    path = tmp_path / "log.csv"
    path.write_text(columns + "\n")
    meaning = meaning or Meaning()
    return EventReader(EventLog(path, meaning.renames), "log", meaning)


def plain(tmp_path: Path, meaning: Meaning | None = None) -> EventReader:
    return reader(tmp_path, "visitor_id,item_id,event_type,ts", meaning)


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock of the machine is five hours behind UTC."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "EST5")
        time.tzset()
        yield
    time.tzset()


def test_a_row_becomes_an_event_whose_id_names_the_log_and_the_row(tmp_path: Path) -> None:
    row: Row = {**WHO, "session_id": "s", "device": "phone"}
    assert plain(tmp_path).event(7, row) == {
        "type": "click",
        "event_id": "log-7",
        "visitor_id": "v",
        "sale_id": "i",
        "ts": T,
        "session_id": "s",
        "context": {"device": "phone"},
    }


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("view", "click"),
        ("click", "click"),
        ("pageview", "click"),
        ("PageView", "click"),
        ("cart", "cart"),
        ("add_to_cart", "cart"),
        ("addtocart", "cart"),
        ("purchase", "purchase"),
        ("transaction", "purchase"),
        ("Buy", "purchase"),
        ("clicks", "click"),
        ("carts", "cart"),
        ("order", "purchase"),
        ("orders", "purchase"),
        ("Impression", "impression"),
        ("liked", "liked"),
    ],
)
def test_event_types_of_common_logs_are_known(tmp_path: Path, theirs: str, ours: str) -> None:
    assert plain(tmp_path).event(1, {**WHO, "event_type": theirs})["type"] == ours


def test_a_given_event_type_wins_over_the_common_one(tmp_path: Path) -> None:
    given = plain(tmp_path, Meaning(types={"liked": "click", "buy": "cart", "None": "click"}))
    types = [given.event(1, {**WHO, "event_type": name})["type"] for name in ("liked", "buy", "None", "view")]
    assert types == ["click", "cart", "click", "click"]


@pytest.mark.parametrize(
    "text",
    [
        str(T),
        f"{T}.0",
        "1.506826828020000000e+12",
        "1.506826828020e+12",
        "2017-10-01T03:00:28.020Z",
        "2017-10-01 03:00:28.020",
        "2017-10-01 03:00:28.020 UTC",
        "2017-10-01T05:00:28.020+02:00",
    ],
)
@pytest.mark.usefixtures("in_new_york")
def test_times_are_ms_or_iso_8601_and_utc_wherever_the_log_is_read(tmp_path: Path, text: str) -> None:
    assert plain(tmp_path).event(1, {**WHO, "ts": text})["ts"] == T


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        (f"{T // 1000}", T - 20),
        (f"{T // 1000}.02", T),
        (f"{T // 1000}.0203", T),
        ("2017-10-01T03:00:28.020Z", T),
    ],
)
def test_times_are_seconds_if_told(tmp_path: Path, text: str, ms: int) -> None:
    assert plain(tmp_path, Meaning(seconds=True)).event(1, {**WHO, "ts": text})["ts"] == ms


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "",
        "1506826828020.5",
        "1" * 5000,
        "1" * 400 + ".0",
        "inf",
        "nan",
        "1.50683E+12",
        "1.50682682802E+12",
        "1e999999999",
        "1_506_826_828_020",
    ],
)
def test_a_time_that_is_none_is_left_to_be_refused(tmp_path: Path, text: str) -> None:
    assert plain(tmp_path).event(1, {**WHO, "ts": text})["ts"] == text


MISSING = pytest.mark.parametrize(
    "missing", [None, "", "NaN", "nan", "NaT", "<NA>", "None", "NULL", "null", r"\N"]
)


@MISSING
def test_a_missing_value_is_no_visitor_no_session_and_no_context(tmp_path: Path, missing: str | None) -> None:
    row: Row = {**WHO, "visitor_id": missing, "session_id": missing, "device": missing, "country": "NA"}
    event = plain(tmp_path).event(1, row)
    assert event["visitor_id"] is None
    assert "session_id" not in event
    assert event["context"] == {"country": "NA"}


@MISSING
def test_a_missing_type_is_left_to_be_refused_as_missing(tmp_path: Path, missing: str | None) -> None:
    assert plain(tmp_path).event(1, {**WHO, "event_type": missing})["type"] is None


def test_a_purchase_takes_quantity_price_and_currency_and_others_keep_them_as_context(tmp_path: Path) -> None:
    paid: Row = {**WHO, "quantity": "2.0", "price": "49.90", "currency": "EUR", "device": "phone"}
    bought = plain(tmp_path).event(1, {**paid, "event_type": "buy"})
    assert (bought["quantity"], bought["price"], bought["currency"]) == (2, 49.9, "EUR")
    assert bought["context"] == {"device": "phone"}
    assert msgspec.convert(bought, Purchase).quantity == 2, "a whole number, on the wire too"
    viewed = plain(tmp_path).event(1, paid)
    assert "price" not in viewed
    assert viewed["context"] == {"quantity": "2.0", "price": "49.90", "currency": "EUR", "device": "phone"}


def test_an_impression_shows_the_sale_of_its_row(tmp_path: Path) -> None:
    row: Row = {**WHO, "event_type": "impression", "list_id": "l", "position": "3.0", "device": "phone"}
    assert plain(tmp_path).event(7, row) == {
        "type": "impression",
        "event_id": "log-7",
        "visitor_id": "v",
        "list_id": "l",
        "shown": [{"sale_id": "i", "position": 3}],
        "ts": T,
        "context": {"device": "phone"},
    }
    clicked = plain(tmp_path).event(7, {**row, "event_type": "view"})
    assert clicked["context"] == {"list_id": "l", "position": "3.0", "device": "phone"}


def test_an_impression_without_a_list_is_one_of_its_own(tmp_path: Path) -> None:
    event = plain(tmp_path).event(7, {**WHO, "event_type": "impression", "position": "3"})
    assert (event["list_id"], event["shown"]) == ("log-7", [{"sale_id": "i", "position": 1}])


@pytest.mark.parametrize("position", [None, "", "first", "2.5"])
def test_a_position_in_a_list_that_is_none_is_left_to_be_refused(
    tmp_path: Path, position: str | None
) -> None:
    row: Row = {**WHO, "event_type": "impression", "list_id": "l", "position": position}
    with pytest.raises(msgspec.ValidationError, match="position"):
        msgspec.convert(plain(tmp_path).event(7, row), Event)


@pytest.mark.parametrize("text", ["49,90", "inf", "free"])
@pytest.mark.parametrize("name", ["price", "quantity"])
def test_a_price_or_quantity_that_is_no_number_is_left_to_be_refused(
    tmp_path: Path, name: str, text: str
) -> None:
    assert plain(tmp_path).event(1, {**WHO, "event_type": "buy", name: text})[name] == text


def test_without_visitors_types_and_times_each_is_made_up_and_said(tmp_path: Path) -> None:
    sequences = reader(tmp_path, "session_id,pos,item_id", Meaning(times_from=T))
    events = [sequences.event(n, {"session_id": "s", "pos": "0", "item_id": "i"}) for n in (1, 2, 3)]
    assert [event["ts"] for event in events] == [T, T + 1000, T + 2000]
    assert {(event["visitor_id"], event["type"]) for event in events} == {("s", "click")}
    assert [said.split(":")[0] for said in sequences.assumptions] == [
        "no column visitor_id",
        "no column event_type",
        "no times",
    ]


def test_a_type_is_read_also_where_the_first_rows_have_none(tmp_path: Path) -> None:
    sparse = reader(tmp_path, "visitor_id,item_id,ts")
    rows: list[Row] = [{**WHO, "event_type": given} for given in (None, "buy")]
    assert [sparse.event(1, row)["type"] for row in rows] == ["click", "purchase"]


def test_rows_without_a_type_are_what_is_said_of_them(tmp_path: Path) -> None:
    orders = reader(tmp_path, "visitor_id,item_id,ts", Meaning(types={"": "purchase"}))
    assert orders.assumptions == ["no column event_type: every row is read as purchase"]
    untyped: Row = {name: value for name, value in WHO.items() if name != "event_type"}
    assert orders.event(1, untyped)["type"] == "purchase"
    mixed = plain(tmp_path, Meaning(types={"": "cart"}))
    types = [mixed.event(1, {**WHO, "event_type": given})["type"] for given in (None, "NaN", "view")]
    assert types == ["cart", "cart", "click"]


def test_a_name_that_no_row_of_json_has_is_said(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"user": "v", "item_id": "i", "kind": "buy", "ts": 1}\n')
    meaning = Meaning(renames={"knd": "event_type", "gone": "", "user": "visitor_id"})
    read = EventReader(EventLog(path, meaning.renames), "log", meaning)
    assert read.assumptions[0] == "none of the first rows has knd, which is to become event_type"
    assert len(read.assumptions) == 2


def test_rows_that_are_read_as_clicks_are_said_with_what_else_they_may_be(tmp_path: Path) -> None:
    (said,) = reader(tmp_path, "visitor_id,item_id,ts,event").assumptions
    assert said.startswith(
        "no column event_type: every row is read as click; name one with --map THEIRS=event_type"
    )
    assert said.endswith("if all are purchases, add --map-type =purchase")


@pytest.mark.parametrize("nobody", [" ", "N/A", "n/a", "#N/A", "undefined", " NaN"])
def test_visitors_whom_nobody_knows_are_not_one_visitor(tmp_path: Path, nobody: str) -> None:
    event = plain(tmp_path).event(1, {**WHO, "visitor_id": nobody, "session_id": nobody})
    assert event["visitor_id"] is None
    assert "session_id" not in event


def test_a_row_names_its_visitor_also_where_the_first_rows_name_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"session_id": "s", "item_id": "i", "ts": {T}}}\n' * FIRST_ROWS)
    read = EventReader(EventLog(path), "log", Meaning())
    later: Row = {**WHO, "session_id": "s"}
    assert read.event(FIRST_ROWS + 1, later)["visitor_id"] == "v"
    assert read.event(FIRST_ROWS + 2, {**later, "visitor_id": None})["visitor_id"] == "s"


def test_a_log_of_whole_sessions_is_asked_about_the_list_that_holds_its_events(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"session_id": 1, "events": [{{"aid": 2, "ts": {T}}}], "tags": ["a"]}}\n')
    with pytest.raises(
        EventLogError, match=r"no column item_id; .*is events a list of what the visitor did\?"
    ):
        EventReader(EventLog(path), "log", Meaning())


def test_nothing_is_assumed_of_a_complete_log(tmp_path: Path) -> None:
    assert plain(tmp_path).assumptions == []
    further = ",".join(f"c{number}" for number in range(16))
    assert reader(tmp_path, f"visitor_id,item_id,event_type,ts,{further}").assumptions == []


def test_na_is_a_country_but_no_visitor_no_session_and_no_item(tmp_path: Path) -> None:
    event = plain(tmp_path).event(1, {**WHO, "visitor_id": "NA", "item_id": "NA", "session_id": "NA"})
    assert (event["visitor_id"], event["sale_id"], "session_id" in event) == (None, None, False)
    assert plain(tmp_path).event(1, {**WHO, "country": "NA"})["context"] == {"country": "NA"}


@pytest.mark.parametrize(
    ("columns", "meaning", "hint"),
    [
        ("item_id,event_type,ts", Meaning(), "--map THEIRS=visitor_id"),
        ("visitor_id,event_type,ts", Meaning(), "--map THEIRS=item_id"),
        ("visitor_id,item_id,event_type", Meaning(), "--times-from"),
        ("visitor_id,item_id,ts", Meaning(times_from=T), "--map ts="),
        ("1,2014-04-07T10:51:09.277Z,214536502,0", Meaning(), "is there no header"),
        ("visitor_id,item_id,ts," + ",".join(f"c{n}" for n in range(17)), Meaning(), "--map COLUMN="),
    ],
)
def test_columns_that_cannot_be_imported_are_refused_with_a_remedy(
    tmp_path: Path, columns: str, meaning: Meaning, hint: str
) -> None:
    with pytest.raises(EventLogError, match=hint) as error:
        reader(tmp_path, columns, meaning)
    assert str(error.value).startswith(str(tmp_path / "log.csv"))
