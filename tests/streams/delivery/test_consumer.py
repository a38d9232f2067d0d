"""The consumer: who takes their time stays in the group, and an assignment that is over counts no more."""

import asyncio
import re
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiokafka.admin import RecordsToDelete
from faust.types import TP

from streams import clients
from streams.agents.sessions import sessions_app
from streams.settings import Kafka, Settings, Worker
from streams.vitals import Vitals
from tests.streams.test_faults import expect_exact_sessions
from tests.streams.world import World, clicks, count_of, expect_all_acknowledged, make_anew, newest_sessions

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


@pytest.mark.broker
@pytest.mark.faults
async def test_a_worker_that_works_for_long_on_one_fetch_stays_in_its_group(world: World) -> None:
    sent = clicks(10, 120)
    await world.send(*sent)
    worker = await world.start_altered(SLOW_WORKER).ready()
    await expect_exact_sessions(world, sent)
    more = clicks(10, 20, start=120)
    await world.send(*more)
    await expect_exact_sessions(world, sent + more)
    assert worker.process.poll() is None


@pytest.mark.broker
@pytest.mark.faults
async def test_what_was_removed_before_a_running_worker_read_it_is_told(world: World) -> None:
    worker = await world.start("sessions").ready()
    worker.process.send_signal(signal.SIGSTOP)
    await world.send(*clicks(40, 1))  # which answers the fetch that waits at the broker
    await world.send(*clicks(40, 199, start=1))
    async with clients.admin(world.settings.kafka) as admin:
        all_there_are = clients.partitions(world.topics.events)
        await admin.delete_records({tp: RecordsToDelete(before_offset=-1) for tp in all_there_are})
    await world.send(*clicks(40, 200, start=200))
    worker.process.send_signal(signal.SIGCONT)

    await expect_all_acknowledged(world, world.settings.worker)
    told = re.findall(r"offsets (\d+) to (\d+) were removed before they were read", worker.log.read_text())
    removed = sum(int(last) - int(first) + 1 for first, last in told)
    assert removed > 0
    view = await world.view(world.topics.sessions)
    await view.until(lambda found: sum(map(count_of, newest_sessions(found).values())) == 400 - removed)


@pytest.mark.broker
@pytest.mark.faults
async def test_a_running_worker_does_not_go_on_in_a_topic_that_was_made_anew(world: World) -> None:
    worker, sent = await world.start("sessions").ready(), clicks(40, 400)
    await world.send(*sent)
    await expect_exact_sessions(world, sent)

    await make_anew(world.settings.kafka, world.topics.events)

    assert await asyncio.to_thread(worker.process.wait, 60) > 0
    assert "made anew" in worker.log.read_text()


@pytest.mark.parametrize("is_overtaken", [True, False])
async def test_positions_that_are_told_after_the_partitions_are_revoked_do_not_count(
    is_overtaken: bool,  # noqa: FBT001 - by another assignment
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = sessions_app(Settings(Kafka("kafka:9092"), worker=Worker(data_dir=str(tmp_path))), Vitals())
    starts = {TP("events", 0): 5}

    async def told_late(_: Iterable[str]) -> dict[TP, int]:
        if is_overtaken:
            app.on_rebalance_start()
            await app.consumer.on_partitions_revoked(set(starts))
        return starts

    monkeypatch.setattr(app.consumer._thread, "assignment", set)
    monkeypatch.setattr(app.consumer._thread, "seek_to_group_position", told_late)
    await app.consumer.perform_seek()
    assert app.positions() == ({} if is_overtaken else starts)
