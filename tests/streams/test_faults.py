"""Nothing lost: workers and brokers are killed while events flow, and every session stays exact."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from infra.broker import find, start, stop
from reco.events import Click
from streams.clients import create_topics
from streams.sentinel import STALLED
from streams.settings import Kafka, Settings
from streams.supervisor import Supervisor, environment_of
from streams.topics import topic_set
from tests.streams.world import (
    World,
    clicks,
    count_of,
    expect_lists_after_the_last_event,
    newest_sessions,
    open_sales,
    world_of,
)

pytestmark = [pytest.mark.broker, pytest.mark.faults, pytest.mark.timeout(400)]

STALL_SECONDS = 15.0


def per_visitor(sent: list[Click]) -> Counter[str]:
    return Counter(one.visitor_id for one in sent)


async def send_steadily(world: World, sent: list[Click], rate: int, enough: asyncio.Event) -> None:
    """Send `rate` clicks a second of 400 visitors until `enough`."""
    while not enough.is_set():
        batch = clicks(400, rate // 10, start=len(sent))
        await world.send(*batch)
        sent.extend(batch)
        await asyncio.sleep(0.1)


async def expect_exact_sessions(world: World, sent: list[Click]) -> None:
    """Every accepted event is in its visitor's session exactly once."""
    expected = per_visitor(sent)
    view = await world.view(world.topics.sessions)
    await view.until(lambda found: {v: count_of(s) for v, s in newest_sessions(found).items()} == expected)


async def test_kill_9_five_times_in_20000_events_leaves_every_session_exact_and_every_visitor_with_a_list(
    world: World,
) -> None:
    await world.publish(*open_sales(100))
    worker = await world.start("sessions", "scoring").ready()
    sent: list[Click] = []
    for _ in range(5):
        batch = clicks(400, 4000, start=len(sent))
        sending = asyncio.create_task(world.send(*batch))
        sent.extend(batch)
        view = await world.view(world.topics.sessions)
        await view.until(lambda found: sum(map(count_of, newest_sessions(found).values())) > len(sent) - 3000)
        assert await worker.end(signal.SIGKILL) == -signal.SIGKILL
        worker = world.start("sessions", "scoring")
        await sending

    assert len(sent) == 20_000
    await worker.ready()
    await expect_exact_sessions(world, sent)
    await expect_lists_after_the_last_event(world)


async def test_workers_that_join_leave_and_die_under_load_skip_nothing_and_count_nothing_twice(
    world: World,
) -> None:
    chance = random.Random(7)
    sent: list[Click] = []
    enough = asyncio.Event()
    oldest = await world.start("sessions").ready()
    load = asyncio.create_task(send_steadily(world, sent, 1000, enough))
    for how in (
        signal.SIGTERM,
        signal.SIGKILL,
        signal.SIGKILL,
        signal.SIGTERM,
        signal.SIGKILL,
        signal.SIGTERM,
    ):
        joining = await world.start("sessions").ready()
        await asyncio.sleep(chance.random())
        status = await oldest.end(how)
        assert status == (0 if how is signal.SIGTERM else -signal.SIGKILL)
        oldest = joining
        await asyncio.sleep(2 * chance.random())
    enough.set()
    await load

    await expect_exact_sessions(world, sent)


async def test_a_worker_that_starts_on_an_empty_disk_takes_the_states_from_the_topic(
    world: World, tmp_path: Path
) -> None:
    sent = clicks(50, 500)
    first = await world.start("sessions").ready()
    await world.send(*sent)
    await expect_exact_sessions(world, sent)
    await first.end(signal.SIGKILL)
    elsewhere = replace(
        world.settings, worker=replace(world.settings.worker, data_dir=str(tmp_path / "elsewhere"))
    )

    await world.start("sessions", settings=elsewhere).ready()
    more = clicks(50, 500, start=500)
    await world.send(*more)

    await expect_exact_sessions(world, sent + more)


async def test_a_broker_that_is_killed_and_comes_back_needs_no_hand(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "broker"
    broker = start(folder, detached=False)
    kafka = Kafka(bootstrap_servers=broker.bootstrap_servers)
    worker = replace(settings.worker, stall_seconds=STALL_SECONDS)
    settings = replace(settings, kafka=kafka, worker=worker)
    topics = topic_set(settings.topics)
    await create_topics(kafka, topics)
    try:
        async with world_of(settings, topics, tmp_path) as world:
            await world.publish(*open_sales(20))
            with Supervisor(settings, [("sessions",), ("scoring",)]) as supervisor:
                await asyncio.to_thread(supervisor.ready, 60.0)
                before = clicks(50, 1000)
                await world.send(*before)
                os.kill(broker.pid, signal.SIGKILL)
                after = clicks(50, 1000, start=1000)
                sending = asyncio.create_task(world.send(*after))
                await asyncio.to_thread(start, folder, detached=False)
                await sending

                await expect_exact_sessions(world, before + after)
                await expect_lists_after_the_last_event(world)
    finally:
        stop(folder)
    assert find(folder) is None


BLOCKED_WORKER = """
import time
from streams import worker
from streams.agents.sessions import SessionKeeper
from streams.settings import load

async def blocks_for_ever(self, batch):
    time.sleep(3600)

SessionKeeper.take = blocks_for_ever
worker.run(["sessions"], load())
"""


async def test_a_worker_whose_event_loop_is_blocked_while_there_is_work_ends_itself(world: World) -> None:
    impatient = replace(world.settings, worker=replace(world.settings.worker, stall_seconds=3.0))
    process = subprocess.Popen([sys.executable, "-c", BLOCKED_WORKER], env=environment_of(impatient))
    await world.send(*clicks(20, 100))

    status = await asyncio.to_thread(process.wait, 60)

    assert status == STALLED
    await world.start("sessions").ready()
    await expect_exact_sessions(world, clicks(20, 100))


LATE_FLOW_WORKER = """
from streams import worker
from streams.delivery.consumer import LosslessConsumer
from streams.settings import load

hand_over = LosslessConsumer._hand_over

async def before_the_flow_is_resumed(self, tp, fetched):
    LosslessConsumer._hand_over = hand_over
    self.stop_flow()
    await hand_over(self, tp, fetched)
    self.resume_flow()

LosslessConsumer._hand_over = before_the_flow_is_resumed
worker.run(["sessions"], load())
"""


async def test_records_that_come_before_the_flow_is_resumed_are_taken_though_nothing_follows(
    world: World,
) -> None:
    patient = replace(world.settings, worker=replace(world.settings.worker, stall_seconds=300.0))
    (only,) = clicks(1, 1)
    await world.send(only)
    process = subprocess.Popen([sys.executable, "-c", LATE_FLOW_WORKER], env=environment_of(patient))
    try:
        await expect_exact_sessions(world, [only])
    finally:
        process.kill()
        process.wait()
