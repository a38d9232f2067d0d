"""Who was active lately, read back from the topics when a worker takes partitions over."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import structs

from reco.active import ActiveVisitors
from reco.errors import RefusedRecordError
from streams.codecs import decode_list, decode_session
from streams.delivery.recovery import newer_record
from streams.reading import first_since, read_between, reader
from streams.settings import Kafka
from streams.topics import TopicSet


async def restore_active(
    active: ActiveVisitors,
    kafka: Kafka,
    topics: TopicSet,
    unread: Mapping[int, int],
    since: int,
    *,
    forgotten: Collection[tuple[int, bytes]] = (),
) -> list[tuple[int, bytes]]:
    """Add the visitors with a list, and an event since `since` (ms since the epoch, UTC), of some partitions.

    `unread` has for each of these the first offset on `sessions` that is still to be handed over. A visitor
    who is known already is newer here than in the topics. One without a list yet is about to get one, since
    the session is still to be handed over. If it is not, and the list is of an older state, a worker that was
    paused wrote over a newer list: this one holds no more. Who is `forgotten` by the end is left out.

    Returns:
        Partitions and keys of those who were erased, and have a list all the same: such a worker wrote it.
    """
    async with reader(kafka) as consumer:
        lists = await newest_since(consumer, topics.recommendations.name, unread, since)
        sessions = await newest_since(consumer, topics.sessions.name, unread, since, newer_record)
    erased: list[tuple[int, bytes]] = []
    for place, record in sessions.items():
        if place not in lists or lists[place].value is None:
            continue
        handed_over = record.offset < unread[record.partition]
        if record.value is None:
            erased += [place] if handed_over else []
            continue
        try:
            session, top = decode_session(record.value), decode_list(lists[place].value)
        except RefusedRecordError:
            continue
        if handed_over and top.made_from.session_offset < session.offset:
            top = structs.replace(top, holds_until=since)
        known = place in forgotten or active.get(session.visitor_id) is not None
        if session.last_ts >= since and not known:
            active.emitted(record.partition, session, top)
    return [(partition, key) for partition, key in erased if active.get(key.decode(errors="replace")) is None]


async def newest_since(
    consumer: AIOKafkaConsumer,
    topic: str,
    partitions: Iterable[int],
    since: int,
    newer: Callable[[Any, Any], bool] = lambda *_: True,
) -> dict[tuple[int, bytes], Any]:
    """The newest record of each partition and key appended at or after `since`, up to the present end.

    That is the last one that is `newer` than the one before it, or than None.
    """
    tps = [TopicPartition(topic, partition) for partition in partitions]
    ends = await consumer.end_offsets(tps)
    starts = await first_since(consumer, ends, since)
    newest: dict[tuple[int, bytes], Any] = {}
    async for record in read_between(consumer, starts, ends):
        place = record.partition, record.key
        if newer(record, newest.get(place)):
            newest[place] = record
    return newest
