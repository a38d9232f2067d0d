"""The watchdog ends a worker that stands still while there is work, and only such a one."""

import asyncio
import dataclasses
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from queue import Queue

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewPartitions
from msgspec.structs import replace

from infra.ports import free_port
from reco.errors import SettingsError
from streams.clients import admin, consumer, partitions, started
from streams.groups import members
from streams.sentinel import STALLED, UNWATCHED, Progress, Sentinel
from streams.settings import Settings
from streams.topics import Topic, TopicSet
from streams.vitals import Vitals, Work
from tests.streams.world import PATIENCE, World, clicks, make_anew, newest_sessions

AT_ZERO = {("events", 0): 0}


def progress() -> Progress:
    return Progress(Work("work", dict, (Topic("events", 1, 1, {}),)))


def looks(watched: Progress, *times: float) -> list[float]:
    """What the watchdog finds at these times, while five records wait and nothing moves."""
    return [watched.look(AT_ZERO, {("events", 0): 5}, now=at) for at in times]


def test_time_counts_while_work_waits_and_nothing_moves() -> None:
    watched = progress()
    assert watched.look(AT_ZERO, {("events", 0): 5}, now=10.0) == 0.0
    assert watched.look(AT_ZERO, {("events", 0): 9}, now=13.0) == 3.0
    assert watched.lag == 9


def test_the_count_starts_anew_when_something_moves_or_nothing_is_left_to_do() -> None:
    watched = progress()
    watched.look(AT_ZERO, {("events", 0): 5}, now=10.0)
    assert watched.look({("events", 0): 1}, {("events", 0): 5}, now=14.0) == 0.0
    assert watched.look({("events", 0): 5}, {("events", 0): 5}, now=90.0) == 0.0


def test_a_topic_that_ends_before_what_was_read_of_it_is_not_all_done() -> None:
    watched, read = progress(), {("events", 0): 9}
    assert [watched.look(read, {("events", 0): 5}, now=at) for at in (10.0, 13.0)] == [0.0, 3.0]


def test_what_waits_beside_the_topics_is_work_too() -> None:
    waiting = [3]
    watched = Progress(Work("backlog", dict, (), waiting=lambda: waiting[0]), moved_at=0.0)
    at = {("images", 0): 8}
    assert watched.look(at, {}, now=10.0) == 0.0
    assert (watched.look(at, {}, now=13.0), watched.lag) == (3.0, 3)
    assert watched.look({("images", 0): 9}, {}, now=14.0) == 0.0
    waiting[0] = 0
    assert (watched.look({("images", 0): 9}, {}, now=90.0), watched.lag) == (0.0, 0)


def test_what_is_begun_only_later_does_not_stand_still() -> None:
    begun = False
    watched = Progress(Work("work", dict, (), waiting=lambda: 3, under_way=lambda: begun))
    assert [watched.look({}, {}, now=now) for now in (10.0, 90.0)] == [0.0, 0.0]
    begun = True
    assert [watched.look({}, {}, now=now) for now in (91.0, 95.0)] == [1.0, 5.0]


def test_a_broker_that_cannot_be_reached_is_no_verdict() -> None:
    watched = progress()
    watched.look(AT_ZERO, {("events", 0): 5}, now=10.0)
    watched.forgive(now=60.0)
    assert watched.look(AT_ZERO, {("events", 0): 5}, now=61.0) == 1.0


def test_time_in_which_the_watchdog_itself_was_paused_does_not_count() -> None:
    assert looks(progress(), 10.0, 13.0, 60.0, 61.0, 64.0) == [0.0, 3.0, 8.0, 9.0, 12.0]


@pytest.mark.broker
@pytest.mark.parametrize("owned", ["events", "sales", "nothing"])
async def test_work_that_waits_for_too_long_ends_the_process_whatever_it_has_partitions_of(
    world: World, owned: str
) -> None:
    await world.send(*clicks(4, 20))
    ended = threading.Event()
    with started_sentinel(world.settings, world.topics, ended.set, owned=owned):
        assert await asyncio.to_thread(ended.wait, 30)


