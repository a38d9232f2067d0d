"""Dead letters: the raw bytes of a refused record, where it came from, and why it was refused.

Key and value are as they came; the rest stands in the headers, so that a repaired record can be sent again
by copying it. A key or value that no record could carry is cut, and a header says how long it was. A record
with neither has an empty value here, for no producer sends such. After a crash a letter can be there twice:
its source position tells.
"""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from reco.errors import RefusedRecordError
from streams.delivery.outbox import Outbox
from streams.topics import MAX_RECORD_BYTES, Topic

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord
    from faust.types import Message

MAX_DETAIL = 2000
"""Longest detail written, in characters."""
MAX_DIGITS = 16
"""A number of bytes has fewer."""
MAX_KEY_BYTES = 128 * 1024
"""Longest key written whole."""
MAX_VALUE_BYTES = MAX_RECORD_BYTES - 2 * MAX_KEY_BYTES
"""Longest value written whole: beside it and the key, 128 KiB are left for headers and what lz4 may add.

A batch that its client compressed unpacks to records of any size, which the broker never measured.
"""


class Letter(NamedTuple):
    """A refused record.

    Attributes:
        topic, partition, offset: where it was refused, in words, as the header says.
        reason, detail: why.
        at: when, ms since the epoch, UTC.
        key, value: its bytes, cut if they were very long.
        key_bytes, value_bytes: how many there were.
    """

    topic: str
    partition: str
    offset: str
    reason: str
    detail: str
    at: int
    key: bytes
    value: bytes
    key_bytes: int
    value_bytes: int


def letter_of(record: "ConsumerRecord[bytes, bytes]") -> Letter:
    """The refused record that stands on the topic; of what no worker wrote, the place is not known."""
    said = defaultdict[str, str](lambda: "?")
    said |= {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    key, value = record.key or b"", record.value or b""
    return Letter(
        topic=said["tenfold.topic"],
        partition=said["tenfold.partition"],
        offset=said["tenfold.offset"],
        reason=said["tenfold.reason"],
        detail=said["tenfold.detail"],
        at=record.timestamp,
        key=key,
        value=value,
        key_bytes=_length(said["tenfold.key-bytes"], key),
        value_bytes=_length(said["tenfold.value-bytes"], value),
    )


def _length(said: str, kept: bytes) -> int:
    """How many bytes there were before something was cut."""
    return int(said) if said.isascii() and said.isdigit() and len(said) < MAX_DIGITS else len(kept)


async def bury(outbox: Outbox, letters: Topic, message: "Message", refusal: RefusedRecordError) -> None:
    """Send a refused record to dead-letters; it has arrived when the outbox has settled.

    What is longer than a record can carry is cut; its full length in bytes stands in a header.
    """
    headers = [
        ("tenfold.topic", message.topic.encode()),
        ("tenfold.partition", str(message.partition).encode()),
        ("tenfold.offset", str(message.offset).encode()),
        ("tenfold.reason", refusal.reason.encode()),
        ("tenfold.detail", refusal.detail[:MAX_DETAIL].encode(errors="replace")),
    ]
    key, value = message.key, message.value
    if key and len(key) > MAX_KEY_BYTES:
        headers.append(("tenfold.key-bytes", str(len(key)).encode()))
        key = key[:MAX_KEY_BYTES]
    if value and len(value) > MAX_VALUE_BYTES:
        headers.append(("tenfold.value-bytes", str(len(value)).encode()))
        value = value[:MAX_VALUE_BYTES]
    if key is None and value is None:
        value = b""
    partition = message.partition % letters.partitions
    await outbox.send(letters.name, key, value, partition, headers)
