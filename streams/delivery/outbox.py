"""The way out of an agent: sends that are all known to have arrived before the batch is acknowledged."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from reco.errors import BrokerError, DeliveryError
from streams import clients
from streams.settings import Kafka

Headers = Sequence[tuple[str, bytes]]


class Outbox:
    """A producer of one agent: send many, then await all.

    Raises whatever a send failed with from `settle`, so that the batch is not acknowledged.
    """

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self._producer: AIOKafkaProducer | None = None  # made on the running loop, by start
        self._pending: list[asyncio.Future[RecordMetadata]] = []

    async def start(self) -> None:
        """Connect; call once, before the first send."""
        self._producer = clients.producer(self.kafka)
        await self._producer.start()

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> None:
        """Hand one record to the producer; it has arrived when `settle` returns."""
        if self._producer is None:
            raise DeliveryError("an outbox must be started before the first send")
        future: Any = await self._producer.send(topic, value, key, partition, headers=list(headers) or None)
        self._pending.append(future)

    async def settle(self) -> list[RecordMetadata]:
        """Wait until everything sent has arrived; where, in the order of the sends."""
        pending, self._pending = self._pending, []
        return list(await asyncio.gather(*pending))

    async def close(self) -> None:
        """Send what is left and stop."""
        if self._producer is not None:
            await self._producer.stop()


async def deliver(
    kafka: Kafka,
    topic: str,
    records: Iterable[tuple[bytes, bytes | None]],
    remedy: str,
    partitions: Sequence[int | None] = (None,),
) -> None:
    """Send records (key and value) to `topic`; all of them have arrived when this returns.

    Each goes to all of `partitions`; None is that of its key.

    Raises:
        BrokerError: the broker did not take all of them; it ends with the `remedy`.
    """
    outbox = Outbox(kafka)
    try:
        await outbox.start()
        for (key, value), partition in product(records, partitions):
            await outbox.send(topic, key, value, partition)
        await outbox.settle()
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{topic}: not everything has arrived: {error}. {remedy}") from error
    finally:
        await outbox.close()
