"""The fast forest against LightGBM's own prediction: one list's raw scores, one thread, the same bits.

The model is trained here on drawn data, with as many trees, leaves and features as asked for; a third of
the features has missing values. `--shared` features, in percent, are alike for all sales of a list, as those
of the visitor and of the moment are: the forest looks at those once a list.
"""

from collections.abc import Callable

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import Figure, Report, arguments, machine, per_second, publish, run_main
from models.forest import Forest

TRAINED_ON = 20_000
"""Rows that the model is trained on: enough for trees to have all their leaves."""
LISTS = 8
"""Different lists in turn, so that a list is not measured on a processor that knows it by heart."""
EXPLAINED = 10
"""Sales whose contributions are asked for: those shown."""


def main() -> None:
    """Train, compare, measure, print, and write the report."""
    given = arguments(__doc__, sales=300, features=130, trees=150, leaves=63, shared=0, lists=400, rounds=5)
    rng = np.random.default_rng(1)
    booster = trained(rng, given.features, given.trees, given.leaves)
    forest = Forest.parse(booster.model_to_string())
    lists = drawn(rng, given.features, given.sales, given.features * given.shared // 100)
    matrices = [np.ascontiguousarray(rows.T) for rows in lists]
    tops = [np.ascontiguousarray(rows[:, :EXPLAINED]) for rows in lists]
    check(forest, booster, lists)
    ours = figure("raw scores", lambda k: forest.raw_scores(lists[k]), given.lists, given.rounds)
    theirs = figure(
        "baseline: LightGBM",
        lambda k: predicted(booster, matrices[k]),
        max(1, given.lists // 10),
        given.rounds,
    )
    ratio = Figure("baseline / raw scores", "times", (theirs.median / ours.median,))
    explained = figure(
        f"contributions of {EXPLAINED}", lambda k: forest.contributions(tops[k]), given.lists, given.rounds
    )
    parameters = {name: value for name, value in vars(given).items() if name != "json"}
    publish(Report("forest", machine(), parameters, (ours, theirs, ratio, explained)), given.json)


def trained(rng: np.random.Generator, features: int, trees: int, leaves: int) -> lightgbm.Booster:
    """A model of drawn labels that depend on every third feature."""
    values = missing(rng, rng.normal(size=(features, TRAINED_ON))).T
    evidence = np.nan_to_num(values[:, ::3]) @ rng.normal(size=len(range(0, features, 3)))
    labels = evidence + rng.normal(size=TRAINED_ON) * evidence.std() / 2 > 0
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "num_threads": 1,
        "verbose": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(values, labels.astype(int)), trees)


def missing(rng: np.random.Generator, rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32 of `rows`, of which the first third has 3 of 10 values missing."""
    values = rows.astype(np.float32)
    first = values[: len(values) // 3]
    first[rng.random(first.shape) < 0.3] = np.nan
    return values


def drawn(rng: np.random.Generator, features: int, sales: int, shared: int) -> list[NDArray[np.float32]]:
    """Lists to score, float32[n_features, n_sales], each with so many features that its sales share."""
    lists = [missing(rng, rng.normal(size=(features, sales))) for _ in range(LISTS)]
    for rows in lists:
        alike = rng.permutation(features)[:shared]
        rows[alike] = rows[alike, :1]
    return lists


def predicted(booster: lightgbm.Booster, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[n_sales]: LightGBM's own raw scores on one thread, of float32[n_sales, n_features]."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))


def check(forest: Forest, booster: lightgbm.Booster, lists: list[NDArray[np.float32]]) -> None:
    """A speed is only claimed for the same answer."""
    for rows in lists:
        if not np.array_equal(forest.raw_scores(rows), predicted(booster, rows.T)):
            raise SystemExit("The forest and LightGBM differ: no figure is worth anything.")


def figure(name: str, score: Callable[[int], object], lists: int, rounds: int) -> Figure:
    """Microseconds per list in each round."""

    def work() -> int:
        for turn in range(lists):
            score(turn % LISTS)
        return lists

    return Figure(name, "µs/list", tuple(1e6 / rate for rate in per_second(work, rounds)))


if __name__ == "__main__":
    run_main(main)
