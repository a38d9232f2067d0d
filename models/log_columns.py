"""What the columns of an event log mean: a row of the log becomes the wire form of one event."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from models.event_log import EventLog, Row, Unreadable
from models.file_values import listed, millis, number
from reco.errors import EventLogError

EVENT_TYPES: Mapping[str, str] = {
    "view": "click",
    "click": "click",
    "pageview": "click",
    "clicks": "click",
    "cart": "cart",
    "add_to_cart": "cart",
    "addtocart": "cart",
    "carts": "cart",
    "purchase": "purchase",
    "transaction": "purchase",
    "buy": "purchase",
    "order": "purchase",
    "orders": "purchase",
    "impression": "impression",
}
"""What the event types of common logs are called on the wire."""

OWN_COLUMNS = frozenset(("visitor_id", "item_id", "event_type", "ts", "session_id"))
"""The columns that tenfold knows; every further one becomes context."""
PAYMENT_COLUMNS = frozenset(("quantity", "price", "currency"))
"""What a purchase says about itself; context of other events."""
LIST_COLUMNS = frozenset(("list_id", "position"))
"""What an impression says about itself; context of other events."""
MAX_CONTEXT = 16
"""Entries in the context of an event, see `reco.events.Context`."""
MISSING: frozenset[str | None] = frozenset(
    (None, "", "NaN", "nan", "NaT", "<NA>", "None", "NULL", "Null", "null", r"\N")
)
"""What a missing value looks like, as data frames and exports of databases write it; NA is Namibia."""
NO_ID = MISSING | {"NA", "N/A", "n/a", "#N/A", "undefined"}
"""What is no id, though it may be a country: else all whom nobody knows would be one visitor."""
ASSUMED_TYPE = "; name one with --map THEIRS=event_type, or, if all are purchases, add --map-type =purchase"
"""What to do where rows of another type are read as clicks."""
ROW_INTERVAL = 1000
"""Time between two rows whose times are made up, ms; far below the silence that ends a visit."""


class Meaning(Struct, frozen=True):
    """How to read the columns of a log.

    Attributes:
        renames: name in the log → ours; an empty name leaves the column out.
        types: event type in the log → `click`, `cart`, `purchase` or `impression`; beyond `EVENT_TYPES`. That
            of an empty text is the type of rows without one.
        seconds: numbers in `ts` are seconds, not milliseconds.
        times_from: the log has no times, only an order: its first row is at this moment (ms since the
            epoch, UTC), and each further row a second later.
    """

    renames: dict[str, str] = {}
    types: dict[str, str] = {}
    seconds: bool = False
    times_from: int | None = None


class EventReader:
    """Turns the rows of one log into events in wire form, not checked yet.

    Attributes:
        assumptions: what is taken for granted because the log does not say it, as sentences for a person.
    """

    def __init__(self, log: EventLog, log_id: str, meaning: Meaning) -> None:
        """The rows of `log` get `log_id` and their number as event ids.

        Raises:
            EventLogError: the columns do not suffice, or there are too many.
        """
        self._log_id = log_id
        self._meaning = meaning
        self._types = {**EVENT_TYPES, **meaning.types}
        self._by_session = "visitor_id" not in log.columns
        self._untyped = meaning.types.get("", None if "event_type" in log.columns else "click")
        mistake = _mistake(log.columns, meaning)
        if mistake:
            raise EventLogError(f"{log.path}: {mistake}{_of_lists(log)}")
        self.assumptions = self._assume(log.columns)

    def event(self, number: int, row: Row) -> dict[str, Any]:
        """The wire form of row `number` (from 1); its values may still be wrong."""
        kind = self._type(row.get("event_type"))
        wire: dict[str, Any] = {
            "type": kind,
            "event_id": f"{self._log_id}-{number}",
            "visitor_id": self._visitor(row),
            "ts": self._time(row.get("ts"), number),
        }
        session = _id(row.get("session_id"))
        if session is not None:
            wire["session_id"] = session
        own, sale = OWN_COLUMNS, {"sale_id": _id(row.get("item_id"))}
        if kind == "impression":
            wire |= _list(row, wire["event_id"], sale)
            own |= LIST_COLUMNS
        else:
            wire |= sale
        if kind == "purchase":
            wire |= _payment(row)
            own |= PAYMENT_COLUMNS
        context = {name: value for name, value in row.items() if value not in MISSING and name not in own}
        if context:
            wire["context"] = context
        return wire

    def _visitor(self, row: Row) -> str | None:
        """Who did it; in a log whose first rows do not say it, the session, unless the row says it."""
        named = _id(row.get("visitor_id"))
        return _id(row.get("session_id")) if named is None and self._by_session else named

    def _type(self, text: str | None) -> str | None:
        if text is None or (text in MISSING and text not in self._types):
            return self._untyped
        return self._types.get(text) or self._types.get(text.lower(), text)

    def _time(self, text: str | None, number: int) -> int | str | None:
        if self._meaning.times_from is not None:
            return self._meaning.times_from + (number - 1) * ROW_INTERVAL
        if text is None:
            return None
        moment = millis(text, seconds=self._meaning.seconds)
        return text if moment is None else moment

    def _assume(self, columns: Sequence[str]) -> list[str]:
        renames = self._meaning.renames.items()
        said = [
            f"none of the first rows has {theirs}, which is to become {ours}"
            for theirs, ours in renames
            if ours and ours not in columns
        ]
        if self._by_session:
            said.append("no column visitor_id: each session counts as a visitor of its own")
        if "event_type" not in columns:
            other = "" if "" in self._types else ASSUMED_TYPE
            said.append(f"no column event_type: every row is read as {self._untyped}{other}")
        if self._meaning.times_from is not None:
            said.append("no times: made up from the order of the rows, one second apart")
        return said


def _mistake(columns: Sequence[str], meaning: Meaning) -> str:
    """Why these columns cannot be imported, and what to do; empty if they can."""
    found = f"the columns are {listed(columns)}"
    if "visitor_id" not in columns and "session_id" not in columns:
        return f"no column visitor_id or session_id; {found}; name one with --map THEIRS=visitor_id"
    if "item_id" not in columns:
        return f"no column item_id; {found}; name one with --map THEIRS=item_id"
    if "ts" not in columns and meaning.times_from is None:
        remedy = "name one with --map THEIRS=ts, or have times made up with --times-from 2016-01-01"
        return f"no column ts; {found}; {remedy}"
    if "ts" in columns and meaning.times_from is not None:
        return "--times-from is for logs without times; leave it out, or the column with --map ts="
    further = [name for name in columns if name not in OWN_COLUMNS]
    if len(further) > MAX_CONTEXT:
        what = f"{len(further)} columns would become context, at most {MAX_CONTEXT} can: {', '.join(further)}"
        return f"{what}; leave some out with --map COLUMN="
    return ""


def _of_lists(log: EventLog) -> str:
    """What to say of a log that cannot be imported if a column of its first row holds a list of objects."""
    row = next((row for row in log.rows() if not isinstance(row, Unreadable)), {})
    lists = [name for name, value in row.items() if value is not None and value.startswith("[{")]
    asked = f"; is {', '.join(lists)} a list of what the visitor did? Write a row for each of its entries"
    return asked if lists else ""


def _present(text: str | None) -> str | None:
    return None if text in MISSING else text


def _id(text: str | None) -> str | None:
    return None if text is None or text.strip() in NO_ID else text


def _list(row: Row, row_id: str, sale: dict[str, Any]) -> dict[str, Any]:
    """The fields of an impression of the one sale of `row`; a row that names no list is a list of its own."""
    list_id, text = _present(row.get("list_id")), _present(row.get("position"))
    if list_id is None:
        return {"list_id": row_id, "shown": [sale | {"position": 1}]}
    if text is None:
        return {"list_id": list_id, "shown": [sale]}
    value = number(text)
    return {"list_id": list_id, "shown": [sale | {"position": text if value is None else _whole(value)}]}


def _payment(row: Row) -> dict[str, Any]:
    """The fields of a purchase that `row` has; text that should be a number and is none stays text."""
    payment: dict[str, Any] = {}
    for name in PAYMENT_COLUMNS:
        text = _present(row.get(name))
        if text is None:
            continue
        value = None if name == "currency" else number(text)
        if value is not None and name == "quantity":
            value = _whole(value)
        payment[name] = text if value is None else value
    return payment


def _whole(value: float) -> float:
    """The number as an int if it is a whole one, as data frames write them with a point."""
    return int(value) if value.is_integer() else value
