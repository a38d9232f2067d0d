"""Tables of events: every action of a log in its order, and nothing that is no event."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.event_log import EventLog, Row, Unreadable
from models.event_table import MAX_VALUES, NO_SESSION, YEAR, EventTable, read_table, table_of
from models.log_columns import EventReader, Meaning
from reco.events import Click, Event, Impression, Shown
from reco.recommenders.protocol import CART, CLICK, PURCHASE
from tests import facts
from tests.models.log_reading import conversion

T = 1506826828020
HEADER = "visitor_id,item_id,event_type,ts,session_id,country"
GOOD = [
    f"v1,i1,view,{T},s1,FR",
    f"v2,i1,addtocart,{T + 1},s2,",
    f"v1,i2,buy,{T + 2},s1,FR",
    f"v3,i1,view,{T + 3},,IT",
]
BAD = [
    "v1,i1,view,yesterday,s1,FR",
    f"v1,i1,liked,{T},s1,FR",
    f"v1,,view,{T},s1,FR",
    f",i1,view,{T},,FR",
    f"v1,i1,view,{T // 1000},s1,FR",
    f"{'v' * 200},i1,view,{T},s1,FR",
]


def read(path: Path, told: Callable[[float], None] = lambda _: None) -> tuple[EventTable, list[int]]:
    """The table of a file, and the numbers of the rows that are no events."""
    log, refused = EventLog(path), list[int]()
    converted = conversion(EventReader(log, "log", Meaning()))

    def known(number: int, row: Row | Unreadable) -> Event | None:
        event = converted(number, row)
        if event is None:
            refused.append(number)
        return event

    return read_table(log, known, told), refused


def written(tmp_path: Path, rows: list[str]) -> Path:
    """A CSV log of these rows."""
    path = tmp_path / "log.csv"
    path.write_text("\n".join((HEADER, *rows, "")))
    return path


def test_a_session_is_one_of_its_visitor_also_where_others_number_theirs_alike() -> None:
    log = [Click(str(n), visitor, "rome", T + n, session_id="1") for n, visitor in enumerate("aba")]
    assert table_of(log).sessions.tolist() == [0, 1, 0]


def assert_is_good(table: EventTable) -> None:
    """It holds the rows of `GOOD`."""
    assert [table.visitor_ids[number] for number in table.visitors] == ["v1", "v2", "v1", "v3"]
    assert [table.sale_ids[number] for number in table.sales] == ["i1", "i1", "i2", "i1"]
    assert table.kinds.tolist() == [CLICK, CART, PURCHASE, CLICK]
    assert table.ts.tolist() == [T, T + 1, T + 2, T + 3]
    assert table.sessions.tolist() == [0, 1, 0, NO_SESSION]
    assert [dict(table.context_values[number]) for number in table.contexts] == [
        {"country": "FR"},
        {},
        {"country": "FR"},
        {"country": "IT"},
    ]


def test_rows_of_a_csv_stand_in_their_order_and_bad_ones_are_told(tmp_path: Path) -> None:
    mixed = [row for pair in zip(BAD, [*GOOD, "", ""], strict=True) for row in pair if row]
    table, refused = read(written(tmp_path, [*mixed, "too,few"]))
    assert_is_good(table)
    assert refused == [1, 3, 5, 7, 9, 10, 11]


def test_parquet_and_compressed_files_give_the_same_table(tmp_path: Path) -> None:
    path = written(tmp_path, [*GOOD, *BAD[1:2]])
    columns = pa.csv.read_csv(path)
    pa.parquet.write_table(columns, tmp_path / "log.parquet")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("log.parquet", "packed.csv.gz"):
        table, refused = read(tmp_path / name)
        assert_is_good(table)
        assert refused == [5]


def test_a_log_without_any_event_is_an_empty_table(tmp_path: Path) -> None:
    table, refused = read(written(tmp_path, BAD))
    assert len(table) == 0
    assert len(refused) == len(BAD)
    assert [column.dtype for column in (table.visitors, table.kinds, table.ts)] == [
        np.int32,
        np.int8,
        np.int64,
    ]


def test_it_is_told_how_much_of_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.event_table.EVENTS_PER_REPORT", 10_000)
    told: list[float] = []
    table, _ = read(written(tmp_path, GOOD * 3_000), told.append)
    assert len(table) == 12_000
    assert len(told) == 1
    assert 0.5 < told[0] <= 1


@given(st.lists(facts.events, max_size=20))
def test_every_action_comes_out_as_it_went_in(events: list[Event]) -> None:
    table = table_of(events)
    actions = [event for event in events if not isinstance(event, Impression)]
    assert len(table) == len(actions)
    for row, action in enumerate(actions):
        again = table.event(row, action.ts)
        assert (type(again), again.visitor_id, again.sale_id, again.ts) == (
            type(action),
            action.visitor_id,
            action.sale_id,
            action.ts,
        )
        assert again.context == action.context
        assert (table.sessions[row] == NO_SESSION) == (action.session_id is None)
    assert len({table.event(row, 0).event_id for row in range(len(table))}) == len(table)


def test_what_is_another_in_every_event_is_no_context_and_takes_no_memory() -> None:
    contexts = [{"country": f"C{number % 50}", "url": f"/{number}"} for number in range(2 * MAX_VALUES)]
    events = [Click(f"e{ts}", "ann", "oslo", ts, context=context) for ts, context in enumerate(contexts)]
    table = table_of(events)
    assert table.left_out == ["url"]
    assert {frozenset(values) for values in table.context_values} == {frozenset(["country"])}
    assert len(table.context_values) <= MAX_VALUES + 50 + 1
    assert [table.event(row, 0).context["country"] for row in (0, 49, len(table) - 1)] == ["C0", "C49", "C49"]
    assert table_of(events[:MAX_VALUES]).left_out == []


@pytest.mark.parametrize(
    ("times", "begins"),
    [
        ([5, 3, 9], 3),
        ([4 * YEAR, 4 * YEAR + 1, 0], 4 * YEAR),
        ([*range(4 * YEAR, 4 * YEAR + 200), 0, 2 * YEAR], 4 * YEAR),
        ([0, 1, 4 * YEAR, 4 * YEAR + 1], 0),
    ],
)
def test_a_log_begins_without_the_few_events_of_wrong_clocks(times: list[int], begins: int) -> None:
    assert table_of([Click(f"e{ts}", "ann", "oslo", ts) for ts in times]).begins == begins
    turned = table_of([Click(f"e{ts}", "ann", "oslo", 9 * YEAR - ts) for ts in times])
    assert turned.ends == 9 * YEAR - begins


def test_names_are_numbered_as_they_appear() -> None:
    clicks = [Click(f"e{number}", who, "s", T) for number, who in enumerate(("b", "a", "b", "c"))]
    table = table_of(clicks)
    assert table.visitors.tolist() == [0, 1, 0, 2]
    assert table.visitor_ids == ["b", "a", "c"]


def shown(visitor: str, *sales: str, after: int = 0) -> Impression:
    """Sales shown to a visitor `after` so many ms."""
    return Impression(f"i {visitor} {sales}", visitor, "l", T + after, tuple(Shown(one, 1) for one in sales))


def lists_of(table: EventTable) -> list[list[str]]:
    """What was shown after each row."""
    return [[table.sale_ids[sale] for sale in table.shown_to(row)] for row in range(len(table))]


def test_what_a_visitor_was_shown_stands_with_the_event_before_it() -> None:
    clicks = [Click(f"e{number}", who, "s", T + number) for number, who in enumerate(("ann", "bob", "ann"))]
    table = table_of(
        [
            shown("ann", "before"),
            *clicks[:2],
            shown("ann", "a", "b", after=1),
            shown("bob", "c", after=1),
            clicks[2],
            shown("ann", "d", after=2),
            shown("ann", "s", after=3),
        ]
    )
    assert len(table) == 3
    assert lists_of(table) == [["a", "b"], ["c"], ["d", "s"]]
    assert lists_of(table.only(np.array([2, 0]))) == [["d", "s"], ["a", "b"]]


def test_what_was_shown_finds_its_event_wherever_it_stands_in_the_log() -> None:
    clicks = [Click(f"e{number}", "ann", "s", T + 10 * number) for number in range(3)]
    told = [shown("ann", name, after=after) for name, after in (("a", 5), ("b", 15), ("c", 99), ("no", -1))]
    whole = [["a"], ["b"], ["c"]]
    assert lists_of(table_of([*clicks, *told])) == whole
    assert lists_of(table_of([*told[::-1], *clicks])) == whole
    assert lists_of(table_of([*told, *clicks[::-1]])) == whole[::-1]


def test_within_one_ms_the_order_of_the_log_says_what_was_shown_first() -> None:
    clicks = [Click(name, "ann", "s", T) for name in "xy"]
    table = table_of([shown("ann", "before"), clicks[0], shown("ann", "between"), clicks[1]])
    assert lists_of(table) == [["between"], []]


@given(st.lists(facts.events, max_size=20))
def test_every_sale_shown_after_an_action_of_the_visitor_stands_with_the_newest_one(
    events: list[Event],
) -> None:
    table = table_of(events)
    expected: list[list[str]] = [[] for _ in range(len(table))]
    for place, event in enumerate(events):
        if not isinstance(event, Impression):
            continue
        rows = [one for one in enumerate(events) if not isinstance(one[1], Impression)]
        before = [
            (action.ts, at, row)
            for row, (at, action) in enumerate(rows)
            if action.visitor_id == event.visitor_id and (action.ts, at) < (event.ts, place)
        ]
        if before:
            expected[max(before)[2]].extend(one.sale_id for one in event.shown)
    assert [sorted(names) for names in lists_of(table)] == [sorted(names) for names in expected]


def test_a_log_tells_of_lists_row_by_row(tmp_path: Path) -> None:
    rows = [f"v1,i1,view,{T},s1,FR", *(f"v1,{item},impression,{T + 1},s1,FR" for item in ("i2", "i3"))]
    table, refused = read(written(tmp_path, [*rows, f"v1,i3,buy,{T + 2},s1,FR"]))
    assert (lists_of(table), refused) == ([["i2", "i3"], []], [])
