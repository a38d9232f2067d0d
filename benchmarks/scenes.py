"""How well scenes are recognised, beside a linear probe, and how often the nearest pictures show the same.

    python -m benchmarks.scenes scenes/ --backbone EfficientNetB0
    python -m benchmarks.scenes ../shared/images/sun25/split.csv --backbone FILE.py:NAME

Several backbones look side by side. The head is trained as `tenfold labels train` does it, on the split
`train`, and judged on `test`; without a split, a fifth is held out by the seed. The probe is a logistic
regression on the same features, each of mean 0 and deviation 1, its regularisation chosen by cross-validation
on the same pictures. Neighbours are found in the index of images by the embeddings that sales get. Intervals
are bootstrap ones at 95 % over tested pictures.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import networks
from benchmarks.machine import in_words, machine, run_main, step
from models.evaluation.intervals import Resampled, by_cluster, resample
from models.image_index import FlatIndex
from models.labelling.feature_cache import Looks
from models.labelling.head import HeadOptions
from models.labelling.judging import TOP, Judgement, judge, ranks
from models.labelling.training_labels import Split, side_by_side, train_and_test, train_labels
from reco.metrics import hit_rate
from streams.commands.logs import progress
from streams.settings import load

NEIGHBOURS = (1, 5, 10)
STRENGTHS = (1e-3, 1e-2, 1e-1, 1)
"""Inverse strengths of regularisation that the probe may have."""
FOLDS = 3
Floats = NDArray[np.float32]
Labels = NDArray[np.int32]


class Pictures(NamedTuple):
    """Features or embeddings of pictures, float32[n, d], and int32[n], what they show."""

    rows: Floats
    labels: Labels


def probe(train: Pictures, tested: Floats, seed: int) -> Floats:
    """float32[n, n_classes]: what a linear probe says about the features `tested`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    choice = GridSearchCV(linear, {"logisticregression__C": STRENGTHS}, cv=FOLDS, scoring="neg_log_loss")
    return np.asarray(choice.fit(train.rows, train.labels).predict_proba(tested), np.float32)


def agreement(asked: Pictures, among: Pictures | None) -> NDArray[np.float64]:
    """float64[n_neighbours, n]: the share of the nearest 1, 5, 10 pictures that show the same, and of all.

    Args:
        asked: embeddings, of length 1, of the pictures whose neighbours are looked for.
        among: those that they are looked for among; None for `asked` itself, where none is its own neighbour.
    """
    own, shown = among is None, asked if among is None else among
    index = FlatIndex(shown.rows)
    found = [_nearest(index, shown.rows, row, place if own else None) for place, row in enumerate(asked.rows)]
    same = shown.labels[np.array(found)] == asked.labels[:, None]
    of_all = (np.bincount(shown.labels)[asked.labels] - own) / (len(shown.labels) - own)
    return np.stack([*(same[:, :k].mean(axis=1) for k in NEIGHBOURS), of_all])


def _nearest(index: FlatIndex, rows: Floats, direction: Floats, but: int | None) -> NDArray[np.int64]:
    """int64[n]: places of the nearest of `rows`, best first, of which `but` is none."""
    near = np.sort(index.near(direction, max(NEIGHBOURS) + 1))
    near = near[near != but]
    best: NDArray[np.int64] = near[np.argsort(-(rows[near] @ direction), kind="stable")]
    return best[: max(NEIGHBOURS)]


def of_labels(judgement: Judgement, other: Floats) -> Table:
    """Top-1 and top-5 of the head and of the probe, and their paired difference."""
    found = [ranks(scores, judgement.labels) for scores in (judgement.scores, other)]
    drawn = _drawn([hit_rate(one, k) for k in (1, TOP) for one in found])
    table = Table("labels", "head", "linear probe", "head over probe")
    for row, k in enumerate((1, TOP)):
        over = drawn.difference(2 * row, 2 * row + 1)
        cells = [_percent(drawn, column) for column in (2 * row, 2 * row + 1)]
        table.add_row(
            f"top-{k}", *cells, f"{100 * over.mean:+.1f} [{100 * over.low:+.1f}, {100 * over.high:+.1f}]"
        )
    other_error = judge(other, judgement.labels, judgement.classes).calibration_error
    table.add_row("calibration error", f"{judgement.calibration_error:.3f}", f"{other_error:.3f}")
    return table


def of_neighbours(train: Pictures, test: Pictures) -> Table:
    """The share of neighbours of the same class, among the pictures of training and of the test."""
    drawn = [_drawn(list(agreement(test, among))) for among in (train, None)]
    table = Table(
        "neighbours of the same class", "among training pictures", "among the other tested pictures"
    )
    for row, name in enumerate((*(f"nearest {k}" for k in NEIGHBOURS), "chance")):
        table.add_row(name, *(_percent(one, row) for one in drawn))
    return table


def _drawn(columns: Sequence[NDArray[np.float64]]) -> Resampled:
    return resample(np.stack(columns), by_cluster(np.arange(len(columns[0]))))


def _percent(drawn: Resampled, column: int) -> str:
    one = drawn.estimate(column)
    return f"{100 * one.mean:.1f} % [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def measure(split: Split, given: argparse.Namespace, console: Console) -> None:
    """Train, judge, look up, and print the tables."""
    backbones, options, cache = networks.load(given), HeadOptions(seed=given.seed), given.cache
    with progress(console, "looking at pictures, and training") as told:
        trained = train_labels(
            split, backbones, options, views=given.views, copies=given.copies, cache=cache, progress=told
        )
    step("fitting a linear probe")
    features = [side_by_side(scenes, backbones, cache, Looks(given.views)) for scenes in split]
    train, test = (Pictures(*both) for both in zip(features, (one.labels for one in split), strict=True))
    embedding = trained.recognition.head.embedding
    console.print(of_labels(trained.judgement, probe(train, test.rows, given.seed)))
    console.print(of_neighbours(*(Pictures(embedding(rows), labels) for rows, labels in (train, test))))


def main() -> None:
    """Read the arguments, measure, and say of what and on what."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenes", type=Path, help="a folder per class, or a CSV: path,label, maybe split")
    networks.add_arguments(parser, backbone="MobileNet", weights="imagenet")
    parser.add_argument("--copies", type=int, default=0, help="augmented copies of each training picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=load().data_dir() / "features", help="of features")
    given = parser.parse_args()
    console, began = Console(width=130), time.perf_counter()
    split = train_and_test(given.scenes, given.seed)
    parts = f"{len(split.train.paths)} pictures to train on, {len(split.test.paths)} tested"
    console.print(
        f"{given.scenes}: {parts}, {len(split.train.classes)} classes; seed {given.seed}", soft_wrap=True
    )
    how = f"{given.views} views, {given.copies} copies"
    console.print(f"networks: {', '.join(networks.names(given))}; {how}", soft_wrap=True)
    measure(split, given, console)
    console.print(f"{time.perf_counter() - began:.0f} s; {in_words(machine())}")


if __name__ == "__main__":
    run_main(main)
