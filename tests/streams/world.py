"""A small world for tests of the stream: real worker processes, a producer, and views of topics."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Self, TypeAlias

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec.structs import replace

from infra.ports import free_port
from reco.events import Click, Erasure, Event, Sale
from reco.labels import SaleLabels
from reco.lists import TopTen
from reco.sessions import Session
from streams import clients
from streams.clock import now
from streams.codecs import decode_list, decode_session, encode
from streams.settings import Kafka, Settings, Worker
from streams.supervisor import environment_of
from streams.topics import Topic, TopicSet
from tests.streams.prepared_worker import AGENTS as PREPARED
from tests.streams.prepared_worker import PreparedWorker

PATIENCE = 120.0
"""Longest wait for anything to happen, s."""

Start: TypeAlias = Callable[[Mapping[str, str], Path], "subprocess.Popen[bytes] | PreparedWorker"]
"""Starts a process with an environment and a file for what it prints."""

session_in, list_in = cache(decode_session), cache(decode_list)
"""Decoded once, however often a view is looked at while it grows."""


def run_python(*arguments: str) -> Start:
    """A Python process with these arguments."""

    def start(environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, *arguments], env=environment, stdout=output, stderr=output
            )

    return start


class Running:
    """One worker process."""

    def __init__(self, settings: Settings, log: Path, start: Start) -> None:
        self.port = free_port()
        self.log = log
        self.process = start(environment_of(settings) | {"TENFOLD_WORKER_HEALTH_PORT": str(self.port)}, log)

    async def health(self) -> dict[str, Any] | None:
        """What the worker says of itself; None while it does not answer."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self.port}/health") as answer,
            ):
                body: dict[str, Any] = await answer.json()
                return body
        except aiohttp.ClientError:
            return None

    async def ready(self) -> Self:
        async with asyncio.timeout(PATIENCE):
            while (health := await self.health()) is None or health["status"] != "ok":
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        return self

    async def end(self, how: signal.Signals) -> int:
        """Signal the process and wait for its exit status."""
        self.process.send_signal(how)
        return await asyncio.to_thread(self.process.wait, PATIENCE)


