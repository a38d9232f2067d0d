"""Training of labels: pictures through the backbones, a head on their features, topics, and a judgement."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.labelling.backbones import Backbone
from models.labelling.feature_cache import Looks, features_of, sha_of_file
from models.labelling.head import HeadOptions, folds_of, train_head
from models.labelling.judging import Judgement, judge
from models.labelling.labeller import Labeller, Recognition, check_backbones
from models.labelling.scenes import FEWEST, Scenes, read_scenes
from models.labelling.topics import TopicOptions, fit_topics
from models.progress import Progress, between, in_turn
from reco.errors import LabellingError

HELD_OUT = 5
"""Where no split is given, one picture in so many is kept apart to test with, by default."""
FEATURES_SHARE = 0.85
"""The share of the progress that is the backbones' work."""


class Split(NamedTuple):
    """Labelled scenes to train on, and others to test with."""

    train: Scenes
    test: Scenes


@dataclass(frozen=True, eq=False)
class Trained:
    """What came out of training; `epochs` are the passes that each member of the head took."""

    recognition: Recognition
    judgement: Judgement
    epochs: tuple[int, ...]


def train_and_test(path: Path, seed: int = 0, held_out: int = HELD_OUT) -> Split:
    """The splits `train` and `test` of labelled scenes.

    Without a split `test`, `val` is taken for it, as public sets keep the labels of their tests secret.
    Without either, one picture in `held_out` of each class is kept apart to test with; none of a class that
    would have too few left to train on.

    Raises:
        LabellingError: the scenes cannot be used.
    """
    tested = _tested(path)
    if tested is not None:
        return Split(read_scenes(path, "train"), tested)
    scenes = read_scenes(path)
    tested_on = folds_of(scenes.labels, held_out, seed) == 0
    tested_on &= (
        np.bincount(scenes.labels[~tested_on], minlength=len(scenes.classes))[scenes.labels] >= FEWEST
    )
    if not tested_on.any():
        raise LabellingError(f"{path}: too few pictures to keep some apart to test with; add some to a class")
    return Split(_only(scenes, ~tested_on), _only(scenes, tested_on))


def repeated(split: Split) -> int:
    """How many pictures to test with are among those to train on, byte for byte: they make figures too good.

    Raises:
        LabellingError: a file cannot be read.
    """
    taught = {sha_of_file(path) for path in split.train.paths}
    return sum(sha_of_file(path) in taught for path in split.test.paths)


def scenes_to_judge(path: Path, classes: Sequence[str]) -> Scenes:
    """The split `test`, or else `val`, of labelled scenes, or all of them; labels are indices into `classes`.

    Raises:
        LabellingError: the scenes cannot be used, or show a class that is none of `classes`.
    """
    scenes = _tested(path) or read_scenes(path, to_learn=False)
    shown = [scenes.classes[label] for label in np.unique(scenes.labels)]
    if unknown := [name for name in shown if name not in classes]:
        are = "is no class" if len(unknown) == 1 else "are no classes"
        said = f"{path}: {', '.join(unknown)} {are} of the labeller"
        raise LabellingError(f"{said}, which knows {', '.join(classes)}")
    index = {name: number for number, name in enumerate(classes)}
    labels = np.array([index[scenes.classes[label]] for label in scenes.labels], np.int32)
    return Scenes(scenes.paths, labels, tuple(classes))


def train_labels(
    split: Split,
    backbones: Sequence[Backbone],
    options: HeadOptions,
    *,
    views: int = 1,
    copies: int = 0,
    cache: Path | None = None,
    progress: Progress = lambda _: None,
) -> Trained:
    """Train a head and topics, and judge them on the pictures that are kept apart.

    Topics are fitted to what the head says about pictures that it was not trained on: what it says about
    those it knows is too sure to have labels occur together.

    Args:
        split: the scenes.
        backbones: whose features the head looks at, side by side; all of one size.
        options: of the head; its seed is that of copies and topics too.
        views: of each picture, whose features are averaged, see `Sight`.
        copies: augmented copies of each training picture.
        cache: the folder to keep features in; an interrupted training goes on from there.
        progress: told now and then.

    Raises:
        LabellingError: pictures, scenes or backbones cannot be used.
    """
    check_backbones(backbones)
    seed, classes = options.seed, split.train.classes
    rows, tested_rows = len(split.train.paths) * (1 + copies), len(split.test.paths)
    first = FEATURES_SHARE * rows / (rows + tested_rows)
    parts = ((0, first), (first, FEATURES_SHARE), (FEATURES_SHARE, 1))
    taught_told, tested_told, told = (between(progress, *part) for part in parts)
    features = side_by_side(split.train, backbones, cache, Looks(views, copies, seed), taught_told)
    tested = side_by_side(split.test, backbones, cache, Looks(views), tested_told)
    blocks = [backbone.dimensions for backbone in backbones]
    trained = train_head(features, split.train.labels, classes, options, blocks=blocks, progress=told)
    topics = fit_topics(trained.unseen, classes, TopicOptions(seed=seed))
    judgement = judge(trained.head.probabilities(tested), split.test.labels, classes)
    return Trained(Recognition(tuple(backbones), trained.head, topics, views), judgement, trained.epochs)


def judge_labeller(
    labeller: Labeller, scenes: Scenes, cache: Path | None = None, progress: Progress = lambda _: None
) -> Judgement:
    """Judge a labeller on scenes whose labels are indices into its classes.

    Raises:
        LabellingError: a picture cannot be used.
    """
    known = labeller.recognition
    features = side_by_side(scenes, known.backbones, cache, Looks(known.views), progress)
    return judge(labeller.label_features(features).scores, scenes.labels, labeller.classes)


def side_by_side(
    scenes: Scenes,
    backbones: Sequence[Backbone],
    cache: Path | None,
    looks: Looks,
    progress: Progress = lambda _: None,
) -> NDArray[np.float32]:
    """float32[n * (1 + copies), d]: the features of all backbones; see `feature_cache.features_of`."""
    parts = [
        features_of(scenes, backbone, cache, looks, told)
        for backbone, told in zip(backbones, in_turn(progress, len(backbones)), strict=True)
    ]
    return np.hstack(parts)


def has_test(path: Path) -> bool:
    """Whether labelled scenes have a split to test with, so that none of it was trained on."""
    return _tested(path) is not None


def _tested(path: Path) -> Scenes | None:
    """The split `test`, or else `val`; None without, or if nothing can be read, as reading all explains."""
    for split in ("test", "val"):
        with suppress(LabellingError):
            return read_scenes(path, split, to_learn=False)
    return None


def _only(scenes: Scenes, kept: NDArray[np.bool_]) -> Scenes:
    rows = np.flatnonzero(kept)
    return Scenes(tuple(scenes.paths[row] for row in rows), scenes.labels[rows], scenes.classes)
