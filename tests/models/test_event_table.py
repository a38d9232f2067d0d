"""Tables of events: every action of a log in its order, and nothing that is no event."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.event_log import EventLog
from models.event_table import EVENTS, KINDS, NO_SESSION, EventTable, read_table, table_of
from models.log_columns import EventReader, Meaning
from reco.events import Cart, Click, Event, Impression, Purchase, Shown
from reco.recommenders.protocol import CART, CLICK, PURCHASE
from tests import facts

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


def read(path: Path) -> EventTable:
    """The table of a file."""
    log = EventLog(path)
    return read_table(log, EventReader(log, "log", Meaning()))


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


def test_rows_of_a_csv_stand_in_their_order_and_bad_ones_are_counted(tmp_path: Path) -> None:
    mixed = [row for pair in zip(BAD, [*GOOD, "", ""], strict=True) for row in pair if row]
    table = read(written(tmp_path, [*mixed, "too,few"]))
    assert_is_good(table)
    assert table.refused == len(BAD) + 1


def test_parquet_and_compressed_files_give_the_same_table(tmp_path: Path) -> None:
    path = written(tmp_path, [*GOOD, *BAD[1:2]])
    columns = pa.csv.read_csv(path)
    pa.parquet.write_table(columns, tmp_path / "log.parquet")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("log.parquet", "packed.csv.gz"):
        table = read(tmp_path / name)
        assert_is_good(table)
        assert table.refused == 1


def test_a_log_without_any_event_is_an_empty_table(tmp_path: Path) -> None:
    table = read(written(tmp_path, BAD))
    assert len(table) == 0
    assert table.refused == len(BAD)
    assert [column.dtype for column in (table.visitors, table.kinds, table.ts)] == [
        np.int32,
        np.int8,
        np.int64,
    ]


def test_it_is_told_how_much_of_the_file_is_read(tmp_path: Path) -> None:
    log = EventLog(written(tmp_path, GOOD * 30_000))
    told: list[float] = []
    table = read_table(log, EventReader(log, "log", Meaning()), told.append)
    assert len(table) == 120_000
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


def test_names_are_numbered_as_they_appear() -> None:
    clicks = [Click(f"e{number}", who, "s", T) for number, who in enumerate(("b", "a", "b", "c"))]
    table = table_of(clicks)
    assert table.visitors.tolist() == [0, 1, 0, 2]
    assert table.visitor_ids == ["b", "a", "c"]


@pytest.mark.parametrize("kind", [Click, Cart, Purchase])
def test_kinds_have_the_codes_of_the_recommenders(kind: type[Click | Cart | Purchase]) -> None:
    assert EVENTS[KINDS[kind]] is kind
    assert KINDS[kind] == {Click: CLICK, Cart: CART, Purchase: PURCHASE}[kind]


def shown(visitor: str, *sales: str) -> Impression:
    return Impression(f"i {visitor} {sales}", visitor, "l", T, tuple(Shown(sale, 1) for sale in sales))


def test_what_a_visitor_was_shown_stands_with_the_event_before_it() -> None:
    clicks = [Click(f"e{number}", who, "s", T + number) for number, who in enumerate(("ann", "bob", "ann"))]
    table = table_of(
        [
            shown("ann", "before"),
            *clicks[:2],
            shown("ann", "a", "b"),
            shown("bob", "c"),
            clicks[2],
            shown("ann", "d"),
            shown("ann", "s"),
        ]
    )
    assert len(table) == 3
    assert [[table.sale_ids[sale] for sale in table.shown_to(row)] for row in range(3)] == [
        ["a", "b"],
        ["c"],
        ["d", "s"],
    ]
    turned = table.only(np.array([2, 0]))
    assert [[table.sale_ids[sale] for sale in turned.shown_to(row)] for row in range(2)] == [
        ["d", "s"],
        ["a", "b"],
    ]
