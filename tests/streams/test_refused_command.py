"""`tenfold refused` says what was refused, how often and why, and shows the newest one by one."""

import asyncio
from functools import partial
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from streams import clients
from streams.dead_letters import letter_of
from streams.settings import Settings
from streams.topics import topic_set
from tests.streams.command_line import Command
from tests.streams.world import World, clicks


@pytest.fixture
def tenfold_refused(command: Command) -> Command:
    return partial(command, "refused")


async def bury(settings: Settings, *letters: tuple[str, str, bytes]) -> None:
    """Put (topic, reason, value) onto dead-letters, each a second after the one before."""
    topics = topic_set(settings.topics)
    await clients.create_topics(settings.kafka, topics)
    async with clients.producer(settings.kafka) as producer:
        for number, (topic, reason, value) in enumerate(letters):
            said = {
                "topic": topic,
                "partition": "3",
                "offset": str(number),
                "reason": reason,
                "detail": "why",
            }
            await producer.send_and_wait(
                topics.dead_letters.name,
                value,
                key=b"ann",
                partition=number % topics.dead_letters.partitions,
                headers=[(f"tenfold.{name}", one.encode()) for name, one in said.items()],
            )
            await asyncio.sleep(0.002)  # one is newer than the other by a ms of the broker


@pytest.mark.broker
async def test_what_a_worker_refused_is_told_with_its_place_and_its_reason(
    world: World, tenfold_refused: Command
) -> None:
    worker = await world.start("sessions").ready()
    sent = await world.send_raw(world.topics.events, b"ann", b"{not json")
    await world.send(*clicks(1, 1))
    await (await world.view(world.topics.sessions)).until(bool)
    assert worker.process.poll() is None
    result = await asyncio.to_thread(tenfold_refused)
    assert result.exit_code == 0, result.output
    assert f"{sent.topic} {sent.partition}@{sent.offset}" in result.output
    assert "key ann" in result.output
    assert "not-json: " in result.output
    assert "{not json" in result.output


@pytest.mark.broker
def test_letters_are_counted_by_topic_and_reason_and_the_newest_are_shown(
    settings: Settings, tenfold_refused: Command
) -> None:
    letters = [("events", "not-json", b"first"), *[("events", "bad-id", b"other")] * 5]
    letters += [("sales", "bad-value", b"last but one"), ("events", "not-json", b"last")]
    asyncio.run(bury(settings, *letters))
    result = tenfold_refused("--last", "2")
    rows = [line.split()[:3] for line in result.output.splitlines() if "UTC" in line and "@" not in line]
    assert rows[0] == ["events", "bad-id", "5"]
    assert sorted(rows[1:]) == [["events", "not-json", "2"], ["sales", "bad-value", "1"]]
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines.index("last") < lines.index("last but one")
    assert "first" not in lines
    assert "@" not in tenfold_refused("--last", "0").output


@pytest.mark.broker
def test_what_was_sent_cannot_do_anything_to_the_terminal(
    settings: Settings, tenfold_refused: Command
) -> None:
    asyncio.run(bury(settings, ("events", "not-json", b"\x1b[2Jgone [red] \xff" + b"x" * 500)))
    output = " ".join(tenfold_refused().output.split())
    assert "\x1b" not in output
    assert "\\x1b[2Jgone [red] \\xff" in output
    assert "... (516 bytes)" in output


@pytest.mark.broker
def test_where_nothing_was_refused_it_says_so(settings: Settings, tenfold_refused: Command) -> None:
    asyncio.run(bury(settings))
    assert tenfold_refused().output.endswith("Nothing was refused.\n")


@pytest.mark.parametrize("headers", [(), (("tenfold.topic", None), ("tenfold.value-bytes", b"many"))])
def test_of_a_record_that_no_worker_wrote_the_place_is_not_known(headers: Any) -> None:
    record = ConsumerRecord("dead-letters", 0, 7, 1234, 1, None, None, None, 0, 0, headers)
    assert letter_of(record) == ("?", "?", "?", "?", "?", 1234, b"", b"", 0, 0)


@pytest.mark.broker
async def test_of_letters_that_came_at_the_same_time_the_last_one_is_the_newest(
    world: World, tenfold_refused: Command
) -> None:
    topic = world.topics.dead_letters.name
    async with clients.producer(world.settings.kafka) as producer:
        batch = producer.create_batch()
        for number in range(20):
            batch.append(key=None, value=b"letter %d" % number, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=0))
        await producer.send_and_wait(topic, b"of another partition", partition=1)
    output = (await asyncio.to_thread(tenfold_refused, "--last", "3")).output
    shown = [line.strip() for line in output.splitlines()]
    assert [one for one in shown if one.startswith("letter")] == ["letter 19", "letter 18"]


@pytest.mark.broker
def test_of_what_was_cut_it_says_how_long_it_was(settings: Settings, tenfold_refused: Command) -> None:
    topics = topic_set(settings.topics)

    async def bury_long() -> None:
        await clients.create_topics(settings.kafka, topics)
        async with clients.producer(settings.kafka) as producer:
            headers = [("tenfold.value-bytes", b"9000000")]
            value = "é".encode() * 100 + b"x" + "é".encode() * 900
            await producer.send_and_wait(topics.dead_letters.name, value[1:], headers=headers)

    asyncio.run(bury_long())
    output = "".join(tenfold_refused().output.split())
    assert output.endswith("éx...(9,000,000bytes)")
