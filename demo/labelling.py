"""Labelling beside the demo, which does not wait for it: the labeller's training, then a labelling worker."""

import logging
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, Self, TypeAlias

import msgspec
from msgspec.structs import replace

from demo.labeller import Said, Task
from streams.settings import Settings
from streams.supervisor import MODULE, Supervisor

log = logging.getLogger(__name__)

State: TypeAlias = Literal["off", "training", "failed", "at work"]
"""No images; the labeller is trained, or one that is kept verified; neither went well; a worker uses it."""

LAST_WORDS = 4000
"""So many characters of what a process that failed had to say are passed on."""


class Labelling:
    """A process that trains the labeller, then a worker that uses it; use it as a context manager."""

    def __init__(self, settings: Settings, task: Task, *, aside: bool = False) -> None:
        """Set it up; with `aside`, nothing is shown of what the worker logs, and in the end why it failed."""
        self._settings = settings
        self._aside = aside
        self._task = task
        self._training: subprocess.Popen[bytes]
        self._errors: IO[bytes]
        self._worker: Supervisor | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="labeller", daemon=True)
        self.state: State = "training"
        self.trained = 0.0
        """How much of the training is done, 0 to 1."""

    @property
    def restarts(self) -> int:
        """How often the worker was started again."""
        return self._worker.restarts if self._worker else 0

    def __enter__(self) -> Self:
        command, pipe = [*MODULE, "demo.labeller"], subprocess.PIPE
        # Not a pipe: TensorFlow says much, and nobody reads it meanwhile.
        self._errors = tempfile.TemporaryFile()
        self._training = subprocess.Popen(  # noqa: S603
            command, stdin=pipe, stdout=pipe, stderr=self._errors, start_new_session=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._training.terminate()
        self._thread.join()
        if self._worker is not None:
            self._worker.__exit__(None, None, None)
            if self._aside and self.restarts:
                log.warning("The labelling worker had to be started again; it said:\n%s", self._last_words())
        self._errors.close()

    def wait(self) -> None:
        """Wait until the training has ended, and the worker was started if it went well."""
        self._thread.join()

    def _follow(self) -> None:
        """Wait for the training, and start the worker; in a thread."""
        labeller = self._train()
        if self._ending.is_set():
            return
        if labeller:
            settings = with_labeller(self._settings, Path(labeller))
            self._worker = Supervisor(settings, [("labelling",)], said=self._errors if self._aside else None)
            self._worker.__enter__()
            self.state = "at work"
        else:
            log.warning(
                "The labeller could not be trained, sales stay without labels:\n%s", self._last_words()
            )
            self.state = "failed"

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()[-LAST_WORDS:]

    def _train(self) -> str | None:
        """Follow the training to its end; the folder of the labeller, None if there is none."""
        labeller = None
        with self._training as training:
            if training.stdin and training.stdout:
                with suppress(BrokenPipeError):  # it has ended already
                    training.stdin.write(msgspec.json.encode(self._task))
                    training.stdin.close()
                for line in training.stdout:
                    said = msgspec.json.decode(line, type=Said)
                    self.trained, labeller = said.done, said.labeller
                    for remark in said.remarks:
                        log.warning("%s", remark)
        return labeller


def with_labeller(settings: Settings, labeller: Path) -> Settings:
    """Settings of a worker that uses `labeller` on images of this machine.

    Only this worker may fetch from private addresses, and it only reads what this demo publishes.
    """
    return replace(
        settings,
        images=replace(settings.images, allow_private=True),
        labelling=replace(settings.labelling, labeller=str(labeller)),
    )
