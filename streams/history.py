"""History as it stands on the topics: all events in the order of their append, and all sales."""

from collections.abc import AsyncIterator
from typing import Any

from models.event_table import EventTable, Progress, table_of
from reco.catalogue import Catalogue
from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import Event
from streams.codecs import decode_event, decode_sale
from streams.reading import partitions_of, read_between, reader
from streams.settings import Settings
from streams.topics import topic_set


async def read_history(
    settings: Settings, progress: Progress = lambda _: None
) -> tuple[EventTable, Catalogue]:
    """Everything on `events` and `sales` up to now.

    Raises:
        BrokerError: the broker cannot be reached, or the topics are not there.
    """
    topics = topic_set(settings.topics)
    catalogue = Catalogue(topics.sales.partitions)
    async for record in _records(settings, topics.sales.name):
        try:
            catalogue.apply(decode_sale(record.key, record.value), record.partition, record.offset)
        except RefusedRecordError:
            continue
    found: list[tuple[int, int, int, Event]] = []
    async for record in _records(settings, topics.events.name, progress):
        try:
            event = decode_event(record.key, record.value, record.timestamp)
        except (RefusedRecordError, UnknownTypeError):
            continue
        found.append((event.ts, record.partition, record.offset, event))
    found.sort(key=lambda one: one[:3])
    return table_of(one[-1] for one in found), catalogue


async def _records(settings: Settings, topic: str, progress: Progress = lambda _: None) -> AsyncIterator[Any]:
    """The records of a topic, from its beginning to its present end."""
    partitions = (await partitions_of(settings.kafka, topic))[topic]
    async with reader(settings.kafka) as consumer:
        start, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        total = max(1, sum(end.values()) - sum(start.values()))
        read = 0
        async for record in read_between(consumer, start, end):
            yield record
            read += 1
            if read % 10_000 == 0:
                progress(read / total)
