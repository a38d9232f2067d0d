"""Who was active lately, read back from the topics when a worker takes partitions over."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import structs

from reco.active import ActiveVisitors
from reco.errors import RefusedRecordError
from streams.codecs import decode_list, decode_session
from streams.delivery.recovery import newer_record
from streams.reading import read_between, reader
from streams.settings import Kafka
from streams.topics import TopicSet


async def restore_active(
    active: ActiveVisitors,
    kafka: Kafka,
    topics: TopicSet,
    unread: Mapping[int, int],
    since: int,
    *,
    forgotten: Collection[str] = (),
) -> None:
    """Add the visitors with a list, and an event since `since` (ms since the epoch, UTC), of some partitions.

    `unread` has for each of these the first offset on `sessions` that is still to be handed over. A visitor
    who is known already is newer here than in the topics. One without a list yet is about to get one, since
    the session is still to be handed over. If it is not, and the list is of an older state, a worker that was
    paused wrote over a newer list: this one holds no more. Who is `forgotten` by the end is left out.
    """
    async with reader(kafka) as consumer:
        lists = await newest_since(consumer, topics.recommendations.name, unread, since)
        sessions = await newest_since(consumer, topics.sessions.name, unread, since, newer_record)
    for key, record in sessions.items():
        if record.value is None or key not in lists or lists[key].value is None:
            continue
        try:
            session, top = decode_session(record.value), decode_list(lists[key].value)
        except RefusedRecordError:
            continue
        if record.offset < unread[record.partition] and top.made_from.session_offset < session.offset:
            top = structs.replace(top, holds_until=since)
        known = session.visitor_id in forgotten or active.get(session.visitor_id) is not None
        if session.last_ts >= since and not known:
            active.emitted(record.partition, session, top)


async def newest_since(
    consumer: AIOKafkaConsumer,
    topic: str,
    partitions: Iterable[int],
    since: int,
    newer: Callable[[Any, Any], bool] = lambda *_: True,
) -> dict[bytes, Any]:
    """The newest record of each key appended at or after `since`, up to the present end.

    That is the last one that is `newer` than the one before it, or than None.
    """
    tps = [TopicPartition(topic, partition) for partition in partitions]
    ends = await consumer.end_offsets(tps)
    first = await consumer.offsets_for_times(dict.fromkeys(tps, since))
    starts = {tp: ends[tp] if first[tp] is None else first[tp].offset for tp in tps}
    newest: dict[bytes, Any] = {}
    async for record in read_between(consumer, starts, ends):
        if newer(record, newest.get(record.key)):
            newest[record.key] = record
    return newest
