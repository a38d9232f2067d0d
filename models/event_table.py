"""A log of events as columns: what training and evaluation replay, some 35 bytes an event."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.event_log import EventLog, Unreadable
from models.log_columns import EventReader
from reco.events import Action, Cart, Click, Event, Impression, Purchase
from reco.recommenders.protocol import CART, CLICK, PURCHASE

KINDS: Mapping[type[Action], int] = {Click: CLICK, Cart: CART, Purchase: PURCHASE}
EVENTS: Mapping[int, type[Action]] = {CLICK: Click, CART: Cart, PURCHASE: Purchase}
NO_SESSION = -1
CODES: Mapping[str, str] = {
    "visitors": "i",
    "sales": "i",
    "kinds": "b",
    "ts": "q",
    "appended": "q",
    "sessions": "i",
    "contexts": "i",
}
"""The columns of a table, and the type of each as `array` and NumPy name it."""
Progress = Callable[[float], None]
"""Told now and then which fraction of a piece of work is done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class EventTable:
    """Actions of all visitors, one per row, in the order of the log; text as numbers into lists of names.

    Attributes:
        visitors: int32[n_rows], into `visitor_ids`.
        sales: int32[n_rows], into `sale_ids`.
        kinds: int8[n_rows], `CLICK`, `CART` or `PURCHASE`.
        ts: int64[n_rows], event times, ms since the epoch, UTC.
        appended: int64[n_rows], when each reached the stream, ms since the epoch, UTC; in a file that does
            not say it, the event time.
        sessions: int32[n_rows], the log's own sessions as numbers, `NO_SESSION` where it names none.
        contexts: int32[n_rows], into `context_values`.
        shown_after: int64[n_shown], rising; impressions: the row after which, and before the visitor's next
            one, the visitor was shown a sale.
        shown: int32[n_shown], that sale, into `sale_ids`.
        visitor_ids, sale_ids: the names, in the order in which they first appear.
        context_values: all contexts that differ.
        refused: rows of the log that are no events.
    """

    visitors: NDArray[np.int32]
    sales: NDArray[np.int32]
    kinds: NDArray[np.int8]
    ts: NDArray[np.int64]
    appended: NDArray[np.int64]
    sessions: NDArray[np.int32]
    contexts: NDArray[np.int32]
    shown_after: NDArray[np.int64]
    shown: NDArray[np.int32]
    visitor_ids: Sequence[str]
    sale_ids: Sequence[str]
    context_values: Sequence[Mapping[str, str]]
    refused: int

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.ts)

    def only(self, rows: NDArray[np.integer]) -> "EventTable":
        """The same with these rows (int[n]), in this order; all names stay."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in CODES}
        moved = np.full(len(self), -1, np.int64)
        moved[rows] = np.arange(len(rows))
        after = moved[self.shown_after]
        order = np.argsort(after, kind="stable")[int((after < 0).sum()) :]
        return replace(self, **columns, shown_after=after[order], shown=self.shown[order])

    def shown_to(self, row: int) -> NDArray[np.int32]:
        """int32[n]: the sales that the visitor was shown between this row and their next one."""
        return self.shown[slice(*np.searchsorted(self.shown_after, (row, row + 1)))]

    def event(self, row: int, ts: int) -> Action:
        """The event of a row, as if it had happened at `ts`, ms since the epoch, UTC."""
        return EVENTS[int(self.kinds[row])](
            event_id=str(row),
            visitor_id=self.visitor_ids[self.visitors[row]],
            sale_id=self.sale_ids[self.sales[row]],
            ts=ts,
            context=self.context_values[self.contexts[row]],
        )


def read_table(log: EventLog, reader: EventReader, progress: Progress = lambda _: None) -> EventTable:
    """The whole log; rows that are no events are counted, not kept."""
    refused = 0

    def events() -> Iterator[Event]:
        nonlocal refused
        for number, row in enumerate(log.rows(), start=1):
            event = None if isinstance(row, Unreadable) else _event(reader.event(number, row))
            if event is None:
                refused += 1
            else:
                yield event
            if number % 100_000 == 0:
                progress(log.fraction_read)

    return replace(table_of(events()), refused=refused)


def _event(wire: dict[str, Any]) -> Event | None:
    try:
        event: Event = msgspec.convert(wire, Event)
    except msgspec.ValidationError:
        return None
    return event


class _Names(dict[Any, int]):
    """Numbers in the order of first sight."""

    def __missing__(self, name: Any) -> int:
        self[name] = number = len(self)
        return number


class Columns:
    """A table under construction: columns that grow event by event."""

    def __init__(self) -> None:
        self._visitors, self._sales, self._sessions, self._contexts = _Names(), _Names(), _Names(), _Names()
        self._columns = tuple(array(code) for code in CODES.values())
        self._shown_after, self._shown = array("q"), array("i")
        self._newest: dict[int, int] = {}

    def add(self, event: Action, appended: int) -> None:
        """Add an event that reached the stream at `appended`, ms since the epoch, UTC."""
        session = event.session_id
        row = (
            self._visitors[event.visitor_id],
            self._sales[event.sale_id],
            KINDS[type(event)],
            event.ts,
            appended,
            NO_SESSION if session is None else self._sessions[event.visitor_id, session],
            self._contexts[tuple(event.context.items())],
        )
        self._newest[row[0]] = len(self._columns[0])
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def show(self, impression: Impression) -> None:
        """Add what the visitor was shown after their newest event; nothing before their first one."""
        visitor = self._visitors.get(impression.visitor_id)
        if visitor is not None:
            self._shown_after.extend([self._newest[visitor]] * len(impression.shown))
            self._shown.extend(self._sales[one.sale_id] for one in impression.shown)

    def table(self) -> EventTable:
        """The table of what was added."""
        made: dict[str, Any] = {
            name: np.frombuffer(column, column.typecode).copy()
            for name, column in zip(CODES, self._columns, strict=True)
        }
        after = np.frombuffer(self._shown_after, np.int64)
        by_row = np.argsort(after, kind="stable")
        return EventTable(
            **made,
            shown_after=after[by_row],
            shown=np.frombuffer(self._shown, np.int32)[by_row],
            visitor_ids=list(self._visitors),
            sale_ids=list(self._sales),
            context_values=[dict(items) for items in self._contexts],
            refused=0,
        )


def table_of(events: Iterable[Event]) -> EventTable:
    """`events` in their order, as if each reached the stream as it happened."""
    columns = Columns()
    for event in events:
        if isinstance(event, Impression):
            columns.show(event)
        else:
            columns.add(event, event.ts)
    return columns.table()
