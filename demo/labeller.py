"""The demo's labeller: a small network trained on postcards, once, by a process of its own.

`python -m demo.labeller FOLDER` prints where below FOLDER it is; it trains for less than a minute if there is
none yet. It gives way to whatever else wants the processor, for nobody waits for it.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict
from numpy.typing import NDArray

from demo.giving_way import give_way
from demo.postcards import KINDS, draw
from demo.postcards.album import QUALITY
from models.labelling.backbones import train_small
from models.labelling.head import HeadOptions, train_head
from models.labelling.judging import Judgement, judge
from models.labelling.labeller import Provenance, Recognition, load_labeller, write_labeller
from models.labelling.labeller_files import LABELLER
from models.labelling.pictures import decode
from models.labelling.topics import TopicOptions, fit_topics
from reco.errors import LabellingError
from streams.clock import now

FOLDS = 3
"""Members of the head: drawings are easy to tell apart, and each takes seconds."""


class Recipe(Struct, frozen=True):
    """What the labeller is made of; another recipe makes another one.

    Attributes:
        network: postcards of each kind that the network learns from.
        head: others, that head and topics learn from; on those of the network, it is too sure of itself.
        tested: others again, that its figures are measured on.
        side: height and width at which it looks, pixels.
        epochs: most passes over the pictures of the head.
        seed: of postcards, first weights and order.
    """

    network: int = 80
    head: int = 40
    tested: int = 20
    side: int = 64
    epochs: int = 20
    seed: int = 1


class _Album(Struct, frozen=True):
    """uint8[n, side, side, 3] RGB, and int32[n], the kinds as indices into `KINDS`."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]


def labeller_below(labellers: Path, recipe: Recipe) -> Path:
    """The folder of the labeller made by `recipe`: one that is there and loads, or else a new one."""
    labellers.mkdir(parents=True, exist_ok=True)
    return kept(labellers, recipe) or _new(labellers, recipe)


def kept(labellers: Path, recipe: Recipe) -> Path | None:
    """The newest labeller of this recipe below `labellers`; None if there is none that loads."""
    for folder in sorted(labellers.glob("[0-9]*"), reverse=True):
        with suppress(LabellingError):
            if LABELLER.read_manifest(folder).trained_on == trained_on(recipe):
                load_labeller(folder)
                return folder
    return None


def trained_on(recipe: Recipe) -> dict[str, Any]:
    """What a labeller of this recipe says that it was trained on."""
    return {"images": "postcards of the demo", "tenfold": version("tenfold")} | asdict(recipe)


def trained(recipe: Recipe) -> tuple[Recognition, Judgement]:
    """What recognises postcards, and how well it does on such that it was not trained on."""
    taught, shown, tested = (
        _album(count, f"{recipe.seed} {what}", recipe.side)
        for count, what in ((recipe.network, "network"), (recipe.head, "head"), (recipe.tested, "tested"))
    )
    backbone = train_small(taught.images, taught.labels, len(KINDS), recipe.seed)
    options = HeadOptions(folds=FOLDS, epochs=recipe.epochs, seed=recipe.seed)
    learned = train_head(backbone.features(shown.images), shown.labels, KINDS, options)
    topics = fit_topics(learned.unseen, KINDS, TopicOptions(seed=recipe.seed))
    scores = learned.head.probabilities(backbone.features(tested.images))
    return Recognition((backbone,), learned.head, topics), judge(scores, tested.labels, KINDS)


def _new(labellers: Path, recipe: Recipe) -> Path:
    recognition, judgement = trained(recipe)
    provenance = Provenance(now(), trained_on(recipe), judgement.metrics())
    return write_labeller(labellers, recognition, provenance)


def _album(per_kind: int, seed: str, side: int) -> _Album:
    images = np.stack(list(_pictures(per_kind, seed, side)))
    return _Album(images, np.repeat(np.arange(len(KINDS), dtype=np.int32), per_kind))


def _pictures(per_kind: int, seed: str, side: int) -> Iterator[NDArray[np.uint8]]:
    """Postcards of each kind as a labelling worker sees them: at their full size, through a JPEG file."""
    random = Random(f"labeller {seed}")  # noqa: S311 - repeatable pictures, not a secret
    for kind in KINDS:
        for _ in range(per_kind):
            file = BytesIO()
            draw(kind, random.getrandbits(48)).save(file, "JPEG", quality=QUALITY)
            yield decode(file.getvalue(), (side, side))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing half-written is left
    give_way()
    with suppress(KeyboardInterrupt):
        print(labeller_below(Path(sys.argv[1]), Recipe()))  # noqa: T201 - what it was asked for
