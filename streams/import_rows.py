"""The rows of an event log on their way into Kafka: checked, put into order, cut into chunks."""

import asyncio
import re
import shlex
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from models.event_log import EventLog, Row, Unreadable
from models.file_values import HOW_TO_WRITE_TIMES, millis
from models.log_columns import PAYMENT_COLUMNS, EventReader
from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import EARLIEST_TIME, LATEST_TIME, MAX_ID_LENGTH, Context, Erasure, Event, Impression
from streams.codecs import decode_event

CHUNK = 5_000
"""Rows that are sent, acknowledged and noted down together; a tenth of a second's work."""

_json = msgspec.json.Encoder()


class Record(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A row that became an event: the record for `events`, and when it says that a sale was there."""

    row: int
    ts: int
    sale_id: str
    key: bytes
    value: bytes


class Refusal(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A row that is refused: a stable reason, the detail, and the row itself (JSON if it has columns)."""

    row: int
    reason: str
    detail: str
    text: str


IN_SECONDS = "; if the times are in seconds, add --seconds"
"""What to do about a number that is a time if multiplied by a thousand."""
A_THOUSANDTH = "; if these are microseconds, write ms; if they are ms, leave out --seconds"
"""What to do about a number whose thousandth is a time."""
FIRST_LOGS = 315_532_800_000
"""1980-01-01T00:00:00Z; what is before is no time of an old log, but a number that counts something else."""
OF_AN_OLD_LOG = "; no event is from before 2000: move all times of an older log by some years"
IN_THE_FUTURE = "; a number is ms since the epoch (s with --seconds), a time without an offset is UTC"
POSITIONS = "; the first of a list is 1, the last at most 1000; rows without list_id are lists of their own"
A_TYPE = "TYPE (click, cart, purchase or impression)"
ONE_EVENT = "a list, or an object; write a row for each event, with one item"
"""What to do about a log that has a whole session in a row."""

ITEM = re.compile(r"^(shown\[\d+\]\.)?sale_id\b")
"""The item of a row, as details name it."""

Outcome: TypeAlias = Record | Refusal

_outcome_decoder = msgspec.msgpack.Decoder(Record | Refusal)
_outcome_encoder = msgspec.msgpack.Encoder()


def outcomes(log: EventLog, reader: EventReader, now: int, rows: slice) -> Iterator[Outcome]:
    """What becomes of the rows that `rows` selects, in the file's order; `now` in ms since the epoch, UTC."""
    for number, row in islice(enumerate(log.rows(), 1), rows.start, rows.stop):
        yield outcome_of(number, row, reader, now)


def outcome_of(number: int, row: Row | Unreadable, reader: EventReader, now: int) -> Outcome:
    """What becomes of one row."""
    read = event_of(number, row, reader, now)
    if isinstance(read, Refusal):
        return read
    key, value, event = read
    sale_id = event.shown[0].sale_id if isinstance(event, Impression) else event.sale_id
    return Record(number, event.ts, sale_id, key, value)


def event_of(
    number: int, row: Row | Unreadable, reader: EventReader, now: int
) -> tuple[bytes, bytes, Event] | Refusal:
    """Key, value and event of one row, by the same checks that a worker makes, on the same bytes."""
    if isinstance(row, Unreadable):
        return Refusal(number, row.reason, row.detail, _printable(row.text))
    if _is_nested(row.get("item_id")):
        return Refusal(number, "bad-id", f"item_id: {ONE_EVENT}", _printable(row))
    wire = reader.event(number, row)
    try:
        value = _json.encode(wire)
        key = (wire["visitor_id"] or "").encode()
        event = _event(key, value, now)
    except RefusedRecordError as error:
        reason, detail = error.reason, ITEM.sub("item_id", error.detail) + _remedy(error, wire)
    except UnknownTypeError as error:
        reason, detail = (
            "unknown-type",
            f"type: {error.name!r}; say what it is with --map-type {shlex.quote(error.name)}={A_TYPE}",
        )
    except UnicodeEncodeError as error:
        reason, detail = "not-utf8", f"{error}; save the file as UTF-8"
    else:
        return key, value, event
    return Refusal(number, reason, detail, _printable(row))


def _is_nested(text: str | None) -> bool:
    """Whether it is a list or an object, as JSON and data frames write them."""
    return text is not None and ((text[:1] == "[" and text[-1:] == "]") or text[:2] == '{"')


def _remedy(error: RefusedRecordError, wire: dict[str, Any]) -> str:
    """What to do about a row that is refused for this, if the error does not say it."""
    field, remedy = error.detail.partition(":")[0], ""
    if field == "ts":
        remedy = _time_remedy(error.reason, wire["ts"])
    elif field == "type":
        remedy = f"; say what rows without one are with --map-type ={A_TYPE}"
    elif field == "visitor_id" and wire["visitor_id"] is None and "session_id" in wire:
        remedy = "; without a column visitor_id, each session counts as a visitor"
    elif error.detail.endswith(f"length <= {MAX_ID_LENGTH}"):
        remedy = "; write a shorter one, such as a hash of it"
    elif "position" in error.detail:
        remedy = POSITIONS
    elif field in PAYMENT_COLUMNS:
        remedy = f"; correct it, or leave {field} out with --map THEIRS="
    elif field.startswith("context"):
        columns = [name for name, value in wire["context"].items() if not _is_context(name, value)]
        left_out = " ".join(f"--map {shlex.quote(name)}=" for name in columns or ["COLUMN"])
        remedy = f"; leave out what is no context with {left_out}"
    return remedy


def _time_remedy(reason: str, ts: int | str | None) -> str:
    """What to do about a time that is refused for this reason."""
    in_seconds = millis(str(ts), seconds=True)
    if in_seconds is not None and EARLIEST_TIME <= in_seconds <= LATEST_TIME:
        return IN_SECONDS
    if reason == "too-old" and isinstance(ts, int) and ts >= FIRST_LOGS:
        return OF_AN_OLD_LOG
    if reason == "in-the-future" and isinstance(ts, int):
        return A_THOUSANDTH if EARLIEST_TIME <= ts // 1000 <= LATEST_TIME else IN_THE_FUTURE
    return f"; {HOW_TO_WRITE_TIMES}"


def _is_context(name: str, value: str) -> bool:
    try:
        msgspec.convert({name: value}, Context)
    except msgspec.ValidationError:
        return False
    return True


def _event(key: bytes, value: bytes, now: int) -> Event:
    fact = decode_event(key, value, now)
    if isinstance(fact, Erasure):
        raise UnknownTypeError("erasure")  # no log of what visitors did says so
    return fact


def _printable(row: Row | str) -> str:
    """The row as text that can be written, bytes that are not UTF-8 escaped."""
    text = (
        row
        if isinstance(row, str)
        else msgspec.json.encode({_escaped(n): _escaped(v or "") for n, v in row.items()}).decode()
    )
    return _escaped(text)


def _escaped(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


async def chunks(rows: Iterable[Outcome]) -> AsyncIterator[list[Outcome]]:
    """The rows, `CHUNK` at a time, as fast as they are taken; others get a turn in between."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
        await asyncio.sleep(0)


async def paced_chunks(rows: Iterable[Outcome], speed: float) -> AsyncIterator[list[Outcome]]:
    """The rows, sorted by event time, each when it is due: `speed` times as fast as they happened."""
    loop = asyncio.get_running_loop()
    started, first, chunk = loop.time(), None, list[Outcome]()
    for row in rows:
        if isinstance(row, Record):
            first = row.ts if first is None else first
            due = started + (row.ts - first) / 1000 / speed
            if due > loop.time():
                if chunk:
                    yield chunk
                    chunk = []
                await asyncio.sleep(due - loop.time())
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class TimeOrder:
    """Rows sorted by event time, ties by row number, in a temporary file; refused rows come first."""

    def __init__(self) -> None:
        self.total = 0
        # With an empty name SQLite keeps a private file, sorts on disk, and deletes it all at the end.
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE rows (ts INTEGER, row INTEGER, outcome BLOB)")

    def add(self, rows: Iterable[Outcome]) -> None:
        """Take in rows, in any order."""
        sortable = [(getattr(row, "ts", 0), row.row, _outcome_encoder.encode(row)) for row in rows]
        self._database.executemany("INSERT INTO rows VALUES (?, ?, ?)", sortable)
        self.total += len(sortable)

    def rows(self, skip: int) -> Iterator[Outcome]:
        """All rows in order, without the first `skip`."""
        query = "SELECT outcome FROM rows ORDER BY ts, row LIMIT -1 OFFSET ?"
        for (outcome,) in self._database.execute(query, (skip,)):
            yield _outcome_decoder.decode(outcome)

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()
