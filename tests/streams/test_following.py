"""What sends very much waits for the workers that run."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import RecordsToDelete
from msgspec.structs import replace

from infra.broker import start, stop
from streams import clients
from streams.following import MOST_BEHIND, PIECE, followed
from streams.settings import Kafka, Settings
from streams.topics import topic_set
from tests.quick_kafka import formatted
from tests.streams.imports import Note, records, run_import, write_log
from tests.streams.world import World, clicks, newest_sessions

pytestmark = pytest.mark.broker

RECORDS = 5_000


async def joined(world: World) -> AIOKafkaConsumer:
    """A member of the sessions workers' group that does no work until it is told to."""
    member = clients.consumer(world.settings.kafka, group_id=world.settings.group("sessions"))
    member.subscribe([world.topics.events.name])
    await member.start()
    while not member.assignment():
        await member.getmany(timeout_ms=50)
    return member


async def commit_all(member: AIOKafkaConsumer) -> int:
    """Commit the ends of the member's partitions; how many records lie before them."""
    ends = await member.end_offsets(member.assignment())
    await member.commit(ends)
    return sum(ends.values())


@pytest.mark.parametrize("partitions", [4, 8], ids=["as there are", "other settings"])
async def test_no_more_is_sent_than_running_workers_follow(world: World, partitions: int) -> None:
    settings = replace(world.settings, topics=replace(world.settings.topics, partitions=partitions))
    found: list[str] = []
    member = await joined(world)
    done, most_behind = 0, 0
    async with followed(settings, lambda: found.append("workers")) as sender:
        sending = asyncio.create_task(sender.deliver((b"v%d" % n, b"{}") for n in range(RECORDS)))
        while not sending.done():
            before, done = done, await commit_all(member)
            most_behind = max(most_behind, done - before)
            await asyncio.sleep(0.05)
        ends = await sending
    await member.stop()

    assert sum(ends.values()) == len(await records(world.settings, world.topics.events.name)) == RECORDS
    assert PIECE <= most_behind <= MOST_BEHIND + PIECE
    assert found == ["workers"]


async def test_a_worker_that_stands_still_holds_up_the_rest_until_it_has_left(world: World) -> None:
    member = await joined(world)
    view = await world.view(world.topics.events)
    async with followed(world.settings, lambda: None) as sender:
        sending = asyncio.create_task(sender.deliver((b"v%d" % n, b"{}") for n in range(RECORDS)))
        await view.until(lambda found: len(found) > MOST_BEHIND)
        done, _ = await asyncio.wait([sending], timeout=1)
        assert not done
        assert await world.size(world.topics.events) <= MOST_BEHIND + PIECE

        await member.stop()
        await sending
    assert await world.size(world.topics.events) == RECORDS


async def test_a_broker_that_has_no_groups_yet_takes_all_at_once(settings: Settings, tmp_path: Path) -> None:
    broker = start(formatted(tmp_path / "broker"), detached=False)
    try:
        settings = replace(settings, kafka=Kafka(bootstrap_servers=broker.bootstrap_servers))
        await clients.create_topics(settings.kafka, topic_set(settings.topics))
        imported = await run_import(settings, write_log(tmp_path / "log.csv", 10))
        assert imported.progress.sent == 10
    finally:
        stop(tmp_path / "broker")


async def test_an_import_beside_workers_says_so_and_leaves_every_session_exact(world: World) -> None:
    """It does not wait for what was removed before any worker has read it; of that, the worker tells."""
    await world.send(*clicks(400, 2 * MOST_BEHIND))
    member = await joined(world)
    await member.commit({min(member.assignment()): 1})
    await member.stop()
    async with clients.admin(world.settings.kafka) as admin:
        all_there_are = clients.partitions(world.topics.events)
        await admin.delete_records({tp: RecordsToDelete(before_offset=-1) for tp in all_there_are})
    worker = await world.start("sessions").ready()
    note = Note()
    imported = await run_import(world.settings, write_log(world.folder / "log.csv", 3_000), note=note)

    assert imported.progress.sent == 3_000
    assert [text for text in note.said if "--at-once" in text] != []
    view = await world.view(world.topics.sessions)
    await view.until(lambda found: len(newest_sessions(found)) == 97)
    assert worker.log.read_text().count("were removed before they were read") == 1
