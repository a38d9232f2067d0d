"""The embedded broker: one real Kafka node in a data folder, started, found and stopped.

Nothing but the folder is shared between the processes that use it. Whoever holds the lock of the folder
starts Kafka, which inherits the lock: so "it runs" is what the kernel says, not what a file with a process
id says, and there is never a second one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from infra import broker_process, kafka_node
from infra.data_folder import write_whole, writing_to
from infra.file_lock import is_locked, locked
from infra.kafka_jars import classpath
from infra.ports import HOST
from reco.errors import BrokerError

START_SECONDS = 60.0
"""How long a start may take before it has failed; it takes 2 s, or 5 s after a crash."""
POLL_SECONDS = 0.02
LOG_LINES = 15
"""How many lines of Kafka's log an error shows."""

_launchers: dict[Path, subprocess.Popen[bytes]] = {}
# The attached brokers of this process, by folder. Dropping one would close its pipe, and stop it.


@dataclass(frozen=True)
class Broker:
    """A running embedded broker.

    Attributes:
        pid: the Java process.
        data_dir: the data folder it was started for; its own files are in `folder`.
        started_at: ms since the epoch, UTC.
        parent: the process that it stops with; None if it runs until it is stopped.
    """

    bootstrap_servers: str
    pid: int
    data_dir: Path
    started_at: int
    parent: int | None

    @property
    def folder(self) -> Path:
        """Configuration, log and storage of the node."""
        return _folder(self.data_dir)

    @property
    def is_ours(self) -> bool:
        """Whether it stops with this process."""
        return self.parent == os.getpid()

    @property
    def log_file(self) -> Path:
        """What Kafka printed: warnings and errors."""
        return self.folder / "broker.log"


def start(data_dir: Path, *, detached: bool) -> Broker:
    """The broker of `data_dir`: the one that runs already, or a new one, which serves requests.

    An attached broker stops when this process ends, however it ends; a detached one runs until `stop`.

    Raises:
        SettingsError: the data folder cannot be written.
        BrokerError: Kafka cannot be fetched, or does not start; with the end of its log.
    """
    data_dir = data_dir.resolve()
    with writing_to(data_dir):
        _folder(data_dir).mkdir(parents=True, exist_ok=True)
        _lock(data_dir).touch()
    classpath()  # fetched before the clock starts
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with locked(_lock(data_dir), wait=False) as lock:
            if lock is not None:
                return _launch(data_dir, lock, detached=detached)
        running = find(data_dir)
        if running is not None:
            return running
        time.sleep(POLL_SECONDS)
    raise BrokerError(
        f"Another process holds {_folder(data_dir)}, but for {START_SECONDS:.0f} s no broker has answered. "
        "Stop it (`tenfold broker stop`) and try again, or set worker.data_dir to another folder."
    )


def find(data_dir: Path) -> Broker | None:
    """The broker that runs in `data_dir` and serves requests, if there is one."""
    broker = _running(data_dir.resolve())
    if broker is None:
        return None
    port = int(broker.bootstrap_servers.rpartition(":")[2])
    return broker if kafka_node.answers(port) else None


def stop(data_dir: Path) -> bool:
    """Stop the broker of `data_dir` and wait until it is gone; False if none runs."""
    data_dir = data_dir.resolve()
    broker = _running(data_dir)
    if broker is None:
        return False
    for how, patience in ((signal.SIGTERM, broker_process.STOP_SECONDS), (signal.SIGKILL, START_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(broker.pid, how)
        if _gone_within(patience, data_dir):
            break
    _reap(data_dir)
    return True


def _launch(data_dir: Path, lock: int, *, detached: bool) -> Broker:
    """Start Kafka, which inherits `lock`, and write down that it runs once it serves requests."""
    folder = _folder(data_dir)
    _reap(data_dir)
    _state(data_dir).unlink(missing_ok=True)
    ports = kafka_node.prepare(folder, lock)
    started_at = time.time_ns() // 1_000_000
    launcher = _run_launcher(folder, lock)
    try:
        pid = _await_ready(launcher, ports.client, folder / "broker.log")
        servers = f"{HOST}:{ports.client}"
        broker = Broker(servers, pid, data_dir, started_at, None if detached else os.getpid())
        with writing_to(folder):
            _write(broker)
    except BaseException:
        launcher.communicate()  # closes the pipe, which stops Kafka
        raise
    if detached:
        launcher.communicate(broker_process.DETACH)
    else:
        _launchers[data_dir] = launcher
    return broker


def _run_launcher(folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """Run Kafka under its lifeline, out of reach of the terminal's Ctrl-C: workers are to stop before it."""
    program = [sys.executable, "-IS", broker_process.__file__]
    with (folder / "broker.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [*program, *kafka_node.java("kafka.Kafka", kafka_node.PROPERTIES)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
        )


def _await_ready(launcher: subprocess.Popen[bytes], port: int, log: Path) -> int:
    """The pid of Kafka, once it serves requests at `port`."""
    deadline = time.monotonic() + START_SECONDS
    while not kafka_node.answers(port):
        if launcher.poll() is not None:
            raise BrokerError(f"Kafka stopped while it started. The end of {log}:\n{_end(log)}")
        if time.monotonic() > deadline:
            raise BrokerError(f"Kafka did not start in {START_SECONDS:.0f} s. The end of {log}:\n{_end(log)}")
        time.sleep(POLL_SECONDS)
    return int(cast("IO[bytes]", launcher.stdout).readline())


def _reap(data_dir: Path) -> None:
    """Close the pipe to the launcher of a broker that is gone; the launcher ends with its broker."""
    launcher = _launchers.pop(data_dir, None)
    if launcher is not None:
        launcher.communicate()


def _end(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])


def _running(data_dir: Path) -> Broker | None:
    """The broker that was written down, if the lock is still held."""
    if not is_locked(_lock(data_dir)):
        return None
    try:
        written = json.loads(_state(data_dir).read_text(encoding="utf-8"))
    except FileNotFoundError:  # it is starting
        return None
    return Broker(data_dir=data_dir, **written)


def _write(broker: Broker) -> None:
    fields = {key: value for key, value in vars(broker).items() if key != "data_dir"}
    write_whole(_state(broker.data_dir), json.dumps(fields))


def _gone_within(seconds: float, data_dir: Path) -> bool:
    deadline = time.monotonic() + seconds
    while _running(data_dir) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _folder(data_dir: Path) -> Path:
    return data_dir / "kafka"


def _lock(data_dir: Path) -> Path:
    return _folder(data_dir) / "broker.lock"


def _state(data_dir: Path) -> Path:
    return _folder(data_dir) / "running.json"
