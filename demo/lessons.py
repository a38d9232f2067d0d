"""What the demo's labeller learns from: postcards, drawn for it, or photographs of a folder."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict
from numpy.typing import NDArray

from demo.photographs import Photographs
from demo.postcards import KINDS, jpeg
from models.labelling.backbones import Backbone, train_small
from models.labelling.head import HeadOptions, train_head
from models.labelling.judging import Judgement, judge
from models.labelling.labeller import Recognition, check_backbones
from models.labelling.pictures import decode
from models.labelling.topics import TopicOptions, fit_topics
from models.labelling.training_labels import train_labels
from models.progress import Progress, between
from reco.errors import PicturesError

FOLDS = 3
"""Members of the head: kinds of sales are easy to tell apart, and each member takes seconds."""


class Lesson(Protocol):
    """Pictures, and what looks at them.

    Attributes:
        remarks: what is to be known of the pictures, once it has learned, each in a sentence.
    """

    remarks: list[str]

    def source(self) -> dict[str, Any]:
        """All that the labeller depends on; another source makes another one."""

    def learn(self, progress: Progress) -> tuple[Recognition, Judgement]:
        """What recognises such pictures, and how well it does on others; `progress` is told now and then."""


class Recipe(Struct, frozen=True):
    """What a labeller of postcards is made of.

    Attributes:
        network: postcards of each kind that a small network learns from, where no other is given.
        head: others, that head and topics learn from; on those of the network, it is too sure of itself.
        tested: others again, that its figures are measured on.
        side: height and width at which the small network looks, pixels.
        epochs: most passes over the pictures of the head.
        seed: of postcards, first weights and order.
    """

    network: int = 80
    head: int = 40
    tested: int = 20
    side: int = 64
    epochs: int = 20
    seed: int = 1


class _Album(NamedTuple):
    """uint8[n, height, width, 3] RGB, and int32[n], the kinds as indices into `KINDS`."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]


class Postcards:
    """Postcards of all kinds, for networks that were trained elsewhere, or else for a small one."""

    def __init__(self, recipe: Recipe, backbones: Sequence[Backbone] = ()) -> None:
        self._recipe = recipe
        self._backbones = tuple(backbones)
        self.remarks: list[str] = []

    def source(self) -> dict[str, Any]:
        """The recipe, the version that draws, and the networks."""
        drawn = {"images": "postcards of the demo", "tenfold": version("tenfold")} | asdict(self._recipe)
        return drawn | {"networks": [backbone.digest for backbone in self._backbones]}

    def learn(self, progress: Progress) -> tuple[Recognition, Judgement]:
        """What recognises postcards, and how well it does on such that it was not trained on."""
        recipe = self._recipe
        backbones = self._backbones or (self._small(between(progress, 0, 0.5)),)
        check_backbones(backbones)
        size = backbones[0].size
        shown, tested = self._album(recipe.head, "head", size), self._album(recipe.tested, "tested", size)
        found, judged = _looked_at(shown, backbones), _looked_at(tested, backbones)
        options = HeadOptions(folds=FOLDS, epochs=recipe.epochs, seed=recipe.seed)
        blocks, told = [backbone.dimensions for backbone in backbones], between(progress, 0.7, 1)
        learned = train_head(found, shown.labels, KINDS, options, blocks=blocks, progress=told)
        topics = fit_topics(learned.unseen, KINDS, TopicOptions(seed=recipe.seed))
        judgement = judge(learned.head.probabilities(judged), tested.labels, KINDS)
        return Recognition(backbones, learned.head, topics), judgement

    def _small(self, progress: Progress) -> Backbone:
        taught = self._album(self._recipe.network, "network", (self._recipe.side, self._recipe.side))
        return train_small(taught.images, taught.labels, len(KINDS), self._recipe.seed, progress)

    def _album(self, per_kind: int, what: str, size: tuple[int, int]) -> _Album:
        images = np.stack(list(_pictures(per_kind, f"{self._recipe.seed} {what}", size)))
        return _Album(images, np.repeat(np.arange(len(KINDS), dtype=np.int32), per_kind))


class Photographed:
    """Photographs of a folder, for networks that were trained elsewhere; `cache` keeps what they find.

    Those that cannot be read, or decoded, are left out, with a remark on each.
    """

    def __init__(self, photographs: Photographs, backbones: Sequence[Backbone], cache: Path) -> None:
        files = chain(*photographs.taught.values(), *photographs.shown.values())
        unreadable = {file: why for file in files if (why := _why_unreadable(file))}
        self._photographs = photographs.without(unreadable)
        self._backbones = tuple(backbones)
        self._cache = cache
        self.remarks = _left_out(unreadable)

    def source(self) -> dict[str, Any]:
        """The folder, the pictures that teach, and the networks."""
        taught = self._photographs.taught
        sha = hashlib.sha256()
        for kind, files in taught.items():
            sha.update(f"{kind} {len(files)}\n".encode())
            for file in files:
                sha.update(hashlib.sha256(Path(file).read_bytes()).digest())
        return {
            "images": f"photographs of {self._photographs.folder}",
            "pictures": sum(map(len, taught.values())),
            "digest": sha.hexdigest(),
            "networks": [backbone.digest for backbone in self._backbones],
        }

    def learn(self, progress: Progress) -> tuple[Recognition, Judgement]:
        """What recognises the kinds, and how well it does on some of what sales show.

        Raises:
            LabellingError: it cannot be learned, or not without those that are left out.
        """
        photographs, options = self._photographs, HeadOptions(folds=FOLDS)
        while True:
            try:
                trained = train_labels(
                    photographs.split(), self._backbones, options, cache=self._cache, progress=progress
                )
            except PicturesError as error:  # the others are in the cache: nothing is done twice
                photographs = photographs.without(error.refusals)
                if not photographs.suffice:
                    raise
                self.remarks += _left_out(error.refusals)
            else:
                return trained.recognition, trained.judgement


def _left_out(refusals: Mapping[str, str]) -> list[str]:
    return [f"{file} is left out: {why}." for file, why in refusals.items()]


def _why_unreadable(file: str) -> str | None:
    try:
        Path(file).open("rb").close()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None


def _looked_at(album: _Album, backbones: Sequence[Backbone]) -> NDArray[np.float32]:
    """float32[n, d]: the features of all networks side by side."""
    return np.hstack([backbone.features(album.images) for backbone in backbones])


def _pictures(per_kind: int, seed: str, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Postcards of each kind as a labelling worker sees them: at their full size, through a JPEG file."""
    random = Random(f"labeller {seed}")  # noqa: S311 - repeatable pictures, not a secret
    for kind in KINDS:
        for _ in range(per_kind):
            yield decode(jpeg(kind, random.getrandbits(48)), size)
