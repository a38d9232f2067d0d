"""The restart loop: keeps worker processes running, starts again what ends, and stops all of them cleanly."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from types import TracebackType
from typing import IO, Literal, Self

import msgspec

from infra.ports import free_ports
from reco.errors import SettingsError, TenfoldError
from streams.settings import FILE_VARIABLE, GROUPS, LAST_PORT, PREFIX, Settings, written

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
"""Seconds before a worker that ended is started again; doubles while it keeps ending."""
LONGEST_PAUSE = 10.0
"""Longest such pause, s."""
STEADY = 30.0
"""A worker that ran so long, s, starts again after the first pause."""
STOP_PATIENCE = 20.0
"""Seconds that a worker has to end by itself before it is killed."""
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""Where something is found that listens at all addresses of the machine."""
TICK = 0.05
"""Seconds between two looks at the processes."""
MODULE = (sys.executable, "-P", "-m")
"""Runs a module of ours, not one of the same name that happens to be in the working folder."""
WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks a worker itself, whatever proxy the environment names."""


def _health_url(host: str, port: int) -> str:
    """Where this machine finds the health of a worker that listens at `host`."""
    host = EVERY_ADDRESS.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/health"


def _answer(url: str) -> IO[bytes]:
    """What is answered at a URL; a worker that is not ready answers with an error status."""
    try:
        answer: IO[bytes] = WITHOUT_PROXY.open(url, timeout=1.0)
    except urllib.error.HTTPError as starting:
        return starting
    return answer


class WorkHealth(msgspec.Struct, frozen=True):
    """How much of some work waits."""

    lag: int


class Health(msgspec.Struct, frozen=True):
    """What of a worker's health is looked at here."""

    status: Literal["ok", "starting"]
    pid: int
    works: dict[str, WorkHealth]


