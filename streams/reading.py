"""Reading topics without a consumer group: what stands in them now, and what comes next."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from reco.errors import BrokerError
from streams import clients
from streams.settings import Kafka

LOOK_BACK = 1_000
"""Records per partition that the first look for the newest record of a key reads; each further one more."""
POLL = 500
"""How long a poll waits for records before the caller gets its turn, ms."""


@asynccontextmanager
async def reader(kafka: Kafka) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer without a group, assigned to nothing.

    Raises:
        BrokerError: the broker cannot be reached.
    """
    consumer = clients.consumer(kafka)
    try:
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            raise BrokerError(
                f"No broker answers at {kafka.bootstrap_servers}: {error}. "
                "Is it running? `tenfold doctor` checks the settings."
            ) from error
        yield consumer
    finally:
        await consumer.stop()


async def partitions_of(consumer: AIOKafkaConsumer, *topics: str) -> list[TopicPartition]:
    """All partitions of `topics`.

    Raises:
        BrokerError: the broker does not have one of them.
    """
    everywhere: list[TopicPartition] = []
    for topic in topics:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise BrokerError(f"There is no topic {topic}; create it with `tenfold topics --create`.")
        everywhere += [TopicPartition(topic, number) for number in sorted(numbers)]
    return everywhere


async def read_between(
    consumer: AIOKafkaConsumer, start: dict[TopicPartition, int], end: dict[TopicPartition, int]
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


async def newest_of(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], key: bytes
) -> ConsumerRecord[bytes, bytes] | None:
    """The newest record of `key`, looked for from the end backwards; None if there is none."""
    everywhere = list(partitions)
    oldest: dict[TopicPartition, int] = await consumer.beginning_offsets(everywhere)
    end: dict[TopicPartition, int] = await consumer.end_offsets(everywhere)
    look = LOOK_BACK
    while any(oldest[one] < end[one] for one in everywhere):
        start = {one: max(oldest[one], end[one] - look) for one in everywhere}
        found = None
        async for record in read_between(consumer, start, end):
            if record.key == key and (found is None or record.timestamp >= found.timestamp):
                found = record
        if found is not None:
            return found
        end, look = start, look * 4
    return None
