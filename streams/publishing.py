"""Publishing sales: every row is checked before the first one is sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from models.file_values import HOW_TO_WRITE_TIMES
from models.sale_file import SaleRow
from reco.errors import RefusedRecordError
from reco.events import MAX_ID_LENGTH, Sale, SaleFact, Withdrawal
from streams.codecs import decode_sale, encode
from streams.delivery.outbox import deliver
from streams.settings import Kafka

SaleRecord = tuple[bytes, bytes | None]
"""Key and value of a record of `sales`; the value None withdraws the sale."""

_TIMES = f"{HOW_TO_WRITE_TIMES}; closes_at must be after opens_at"
REMEDIES = {
    "sale_id": f"give every sale an id of its own, 1 to {MAX_ID_LENGTH} characters",
    "title": "give every sale a title of 1 to 512 characters",
    "opens_at": _TIMES,
    "closes_at": _TIMES,
    "description": "shorten it to 20,000 characters",
    "image_urls": "in CSV separate images by |; at most 32 URLs, each of 1 to 2,048 characters",
    "price": "write a number such as 49.90, without the currency",
    "currency": "write the three letters of ISO 4217, such as EUR",
    "country": "at most 64 characters",
    "tags": "at most 64 tags, each of 1 to 64 characters; in CSV separated by |",
}
"""What to do about a wrong field."""


class WrongRow(NamedTuple):
    """A row of a file that cannot be published: where it stands, which field, what is wrong, what to do."""

    file: str
    line: int
    field: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.field}: {self.what}; {self.remedy}"


@dataclass(frozen=True)
class Checked:
    """The rows of files: what can be published, what is wrong, and how often a field that no sale has."""

    records: list[SaleRecord]
    wrong: list[WrongRow]
    ignored: dict[str, int]


def check(rows: Iterable[SaleRow]) -> Checked:
    """Check every row; sends nothing."""
    checked = Checked([], [], {})
    for row in rows:
        for name in row.ignored:
            checked.ignored[name] = checked.ignored.get(name, 0) + 1
        outcome = _check_row(row)
        if isinstance(outcome, WrongRow):
            checked.wrong.append(outcome)
        else:
            checked.records.append(record(outcome))
    return checked


def _check_row(row: SaleRow) -> SaleFact | WrongRow:
    """The same checks that a worker makes, on the same bytes."""
    if row.fault:
        return WrongRow(row.file, row.line, "row", row.fault, "correct the line")
    key = str(row.document.get("sale_id") or "?")
    try:
        return decode_sale(key.encode(), msgspec.json.encode(row.document))
    except UnicodeEncodeError:
        return WrongRow(row.file, row.line, "row", "not UTF-8 text", "save the file as UTF-8")
    except RefusedRecordError as error:
        return _wrong(row, error)


def _wrong(row: SaleRow, error: RefusedRecordError) -> WrongRow:
    field, _, what = error.detail.partition(": ")
    field = field.partition("[")[0]
    if error.reason != "missing-field":
        return WrongRow(row.file, row.line, field, what, REMEDIES.get(field, "correct the line"))
    field = what.split("`")[1]
    remedy = f"{REMEDIES[field]}, or name the one that has it with --map THEIRS={field} (--map-sale of a log)"
    return WrongRow(row.file, row.line, field, "is missing", remedy)


def record(fact: SaleFact) -> SaleRecord:
    """The record that publishes or withdraws a sale."""
    return fact.sale_id.encode(), encode(fact) if isinstance(fact, Sale) else None


def withdrawal(sale_id: str) -> SaleRecord:
    """The record that withdraws the sale with this id.

    Raises:
        RefusedRecordError: no sale can have this id.
    """
    if not 1 <= len(sale_id) <= MAX_ID_LENGTH:
        raise RefusedRecordError("bad-id", f"{sale_id!r}: an id has 1 to {MAX_ID_LENGTH} characters")
    return record(Withdrawal(sale_id))


async def send(kafka: Kafka, topic: str, records: Sequence[SaleRecord]) -> None:
    """Send the records to `topic`; all of them have arrived when this returns.

    Raises:
        BrokerError: the broker did not take all of them.
    """
    await deliver(kafka, topic, records, "Publish the same again; it does no harm.")
