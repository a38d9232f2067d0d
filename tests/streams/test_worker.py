"""What a worker process says of what keeps it from starting, and how it ends."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions
from msgspec.structs import replace

from infra.broker import start
from infra.ports import free_port
from reco.errors import SettingsError
from streams.agents.labelling import LabellingApp
from streams.clients import admin, create_topics
from streams.faust_app import UNSTOPPED
from streams.images.settings import Images
from streams.settings import Kafka, Settings, Worker
from streams.supervisor import environment_of
from streams.topics import topic_set
from streams.vitals import Vitals
from streams.worker import AGENTS, build, check_names
from tests.quick_kafka import formatted
from tests.streams.world import world_of


@pytest.mark.parametrize("agent", ["sessions", "scoring"])
def test_a_broker_that_cannot_be_reached_is_told_in_words(agent: str, tmp_path: Path) -> None:
    kafka = Kafka(bootstrap_servers=f"127.0.0.1:{free_port()}")
    settings = Settings(kafka=kafka, worker=Worker(data_dir=str(tmp_path)))

    ended = subprocess.run(
        [sys.executable, "-m", "streams.worker", agent],
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert f"No broker answers at {kafka.bootstrap_servers}" in ended.stderr
    assert "tenfold doctor" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_labelling_worker_may_not_wait_too_long_for_images_whichever_labeller_is_promoted() -> None:
    with pytest.raises(SettingsError, match="must be at most half of"):
        LabellingApp(Settings(images=Images(timeout_seconds=10.5)), Vitals())


def test_agents_of_one_process_tell_their_works_apart_by_name(tmp_path: Path) -> None:
    vitals = Vitals()
    build([*AGENTS], Settings(Kafka("kafka:9092"), worker=Worker(data_dir=str(tmp_path))), vitals)
    names = [work.name for work in vitals.works]
    assert len(names) > len(AGENTS)
    assert sorted(names) == sorted(set(names))


def test_an_agent_that_is_named_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="agent 'sessions' is named twice; a second one needs a process"):
        check_names(["sessions", "scoring", "sessions"])


def test_what_a_worker_counts_is_there_from_0_on(tmp_path: Path) -> None:
    vitals = Vitals()
    build([*AGENTS], Settings(Kafka("kafka:9092"), worker=Worker(data_dir=str(tmp_path))), vitals)
    assert {"events", "sales", "lists", "dead_letters", "labelled_sales"} <= vitals.counts.keys()
    assert set(vitals.counts.values()) == {0}


@pytest.mark.broker
@pytest.mark.parametrize(
    ("partitions", "said"),
    [(None, "events is missing; create it"), (8, "has 4 partitions, the settings want 8")],
)
def test_a_worker_without_the_topics_of_its_settings_says_what_to_do(
    settings: Settings, partitions: int | None, said: str
) -> None:
    wanted = settings
    if partitions is not None:
        asyncio.run(create_topics(settings.kafka, topic_set(settings.topics)))
        wanted = replace(settings, topics=replace(settings.topics, partitions=partitions))
    expect_refused(wanted, said)


@pytest.mark.broker
def test_a_worker_refuses_events_whose_times_their_producers_say(settings: Settings) -> None:
    topics = topic_set(settings.topics)
    config = dict(topics.events.config) | {"message.timestamp.type": "CreateTime"}
    asyncio.run(create_topics(settings.kafka, [*topics][1:]))
    asyncio.run(create_topics(settings.kafka, [dataclasses.replace(topics.events, config=config)]))
    expect_refused(settings, f"{topics.events.name} has message.timestamp.type=CreateTime, not LogAppendTime")


@pytest.mark.broker
def test_a_worker_says_that_no_setting_helps_where_events_got_more_partitions_than_sessions(
    settings: Settings,
) -> None:
    asyncio.run(create_topics(settings.kafka, topic_set(settings.topics)))
    prefix = settings.topics.prefix

    async def raise_partitions() -> None:
        async with admin(settings.kafka) as client:
            await client.create_partitions({f"{prefix}events": NewPartitions(6)})

    asyncio.run(raise_partitions())
    differ = (
        f"partitions differ: {prefix}events 6, {prefix}sessions 4, {prefix}recommendations 4; take another"
    )
    expect_refused(settings, differ)


ENDING_WORKER = """
from streams import faust_app, worker
from streams.settings import load

faust_app.LONGEST_STOP = 2.0
worker.run(["sessions", "scoring"], load())
"""


@pytest.mark.broker
@pytest.mark.faults
async def test_a_worker_that_is_told_to_stop_ends_though_its_broker_is_gone(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "broker"
    broker = start(formatted(folder), detached=False)
    settings = replace(settings, kafka=Kafka(bootstrap_servers=broker.bootstrap_servers))
    topics = topic_set(settings.topics)
    await create_topics(settings.kafka, topics)
    async with world_of(settings, topics, tmp_path) as world:
        worker = await world.start_altered(ENDING_WORKER).ready()
        os.kill(broker.pid, signal.SIGKILL)

        assert await worker.end(signal.SIGTERM) == UNSTOPPED


def expect_refused(settings: Settings, said: str) -> None:
    """A worker with these settings ends, and says this."""
    command = [sys.executable, "-m", "streams.worker", "sessions"]
    ended = subprocess.run(
        command, env=environment_of(settings), timeout=60, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
