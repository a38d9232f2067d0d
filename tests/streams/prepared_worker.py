"""Worker processes that begin with everything imported: forks of one that imported it for all tests."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams import worker

AGENTS = frozenset({"sessions", "scoring"})
"""Those that can be prepared; TensorFlow, with which one labels, cannot be forked."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["streams.worker", *(f"streams.agents.{name}" for name in AGENTS)])


class PreparedWorker:
    """Runs as `python -m streams.worker` does; to tests it is what a `Popen` of that would be."""

    def __init__(self, agents: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._process = _context.Process(target=_run, args=(agents, dict(environment), log), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return status

    def send_signal(self, how: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(agents: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    with log.open("wb") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    worker.main(agents)
