"""There is one broker in a data folder, it keeps what it is given, and it ends with the one who wanted it."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from aiokafka import TopicPartition

from infra import broker_process, kafka_node
from infra.broker import find, start, stop
from reco.errors import BrokerError
from streams.clients import consumer, create_topics, producer
from streams.settings import Kafka
from streams.topics import Topic
from tests.infra.processes import output_of, run, wait_until
from tests.quick_kafka import formatted

pytestmark = pytest.mark.broker

START = """
import signal, sys
from pathlib import Path
from infra.broker import start

broker = start(Path(sys.argv[1]), detached=sys.argv[2] == "detached")
print(broker.pid, flush=True)
if sys.argv[2] == "attached":
    signal.pause()
"""
FIND = """
import sys
from pathlib import Path
from infra.broker import find

print(find(Path(sys.argv[1])))
"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """A data folder in which no broker has run."""
    yield tmp_path
    stop(tmp_path)


@pytest.fixture
def data_dir(empty: Path) -> Path:
    """One whose storage is formatted, in which a broker starts sooner."""
    (formatted(empty) / "kafka").mkdir(exist_ok=True)
    return empty


def kafkas_in(data_dir: Path) -> list[int]:
    """The pids of the Java processes that work in the folder."""
    found = psutil.process_iter(["name", "cwd"])
    return [
        one.pid for one in found if one.info["name"] == "java" and one.info["cwd"] == str(data_dir / "kafka")
    ]


def prepared(folder: Path) -> kafka_node.Ports:
    """The ports of the node in this folder, all ready to be started."""
    with (folder / "broker.lock").open("w") as lock:
        return kafka_node.prepare(folder, lock.fileno())


def test_a_running_broker_is_found_again_by_every_process(data_dir: Path) -> None:
    broker = start(data_dir, detached=False)
    assert find(data_dir) == broker
    assert start(data_dir, detached=True) == broker
    assert output_of(FIND, data_dir) == str(broker)
    assert kafkas_in(data_dir) == [broker.pid]


def test_a_stopped_broker_is_gone_and_stopping_twice_is_no_error(data_dir: Path) -> None:
    broker = start(data_dir, detached=False)
    assert stop(data_dir)
    assert not psutil.pid_exists(broker.pid)
    assert find(data_dir) is None
    assert not stop(data_dir)


def test_a_broker_that_does_not_answer_is_not_found_and_one_that_does_not_stop_is_killed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = start(data_dir, detached=True)
    os.kill(broker.pid, signal.SIGSTOP)
    assert find(data_dir) is None
    monkeypatch.setattr(broker_process, "STOP_SECONDS", 0.1)
    assert stop(data_dir)
    assert kafkas_in(data_dir) == []


def test_no_broker_is_found_where_none_was_started(empty: Path) -> None:
    assert find(empty) is None
    assert not stop(empty)
    assert list(empty.iterdir()) == []


async def test_a_killed_broker_comes_back_at_the_same_port_with_all_its_data(data_dir: Path) -> None:
    broker = start(data_dir, detached=False)
    kafka = Kafka(bootstrap_servers=broker.bootstrap_servers)
    await create_topics(kafka, [Topic("kept", 1, 1, {})])
    sent = [f"event {number}".encode() for number in range(100)]
    async with producer(kafka) as to_kafka:
        for value in sent:
            await to_kafka.send_and_wait("kept", value)

    os.kill(broker.pid, signal.SIGKILL)
    starting = asyncio.create_task(asyncio.to_thread(start, data_dir, detached=False))
    while (found := find(data_dir)) is None:
        await asyncio.sleep(0.001)
    again = await starting

    assert found == again
    assert again.pid != broker.pid
    assert again.bootstrap_servers == broker.bootstrap_servers
    async with consumer(kafka) as from_kafka:
        from_kafka.assign([TopicPartition("kept", 0)])
        assert [(await from_kafka.getone()).value for _ in sent] == sent


def test_an_attached_broker_ends_with_its_parent_however_that_ends(data_dir: Path) -> None:
    with run(START, data_dir, "attached") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert kafkas_in(data_dir) == [pid]
        parent.kill()
    assert wait_until(lambda: not kafkas_in(data_dir))
    assert find(data_dir) is None


def test_a_parent_killed_during_the_start_leaves_no_broker(empty: Path) -> None:
    with run(START, empty, "detached") as parent:
        assert wait_until((empty / "kafka" / "broker.log").exists)
        assert wait_until(lambda: bool(kafkas_in(empty)))
        parent.kill()
    assert wait_until(lambda: not kafkas_in(empty))
    assert find(empty) is None


def test_a_detached_broker_outlives_its_parent(data_dir: Path) -> None:
    pid = int(output_of(START, data_dir, "detached"))
    broker = find(data_dir)
    assert broker is not None
    assert broker.pid == pid
    assert broker.parent is None


def test_two_simultaneous_starts_give_one_broker(empty: Path) -> None:
    with run(START, empty, "detached") as one, run(START, empty, "detached") as other:
        pids = {int(process.communicate()[0]) for process in (one, other)}
    assert len(pids) == 1
    assert kafkas_in(empty) == list(pids)


def test_a_broker_whose_port_was_taken_moves_to_another(data_dir: Path) -> None:
    first = start(data_dir, detached=False)
    stop(data_dir)
    host, port = first.bootstrap_servers.split(":")
    with socket.create_server((host, int(port))):
        second = start(data_dir, detached=False)
    assert second.bootstrap_servers != first.bootstrap_servers


@pytest.mark.parametrize("left", ["", "{}", "[20000, 20001]"])
def test_ports_that_cannot_be_read_are_drawn_anew(data_dir: Path, left: str) -> None:
    folder = data_dir / "kafka"
    (folder / "ports.json").write_text(left)
    ports = prepared(folder)
    assert json.loads((folder / "ports.json").read_text()) == asdict(ports)
    assert f"CLIENT://127.0.0.1:{ports.client}" in (folder / kafka_node.PROPERTIES).read_text()
    assert prepared(folder) == ports


def test_a_start_that_fails_shows_what_kafka_said(data_dir: Path) -> None:
    folder = data_dir / "kafka"
    prepared(folder)
    meta = folder / "log" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(BrokerError, match=r"(?s)broker\.log:.*node id.*7"):
        start(data_dir, detached=False)
    assert kafkas_in(data_dir) == []


def test_only_a_kafka_broker_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not kafka_node.answers(silent.getsockname()[1])
