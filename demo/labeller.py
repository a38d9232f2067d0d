"""The demo's labeller: trained once, by a process of its own, on postcards or on photographs of a folder.

`python -m demo.labeller` reads, as JSON, what it is to do, prints how far it is, and at last where the
labeller is; where one that was trained on the same is there, it only verifies that. It gives way to whatever
else wants the processor, for nobody waits for it.
"""

import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from demo.giving_way import give_way
from demo.lessons import Lesson, Photographed, Postcards, Recipe
from demo.photographs import Photographs
from models.labelling.labeller import Provenance, load_labeller, write_labeller
from models.labelling.labeller_files import LABELLER
from models.labelling.networks import Network, load_network
from models.progress import Progress
from reco.errors import LabellingError, TenfoldError
from streams.clock import now


class Task(Struct, frozen=True):
    """What the process is to do.

    Attributes:
        data_dir: where labellers are kept, and features of photographs.
        networks: what looks, side by side; without any, a small one is trained on postcards.
        photographs: what it learns from; None for postcards.
    """

    data_dir: str
    networks: tuple[Network, ...] = ()
    photographs: Photographs | None = None

    @property
    def labellers(self) -> Path:
        """The folder of labellers."""
        return Path(self.data_dir) / "labellers"

    def lesson(self) -> Lesson:
        """What is learned from; loads the networks.

        Raises:
            LabellingError: one of them cannot be used.
        """
        backbones = [load_network(one) for one in self.networks]
        if self.photographs is None:
            return Postcards(Recipe(), backbones)
        return Photographed(self.photographs, backbones, Path(self.data_dir) / "features")


class Said(Struct, frozen=True):
    """A line that the process prints: how much of the training is done, 0 to 1, and at last the labeller.

    With it comes what is to be known of the pictures.
    """

    done: float
    labeller: str | None = None
    remarks: Sequence[str] = ()


def labeller_below(labellers: Path, lesson: Lesson, progress: Progress = lambda _: None) -> Path:
    """The folder of the labeller of this lesson: one that is there and loads, or else a new one.

    Raises:
        LabellingError: it cannot be trained.
    """
    labellers.mkdir(parents=True, exist_ok=True)
    return kept(labellers, lesson) or _new(labellers, lesson, progress)


def kept(labellers: Path, lesson: Lesson) -> Path | None:
    """The newest labeller of this lesson below `labellers`; None if there is none that loads."""
    source = lesson.source()
    whole, _ = LABELLER.newest_first(labellers.glob("[0-9]*"))
    for folder in (labellers / one.id for one in whole if one.trained_on == source):
        with suppress(LabellingError):
            load_labeller(folder)
            return folder
    return None


def _new(labellers: Path, lesson: Lesson, progress: Progress) -> Path:
    recognition, judgement = lesson.learn(progress)
    return write_labeller(labellers, recognition, Provenance(now(), lesson.source(), judgement.metrics()))


def _say(done: float, labeller: str | None = None, remarks: Sequence[str] = ()) -> None:
    said = msgspec.json.encode(Said(done, labeller, remarks)).decode()
    print(said, file=sys.__stdout__, flush=True)


def _main() -> None:
    task = msgspec.json.decode(sys.stdin.read(), type=Task)
    try:
        lesson = task.lesson()
        _say(1.0, str(labeller_below(task.labellers, lesson, _say)), lesson.remarks)
    except TenfoldError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing half-written is left
    give_way()
    # Keras prints that it downloads weights, and a network of one's own may print anything.
    with suppress(KeyboardInterrupt), redirect_stdout(sys.stderr):
        _main()
