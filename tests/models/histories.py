"""Small histories: tables of what a few visitors did, with or without the log's own sessions."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from models.event_table import EventTable, table_of
from models.targets import session_numbers
from reco.events import Action, Cart, Click, Purchase

START = 1_600_000_000_000 - 1_600_000_000_000 % 3_600_000
"""The full hour at which histories begin, ms since the epoch, UTC."""
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def did(
    sale_id: str, ts: int, visitor_id: str = "ann", session: str | None = None, kind: type[Action] = Click
) -> Action:
    """One action, so long after the start."""
    return kind(
        event_id=f"{visitor_id} {sale_id} {ts}",
        visitor_id=visitor_id,
        sale_id=sale_id,
        ts=START + ts,
        session_id=session,
        context={"country": "FR"} if visitor_id < "c" else {},
    )


def sessions(*trails: tuple[str, int, int]) -> list[Action]:
    """One session by a visitor of its own for each (sales, start, gap between clicks in ms)."""
    return [
        did(sale, start + place * gap, f"visitor {number}", f"session {number}")
        for number, (sales, start, gap) in enumerate(trails)
        for place, sale in enumerate(sales)
    ]


@st.composite
def histories(draw: st.DrawFn, length: int = 30, span: int = 3 * HOUR) -> EventTable:
    """Actions in the order of time, of visitors who look at few sales."""
    times = st.integers(0, span // SECOND).map(lambda second: second * SECOND)
    ids = st.tuples(st.sampled_from("abcdef"), times, st.sampled_from(("ann", "bob", "cleo", "dan")))
    kinds: st.SearchStrategy[type[Action]] = st.sampled_from((Click, Click, Click, Cart, Purchase))
    made = draw(st.lists(st.tuples(ids, kinds), min_size=1, max_size=length))
    made.sort(key=lambda one: one[0][1])
    return table_of(did(*who, kind=kind) for who, kind in made)


@st.composite
def session_histories(draw: st.DrawFn, span: int = 3 * DAY) -> EventTable:
    """A log with sessions of its own, which overlap; one visitor each, rows in the order of time."""
    some = st.tuples(
        st.text("abcdef", min_size=1, max_size=25), st.integers(0, span), st.integers(0, 20 * MINUTE)
    )
    log = sessions(*draw(st.lists(some, min_size=1, max_size=12)))
    return table_of(sorted(log, key=lambda action: action.ts))


def ids_of(table: EventTable, rows: Sequence[int]) -> list[str]:
    """The sales of these rows."""
    return [table.sale_ids[table.sales[row]] for row in rows]


def rows_by_session(table: EventTable) -> dict[int, list[int]]:
    """The rows of each session, in the order of time."""
    found = defaultdict(list)
    for row in np.argsort(table.ts, kind="stable").tolist():
        found[int(session_numbers(table)[row])].append(row)
    return found
