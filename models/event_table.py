"""A log of events as columns: what training and evaluation replay, some 25 bytes an event."""

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
        sessions: int32[n_rows], the log's own sessions as numbers, `NO_SESSION` where it names none.
        contexts: int32[n_rows], into `context_values`.
        visitor_ids, sale_ids: the names, in the order in which they first appear.
        context_values: all contexts that differ.
        refused: rows of the log that are no events.
    """

    visitors: NDArray[np.int32]
    sales: NDArray[np.int32]
    kinds: NDArray[np.int8]
    ts: NDArray[np.int64]
    sessions: NDArray[np.int32]
    contexts: NDArray[np.int32]
    visitor_ids: Sequence[str]
    sale_ids: Sequence[str]
    context_values: Sequence[Mapping[str, str]]
    refused: int

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.ts)

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


def table_of(events: Iterable[Event]) -> EventTable:
    """The actions among `events`, in their order."""
    visitors, sales, sessions, contexts = _Names(), _Names(), _Names(), _Names()
    columns = tuple(array(code) for code in "iibqii")
    by_visitor, by_sale, by_kind, by_ts, by_session, by_context = (column.append for column in columns)
    for event in events:
        if isinstance(event, Impression):
            continue
        by_visitor(visitors[event.visitor_id])
        by_sale(sales[event.sale_id])
        by_kind(KINDS[type(event)])
        by_ts(event.ts)
        by_session(NO_SESSION if event.session_id is None else sessions[event.session_id])
        by_context(contexts[tuple(event.context.items())])
    types = (np.int32, np.int32, np.int8, np.int64, np.int32, np.int32)
    names = ("visitors", "sales", "kinds", "ts", "sessions", "contexts")
    made: dict[str, Any] = {
        name: np.frombuffer(column, kind).copy()
        for name, column, kind in zip(names, columns, types, strict=True)
    }
    return EventTable(
        **made,
        visitor_ids=list(visitors),
        sale_ids=list(sales),
        context_values=[dict(items) for items in contexts],
        refused=0,
    )
