"""Who was active lately, read back from the topics when a worker takes partitions over."""

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from reco.active import ActiveVisitors
from reco.errors import RefusedRecordError
from streams.codecs import decode_list, decode_session
from streams.reading import read_between, reader
from streams.settings import Kafka
from streams.topics import TopicSet


async def restore_active(
    active: ActiveVisitors, kafka: Kafka, topics: TopicSet, partitions: Iterable[int], since: int
) -> None:
    """Add the visitors of `partitions` with a list, and an event since `since` (ms since the epoch, UTC).

    A visitor who is known already is newer here than in the topics. One without a list yet is about to get
    one, since the session is still to be handed over.
    """
    partitions = tuple(partitions)
    async with reader(kafka) as consumer:
        lists = await newest_since(consumer, topics.recommendations.name, partitions, since)
        sessions = await newest_since(consumer, topics.sessions.name, partitions, since)
    for key, record in sessions.items():
        if record.value is None or key not in lists or lists[key].value is None:
            continue
        try:
            session, top = decode_session(record.value), decode_list(lists[key].value)
        except RefusedRecordError:
            continue
        if session.last_ts >= since and active.get(session.visitor_id) is None:
            active.emitted(record.partition, session, top)


async def newest_since(
    consumer: AIOKafkaConsumer, topic: str, partitions: Iterable[int], since: int
) -> dict[bytes, Any]:
    """The newest record of each key appended at or after `since`, up to the present end."""
    tps = [TopicPartition(topic, partition) for partition in partitions]
    ends = await consumer.end_offsets(tps)
    first = await consumer.offsets_for_times(dict.fromkeys(tps, since))
    starts = {tp: ends[tp] if first[tp] is None else first[tp].offset for tp in tps}
    return {record.key: record async for record in read_between(consumer, starts, ends)}
