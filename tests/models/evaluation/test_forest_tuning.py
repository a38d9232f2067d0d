"""Tuning of forests: on moments before the test, by what ranks the newest of them best."""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from models.evaluation import forest_tuning
from models.evaluation.forest_tuning import LEARNING, LEAVES, RATES, TREES, by_trees, fewest, tune_forest
from models.evaluation.tasks import Task, asked_of
from models.evaluation.tuning import CUT, Trial
from models.forest import Forest
from models.training import Boosting, grow
from models.training_set import Examples, TrainingSet
from reco.errors import TrainingError
from reco.metrics import ndcg
from reco.parameters import Parameters
from tests.models.shop_logs import shop_log

QUICK = Boosting(trees=20, num_leaves=7, learning_rate=0.2, min_data_in_leaf=20, threads=1)
NEXT = Task(protocol="next-click", test=0.2, train=0.4)


def moments(count: int, seed: int = 0) -> Examples:
    """Moments at which one sale is chosen by the product of two features."""
    random = np.random.default_rng(seed)
    training = TrainingSet(("popularity.clicks_now", "revisits.clicks"), np.random.default_rng(seed))
    for _ in range(count):
        rows = random.normal(size=(2, 30)).astype(np.float32)
        training.add(rows, int(np.argmax(rows[0] * rows[1])), np.ones(30, np.bool_))
    return training.complete()


def test_every_value_is_tried_the_best_are_taken_and_progress_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forest_tuning, "TREES", (5, 10, 20))
    judged: list[NDArray[np.float64]] = []

    def noted(figures: NDArray[np.float64]) -> int:
        judged.append(figures)
        return fewest(figures)

    monkeypatch.setattr(forest_tuning, "fewest", noted)
    trials, told = list[Trial](), list[float]()
    found = tune_forest(
        asked_of(shop_log(200), NEXT), Parameters(), QUICK, tell=trials.append, progress=told.append
    )
    assert told == sorted(told)
    assert sum(done > LEARNING for done in told) == 20 * (1 + len(RATES) + len(LEAVES))
    assert told[-1] == pytest.approx(1)
    for name, values in (
        ("learning_rate", (0.2, *RATES)),
        ("num_leaves", (7, *LEAVES)),
        ("trees", (5, 10, 20)),
    ):
        figures = {trial.value: trial.figure for trial in trials if trial.parameter == name}
        assert tuple(figures) == values
        assert all(0 < figure <= 1 for figure in figures.values())
        if name != "trees":
            assert figures[getattr(found, name)] == max(figures.values())
    assert found.trees == (5, 10, 20)[fewest(judged[0])]
    assert found == replace(
        QUICK, learning_rate=found.learning_rate, num_leaves=found.num_leaves, trees=found.trees
    )


def test_nothing_of_the_test_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest_tuning, "TREES", (5, 20))
    table, changed = shop_log(200), shop_log(200)
    asked = asked_of(table, NEXT)
    future = table.ts > table.ts[asked.trained].max() + 60_000
    assert future.sum() > 100
    changed.sales[future] = changed.sales[future][::-1]
    told: list[list[Trial]] = [[], []]
    for log, trials in zip((table, changed), told, strict=True):
        tune_forest(asked_of(log, NEXT), Parameters(), QUICK, tell=trials.append)
    assert told[0] == told[1]


def test_forests_of_fewer_trees_are_judged_as_if_they_were_grown_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forest_tuning, "TREES", (3, 8))
    older, newer = moments(200), moments(50, seed=1)
    for figures, trees in zip(by_trees(older, newer, QUICK), (3, 8), strict=True):
        alone = Forest.parse(grow(older, replace(QUICK, trees=trees)).text)
        scores = alone.raw_scores(np.ascontiguousarray(newer.rows))
        assert figures.tolist() == ndcg(newer.ranks(scores), CUT).tolist()


def test_the_fewest_trees_are_taken_that_are_as_good_as_the_best_but_for_chance() -> None:
    random = np.random.default_rng(0)
    best = random.random(1000)
    worse, alike = best - 0.05 + random.normal(scale=0.1, size=1000), best - np.tile((0.0101, -0.01), 500)
    assert fewest(np.stack((worse, alike, best, best - 0.2))) == 1
    assert fewest(np.stack((worse, worse, best))) == 2
    assert fewest(best[None]) == 0


def test_moments_that_lead_to_nothing_can_judge_nothing() -> None:
    asked = asked_of(shop_log(300, buys=False), Task(protocol="purchase"))
    asked = dataclasses.replace(asked, lessons=None)
    with pytest.raises(TrainingError, match="nothing to judge by"):
        tune_forest(asked, Parameters(), QUICK)


def test_the_number_of_trees_that_is_tried_rises() -> None:
    assert list(TREES) == sorted(set(TREES))
