"""Twelve open sales, one to come and one past, a right list of them, and records of the topics."""

from typing import Any

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from reco.events import Sale
from reco.lists import Provenance, Recommendation, TopTen, list_id
from streams.codecs import encode
from streams.settings import Topics
from streams.topics import topic_set

AT = 1_800_000_000_000
"""The moment of the right list, ms since the epoch, UTC."""
NEXT_CHANGE = AT + 60_000
"""When the next sale opens."""
TOPICS = topic_set(Topics(partitions=1))

SALES = (
    *(Sale(f"open-{number:02}", f"Open {number}", AT - 1000, AT + 100_000) for number in range(12)),
    Sale("to-come", "To come", NEXT_CHANGE, AT + 100_000),
    Sale("past", "Past", AT - 1000, AT - 1),
)


def right_list(**changes: Any) -> TopTen:
    """A list of the first ten open sales, right in every way but for `changes`; its id follows from them."""
    made_from = Provenance(0, session_offset=5, knowledge_second=AT // 1000, sales_offsets=(14,), release="r")
    sales = tuple(Recommendation(f"open-{number:02}", 1 / (1 + number)) for number in range(10))
    newest = TopTen("to be named", "ann", AT, NEXT_CHANGE, sales, made_from)
    newest = replace(newest, **changes)
    return newest if "list_id" in changes else replace(newest, list_id=list_id(newest.made_from, newest.at))


def record(
    topic: str, key: str, value: bytes | None, *, offset: int = 0, timestamp: int = AT
) -> "ConsumerRecord[bytes, bytes]":
    return ConsumerRecord(topic, 0, offset, timestamp, 1, key.encode(), value, None, 0, 0, ())


def list_record(newest: TopTen, *, appended_at: int = AT) -> "ConsumerRecord[bytes, bytes]":
    return record(TOPICS.recommendations.name, newest.visitor_id, encode(newest), timestamp=appended_at)


def sale_record(sale: Sale, offset: int) -> "ConsumerRecord[bytes, bytes]":
    return record(TOPICS.sales.name, sale.sale_id, encode(sale), offset=offset)
