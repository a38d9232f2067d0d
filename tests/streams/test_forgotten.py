"""Forgotten means forgotten: who is erased is in no topic's newest state, and no replay brings them back."""

import asyncio
import signal
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from reco.events import Erasure, Event
from streams.cli import tenfold
from streams.clients import producer, started
from streams.clock import now
from streams.history import read_history
from streams.topics import Topic
from tests.streams.command_line import Command
from tests.streams.world import (
    World,
    clicks,
    count_of,
    expect_all_acknowledged,
    newest_lists,
    open_sales,
    session_in,
)

pytestmark = pytest.mark.broker

GONE, BACK, OTHER = b"visitor-0", b"visitor-1", b"visitor-2"


def last_of(found: list[Any]) -> dict[bytes, Any]:
    """What compaction keeps of each key, in any partition; None if that is nothing."""
    kept = {(record.partition, record.key): record.value for record in found}
    return {key: None for _, key in kept} | {key: value for (_, key), value in kept.items() if value}


async def send(world: World, *events: Event) -> None:
    """Send as a website does whose partitions are not those that Kafka's own clients choose."""

    def chosen(key: bytes, partitions: list[int], _: list[int]) -> int:
        return partitions[crc32(key) % len(partitions)]

    async with started(producer(world.settings.kafka, partitioner=chosen)) as foreign:
        await world.send(*events, producer=foreign)


def counts(found: list[Any]) -> dict[bytes, int | None]:
    """How many clicks the newest state of each visitor has; None if it was erased."""
    return {key: value and count_of(session_in(value)) for key, value in last_of(found).items()}


async def expect(world: World, topic: Topic, erased: set[bytes], kept: set[bytes]) -> list[Any]:
    """The newest records are none for those `erased`, and some for those `kept`."""
    view = await world.view(topic)

    def so(found: list[Any]) -> bool:
        newest = last_of(found)
        return (
            erased | kept <= newest.keys()
            and not any(newest[key] for key in erased)
            and all(newest[key] for key in kept)
        )

    return await view.until(so)


async def test_who_is_erased_is_in_no_newest_state_and_no_replay_brings_them_back(
    world: World, tmp_path: Path, command: Command
) -> None:
    await world.publish(*open_sales(12))
    sessions = await world.start("sessions").ready()
    await world.start("scoring").ready()
    await send(world, *clicks(3, 30))
    lists = await world.view(world.topics.recommendations)
    await lists.until(lambda found: {"visitor-0", "visitor-1", "visitor-2"} <= newest_lists(found).keys())

    asked = await asyncio.to_thread(command, "erase", "visitor-0", "visitor-1", "--yes")
    assert asked.exit_code == 0, asked.output
    found = await expect(world, world.topics.sessions, {GONE, BACK}, {OTHER})
    assert len({record.partition for record in found if record.key == GONE}) == 1
    await expect(world, world.topics.recommendations, {GONE, BACK}, {OTHER})
    await send(world, *[replace(one, event_id=f"new-{one.event_id}") for one in clicks(3, 3)[1:2]])
    found = await expect(world, world.topics.sessions, {GONE}, {BACK, OTHER})
    assert counts(found) == {GONE: None, BACK: 1, OTHER: 10}

    # A worker with an empty disk, and one of a group that begins at the first event again.
    assert await sessions.end(signal.SIGKILL) == -signal.SIGKILL
    expected: dict[bytes, int | None] = {GONE: None, BACK: 1, OTHER: 10}
    for count, name in ((11, world.settings.worker.application), (12, "again")):
        worker = replace(world.settings.worker, application=name, data_dir=str(tmp_path / name))
        await world.start("sessions", settings=replace(world.settings, worker=worker)).ready()
        await send(world, *[replace(one, event_id=f"{name}-{one.event_id}") for one in clicks(3, 3)[2:]])
        expected[OTHER] = count
        await expect_all_acknowledged(world, worker)
        await (await world.view(world.topics.sessions)).until(lambda found: counts(found) == expected)
    table, _ = await read_history(world.settings)
    visits = [table.visitor_ids[one] for one in table.visitors]
    assert sorted(visits) == ["visitor-1", *["visitor-2"] * 12]


async def test_a_list_that_a_paused_worker_wrote_after_the_erasure_is_erased_too(world: World) -> None:
    await world.publish(*open_sales(12))
    await world.start("sessions").ready()
    scoring = await world.start("scoring").ready()
    await world.send(*clicks(1, 1))
    view = await world.view(world.topics.recommendations)
    await view.until(lambda found: GONE in last_of(found))
    (late,) = (record for record in view.records if record.key == GONE)
    await world.send(Erasure("erasure", "visitor-0", now()))
    await view.until(lambda found: last_of(found)[GONE] is None)
    assert await scoring.end(signal.SIGTERM) == 0
    await world.send_raw(world.topics.recommendations, GONE, late.value)
    await view.until(lambda found: last_of(found)[GONE] == late.value)
    await world.start("scoring").ready()
    await view.until(lambda found: last_of(found)[GONE] is None)


def test_an_erasure_of_nobody_is_refused() -> None:
    for visitor in ("default", "", "x" * 200):
        refused = CliRunner().invoke(tenfold, ["erase", visitor, "--yes"])
        assert refused.exit_code == 2
        assert "is no visitor's id" in refused.output
