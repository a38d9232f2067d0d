"""Nothing lost: workers and brokers are killed while events flow, and every session stays exact."""

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from infra.broker import find, start, stop
from reco.events import Click, Sale
from streams.clients import admin, create_topics
from streams.clock import now
from streams.sentinel import STALLED
from streams.settings import Kafka, Settings
from streams.supervisor import Supervisor
from streams.topics import topic_set
from tests.quick_kafka import formatted
from tests.streams.world import (
    Running,
    World,
    clicks,
    count_of,
    expect_lists_after_the_last_event,
    make_anew,
    newest_lists,
    newest_sessions,
    open_sales,
    session_in,
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
    broker = start(formatted(folder), detached=False)
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
import asyncio, time
from streams import worker
from streams.agents.sessions import SessionKeeper
from streams.faust_app import COMMIT_EVERY
from streams.settings import load

async def blocks_for_ever(self, batch):
    await asyncio.sleep(2 * COMMIT_EVERY)  # what is acknowledged by now is committed
    time.sleep(3600)

SessionKeeper.take = blocks_for_ever
worker.run(["sessions"], load())
"""


async def test_a_worker_whose_event_loop_is_blocked_while_there_is_work_ends_itself(world: World) -> None:
    impatient = replace(world.settings, worker=replace(world.settings.worker, stall_seconds=3.0))
    blocked = world.start_altered(BLOCKED_WORKER, impatient)
    await world.send(*clicks(20, 100))

    status = await asyncio.to_thread(blocked.process.wait, 60)

    assert status == STALLED
    await world.start("sessions").ready()
    await expect_exact_sessions(world, clicks(20, 100))


LATE_FLOW_WORKER = """
from streams import worker
from streams.delivery.consumer import LosslessConsumer
from streams.settings import load

hand_over = LosslessConsumer._hand_over

async def before_the_flow_is_resumed(self, tp, fetched, position):
    if not fetched:
        return await hand_over(self, tp, fetched, position)
    LosslessConsumer._hand_over = hand_over
    self.stop_flow()
    await hand_over(self, tp, fetched, position)
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
    world.start_altered(LATE_FLOW_WORKER, patient)
    await expect_exact_sessions(world, [only])


PAUSED_WORKER = """
import os, signal
from streams import worker
from streams.agents.sessions import SessionKeeper
from streams.delivery.consumer import LosslessConsumer
from streams.settings import load

take, perform_seek = SessionKeeper.take, LosslessConsumer.perform_seek

async def begins_as_a_commit_falls_due(self):
    assert not await self.commit()
    await perform_seek(self)
    print("placed", flush=True)

LosslessConsumer.perform_seek = begins_as_a_commit_falls_due

async def pauses_with_a_batch_in_hand(self, batch):
    SessionKeeper.take = take
    os.kill(os.getpid(), signal.SIGSTOP)
    await take(self, batch)

SessionKeeper.take = pauses_with_a_batch_in_hand
worker.run(["sessions"], load())
"""


def older_at_the_end(records: list[Any]) -> set[str]:
    """Visitors whose last state on `sessions` includes less than one before it."""
    newest = newest_sessions(records)
    last = {one.visitor_id: one.offset for one in (session_in(record.value) for record in records)}
    return {visitor for visitor, offset in last.items() if offset < newest[visitor].offset}


async def until_committed(world: World, count: int) -> None:
    """Wait until the sessions workers have committed `count` events, so that none of them comes again."""
    committed = 0
    async with admin(world.settings.kafka) as client:
        while committed < count:
            found = await client.list_consumer_group_offsets(world.settings.group("sessions"))
            committed = sum(at.offset for tp, at in found.items() if tp.topic == world.topics.events.name)
            await asyncio.sleep(0.05)


async def test_a_worker_that_slept_while_another_took_over_leaves_no_older_state_as_the_last(
    world: World,
) -> None:
    """The paused one wakes with a batch in hand, which it sends before it learns that it was thrown out.

    Nor does it commit before it has read the group's position, which is beyond what it acknowledged.
    """
    sleeper = world.start_altered(PAUSED_WORKER)
    first = Click("e-first", "ann", "sale-1", now())
    view = await world.view(world.topics.sessions)
    await world.send(first)
    await asyncio.to_thread(os.waitid, os.P_PID, sleeper.process.pid, os.WSTOPPED | os.WNOWAIT)
    patient = await world.start("sessions").ready()
    second = Click("e-second", "ann", "sale-2", now())
    await world.send(second)
    await view.until(lambda found: bool(found) and count_of(newest_sessions(found)["ann"]) == 2)
    await until_committed(world, 2)

    sleeper.process.send_signal(signal.SIGCONT)
    await view.until(lambda found: bool(older_at_the_end(found)))
    await view.until(lambda found: not older_at_the_end(found))
    async with asyncio.timeout(60):
        while sleeper.log.read_text().count("placed") < 2:
            assert sleeper.process.poll() is None, sleeper.log.read_text()
            await asyncio.sleep(0.05)

    third = Click("e-third", "ann", "sale-3", now())
    await world.send(third)
    await expect_exact_sessions(world, [first, second, third])
    assert patient.process.poll() is None


async def test_a_foreign_record_among_the_states_neither_replaces_one_nor_stops_a_worker(
    world: World,
) -> None:
    sent = clicks(1, 2)
    first = await world.start("sessions").ready()
    await world.send(sent[0])
    await expect_exact_sessions(world, sent[:1])
    await first.end(signal.SIGKILL)
    await world.send_raw(world.topics.sessions, b"visitor-0", b'{"offset":999999}')

    await world.start("sessions").ready()
    await world.send(sent[1])

    view = await world.view(world.topics.sessions)
    await view.until(lambda found: b"e1" in found[-1].value if found else False)
    states = [session_in(one.value) for one in view.records if one.value != b'{"offset":999999}']
    assert [touch.event_id for touch in states[-1].recent] == ["e0", "e1"]


async def test_states_of_a_topic_that_was_made_anew_stop_the_worker_until_they_are_removed_too(
    world: World,
) -> None:
    worker = await world.start("sessions").ready()
    await world.send(*clicks(40, 400))
    await expect_exact_sessions(world, clicks(40, 400))
    await worker.end(signal.SIGTERM)
    await make_anew(world.settings.kafka, world.topics.events)

    worker = world.start("sessions")
    assert await asyncio.to_thread(worker.process.wait, 60) > 0
    assert "made anew" in worker.log.read_text()

    await make_anew(world.settings.kafka, world.topics.sessions)
    other = replace(world.settings, worker=replace(world.settings.worker, application=uuid4().hex))
    await world.start("sessions", settings=other).ready()
    sent = clicks(40, 80, start=1000)
    async with world_of(world.settings, world.topics, Path(world.settings.worker.data_dir)) as same:
        await same.send(*sent)
        await expect_exact_sessions(same, sent)


async def test_states_that_are_lost_stop_the_worker_until_they_are_built_anew_from_all_events(
    world: World,
) -> None:
    worker, sent = await world.start("sessions").ready(), clicks(40, 400)
    await world.send(*sent)
    await expect_exact_sessions(world, sent)
    await worker.end(signal.SIGTERM)
    await make_anew(world.settings.kafka, world.topics.sessions)

    worker = world.start("sessions")
    assert await asyncio.to_thread(worker.process.wait, 60) > 0
    assert "made anew" in worker.log.read_text()

    other = replace(world.settings, worker=replace(world.settings.worker, application=uuid4().hex))
    await world.start("sessions", settings=other).ready()
    await expect_exact_sessions(world, sent)


async def active_visitors(*workers: Running) -> list[int]:
    """How many active visitors each of these scoring workers knows."""
    found = [await worker.health() for worker in workers]
    return [int(one["gauges"]["active_visitors"]) if one else 0 for one in found]


async def test_a_scoring_worker_that_was_paused_forgets_what_others_went_on_with(world: World) -> None:
    visitors = 40
    await world.publish(*open_sales(20))
    await world.start("sessions").ready()
    workers = [await world.start("scoring").ready() for _ in range(2)]
    lists, sessions = await world.view(world.topics.recommendations), await world.view(world.topics.sessions)

    def are_current(found: list[Any], sales: int = 20) -> bool:
        """Whether every visitor's newest list is of the newest session, and of so many sales."""
        newest, tops = newest_sessions(sessions.records), newest_lists(found)
        made_from = {visitor: tops[visitor].made_from for visitor in newest if visitor in tops}
        return len(made_from) == visitors and all(
            one.session_offset == newest[visitor].offset and sum(one.sales_offsets) >= sales
            for visitor, one in made_from.items()
        )

    async def settled(events: int) -> None:
        await sessions.until(lambda found: sum(map(count_of, newest_sessions(found).values())) == events)
        await lists.until(are_current)

    await world.send(*clicks(visitors, 200, sales=20))
    await settled(200)
    paused, other = workers
    paused.process.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(60):
        while await active_visitors(other) != [visitors]:
            await asyncio.sleep(0.1)
    await world.send(*clicks(visitors, 40, sales=20, start=200))
    await settled(240)
    paused.process.send_signal(signal.SIGCONT)
    async with asyncio.timeout(60):
        while sum(await active_visitors(*workers)) != visitors or 0 in await active_visitors(*workers):
            await asyncio.sleep(0.1)

    await world.publish(Sale("new", "New", now() - 1000, now() + 10**8))

    await lists.until(lambda found: are_current(found, sales=21))
