"""Reading topics without a consumer group: what stands in them now, and what comes next."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from reco.errors import BrokerError
from streams import clients
from streams.settings import Kafka

LOOK_BACK = 1_000
"""Records per partition that the first look for the newest record of a key reads; each further one more."""
RECORDS_PER_REPORT = 10_000
"""Records between two reports of progress."""
POLL = 500
"""How long a poll waits for records before the caller gets its turn, ms."""


@asynccontextmanager
async def reader(kafka: Kafka, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer without a group, assigned to nothing; `options` are those of `clients.consumer`.

    Raises:
        BrokerError: the broker cannot be reached.
    """
    consumer = clients.consumer(kafka, **options)
    try:
        with clients.answering(kafka):
            await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def partitions_of(kafka: Kafka, *topics: str) -> dict[str, list[TopicPartition]]:
    """All partitions of each of `topics`.

    Raises:
        BrokerError: the broker cannot be reached, or does not have one of them, or hides it.
    """
    async with clients.admin(kafka) as client:
        found = await clients.partition_copies(client, topics)
    for name, numbers in found.items():
        if not numbers:
            raise BrokerError(f"There is no topic {name}; create it with `tenfold topics --create`.")
    return {name: [TopicPartition(name, number) for number in numbers] for name, numbers in found.items()}


async def read_between(
    consumer: AIOKafkaConsumer, start: Mapping[TopicPartition, int], end: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """The records from `start` up to, not including, `end`; the consumer is assigned to these partitions."""
    left = {one for one in start if start[one] < end[one]}
    if not left:
        return
    consumer.assign(list(left))
    for one in left:
        consumer.seek(one, start[one])
    while left:
        for one, records in (await consumer.getmany(*left, timeout_ms=POLL)).items():
            for record in records:
                if record.offset < end[one]:
                    yield record
        left = {one for one in left if await consumer.position(one) < end[one]}


async def read_whole(
    kafka: Kafka, topic: str, progress: Callable[[float], None] = lambda _: None
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """The records of a topic, from its beginning to its present end; `progress` is told the fraction read.

    Raises:
        BrokerError: the broker cannot be reached, or does not have the topic.
    """
    partitions = (await partitions_of(kafka, topic))[topic]
    async with reader(kafka) as consumer:
        start, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        total, read = max(1, sum(end.values()) - sum(start.values())), 0
        async for record in read_between(consumer, start, end):
            yield record
            read += 1
            if read % RECORDS_PER_REPORT == 0:
                progress(read / total)


async def first_since(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], since: int
) -> dict[TopicPartition, int]:
    """Where each partition goes on at or after `since` (ms since the epoch, UTC); its end if it does not."""
    found = await consumer.offsets_for_times(dict.fromkeys(ends, since))
    return {tp: end if found[tp] is None else found[tp].offset for tp, end in ends.items()}


async def newest_of(
    consumer: AIOKafkaConsumer, end: Mapping[TopicPartition, int], key: bytes, look: int = LOOK_BACK
) -> ConsumerRecord[bytes, bytes] | None:
    """The newest record of `key` before `end`, None if there is none; the first look takes `look` records."""
    oldest: dict[TopicPartition, int] = await consumer.beginning_offsets(list(end))
    while any(oldest[one] < end[one] for one in end):
        start = {one: max(oldest[one], end[one] - look) for one in end}
        found = None
        async for record in read_between(consumer, start, end):
            if record.key == key and (found is None or record.timestamp >= found.timestamp):
                found = record
        if found is not None:
            return found
        end, look = start, look * 4
    return None
