"""The consumer in a real worker: one that takes its time stays in its group."""

import pytest

from tests.streams.test_faults import expect_exact_sessions
from tests.streams.world import World, clicks

pytestmark = [pytest.mark.broker, pytest.mark.faults]

SLOW_WORKER = """
import asyncio
from aiokafka.consumer.subscription_state import SubscriptionState
from streams import worker
from streams.agents.sessions import SessionKeeper
from streams.delivery import consumer
from streams.settings import load

idle, take = SubscriptionState.fetcher_idle_time.fget, SessionKeeper.take
SubscriptionState.fetcher_idle_time = property(lambda fetched: 600 * idle(fetched))
consumer.MAX_OUTSTANDING = 8

async def takes_its_time(self, batch):
    await asyncio.sleep(0.25)
    await take(self, batch)

SessionKeeper.take = takes_its_time
worker.run(["sessions"], load())
"""
"""Works for seconds, which count as ten minutes each, on what one fetch brings."""


async def test_a_worker_that_works_for_long_on_one_fetch_stays_in_its_group(world: World) -> None:
    sent = clicks(10, 120)
    await world.send(*sent)
    worker = await world.start_altered(SLOW_WORKER).ready()
    await expect_exact_sessions(world, sent)
    more = clicks(10, 20, start=120)
    await world.send(*more)
    await expect_exact_sessions(world, sent + more)
    assert worker.process.poll() is None
