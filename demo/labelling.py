"""Labelling beside the demo, which does not wait for it: the labeller's training, then a labelling worker."""

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal, Self, TypeAlias

from msgspec.structs import replace

from streams.settings import Settings
from streams.supervisor import Supervisor

log = logging.getLogger(__name__)

State: TypeAlias = Literal["off", "training", "failed", "at work"]
"""No images; the labeller is trained, or one that is kept verified; neither went well; a worker uses it."""

LAST_WORDS = 2000
"""So many characters of what a training that failed had to say are passed on."""


class Labelling:
    """A process that trains the labeller, then a worker that uses it; use it as a context manager."""

    def __init__(self, settings: Settings, labellers: Path) -> None:
        self._settings = settings
        self._labellers = labellers
        self._training: subprocess.Popen[str]
        self._worker: Supervisor | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="labeller", daemon=True)
        self.state: State = "training"

    @property
    def restarts(self) -> int:
        """How often the worker was started again."""
        return self._worker.restarts if self._worker else 0

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "demo.labeller", str(self._labellers)]
        pipe = subprocess.PIPE
        self._training = subprocess.Popen(  # noqa: S603
            command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._training.terminate()
        self._thread.join()
        if self._worker is not None:
            self._worker.__exit__(None, None, None)

    def wait(self) -> None:
        """Wait until the training has ended, and the worker was started if it went well."""
        self._thread.join()

    def _follow(self) -> None:
        """Wait for the training, and start the worker; in a thread."""
        folder, said = self._training.communicate()
        if self._ending.is_set():
            return
        if folder:
            self._worker = Supervisor(with_labeller(self._settings, Path(folder.strip())), [("labelling",)])
            self._worker.__enter__()
            self.state = "at work"
        else:
            log.warning(
                "The labeller could not be trained, sales stay without labels:\n%s", said[-LAST_WORDS:]
            )
            self.state = "failed"


def with_labeller(settings: Settings, labeller: Path) -> Settings:
    """Settings of a worker that uses `labeller` on images of this machine.

    Only this worker may fetch from private addresses, and it only reads what this demo publishes.
    """
    return replace(
        settings,
        images=replace(settings.images, allow_private=True),
        labelling=replace(settings.labelling, labeller=str(labeller)),
    )
