"""Reading without a group finds the newest record of a key, however far back it stands."""

import asyncio

import pytest

from reco.errors import BrokerError
from streams.reading import newest_of, partitions_of, read_between, reader
from streams.settings import Settings
from streams.topics import TopicSet
from tests.streams.world import World

pytestmark = pytest.mark.broker


async def fill(world: World, count: int) -> None:
    """Put values 0, 1, ... under the keys k0 to k9 in turn."""
    topic = world.topics.recommendations
    await asyncio.gather(
        *(world.send_raw(topic, f"k{n % 10}".encode(), str(n).encode()) for n in range(count))
    )


async def newest(settings: Settings, topics: TopicSet, key: bytes) -> bytes | None:
    name = topics.recommendations.name
    partitions = await partitions_of(settings.kafka, name)
    async with reader(settings.kafka) as consumer:
        record = await newest_of(consumer, await consumer.end_offsets(partitions[name]), key, look=3)
    return None if record is None else record.value


async def test_the_newest_record_of_a_key_is_found_behind_many_others(world: World) -> None:
    await world.send_raw(world.topics.recommendations, b"rare", b"old")
    await world.send_raw(world.topics.recommendations, b"rare", b"new")
    await fill(world, 200)
    assert await newest(world.settings, world.topics, b"rare") == b"new"


async def test_the_newest_of_many_records_of_a_key_is_found(world: World) -> None:
    await fill(world, 100)
    await fill(world, 75)
    assert await newest(world.settings, world.topics, b"k4") == b"74"


async def test_a_key_without_a_record_has_no_newest_one(world: World) -> None:
    await fill(world, 50)
    assert await newest(world.settings, world.topics, b"unknown") is None


async def test_an_empty_topic_has_no_newest_record(world: World) -> None:
    assert await newest(world.settings, world.topics, b"k0") is None


async def test_every_record_between_two_offsets_is_read_and_no_other(world: World) -> None:
    await fill(world, 300)
    name = world.topics.recommendations.name
    partitions = (await partitions_of(world.settings.kafka, name))[name]
    async with reader(world.settings.kafka) as consumer:
        ends = await consumer.end_offsets(partitions)
        start = {one: min(3, ends[one]) for one in partitions}
        end = {one: max(start[one], ends[one] - 2) for one in partitions}
        read = [(one.partition, one.offset) async for one in read_between(consumer, start, end)]
    expected = {(one.partition, offset) for one in partitions for offset in range(start[one], end[one])}
    assert set(read) == expected
    assert len(read) == len(expected)


async def test_a_missing_topic_is_named_with_the_command_that_creates_it(settings: Settings) -> None:
    with pytest.raises(BrokerError, match="no topic nowhere; create it with `tenfold topics --create`"):
        await partitions_of(settings.kafka, "nowhere")
