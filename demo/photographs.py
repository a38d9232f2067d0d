"""Photographs in place of postcards: which classes of a folder the sales are about, and which pictures teach.

No photograph that a sale shows is one that the labeller was trained on: where the folder has no splits
`train` and `test`, half of each class is kept apart.
"""

import os
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from msgspec import Struct

from demo.catalogue import images_of_a_kind
from demo.kinds import KINDS
from models.labelling.scenes import FEWEST, Scenes
from models.labelling.training_labels import Split, train_and_test
from reco.errors import LabellingError

FEWEST_KINDS: Final = 4
"""Classes that a demo needs: visitors have three favourites, and one kind more is there to pass over."""
FEWEST_TAUGHT: Final = 5
"""Photographs of a class that the labeller needs to learn from; of fewer, it knows those and no others."""
FEWEST_SHOWN: Final = 3
"""Photographs of a class that its sales need: so many has one sale."""
MOST_TAUGHT: Final = 60
"""Photographs of a class that the labeller learns from, at most, so that it is there within a minute or so.

With MobileNet, learning from 288 and judging 120 took 20 s of one processor; 720 and 120 are the most.
"""
MOST_JUDGED: Final = 10
"""Photographs of a class that the labeller is judged on, of those that are shown."""
LONGEST_CLASS: Final = 64
"""Characters of a class's name: it becomes a tag of sales."""
HELD_OUT: Final = 2
"""One photograph in so many is shown, where the folder has no splits."""


class Photographs(Struct, frozen=True):
    """Photographs of the kinds of a demo's sales.

    Attributes:
        folder: below which all of them are.
        taught: by kind, the files that the labeller learns from.
        shown: by kind, the files that sales show, none of which teaches.
        remarks: what is scarce, each in a sentence.
    """

    folder: str
    taught: dict[str, tuple[str, ...]]
    shown: dict[str, tuple[str, ...]]
    remarks: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The classes that sales are about, sorted."""
        return tuple(self.taught)

    @property
    def suffice(self) -> bool:
        """Whether a labeller can learn all kinds, and be judged."""
        return all(len(files) >= FEWEST for files in self.taught.values()) and any(self.shown.values())

    def without(self, files: Collection[str]) -> "Photographs":
        """The photographs but for these files."""
        taught, shown = (
            {kind: tuple(one for one in some if one not in files) for kind, some in group.items()}
            for group in (self.taught, self.shown)
        )
        return Photographs(self.folder, taught, shown, self.remarks)

    def split(self) -> Split:
        """What the labeller learns from, and some of what is shown to judge it on."""
        judged = {kind: files[:MOST_JUDGED] for kind, files in self.shown.items()}
        return Split(_scenes(self.taught), _scenes(judged))


def choose(scenes: Path, seed: int) -> Photographs:
    """The photographs of a demo: of as many classes as it has kinds, drawn by lot, the same for a `seed`.

    Args:
        scenes: labelled scenes, as `tenfold labels train` takes them.
        seed: of the classes, of what is shown where there are no splits, and of which teach where many are.

    Raises:
        LabellingError: they cannot be read, or too few classes have enough photographs.
    """
    split = train_and_test(scenes, seed, HELD_OUT)
    folder = (scenes if scenes.is_dir() else scenes.parent).resolve()
    if not _is_named_in_utf8(folder):
        raise LabellingError(f"{os.fsencode(folder)!r} has a name that is not UTF-8; rename it")
    taught = _by_class(folder, split.train, but=frozenset())
    shown = _by_class(folder, split.test, but=frozenset(chain.from_iterable(taught.values())))
    enough = [name for name in split.train.classes if _is_enough(name, taught[name], shown[name])]
    if len(enough) < FEWEST_KINDS:
        needs = f"{FEWEST_TAUGHT} photographs to learn from and {FEWEST_SHOWN} others"
        suffice = f"{len(enough)} of {len(taught)} classes have {needs}"
        raise LabellingError(f"{scenes}: {suffice}; a demo needs {FEWEST_KINDS} such classes")
    lot = Random(f"photographs {seed}")  # noqa: S311 - a repeatable world, not a secret
    kinds = sorted(lot.sample(enough, min(len(KINDS), len(enough))))
    wanted = images_of_a_kind(len(kinds))
    return Photographs(
        str(folder),
        {kind: _some(taught[kind], MOST_TAUGHT, lot) for kind in kinds},
        {kind: _some(shown[kind], wanted, lot) for kind in kinds},
        tuple(_remarks(len(taught), len(enough), [len(shown[kind]) for kind in kinds], wanted)),
    )


def _by_class(folder: Path, scenes: Scenes, but: AbstractSet[str]) -> dict[str, list[str]]:
    """The files of each class, links followed, without those outside the folder, and those of `but`.

    What is no file is left out, and so is what has a name that no other process can be told.
    """
    files: dict[str, dict[str, None]] = {name: {} for name in scenes.classes}
    for path, label in zip(scenes.paths, scenes.labels.tolist(), strict=True):
        file = Path(os.path.realpath(path))  # Path.resolve raises an error for links in a circle
        usable = file.is_relative_to(folder) and file.is_file() and _is_named_in_utf8(file)
        if usable and str(file) not in but:
            files[scenes.classes[label]][str(file)] = None
    return {name: list(some) for name, some in files.items()}


def _is_named_in_utf8(path: Path) -> bool:
    return os.fsencode(path).decode(errors="replace") == str(path)


def _is_enough(name: str, taught: Sequence[str], shown: Sequence[str]) -> bool:
    return len(taught) >= FEWEST_TAUGHT and len(shown) >= FEWEST_SHOWN and len(name) <= LONGEST_CLASS


def _some(files: Sequence[str], most: int, lot: Random) -> tuple[str, ...]:
    return tuple(lot.sample(files, min(most, len(files))))


def _remarks(classes: int, enough: int, shown: Sequence[int], wanted: int) -> list[str]:
    remarks = []
    if enough < classes:
        remarks.append(f"{classes - enough} of {classes} classes have too few photographs, and are left out.")
    if scarce := [count for count in shown if count < wanted]:
        few = f"{len(scarce)} of {len(shown)} classes have fewer than {wanted} photographs to show"
        remarks.append(f"{few}, {min(scarce)} at the least: some sales show the same.")
    return remarks


def _scenes(files: dict[str, tuple[str, ...]]) -> Scenes:
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(some) for some in files.values()])
    return Scenes(tuple(Path(file) for some in files.values() for file in some), labels, tuple(files))
