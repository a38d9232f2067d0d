"""`tenfold topics` lists, creates, and says what is not as wanted and what to do about it."""

import asyncio
import io
import shlex
from asyncio.subprocess import PIPE
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from rich.console import Console

from infra.kafka_node import java
from reco.errors import BrokerError
from streams import clients
from streams.commands.topics import table
from streams.settings import Kafka, Settings, Topics
from streams.supervisor import environment_of
from streams.topic_check import TopicState, differences, inspect, require, unequal
from streams.topics import Topic, topic_set
from tests.streams.command_line import TENFOLD, Command

WANTED = Topic("acme.events", 4, 1, {"retention.ms": "-1", "cleanup.policy": "compact,delete"})
ROOM = {"max.message.bytes": "1048588"}
"""As brokers have it by default."""


def state(topic: Topic = WANTED, **changes: Any) -> TopicState:
    return replace(TopicState(topic, topic.partitions, ROOM | dict(topic.config)), **changes)


@pytest.mark.parametrize("policy", ["compact,delete", "delete,compact"])
def test_a_topic_as_wanted_differs_in_nothing(policy: str) -> None:
    assert list(differences(state(config={**ROOM, **WANTED.config, "cleanup.policy": policy}))) == []


def test_a_missing_topic_is_to_be_created_and_has_no_other_difference() -> None:
    assert list(differences(TopicState(WANTED))) == [
        "acme.events is missing; create it with `tenfold topics --create`"
    ]


def test_other_partitions_are_reported_with_the_way_out() -> None:
    (difference,) = differences(state(partitions=2))
    assert difference.startswith("acme.events has 2 partitions, the settings want 4; set [topics] partitions")


def test_each_other_configuration_is_reported_with_the_command_that_repairs_it() -> None:
    repair = "kafka-configs.sh --bootstrap-server kafka:9092 --alter --topic acme.events --add-config"
    policy = "acme.events has cleanup.policy=unset, not compact,delete"
    assert list(differences(state(config={**ROOM, "retention.ms": "1000"}, servers="kafka:9092"))) == [
        f"acme.events has retention.ms=1000, not -1; {repair} retention.ms=-1",
        f"{policy}; {repair} 'cleanup.policy=[compact,delete]'",
    ]


@pytest.mark.parametrize("topic", tuple(topic_set(Topics())))
def test_more_room_for_records_than_is_needed_is_no_difference_and_less_is_one(topic: Topic) -> None:
    assert list(differences(state(topic, config={**topic.config, "max.message.bytes": "8388608"}))) == []
    (told,) = differences(state(topic, config={**topic.config, "max.message.bytes": "900000"}))
    assert f"{topic.name} has max.message.bytes=900000, less than " in told


def test_of_a_topic_whose_configuration_is_not_told_nothing_is_said_but_that() -> None:
    untold = state(config={})
    assert list(differences(untold)) == [
        "how acme.events is kept is not told; allow the account of [kafka] to DescribeConfigs of it"
    ]
    shown = io.StringIO()
    Console(file=shown, width=200).print(table([untold]))
    assert shown.getvalue().splitlines()[-1].split() == ["acme.events", "4", "0"]


@pytest.mark.parametrize("name", ["events", "sessions", "recommendations"])
def test_a_visitor_must_live_in_the_same_partition_of_all_three_topics(name: str) -> None:
    topics = topic_set(Settings().topics)
    equal = [state(topic) for topic in topics]
    assert unequal(equal, topics) is None
    odd = [state(one.wanted, partitions=5) if one.wanted.name == name else one for one in equal]
    assert f"{name} 5" in (unequal(odd, topics) or "")


def test_other_topics_may_have_other_partitions() -> None:
    topics = topic_set(Settings().topics)
    states = [state(topic, partitions=7) if topic.name == "sales" else state(topic) for topic in topics]
    assert unequal(states, topics) is None


@pytest.mark.parametrize("name", ["events", "sessions", "recommendations"])
def test_a_topic_that_is_missing_has_no_other_number_of_partitions(name: str) -> None:
    topics = topic_set(Settings().topics)
    states = [TopicState(one) if one.name == name else state(one) for one in topics]
    assert unequal(states, topics) is None


def test_names_and_numbers_stay_whole_on_a_narrow_terminal() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    topics = list(topic_set(Topics(prefix="acme-shop.staging.")))
    console.print(table([state(topic, messages=12_345_678) for topic in topics]))
    words = console.export_text().split()
    assert [word for word in words if word.startswith("acme")] == [topic.name for topic in topics]
    assert words.count("12,345,678") == len(topics)


def test_how_a_topic_is_kept_can_be_read_to_the_end_on_a_narrow_terminal() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table([state(topic, messages=12_345_678) for topic in topic_set(Topics(prefix="acme."))]))
    assert "\N{HORIZONTAL ELLIPSIS}" not in console.export_text()


@pytest.fixture
def tenfold_topics(command: Command) -> Command:
    return partial(command, "topics")


@pytest.mark.broker
def test_missing_topics_are_marked_and_created_on_request(
    settings: Settings, tenfold_topics: Command
) -> None:
    names = [topic.name for topic in topic_set(settings.topics)]
    before = tenfold_topics()
    assert before.exit_code == 0
    assert before.output.count("is missing; create it") == len(names)

    assert f"Created {', '.join(names)}." in tenfold_topics("--create").output
    after = tenfold_topics("--create").output
    assert "All topics were there already." in after
    assert "missing" not in after
    assert "- " not in after


