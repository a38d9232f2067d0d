"""History as it stands on the topics: all events in the order of their append, and all sales."""

from models.event_table import EventTable, Progress, table_of
from reco.catalogue import Catalogue
from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import Event
from streams.codecs import decode_event, decode_sale
from streams.reading import read_whole
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
    async for record in read_whole(settings.kafka, topics.sales.name):
        try:
            catalogue.apply(decode_sale(record.key, record.value), record.partition, record.offset)
        except RefusedRecordError:
            continue
    found: list[tuple[int, int, int, Event]] = []
    async for record in read_whole(settings.kafka, topics.events.name, progress):
        try:
            event = decode_event(record.key, record.value, record.timestamp)
        except (RefusedRecordError, UnknownTypeError):
            continue
        found.append((event.ts, record.partition, record.offset, event))
    found.sort(key=lambda one: one[:3])
    return table_of(one[-1] for one in found), catalogue
