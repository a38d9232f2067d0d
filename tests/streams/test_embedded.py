"""A broker that the settings name always wins; otherwise there is the embedded one of the data folder."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from infra.broker import find, start, stop
from reco.errors import BrokerError
from streams.embedded import BrokerKeeper, broker_for, reachable
from streams.settings import Kafka, Settings, Worker

pytestmark = pytest.mark.broker


@pytest.fixture
def unset(tmp_path: Path) -> Iterator[Settings]:
    """Settings that name no broker."""
    yield Settings(worker=Worker(data_dir=str(tmp_path)))
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


def test_a_detached_broker_is_left_running(unset: Settings) -> None:
    with broker_for(unset, detached=True) as given:
        pass
    running = find(unset.data_dir())
    assert running is not None
    assert running.bootstrap_servers == given.kafka.bootstrap_servers
    assert running.parent is None


def test_a_broker_that_ends_is_started_again_at_its_address(unset: Settings) -> None:
    with broker_for(unset) as given:
        keep, first = BrokerKeeper(unset), find(unset.data_dir())
        assert first is not None
        process = psutil.Process(first.pid)
        process.kill()
        psutil.wait_procs([process], timeout=10)
        keep()
        assert reachable(unset) == given
    assert find(unset.data_dir()) is None


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
