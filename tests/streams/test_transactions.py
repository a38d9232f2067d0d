"""Producers may use transactions: what is aborted never was, and what is open waits, however long."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from reco.events import Click
from reco.knowledge import Knowledge
from streams import clients
from streams.clock import now
from streams.feeds import KnowledgeFeed
from streams.history import read_history
from streams.settings import Settings
from tests.streams.world import (
    PATIENCE,
    World,
    clicks,
    count_of,
    expect_all_acknowledged,
    newest_lists,
    newest_sessions,
    open_sales,
)

pytestmark = pytest.mark.broker


@asynccontextmanager
async def transactional(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of transactions."""
    producer = clients.producer(settings.kafka, transactional_id=settings.worker.application)
    async with clients.started(producer):
        yield producer


async def committed(world: World, producer: AIOKafkaProducer, events: list[Click]) -> list[Any]:
    """Send events in a transaction of their own; where they stand."""
    async with producer.transaction():
        return await world.send(*events, producer=producer)


async def abort(world: World, producer: AIOKafkaProducer, events: list[Click]) -> None:
    """Send events, and take them back."""
    await producer.begin_transaction()
    await world.send(*events, producer=producer)
    await producer.abort_transaction()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(0.02)


async def test_sessions_hold_what_is_committed_and_no_marker_is_waited_for(world: World) -> None:
    await world.publish(*open_sales(20))
    sessions = world.start("sessions")
    await world.start("scoring").ready()
    await sessions.ready()
    sent: list[Click] = []
    async with transactional(world.settings) as producer:
        for start in range(0, 300, 50):
            batch = clicks(20, 50, start=start)
            await committed(world, producer, batch)
            await abort(world, producer, clicks(40, 50, start=1_000 + start))
            sent += batch
        await expect_all_acknowledged(world, world.settings.worker)
        assert await sessions.end(signal.SIGKILL) == -signal.SIGKILL
        await world.start("sessions").ready()
        last = clicks(20, 50, start=300)
        await committed(world, producer, last)
    sent += last

    await expect_all_acknowledged(world, world.settings.worker)
    counted = Counter(one.visitor_id for one in sent)
    view = await world.view(world.topics.sessions)
    await view.until(lambda found: {v: count_of(s) for v, s in newest_sessions(found).items()} == counted)
    last_offsets = {visitor: session.offset for visitor, session in newest_sessions(view.records).items()}
    lists = await world.view(world.topics.recommendations)
    await lists.until(
        lambda found: (
            last_offsets.items()
            <= {v: t.made_from.session_offset for v, t in newest_lists(found).items()}.items()
        )
    )
    table, _ = await read_history(world.settings)
    assert len(table) == len(sent)


async def test_knowledge_waits_for_what_may_still_be_committed_and_for_no_marker(world: World) -> None:
    knowledge = Knowledge()
    feed = KnowledgeFeed(world.settings.kafka, world.topics.events, knowledge)
    await feed.build()
    following = asyncio.create_task(feed.follow())
    async with transactional(world.settings) as producer:
        (first,) = await committed(world, producer, [Click("e1", "ann", "rome", now())])
        await until(lambda: knowledge.second >= first.timestamp // 1000)

        await producer.begin_transaction()
        (second,) = await world.send(Click("e2", "ann", "oslo", now()), producer=producer)
        await until(lambda: now() // 1000 > second.timestamp // 1000 + 2)
        assert feed.over < second.timestamp // 1000
        await producer.commit_transaction()
        await until(lambda: knowledge.second >= second.timestamp // 1000)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await feed.close()

    assert feed.late == 0