@pytest.mark.broker
@pytest.mark.parametrize("agent", ["sessions", "scoring"])
async def test_partitions_that_are_added_while_a_worker_runs_end_it_with_advice(
    world: World, agent: str
) -> None:
    worker, name = await world.start(agent).ready(), world.topics.events.name

    async with admin(world.settings.kafka) as client:
        await client.create_partitions({name: NewPartitions(6)})

    assert await asyncio.to_thread(worker.process.wait, 60) == STALLED
    assert f"{name} has 6 partitions, the settings want 4; set [topics]" in worker.log.read_text()


@pytest.mark.broker
@pytest.mark.slow  # the ends of partitions that are no more are waited for 40 s
async def test_a_topic_that_is_made_anew_with_fewer_partitions_ends_a_worker_with_advice(
    world: World,
) -> None:
    worker = await world.start("sessions").ready()
    fewer = dataclasses.replace(world.topics.events, partitions=2)

    await make_anew(world.settings.kafka, fewer)

    assert await asyncio.to_thread(worker.process.wait, 90) == STALLED
    assert f"{fewer.name} has 2 partitions, the settings want 4; set [topics]" in worker.log.read_text()


@pytest.mark.broker
async def test_work_without_topics_that_waits_for_too_long_ends_the_process(settings: Settings) -> None:
    ended: Queue[int] = Queue()
    worker = replace(settings.worker, stall_seconds=2.0, health_port=free_port())
    vitals = Vitals(works=[Work("backlog", dict, (), waiting=lambda: 1)])
    sentinel = Sentinel(replace(settings, worker=worker), vitals, end=ended.put)
    sentinel.start()

    assert await asyncio.to_thread(ended.get, timeout=30) == STALLED
    sentinel.stop()


@pytest.mark.broker
async def test_a_worker_without_partitions_goes_on_while_its_group_has_done_the_work(world: World) -> None:
    ended = threading.Event()
    await world.start("sessions").ready()
    await world.send(*clicks(4, 20))
    await (await world.view(world.topics.sessions)).until(lambda found: len(newest_sessions(found)) == 4)
    group = world.settings.group("sessions")
    with started_sentinel(world.settings, world.topics, ended.set, owned="nothing", group=group):
        assert not await asyncio.to_thread(ended.wait, 6)


@pytest.mark.broker
async def test_a_worker_without_partitions_goes_on_as_long_as_another_has_some(world: World) -> None:
    await world.send(*clicks(4, 20))
    ended = threading.Event()
    async with member_that_stands_still(world, "all") as member:
        with started_sentinel(world.settings, world.topics, ended.set, owned="nothing", group="all"):
            assert not await asyncio.to_thread(ended.wait, 8)
            await member.stop()
            assert await asyncio.to_thread(ended.wait, 30)


@pytest.mark.broker
async def test_a_worker_that_does_not_begin_what_it_was_assigned_itself_ends(world: World) -> None:
    await world.send(*clicks(4, 20))
    ended = threading.Event()
    async with member_that_stands_still(world, "all") as member:
        itself = member._coordinator.member_id
        with started_sentinel(
            world.settings, world.topics, ended.set, owned="nothing", group="all", member=itself
        ):
            assert await asyncio.to_thread(ended.wait, 30)


