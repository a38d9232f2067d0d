"""A broker that the settings name always wins; otherwise there is the embedded one of the data folder."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from infra.broker import find, start, stop
from infra.kafka_node import PROPERTIES
from reco.errors import BrokerError
from streams.clients import create_topics
from streams.embedded import BrokerKeeper, broker_for, reachable
from streams.settings import Kafka, Settings, Worker
from streams.supervisor import Supervisor
from streams.topics import topic_set
from tests.infra.processes import wait_until
from tests.infra.test_data_folder import FULL
from tests.quick_kafka import formatted
from tests.streams.world import PATIENCE, clicks, world_of

pytestmark = pytest.mark.broker


@pytest.fixture
def unset(tmp_path: Path) -> Iterator[Settings]:
    """Settings that name no broker."""
    yield Settings(worker=Worker(data_dir=str(formatted(tmp_path))))
    stop(tmp_path)


def test_named_brokers_are_used_and_nothing_is_started(unset: Settings) -> None:
    named = replace(unset, kafka=Kafka(bootstrap_servers="kafka.example:9092"))
    with broker_for(named) as given:
        assert given == named
        assert find(unset.data_dir()) is None


def test_a_broker_is_started_for_the_block_and_stopped_after_it(unset: Settings) -> None:
    started: list[Path] = []
    with broker_for(unset, starting=started.append) as given:
        running = find(unset.data_dir())
        assert running is not None
        assert started == [unset.data_dir()]
        assert given.kafka.bootstrap_servers == running.bootstrap_servers
        assert given == replace(unset, kafka=given.kafka)
        with broker_for(unset, starting=started.append) as inner:
            assert inner == given
        assert len(started) == 1
        assert find(unset.data_dir()) == running
    assert find(unset.data_dir()) is None


def test_a_broker_that_runs_already_is_used_and_left_running(unset: Settings) -> None:
    running = start(unset.data_dir(), detached=True)
    with broker_for(unset) as given:
        assert given.kafka.bootstrap_servers == running.bootstrap_servers
    assert find(unset.data_dir()) == running


def kill_broker(settings: Settings) -> None:
    """End the embedded broker as a crash does."""
    broker = find(settings.data_dir())
    assert broker is not None
    process = psutil.Process(broker.pid)
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_a_broker_that_ends_is_started_again_at_its_address(unset: Settings) -> None:
    with broker_for(unset) as given:
        keep = BrokerKeeper(unset)
        kill_broker(unset)
        assert keep() == given
        assert reachable(unset) == given
    assert find(unset.data_dir()) is None


@pytest.mark.faults
async def test_workers_follow_a_broker_that_comes_back_at_another_address(
    unset: Settings, tmp_path: Path
) -> None:
    with broker_for(unset) as given, Supervisor(given, [("sessions",)], BrokerKeeper(unset)) as supervisor:
        topics = topic_set(given.topics)
        await create_topics(given.kafka, topics)
        await asyncio.to_thread(supervisor.ready, PATIENCE)
        kill_broker(unset)
        host, _, port = given.kafka.bootstrap_servers.rpartition(":")
        with socket.create_server((host, int(port))):
            assert await asyncio.to_thread(wait_until, lambda: find(unset.data_dir()) is not None)
        moved = reachable(unset)
        assert moved != given
        async with world_of(moved, topics, tmp_path) as world:
            await world.send(*clicks(1, 3))
            await (await world.view(topics.sessions)).until(bool)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has such a device")
def test_a_broker_that_ended_on_a_full_disk_is_started_again_once_there_is_room(
    unset: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with broker_for(unset) as given, Supervisor(given, [], BrokerKeeper(unset)):
        written = unset.data_dir() / "kafka" / PROPERTIES
        written.unlink()
        written.symlink_to(FULL)
        kill_broker(unset)
        assert wait_until(lambda: "No space left" in caplog.text)
        written.unlink()
        assert wait_until(lambda: find(unset.data_dir()) is not None)
    assert "Traceback" not in caplog.text


def test_a_broker_that_the_settings_name_is_never_started(unset: Settings) -> None:
    BrokerKeeper(replace(unset, kafka=Kafka(bootstrap_servers="kafka.example:9092")))()
    assert find(unset.data_dir()) is None


def test_reachable_finds_a_broker_but_starts_none(unset: Settings) -> None:
    with pytest.raises(BrokerError, match="tenfold broker start"):
        reachable(unset)
    with broker_for(unset) as given:
        assert reachable(unset) == given
    named = replace(unset, kafka=Kafka(bootstrap_servers="kafka.example:9092"))
    assert reachable(named) == named