class View:
    """Everything in a topic, read as it comes."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.records: list[Any] = []

    async def until(self, enough: Callable[[list[Any]], bool], patience: float = PATIENCE) -> list[Any]:
        """Read until `enough` of all records so far, for `patience` s at most."""
        async with asyncio.timeout(patience):
            while not enough(self.records):
                for records in (await self._consumer.getmany(timeout_ms=200)).values():
                    self.records.extend(records)
        return self.records


class World:
    """Settings, topics, and what lives on them."""

    def __init__(
        self, settings: Settings, topics: TopicSet, producer: AIOKafkaProducer, folder: Path
    ) -> None:
        self.settings = settings
        self.topics = topics
        self._producer = producer
        self.folder = folder
        self.workers: list[Running] = []
        self._consumers: list[AIOKafkaConsumer] = []

    def start(self, *agents: str, settings: Settings | None = None) -> Running:
        if PREPARED.issuperset(agents):
            return self._start(settings, partial(PreparedWorker, agents))
        return self._start(settings, run_python("-m", "streams.worker", *agents))

    def start_altered(self, program: str, settings: Settings | None = None) -> Running:
        """A worker that a program alters before it runs it."""
        return self._start(settings, run_python("-c", program))

    def _start(self, settings: Settings | None, start: Start) -> Running:
        log = self.folder / f"worker-{len(self.workers)}.log"
        self.workers.append(Running(settings or self.settings, log, start))
        return self.workers[-1]

    async def send(self, *events: Event | Erasure, producer: AIOKafkaProducer | None = None) -> list[Any]:
        """Produce events and wait until the broker has them; where they stand."""
        topic, producer = self.topics.events.name, producer or self._producer
        futures = [await producer.send(topic, encode(one), one.visitor_id.encode()) for one in events]
        return await asyncio.gather(*futures)

    async def send_raw(self, topic: Topic, key: bytes | None, value: bytes | None) -> Any:
        return await self._producer.send_and_wait(topic.name, value, key)

    async def publish(self, *sales: Sale) -> None:
        for sale in sales:
            await self.send_raw(self.topics.sales, sale.sale_id.encode(), encode(sale))

    async def withdraw(self, sale_id: str) -> None:
        await self.send_raw(self.topics.sales, sale_id.encode(), None)

    async def label(self, *labels: SaleLabels) -> None:
        """Say what images show."""
        for one in labels:
            await self.send_raw(self.topics.sale_labels, one.sale_id.encode(), encode(one))

    async def size(self, topic: Topic) -> int:
        """How many records a topic that keeps everything holds."""
        consumer = clients.consumer(self.settings.kafka)
        await consumer.start()
        self._consumers.append(consumer)
        ends = await consumer.end_offsets(clients.partitions(topic))
        return sum(ends.values())

    async def erase(self, record: Any) -> None:
        """A tombstone where `record` stands."""
        await self._producer.send_and_wait(record.topic, None, record.key, record.partition)

    async def view(self, topic: Topic) -> View:
        """A view of a topic from its beginning."""
        consumer = clients.consumer(self.settings.kafka, fetch_max_wait_ms=50)
        await consumer.start()
        self._consumers.append(consumer)
        partitions = clients.partitions(topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        return View(consumer)

    async def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                await asyncio.to_thread(worker.process.wait)
        for consumer in self._consumers:
            await consumer.stop()


@asynccontextmanager
async def world_of(settings: Settings, topics: TopicSet, folder: Path) -> AsyncIterator[World]:
    producer = clients.producer(settings.kafka, linger_ms=5)
    await producer.start()
    world = World(settings, topics, producer, folder)
    try:
        yield world
    finally:
        await world.close()
        await producer.stop()
        session_in.cache_clear()
        list_in.cache_clear()


def newest_sessions(records: list[Any]) -> dict[str, Session]:
    """The state of each visitor that includes most."""
    newest: dict[str, Session] = {}
    for record in records:
        session = session_in(record.value)
        known = newest.get(session.visitor_id)
        if known is None or session.offset >= known.offset:
            newest[session.visitor_id] = session
    return newest


def newest_lists(records: list[Any]) -> dict[str, TopTen]:
    """The last list of each visitor."""
    return {top.visitor_id: top for top in map(list_in, (one.value for one in records if one.value))}


def listed(found: list[Any], sale_id: str) -> set[str]:
    """The visitors whose newest lists hold the sale."""
    lists = newest_lists(found)
    return {who for who, top in lists.items() if sale_id in {one.sale_id for one in top.sales}}


def clicks(visitors: int, count: int, sales: int = 100, start: int = 0) -> list[Click]:
    """`count` clicks of now, visitor after visitor, a millisecond apart, each with an id of its own."""
    at = now() - count
    return [
        Click(f"e{n}", f"visitor-{n % visitors}", f"sale-{n * 7 % sales}", at + n - start)
        for n in range(start, start + count)
    ]


def open_sales(count: int) -> list[Sale]:
    """Sales that opened an hour ago and close tomorrow."""
    hour = 3_600_000
    return [Sale(f"sale-{n}", f"Sale {n}", now() - hour, now() + 24 * hour) for n in range(count)]


def count_of(session: Session) -> int:
    """All clicks that a session has counted, in `recent` and in `memory`."""
    return sum(one.kind == "click" for one in session.recent) + sum(one.clicks for one in session.memory)


async def expect_lists_after_the_last_event(world: World, patience: float = PATIENCE) -> dict[str, TopTen]:
    """Every visitor has a list that was computed from a session with their last event in it."""
    ends = await world.size(world.topics.events)
    events = await (await world.view(world.topics.events)).until(lambda found: len(found) >= ends)
    last = {record.key.decode(): record.offset for record in events}
    view = await world.view(world.topics.recommendations)
    await view.until(
        lambda found: (
            {v: top.made_from.session_offset for v, top in newest_lists(found).items() if v in last} == last
        ),
        patience,
    )
    lists = newest_lists(view.records)
    return {visitor: lists[visitor] for visitor in last}


async def make_anew(kafka: Kafka, topic: Topic) -> None:
    """Remove the topic of this name, and create this one."""
    async with clients.admin(kafka) as client:
        await client.delete_topics([topic.name])
        while topic.name in await client.list_topics():
            await asyncio.sleep(0.05)
    await clients.create_topics(kafka, [topic])


async def expect_all_acknowledged(world: World, worker: Worker) -> None:
    """The position of the group of the sessions agent is the end of `events`, whatever stands there last."""
    group = replace(world.settings, worker=worker).group("sessions")
    async with (
        clients.admin(world.settings.kafka) as admin,
        clients.started(clients.consumer(world.settings.kafka)) as consumer,
        asyncio.timeout(PATIENCE),
    ):
        partitions, reached, ends = clients.partitions(world.topics.events), None, dict[Any, int]()
        while reached != ends:
            ends = {tp: end for tp, end in (await consumer.end_offsets(partitions)).items() if end}
            found = await admin.list_consumer_group_offsets(group, partitions=list(ends))
            reached = {tp: one.offset for tp, one in found.items()}
            await asyncio.sleep(0.05)