@pytest.mark.broker
def test_no_topic_is_created_beside_one_that_has_other_partitions(
    settings: Settings, tenfold_topics: Command
) -> None:
    wanted = topic_set(settings.topics)
    asyncio.run(clients.create_topics(settings.kafka, [replace(wanted.events, partitions=2)]))
    refused = tenfold_topics("--create")
    assert isinstance(refused.exception, BrokerError)
    assert f"{wanted.events.name} has 2 partitions, the settings want 4" in str(refused.exception)
    assert tenfold_topics().output.count("is missing; create it") == 6


@pytest.mark.broker
def test_what_a_broker_says_of_a_topic_that_it_does_not_create_is_told(settings: Settings) -> None:
    three = topic_set(Topics(prefix=settings.topics.prefix, replication=3))
    with pytest.raises(
        BrokerError, match=r"refused to create .*events: Unable to replicate .* registered\.$"
    ):
        asyncio.run(clients.create_topics(settings.kafka, three))


@pytest.mark.broker
def test_messages_are_counted_over_all_partitions(settings: Settings, tenfold_topics: Command) -> None:
    topics = topic_set(settings.topics)

    async def produce() -> None:
        await clients.create_topics(settings.kafka, topics)
        async with clients.producer(settings.kafka) as producer:
            for number in range(30):
                await producer.send(topics.events.name, b"{}", key=str(number).encode())

    asyncio.run(produce())
    (row,) = [line for line in tenfold_topics().output.splitlines() if line.startswith(topics.events.name)]
    assert row.split() == [topics.events.name, "4", "30", "delete", "for", "ever", "LogAppendTime"]


@pytest.mark.broker
async def test_a_topic_that_another_hand_made_is_reported_as_it_is(settings: Settings) -> None:
    wanted = topic_set(settings.topics)
    other = replace(wanted.events, partitions=2, config={"cleanup.policy": "compact"})
    await clients.create_topics(settings.kafka, [other])
    states = await inspect(settings.kafka, wanted)
    assert [one.wanted.name for one in states if not one.missing] == [wanted.events.name]
    told = list(differences(states[0]))
    assert "has 2 partitions, the settings want 4" in told[0]
    assert any("cleanup.policy=compact, not delete" in one for one in told)
    assert any("message.timestamp.type=CreateTime, not LogAppendTime" in one for one in told)


@pytest.mark.broker
async def test_the_commands_that_are_told_repair_a_topic(settings: Settings) -> None:
    wanted = topic_set(settings.topics).recommendations
    changed = {"cleanup.policy": "delete", "retention.ms": "1000", "max.message.bytes": "65536"}
    made = dict(wanted.config) | changed
    await clients.create_topics(settings.kafka, [replace(wanted, config=made)])
    (found,) = await inspect(settings.kafka, [wanted])
    commands = [told.partition("; ")[2] for told in differences(found)]
    assert len(commands) == len(changed)
    for program, *arguments in map(shlex.split, commands):
        assert program == "kafka-configs.sh"
        done = await asyncio.create_subprocess_exec(*java("kafka.admin.ConfigCommand", *arguments))
        assert await done.wait() == 0
    (repaired,) = await inspect(settings.kafka, [wanted])
    assert list(differences(repaired)) == []


@pytest.mark.broker
async def test_of_a_topic_with_fewer_copies_it_is_not_advised_to_wait_for_more_than_there_are(
    settings: Settings,
) -> None:
    once, three = (topic_set(Topics(settings.topics.prefix, replication=copies)) for copies in (1, 3))
    await clients.create_topics(settings.kafka, once)
    assert [told for state in await inspect(settings.kafka, once) for told in differences(state)] == []
    for state in await inspect(settings.kafka, three):
        (told,) = differences(state)
        assert told.startswith(f"{state.wanted.name} is kept by 1 broker, the settings want 3; set")


@pytest.mark.broker
async def test_topics_that_were_just_created_need_not_be_known_to_every_broker_yet(
    settings: Settings,
) -> None:
    topics = topic_set(settings.topics)
    names = [topic.name for topic in topics]
    await require(settings.kafka, topics, names)
    with pytest.raises(BrokerError) as others:
        await require(settings.kafka, topics, names[:-1])
    assert str(others.value) == f"{names[-1]} is missing; create it with `tenfold topics --create`"


@pytest.mark.broker
async def test_up_says_once_what_no_worker_can_do_without_and_starts_none(settings: Settings) -> None:
    await clients.create_topics(settings.kafka, [replace(topic_set(settings.topics).events, partitions=2)])
    up = await asyncio.create_subprocess_exec(*TENFOLD, "up", env=environment_of(settings), stderr=PIPE)
    _, said = await asyncio.wait_for(up.communicate(), timeout=60)
    assert up.returncode == 1
    assert said.count(b"has 2 partitions, the settings want 4") == 1
    assert b"worker" not in said


async def test_a_broker_that_does_not_answer_is_named() -> None:
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:9"):
        await inspect(Kafka(bootstrap_servers="127.0.0.1:9"), [WANTED])
