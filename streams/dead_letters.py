"""Dead letters: the raw bytes of a refused record, where it came from, and why it was refused.

Key and value are as they came; the rest stands in the headers, so that a repaired record can be sent again
by copying it. After a crash a letter can be there twice: its source position tells.
"""

from collections.abc import Mapping
from typing import NamedTuple

from faust.types import Message

from reco.errors import RefusedRecordError
from streams.delivery.outbox import Outbox
from streams.topics import Topic

MAX_DETAIL = 2000
"""Longest detail written, in characters."""


class Origin(NamedTuple):
    """Where a refused record came from."""

    topic: str
    partition: int
    offset: int


async def bury(outbox: Outbox, letters: Topic, message: Message, refusal: RefusedRecordError) -> None:
    """Send a refused record to dead-letters; it has arrived when the outbox has settled."""
    headers = [
        ("tenfold.topic", message.topic.encode()),
        ("tenfold.partition", str(message.partition).encode()),
        ("tenfold.offset", str(message.offset).encode()),
        ("tenfold.reason", refusal.reason.encode()),
        ("tenfold.detail", refusal.detail[:MAX_DETAIL].encode(errors="replace")),
    ]
    partition = message.partition % letters.partitions
    await outbox.send(letters.name, message.key, message.value, partition, headers)


def origin(headers: Mapping[str, bytes]) -> Origin:
    """Where the record of a dead letter came from, by its headers."""
    return Origin(
        headers["tenfold.topic"].decode(), int(headers["tenfold.partition"]), int(headers["tenfold.offset"])
    )
