"""A whole installation for a benchmark: a broker of its own, topics, open sales and workers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from itertools import count
from tempfile import TemporaryDirectory

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec.structs import replace

from demo.run import remove_topics
from reco.events import Click, Sale
from reco.parameters import HOUR
from streams import clients
from streams.clock import now
from streams.codecs import encode
from streams.embedded import broker_for
from streams.settings import Settings, load
from streams.supervisor import Supervisor
from streams.topics import Topic, topic_set

READY_TIMEOUT = 600.0
"""Longest wait for workers, s."""


@contextmanager
def installation(sales: int) -> Iterator[Settings]:
    """Settings of a new installation with `sales` open sales, in a folder that goes with it.

    A broker that is configured is used, below a prefix of its own, and left without what was there.
    """
    with TemporaryDirectory(prefix="tenfold-benchmark-") as folder:
        base = load()
        name = f"benchmark-{now()}"
        settings = replace(
            base,
            topics=replace(base.topics, prefix=f"{name}."),
            worker=replace(base.worker, application=name, data_dir=folder),
        )
        with broker_for(settings) as ready:
            try:
                asyncio.run(_prepare(ready, sales))
                yield ready
            finally:
                remove_topics(base, ready)


async def _prepare(settings: Settings, sales: int) -> None:
    topics = topic_set(settings.topics)
    await clients.create_topics(settings.kafka, topics)
    async with producing(settings) as producer:
        for number in range(sales):
            sale = Sale(f"sale-{number}", f"Journey {number}", now() - HOUR, now() + 24 * HOUR)
            await producer.send(topics.sales.name, encode(sale), sale.sale_id.encode())


@contextmanager
def workers(settings: Settings, processes: Sequence[Sequence[str]]) -> Iterator[Supervisor]:
    """Running workers that are ready."""
    with Supervisor(settings, processes) as supervisor:
        supervisor.ready(READY_TIMEOUT)
        yield supervisor


def cpu_seconds(supervisor: Supervisor) -> list[float]:
    """Processor time that each worker has used, s."""
    used = [psutil.Process(worker.process.pid).cpu_times() for worker in supervisor.workers if worker.process]
    return [times.user + times.system for times in used]


def resident_mb(supervisor: Supervisor) -> list[float]:
    """Memory that each worker holds, MB."""
    pids = [worker.process.pid for worker in supervisor.workers if worker.process]
    return [psutil.Process(pid).memory_info().rss / 1e6 for pid in pids]


def producing(settings: Settings, linger_ms: int = 5) -> AbstractAsyncContextManager[AIOKafkaProducer]:
    """A producer; what it sent has arrived at the end of the block."""
    return clients.started(clients.producer(settings.kafka, linger_ms=linger_ms))


@asynccontextmanager
async def reading(settings: Settings, topic: Topic) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of what comes into `topic` from now on."""
    partitions = clients.partitions(topic)
    async with clients.started(clients.consumer(settings.kafka, fetch_max_wait_ms=20)) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        yield consumer


def clicks(visitors: int, sales: int) -> Iterator[Click]:
    """Clicks without end, each of the moment it is taken, of visitors in turn; no two are the same event."""
    return (click(number, number % visitors, sales) for number in count())


def click(number: int, visitor: int, sales: int, ts: int | None = None) -> Click:
    """A click of now, on a sale that depends on its number."""
    return Click(f"event-{number}", f"visitor-{visitor}", f"sale-{number * 7919 % sales}", ts or now())
