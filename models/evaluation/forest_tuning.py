"""Tuning of forests: their learning rate, leaves and trees, by the newest moments before the test."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from models.evaluation.protocols import Asked
from models.evaluation.run import known_features
from models.evaluation.tuning import CUT, Trial, before_the_test
from models.progress import Progress, between, in_turn
from models.training import Boosting, binned, grow, newest
from models.training_set import Examples, TrainingSet, negatives_of
from models.walk import questions
from reco.content import Content
from reco.errors import TrainingError
from reco.knowledge import Knowledge
from reco.metrics import ndcg
from reco.parameters import Parameters

MAX_MOMENTS: Final = 100_000
"""Moments that forests are grown and judged on, at most."""
RATES: Final = (0.04, 0.07, 0.1)
LEAVES: Final = (15, 31, 63)
TREES: Final = (50, 100, 150, 200, 250, 300, 400)
"""Values that are tried; of rates and leaves also those given."""
LEARNING: Final = 0.3
"""Share of the time until the first forest is grown, more or less."""
FOREST: Final = ("learning_rate", "num_leaves", "trees")
"""What is found."""


def tune_forest(
    asked: Asked,
    parameters: Parameters,
    boosting: Boosting,
    content: Content | None = None,
    *,
    tell: Callable[[Trial], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Boosting:
    """`boosting` with the learning rate, leaves and trees that rank the newest moments before the test best.

    The rate is found first, then the leaves. Of the numbers of trees the smallest is taken whose NDCG is
    within one standard error of the best (Breiman, Friedman, Olshen, Stone: Classification and Regression
    Trees, 1984, section 3.4.3): fewer trees make faster lists.

    Raises:
        TrainingError: there is too little to learn from, or nothing to judge by.
    """
    examples = _examples(asked, parameters, content, boosting.seed, between(progress, 0, LEARNING))
    split = newest(examples, boosting)
    older, newer = examples.moments(0, split), examples.moments(split)
    if not len(newer.ranks(np.zeros(len(newer.labels)))):
        raise TrainingError("the newest moments before the test have nothing to judge by; take a longer log")
    data, found = binned(older), dict[Boosting, NDArray[np.float64]]()
    count = len({boosting.learning_rate, *RATES}) + len({*LEAVES} - {boosting.num_leaves})
    growing = iter(in_turn(between(progress, LEARNING, 1), count))
    for name, values in (("learning_rate", RATES), ("num_leaves", LEAVES)):
        tried = [
            replace(boosting, **{name: one}) for one in dict.fromkeys((getattr(boosting, name), *values))
        ]
        for one in tried:
            if one not in found:
                found[one] = by_trees(older, newer, one, next(growing), data)
            tell(Trial(name, getattr(one, name), float(found[one].mean(axis=1).max())))
        boosting = max(tried, key=lambda one: found[one].mean(axis=1).max())
    best = found[boosting]
    for trees, figure in zip(TREES, best.mean(axis=1).tolist(), strict=True):
        tell(Trial("trees", trees, figure))
    return replace(boosting, trees=TREES[fewest(best)])


def _examples(
    asked: Asked, parameters: Parameters, content: Content | None, seed: int, progress: Progress
) -> Examples:
    """What the recommenders said at the moments before the test."""
    asked = before_the_test(asked, asked.trained, MAX_MOMENTS, seed)
    features, moments = known_features(content), int((asked.walk.steps < 0).sum())
    training = TrainingSet(features, np.random.default_rng(seed), negatives_of(moments))
    knowledge = Knowledge(parameters, content=content)
    for question in questions(asked.walk, knowledge, progress):
        asked.teach(training, question, knowledge.describe(question.query, features))
    return training.complete()


def by_trees(
    older: Examples,
    newer: Examples,
    boosting: Boosting,
    progress: Progress = lambda _: None,
    data: Any = None,
) -> NDArray[np.float64]:
    """float64[n_trees, n_moments]: the NDCG of the newer moments with as many trees as `TREES` says.

    Of the moments that led to one of their examples; the forest is grown on the older ones,
    which are `data` too if they are binned already.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    import lightgbm

    fitted = grow(older, replace(boosting, trees=TREES[-1]), progress=progress, data=data)
    booster, scores, found = lightgbm.Booster(model_str=fitted.text), np.zeros(len(newer.labels)), []
    for first, last in pairwise((0, *TREES)):
        scores += booster.predict(
            newer.rows.T, start_iteration=first, num_iteration=last - first, raw_score=True
        )
        found.append(ndcg(newer.ranks(scores), CUT))
    return np.stack(found)


def fewest(figures: NDArray[np.float64]) -> int:
    """The first row of `figures` (float64[n_rows, n_moments]) within one standard error of the best."""
    behind = figures[figures.mean(axis=1).argmax()] - figures
    error = behind.std(axis=1) / np.sqrt(figures.shape[1])
    return int(np.flatnonzero(behind.mean(axis=1) <= error)[0])