class WorkerProcess:
    """One worker process and its restarts."""

    def __init__(
        self, settings: Settings, agents: Sequence[str], port: int, said: IO[bytes] | None = None
    ) -> None:
        self.agents = tuple(agents)
        self.name = "+".join(agents)
        self.port = port
        self.health_url = _health_url(settings.worker.health_host, port)
        self.restarts = 0
        self._said = said
        self._environment = self._environment_of(settings)
        self._pause = FIRST_PAUSE
        self._start_at = 0.0
        self._started_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def _environment_of(self, settings: Settings) -> dict[str, str]:
        return environment_of(settings) | {"TENFOLD_WORKER_HEALTH_PORT": str(self.port)}

    def renew(self, settings: Settings) -> None:
        """Run with `settings` from now on: the process with others is killed, to be started again."""
        self._environment = self._environment_of(settings)
        if self.process is not None:
            self.process.kill()

    def tend(self, now: float) -> None:
        """Start the process if it is not running and its pause is over; `now` in monotonic s."""
        if self.process is not None and self.process.poll() is not None:
            self._ended(self.process.returncode, now)
        if self.process is None and now >= self._start_at:
            command = [*MODULE, "streams.worker", "--supervised", *self.agents]
            # A process group of its own, so that Ctrl-C reaches the restart loop alone, which then stops it.
            self._started_at = now
            try:
                self.process = subprocess.Popen(  # noqa: S603
                    command,
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=self._said,
                    stderr=self._said,
                    start_new_session=True,
                )
            except OSError as error:  # too many processes, or too little memory, for the moment
                self._again(f"cannot be started: {error}", now)

    def _ended(self, status: int, now: float) -> None:
        self.process = None
        self.restarts += 1
        self._again(f"ended with status {status}", now)

    def _again(self, what: str, now: float) -> None:
        """Start the process again, after a pause that grows while it does not run steadily."""
        pause = FIRST_PAUSE if now - self._started_at > STEADY else self._pause
        log.warning("worker %s %s; again in %.1f s", self.name, what, pause)
        self._start_at, self._pause = now + pause, min(LONGEST_PAUSE, 2 * pause)

    def health(self) -> Health | None:
        """What the worker says of itself; None if it does not answer."""
        process = self.process
        try:
            with _answer(self.health_url) as answer:
                health = msgspec.json.decode(answer.read(), type=Health)
        except (OSError, HTTPException, msgspec.DecodeError, UnicodeDecodeError):
            return None  # something else may listen there, or a worker of another installation
        return health if process is not None and health.pid == process.pid else None

    def awaited(self) -> str | None:
        """The worker and what it has still to do, in words; None once it is ready."""
        health = self.health()
        if health is None:
            return f"{self.name} (no answer yet)"
        if health.status == "ok":
            return None
        left = [f"{work.lag:,} of {name} to go" for name, work in health.works.items() if work.lag]
        return f"{self.name} ({', '.join(left) or health.status})"

    def stop(self, deadline: float) -> None:
        """Wait for the process, which was told to end, until `deadline` (monotonic, s); then kill it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("worker %s did not end by itself and is killed", self.name)
            self.process.kill()
            self.process.wait()


def _health_ports(first: int, count: int) -> Sequence[int]:
    """Ports for the health of so many workers: from the `first` on, or free ones if that is 0."""
    if first + count - 1 > LAST_PORT:
        mistake = f"[worker] health_port = {first}: {count} workers need a port each; lower it"
        raise SettingsError([mistake])
    return range(first, first + count) if first else free_ports(count)


class Supervisor:
    """Worker processes under one restart loop, which runs in a thread; use it as a context manager.

    They serve health at `worker.health_port` and the ports after it, in their order; at free ones if it is 0.
    """

    def __init__(
        self,
        settings: Settings,
        processes: Sequence[Sequence[str]],
        also: Callable[[], Settings | None] = lambda: None,
        said: IO[bytes] | None = None,
    ) -> None:
        """Set up the loop.

        Args:
            settings: of the workers.
            processes: the agents of each.
            also: called again and again, to start what the workers need if that has ended. It returns the
                settings that hold from then on, None if these are the same.
            said: the file for what workers log; None for where this process logs.

        Raises:
            SettingsError: there are not so many ports from `worker.health_port` on.
        """
        self._settings = settings
        self._also = also
        ports = _health_ports(settings.worker.health_port, len(processes))
        self.workers = [
            WorkerProcess(settings, agents, port, said) for agents, port in zip(processes, ports, strict=True)
        ]
        self._stopping = threading.Event()
        self._loop = threading.Thread(target=self._tend, name="restart-loop", daemon=True)

    @property
    def restarts(self) -> int:
        """How often a worker was started again."""
        return sum(worker.restarts for worker in self.workers)

    def __enter__(self) -> Self:
        self._loop.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._loop.join()
        running = [worker.process for worker in self.workers if worker.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE
        for worker in self.workers:
            worker.stop(deadline)

    def awaited(self) -> list[str]:
        """The workers that are not ready, each with what it has still to do, in words."""
        return [told for worker in self.workers if (told := worker.awaited()) is not None]

    def ready(self, timeout: float) -> None:
        """Wait until every worker says that it is ready, or all are stopped.

        Raises:
            TenfoldError: one is not ready after `timeout` s.
        """
        deadline = time.monotonic() + timeout
        while (awaited := self.awaited()) and not self._stopping.wait(TICK):
            if time.monotonic() > deadline:
                names = ", ".join(awaited)
                raise TenfoldError(f"not ready after {timeout:.0f} s: worker {names}; the log is above")

    def _tend(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                self._look()
            except Exception:
                log.exception("the restart loop goes on after an error")

    def _look(self) -> None:
        settings = self._also() or self._settings
        moved, self._settings = settings != self._settings, settings
        if moved:
            log.warning("the broker is now at %s; the workers start again", settings.kafka.bootstrap_servers)
        for worker in self.workers:
            if moved:
                worker.renew(settings)
            worker.tend(time.monotonic())


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a child process exactly `settings`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = msgspec.to_builtins(settings)
    own = {
        f"{PREFIX}{group}_{field}".upper(): written(given[group][field])
        for group, kind in GROUPS.items()
        for field in kind.__struct_fields__
    }
    return inherited | own | {FILE_VARIABLE: os.devnull}  # no file is read again: by now it may be another
