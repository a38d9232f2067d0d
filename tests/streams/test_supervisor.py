"""The restart loop starts again what ends, and hands its settings down whole."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from infra.ports import free_port
from reco.errors import SettingsError
from reco.policy import Rules
from streams.sentinel import Sentinel
from streams.settings import Settings, load
from streams.supervisor import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MODULE,
    STEADY,
    Supervisor,
    WorkerProcess,
    environment_of,
)
from streams.topics import TopicSet
from streams.vitals import Vitals, Work
from tests.infra.processes import wait_until


def test_a_child_process_gets_exactly_the_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENFOLD_TOPICS_PARTITIONS", "9")
    rules = Rules(excluded_tags=("for the few",), caps={"brand:": 2}, exploration=0.05)
    secret = replace(settings, kafka=replace(settings.kafka, ca_file=""), rules=rules)
    assert load(environment_of(secret)) == secret


def test_a_child_process_reads_no_file_of_settings(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be spoilt by now, or be another than `TENFOLD_CONFIG` names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenfold.toml").write_text("[kafka")
    assert load(environment_of(settings)) == settings


def test_a_module_of_the_working_folder_is_not_taken_for_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "demo.py").touch()
    ran = subprocess.run([*MODULE, "demo.plan"], cwd=tmp_path, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_health_is_served_at_the_port_that_is_set_and_those_after_it(settings: Settings) -> None:
    processes = [("sessions",), ("scoring",), ("scoring",)]
    fixed = replace(settings, worker=replace(settings.worker, health_port=9100))
    assert [one.port for one in Supervisor(fixed, processes).workers] == [9100, 9101, 9102]
    free = replace(settings, worker=replace(settings.worker, health_port=0))
    assert len({one.port for one in Supervisor(free, processes).workers} - {0}) == 3


def test_there_must_be_a_port_for_the_health_of_each_worker(settings: Settings) -> None:
    last_but_one = replace(settings, worker=replace(settings.worker, health_port=65_534))
    assert [one.port for one in Supervisor(last_but_one, [("sessions",)] * 2).workers] == [65_534, 65_535]
    with pytest.raises(SettingsError, match="health_port = 65534: 3 workers need a port each"):
        Supervisor(last_but_one, [("sessions",)] * 3)


@pytest.mark.parametrize(
    ("listens_at", "asked_at"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nothing is bound here
        ("10.0.0.7", "10.0.0.7"),
        ("::", "[::1]"),
        ("fd00::7", "[fd00::7]"),
        ("worker.inside", "worker.inside"),
    ],
)
def test_health_is_asked_where_the_worker_listens(settings: Settings, listens_at: str, asked_at: str) -> None:
    elsewhere = replace(settings, worker=replace(settings.worker, health_host=listens_at))
    assert WorkerProcess(elsewhere, ("sessions",), 9100).health_url == f"http://{asked_at}:9100/health"


def worker_in_this_process(settings: Settings, port: int) -> WorkerProcess:
    """A worker whose health a sentinel in the process of the test serves."""
    worker = WorkerProcess(settings, ("scoring",), port)
    worker.process = psutil.Process()  # type: ignore[assignment]
    return worker


def test_health_is_asked_without_the_proxy_that_the_environment_names(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    serving = replace(settings, worker=replace(settings.worker, health_port=free_port()))
    sentinel = Sentinel(serving, Vitals())
    sentinel.start()
    health = worker_in_this_process(serving, serving.worker.health_port).health()
    sentinel.stop()
    assert health is not None
    assert health.status == "ok"


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + b'{"status":"\xff"}',
        b"HTTP/1.0 200 OK\r\n\r\n?",
        b"HTTP/1.0 200 OK\r\n\r\n" + b'{"status":"ok","pid":1,"works":{}}',
    ],
)
def test_something_else_that_listens_at_the_port_is_not_the_worker(settings: Settings, said: bytes) -> None:
    def answer(other: socket.socket) -> None:
        asked, _ = other.accept()
        with asked:
            asked.recv(4096)
            asked.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as other:
        answering = threading.Thread(target=answer, args=(other,))
        answering.start()
        worker = worker_in_this_process(settings, other.getsockname()[1])
        assert worker.awaited() == "scoring (no answer yet)"
        answering.join()


def test_workers_that_are_not_ready_are_told_with_what_they_have_still_to_do(settings: Settings) -> None:
    ports = [free_port() for _ in range(3)]
    events, images = (Work(name, dict, (), waiting=lambda: 1234) for name in ("feed of events", "images"))
    vitals = [
        Vitals(),
        Vitals(readiness={"reading": lambda: False}, works=[events, images]),
        Vitals(readiness={"restoring": lambda: False}),
    ]
    sentinels = [
        Sentinel(replace(settings, worker=replace(settings.worker, health_port=port)), vital)
        for port, vital in zip(ports, vitals, strict=True)
    ]
    ready, reading, restoring = (worker_in_this_process(settings, port) for port in ports)
    assert reading.awaited() == "scoring (no answer yet)"
    for sentinel in sentinels:
        sentinel.start()
    while reading.awaited() == "scoring (starting)":
        assert sentinels[1].is_alive()
    told = [one.awaited() for one in (ready, reading, restoring)]
    for sentinel in sentinels:
        sentinel.stop()
    going = "scoring (1,234 of feed of events to go, 1,234 of images to go)"
    assert told == [None, going, "scoring (starting)"]


def test_the_restart_loop_goes_on_after_an_error(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def fails_at_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("a mistake of ours")

    with Supervisor(settings, [], fails_at_first):
        assert wait_until(lambda: len(calls) > 1)
    assert "a mistake of ours" in caplog.text


@pytest.mark.usefixtures("topics")
@pytest.mark.broker
def test_up_waits_for_workers_and_tells_which_until_it_is_told_to_stop(settings: Settings) -> None:
    program = (
        "import sys, streams.commands.up as up; from streams.entry import main; "
        "up.TELL_EVERY = 0.1; sys.argv[1:] = ['up', '--scoring', '0']; main()"
    )
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(command, env=environment_of(settings), stderr=pipe, text=True) as up:
        assert up.stderr is not None
        told = next(line for line in up.stderr if line.startswith(("waiting", "ready")))
        up.terminate()
        rest = up.stderr.read()
    assert told.startswith("waiting for sessions (")
    assert "stopping" in rest
    assert up.returncode == 0


def test_a_worker_that_cannot_be_started_is_tried_again_after_pauses_that_grow_to_the_longest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, starts = WorkerProcess(settings, ("sessions",), free_port()), list[float]()

    def no_more_processes(*_: object, **__: object) -> None:
        starts.append(now)
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", no_more_processes)
    for tick in range(5_000):
        now = 100.0 + tick / 100
        worker.tend(now)
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    growing, longest = pauses[:6], pauses[6:]
    assert growing[0] == pytest.approx(FIRST_PAUSE, abs=0.02)
    assert [later / earlier for earlier, later in pairwise(growing)] == pytest.approx([2.0] * 5, abs=0.1)
    assert longest == pytest.approx([LONGEST_PAUSE] * 3, abs=0.02)


@pytest.mark.parametrize(("ran", "pause"), [(STEADY - 1, LONGEST_PAUSE), (STEADY + 1, FIRST_PAUSE)])
def test_a_worker_that_ran_steadily_is_started_again_after_the_first_pause(
    ran: float, pause: float, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, starts = WorkerProcess(settings, ("sessions",), free_port()), list[float]()

    class Process:
        """One that ends at once, but the eighth after a while."""

        returncode = 1

        def __init__(self, *_: object, **__: object) -> None:
            starts.append(now)
            self._ends_at = now + (ran if len(starts) == 8 else 0.0)

        def poll(self) -> int | None:
            return self.returncode if now >= self._ends_at else None

    monkeypatch.setattr(subprocess, "Popen", Process)
    now = 100.0
    while len(starts) < 9:
        now += 0.01
        worker.tend(now)
    assert starts[8] - starts[7] - ran == pytest.approx(pause, abs=0.05)


def test_a_worker_that_does_not_end_in_time_is_killed(settings: Settings) -> None:
    worker = WorkerProcess(settings, ("sessions",), free_port())
    worker.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    worker.stop(deadline=time.monotonic())
    assert worker.process.returncode == -signal.SIGKILL


@pytest.mark.broker
@pytest.mark.faults
def test_workers_end_when_their_restart_loop_is_killed(settings: Settings, topics: TopicSet) -> None:
    program = (
        "from streams.settings import load; from streams.supervisor import Supervisor\n"
        "with Supervisor(load(), [('sessions',)]) as supervisor:\n"
        "    supervisor.ready(60)\n"
        "    print(supervisor.workers[0].process.pid, flush=True)\n"
        "    input()\n"
    )
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(command, env=environment_of(settings), stdin=pipe, stdout=pipe) as loop:
        assert loop.stdout is not None
        worker = psutil.Process(int(loop.stdout.readline()))
        loop.kill()
    gone, _ = psutil.wait_procs([worker], timeout=30)
    assert gone == [worker]
    assert topics


@pytest.mark.broker
@pytest.mark.faults
async def test_a_worker_that_is_killed_is_started_again_and_all_are_stopped_at_the_end(
    settings: Settings, topics: TopicSet
) -> None:
    with Supervisor(settings, [("sessions",)]) as supervisor:
        await asyncio.to_thread(supervisor.ready, 60.0)
        first = supervisor.workers[0].process
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await asyncio.to_thread(first.wait, 10)
        async with asyncio.timeout(30):
            while supervisor.restarts == 0:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(supervisor.ready, 60.0)
        second = supervisor.workers[0].process
    assert second is not None
    assert second.pid != first.pid
    assert second.poll() == 0
    assert topics
