"""A log of events as columns: what training and evaluation replay, some 35 bytes an event."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.event_log import EventLog, Row, Unreadable
from models.progress import Progress
from reco.events import Action, Event, Impression
from reco.parameters import DAY
from reco.recommenders.protocol import KINDS

EVENTS: Mapping[int, type[Action]] = {code: kind for kind, code in KINDS.items()}
NO_SESSION = -1
EVENTS_PER_REPORT = 100_000
MAX_VALUES = 10_000
"""Of one name of the context; what has more is an id, or where a visitor came from to the last letter."""
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
YEAR = 365 * DAY
EventOf = Callable[[int, Row | Unreadable], Event | None]
"""Says which event a row of a log is, by its number, from 1, and its content; None for one that is none."""


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
            one, the visitor was shown a sale, by event time.
        shown: int32[n_shown], that sale, into `sale_ids`.
        visitor_ids, sale_ids: the names, in the order in which they first appear.
        context_values: all contexts that differ.
        left_out: names of the context that have more than `MAX_VALUES` values, and are in none.
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
    left_out: Sequence[str] = ()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.ts)

    @property
    def context_names(self) -> list[str]:
        """The names that any context has, sorted."""
        return sorted({name for values in self.context_values for name in values})

    @property
    def begins(self) -> int:
        """When the log begins, ms; see `beginning`."""
        return beginning(self.ts)

    @property
    def ends(self) -> int:
        """When the log ends, ms, likewise."""
        return -beginning(-self.ts)

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
        return self.events(np.array([row]), np.array([ts]))[0]

    def events(self, rows: NDArray[np.integer], ts: NDArray[np.int64]) -> list[Action]:
        """The events of `rows` (int[n]), as if they had happened at `ts` (int64[n]), ms since the epoch, UTC.

        Many at once take half of the time.
        """
        columns = (rows, self.kinds[rows], self.visitors[rows], self.sales[rows], ts, self.contexts[rows])
        return [
            EVENTS[kind](
                str(row),
                self.visitor_ids[visitor],
                self.sale_ids[sale],
                at,
                context=self.context_values[context],
            )
            for row, kind, visitor, sale, at, context in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]


def beginning(times: NDArray[np.int64]) -> int:
    """The first of some times, ms, without those of wrong clocks.

    These are the oldest ones, if more than a year is between them and the others: at most one, and one more
    for each hundred.
    """
    oldest = np.sort(times)[: len(times) // 100 + 2]
    gaps = np.flatnonzero(np.diff(oldest) > YEAR)
    return int(oldest[gaps[-1] + 1 if len(gaps) else 0])


def read_table(log: EventLog, event_of: EventOf, progress: Progress = lambda _: None) -> EventTable:
    """The whole log, without the rows that are no events."""

    def events() -> Iterator[Event]:
        for number, row in enumerate(log.rows(), start=1):
            event = event_of(number, row)
            if event is not None:
                yield event
            if number % EVENTS_PER_REPORT == 0:
                progress(log.fraction_read)

    return table_of(events())


class Impressions(NamedTuple):
    """What visitors were shown, in the order in which it was heard of.

    Attributes:
        visitors: int32[n], into the `visitor_ids` of a table.
        ts: int64[n], event times, ms since the epoch, UTC.
        heard: int64[n], how many actions had been heard of before.
        counts: int32[n], how many sales each shows.
        sales: int32[counts.sum()], into the `sale_ids` of the table.
    """

    visitors: NDArray[np.int32]
    ts: NDArray[np.int64]
    heard: NDArray[np.int64]
    counts: NDArray[np.int32]
    sales: NDArray[np.int32]


def with_impressions(table: EventTable, numbers: NDArray[np.integer], shown: Impressions) -> EventTable:
    """The table with what was shown after each of its rows, and nothing from before a visitor's first row.

    `numbers` (int[n_rows]) says how many actions had been heard of before each row: which of two comes first
    that happened in the same ms.
    """
    if not len(shown.ts):
        return table
    visitors = np.concatenate((table.visitors, shown.visitors))
    when = np.concatenate((2 * numbers + 1, 2 * shown.heard))
    order = np.lexsort((when, np.concatenate((table.ts, shown.ts)), visitors))
    places = np.flatnonzero(order >= len(table))
    newest = np.maximum.accumulate(np.where(order < len(table), np.arange(len(order)), -1))[places]
    own = (newest >= 0) & (visitors[order[newest]] == visitors[order[places]])
    after = np.empty(len(places), np.int64)
    after[order[places] - len(table)] = np.where(own, order[newest], -1)
    by_sale = np.repeat(after, shown.counts)
    by_row = np.argsort(by_sale, kind="stable")[int((by_sale < 0).sum()) :]
    return replace(table, shown_after=by_sale[by_row], shown=shown.sales[by_row])


class _Names(dict[Any, int]):
    """Numbers in the order of first sight."""

    def __missing__(self, name: Any) -> int:
        self[name] = number = len(self)
        return number


class Columns:
    """A table under construction: columns that grow event by event."""

    def __init__(self) -> None:
        self._visitors, self._sales, self._sessions, self._contexts = _Names(), _Names(), _Names(), _Names()
        self._values: defaultdict[str, set[str]] = defaultdict(set)
        self._left_out: set[str] = set()
        self._columns = tuple(array(code) for code in CODES.values())
        self._shown = array("i"), array("q"), array("q"), array("i"), array("i")

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
            self._context(event.context),
        )
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _context(self, context: Mapping[str, str]) -> int:
        """The number of a context, but for what is another in every event: there would be as many."""
        told = tuple(item for item in context.items() if item[0] not in self._left_out)
        if told not in self._contexts:
            for name, value in told:
                self._values[name].add(value)
                if len(self._values[name]) > MAX_VALUES:
                    self._left_out.add(name)
        return self._contexts[told]

    def show(self, impression: Impression) -> None:
        """Add what a visitor was shown."""
        visitors, ts, heard, counts, sales = self._shown
        visitors.append(self._visitors[impression.visitor_id])
        ts.append(impression.ts)
        heard.append(len(self._columns[0]))
        counts.append(len(impression.shown))
        sales.extend(self._sales[one.sale_id] for one in impression.shown)

    @property
    def impressions(self) -> Impressions:
        """What was shown, all of it."""
        return Impressions(*(np.frombuffer(column, column.typecode).copy() for column in self._shown))

    def table(self) -> EventTable:
        """The table of what was added."""
        made: dict[str, Any] = {
            name: np.frombuffer(column, column.typecode).copy()
            for name, column in zip(CODES, self._columns, strict=True)
        }
        table = EventTable(
            **made,
            shown_after=np.empty(0, np.int64),
            shown=np.empty(0, np.int32),
            visitor_ids=list(self._visitors),
            sale_ids=list(self._sales),
            context_values=[
                {name: value for name, value in items if name not in self._left_out}
                for items in self._contexts
            ],
            left_out=sorted(self._left_out),
        )
        return with_impressions(table, np.arange(len(table)), self.impressions)


def table_of(events: Iterable[Event]) -> EventTable:
    """`events` in their order, as if each reached the stream as it happened."""
    columns = Columns()
    for event in events:
        if isinstance(event, Impression):
            columns.show(event)
        else:
            columns.add(event, event.ts)
    return columns.table()
