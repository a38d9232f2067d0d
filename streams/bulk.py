"""Very many records into one topic: whole batches per partition, instead of a future for every record."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from streams import clients
from streams.settings import Kafka


class Bulk:
    """Sends to one topic; a record goes to the partition that any producer would choose for its key."""

    def __init__(self, producer: Any, topic: str, partitions: Sequence[int]) -> None:
        """`producer` is a started AIOKafkaProducer, `partitions` are all of `topic`."""
        self._producer = producer
        self._topic = topic
        self._partitions = sorted(partitions)
        self._partitioner = DefaultPartitioner()

    async def deliver(self, records: Iterable[tuple[bytes, bytes]]) -> dict[int, int]:
        """Send records (key and value) and wait until the broker has acknowledged them all.

        The order of a key's records is kept. Returns the offset after the last record, by partition.
        """
        open_batches: dict[int, BatchBuilder] = {}
        sent: list[tuple[int, asyncio.Future[RecordMetadata]]] = []
        for key, value in records:
            partition = self._partitioner(key, self._partitions, self._partitions)
            batch = open_batches.get(partition)
            if batch is None or batch.append(timestamp=None, key=key, value=value) is None:
                if batch is not None:
                    sent.append(await self._send(batch, partition))
                batch = open_batches[partition] = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        for partition, batch in open_batches.items():
            sent.append(await self._send(batch, partition))
        placed = await asyncio.gather(*(future for _, future in sent))
        return {one.partition: one.offset + count for (count, _), one in zip(sent, placed, strict=True)}

    async def _send(self, batch: BatchBuilder, partition: int) -> tuple[int, asyncio.Future[RecordMetadata]]:
        count = batch.record_count()
        return count, await self._producer.send_batch(batch, self._topic, partition=partition)


@asynccontextmanager
async def bulk(kafka: Kafka, topic: str) -> AsyncIterator[Bulk]:
    """A bulk sender to `topic`, connected for the length of the block."""
    async with clients.started(clients.producer(kafka)) as producer:
        yield Bulk(producer, topic, await producer.partitions_for(topic))