@asynccontextmanager
async def member_that_stands_still(world: World, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """One that has all partitions of `events` and gets on with none, as while it restores its states."""
    member = consumer(world.settings.kafka, group_id=group)
    member.subscribe([world.topics.events.name])
    async with started(member):
        async with asyncio.timeout(PATIENCE):
            while len(member.assignment()) < world.topics.events.partitions:
                await asyncio.sleep(0.05)
        yield member


@pytest.mark.broker
async def test_workers_name_themselves_as_the_broker_does(world: World) -> None:
    workers = [await world.start("sessions").ready() for _ in range(2)]
    group, there = world.settings.group("sessions"), dict[str, list[TopicPartition]]()
    async with asyncio.timeout(PATIENCE), admin(world.settings.kafka) as client:
        while not all(there.values()) or len(there) < len(workers):  # until both have partitions
            there = await members(client, group)
    told = [await worker.health() for worker in workers]
    assert {health["works"][group]["member"] for health in told if health} == set(there)


def test_a_watchdog_that_fails_ends_the_process(settings: Settings) -> None:
    def positions() -> dict[tuple[str, int], int]:
        raise ValueError("a mistake of ours")

    statuses: list[int] = []
    worker = replace(settings.worker, health_port=free_port())
    vitals = Vitals(works=[Work("work", positions, ())])
    Sentinel(replace(settings, worker=worker), vitals, end=statuses.append).run()
    assert statuses == [UNWATCHED]


def test_a_port_in_use_and_a_host_of_another_machine_are_mistakes_in_the_settings(
    settings: Settings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "192.0.2.1", "no such host"):
            worker = replace(settings.worker, health_host=host, health_port=port)
            sentinel = Sentinel(replace(settings, worker=worker), Vitals())
            with pytest.raises(SettingsError, match=rf"worker\.health_port: port {port} of {host} cannot be"):
                sentinel.start()
            sentinel.join(10)
            assert not sentinel.is_alive()


def test_it_has_ended_once_it_was_told_to_stop_also_while_no_broker_answers(settings: Settings) -> None:
    statuses: list[int] = []
    worker = replace(settings.worker, health_port=free_port())
    unreachable = replace(settings.kafka, bootstrap_servers=f"127.0.0.1:{free_port()}")
    vitals = Vitals(works=[Work("work", dict, (Topic("events", 1, 1, {}),))])
    sentinel = Sentinel(replace(settings, worker=worker, kafka=unreachable), vitals, end=statuses.append)
    sentinel.start()

    sentinel.stop()

    assert not sentinel.is_alive()
    assert statuses == []


@pytest.mark.broker
async def test_health_tells_readiness_lag_and_counts(world: World) -> None:
    await world.send(*clicks(4, 20))
    with started_sentinel(world.settings, world.topics, lambda: None) as port:
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            lag = -1
            while lag != 20:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/health") as answer:
                        body = await answer.json()
                        lag = body["works"]["work"]["lag"]
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
            async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                metrics, form = await answer.text(), answer.headers["Content-Type"]

    assert body["broker_seconds_ago"] is not None
    assert (answer.status, body["status"], body["counts"]) == (200, "ok", {"lists": 7})
    assert form == "text/plain; version=0.0.4; charset=utf-8"
    told = metrics.splitlines()
    assert float(told.pop(-3).removeprefix("tenfold_broker_seconds_ago ")) >= 0
    assert told == [
        "# TYPE tenfold_lists_total counter",
        "tenfold_lists_total 7",
        "# TYPE tenfold_live_sales gauge",
        "tenfold_live_sales 3",
        "# TYPE tenfold_release gauge",
        'tenfold_release{name="blend-1"} 1',
        "# TYPE tenfold_broker_seconds_ago gauge",
        "# TYPE tenfold_lag gauge",
        'tenfold_lag{work="work"} 20',
    ]


@contextmanager
def started_sentinel(
    settings: Settings,
    topics: TopicSet,
    end: Callable[[], None],
    *,
    owned: str = "events",
    group: str = "nobody",
    member: str = "",
) -> Iterator[int]:
    """A sentinel over work on `events` and `sales` that never moves, stopped with the block.

    The port of its health. The worker has all partitions of the topic that is `owned`; with those of `events`
    it is in no group, as feeds are.
    """
    port = free_port()
    worker = replace(settings.worker, stall_seconds=2.0, health_port=port)
    known = {"events": topics.events, "sales": topics.sales}
    own = partitions(*(topic for name, topic in known.items() if name == owned))
    in_group = None if owned == "events" else group
    work = Work("work", lambda: dict.fromkeys(own, 0), tuple(known.values()), in_group, lambda: member)
    vitals = Vitals(works=[work])
    vitals.counts["lists"] = 7
    vitals.gauges["live_sales"] = lambda: 3
    vitals.names["release"] = lambda: "blend-1"

    def ended(status: int) -> None:
        if status == STALLED:
            end()

    sentinel = Sentinel(replace(settings, worker=worker), vitals, end=ended)
    sentinel.start()
    try:
        yield port
    finally:
        sentinel.stop()
