"""Training of rankers: LightGBM on the evidence of the recommenders, calibrated on the newest moments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

import numpy as np
from msgspec import Meta, Struct

from models.calibration import Calibration, fit_isotonic, fit_sigmoid
from models.forest import Forest
from models.meta_model import MetaModel
from models.progress import Progress, in_turn
from models.training_set import Examples
from reco.errors import TrainingError
from reco.reasons import kind_of

CONTENT: Final = ("text", "image", "topics", "attributes", "moment")
"""Kinds of evidence of the ranker that looks at images, descriptions and attributes only."""
IMAGES: Final = ("image", "topics")
"""Kinds of evidence of the ranker that looks at images only."""
VISITS: Final = ("popularity", "covisitation", "session_knn", "segments", "revisits", "moment")
"""Kinds of evidence of the ranker that looks at what visitors did only."""
FEWEST_POSITIVES = 50
"""Fewer chosen sales than this teach nothing."""
OFTEN: Final = "`--target click` of a training, `--protocol next-click` of an evaluation"
"""What there is to learn from in nearly every history."""
CHOSEN_PER_LEAF, FEWEST_LEAVES = 500, 7
"""A tree has one leaf for so many chosen sales, at most: with more it learns what does not come again."""
FEWEST_FOR_ISOTONIC = 1000
"""Fewer chosen sales than this in the newest moments are calibrated by a sigmoid, which needs less."""


class Boosting(Struct, frozen=True, forbid_unknown_fields=True):
    """How LightGBM grows a forest; the names are its own.

    Attributes:
        num_leaves: at most; where few sales were chosen, trees are smaller.
        min_data_in_leaf: at most, likewise.
        held_out: share of the moments, the newest, that only calibrate.
    """

    trees: Annotated[int, Meta(ge=1)] = 150
    num_leaves: Annotated[int, Meta(ge=2)] = 31
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 0.07
    feature_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.4
    min_data_in_leaf: Annotated[int, Meta(ge=1)] = 200
    lambda_l2: Annotated[float, Meta(ge=0, le=1e9)] = 5.0
    held_out: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    seed: Annotated[int, Meta(ge=0)] = 1
    threads: Annotated[int, Meta(ge=0)] = 0


class Fitted(Struct, frozen=True):
    """A trained forest as LightGBM's text, and the share of the gain of each feature, the largest first.

    Attributes:
        leaves: of a tree, at most.
    """

    text: str
    leaves: int
    importance: tuple[tuple[str, float], ...]


def grow(
    examples: Examples,
    boosting: Boosting,
    objective: str = "binary",
    progress: Progress = lambda _: None,
    data: Any = None,
) -> Fitted:
    """A forest for one of LightGBM's objectives: `binary`, or `lambdarank` with the moments as queries.

    `data` are the same examples, `binned` for this objective, if several forests are grown on them.

    Graded labels make of `binary` a `cross_entropy`, which is the same but for labels between 0 and 1; in
    `lambdarank` each grade is one better than the next lower one.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    import lightgbm

    _check(examples)
    options = _options(examples, boosting, objective)
    booster = lightgbm.train(
        options,
        binned(examples, objective) if data is None else data,
        boosting.trees,
        callbacks=[lambda tree: progress((tree.iteration + 1) / boosting.trees)],
    )
    gains = booster.feature_importance("gain")
    total = max(float(gains.sum()), 1e-12)
    order = np.argsort(-gains, kind="stable")
    importance = tuple((examples.features[one], float(gains[one]) / total) for one in order.tolist())
    return Fitted(booster.model_to_string(), options["num_leaves"], importance)


def binned(examples: Examples, objective: str = "binary") -> Any:
    """The examples as a `lightgbm.Dataset`; values are put into bins when the first forest is grown on it."""
    import lightgbm

    ranked = objective == "lambdarank"
    return lightgbm.Dataset(
        examples.rows.T,
        np.unique(examples.labels, return_inverse=True)[1] if ranked else examples.labels,
        weight=examples.relative_weights(),
        group=examples.groups if ranked else None,
        feature_name=list(examples.features),
    )


def _check(examples: Examples) -> None:
    chosen = int((examples.labels > 0).sum())
    if chosen >= FEWEST_POSITIVES:
        return
    remedy = f"take a longer history, or ask for what is found more often ({OFTEN})"
    if not chosen:
        remedy = (
            "is visitor_id the same in all that one visitor did, are the sale ids of events and sales the "
            "same ones, and were the sales open at the time?"
        )
    raise TrainingError(
        f"only {chosen} of the moments led to a candidate, at least {FEWEST_POSITIVES} are needed; {remedy}"
    )


def _options(examples: Examples, boosting: Boosting, objective: str) -> dict[str, Any]:
    chosen = int((examples.labels > 0).sum())
    if objective == "binary" and ((examples.labels > 0) & ~examples.chosen()).any():
        objective = "cross_entropy"
    options = {
        "objective": objective,
        "num_leaves": min(boosting.num_leaves, max(FEWEST_LEAVES, chosen // CHOSEN_PER_LEAF)),
        "learning_rate": boosting.learning_rate,
        "feature_fraction": boosting.feature_fraction,
        "min_data_in_leaf": min(boosting.min_data_in_leaf, max(5, chosen // 10)),
        "lambda_l2": boosting.lambda_l2,
        "seed": boosting.seed,
        "num_threads": boosting.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    return options | ({"lambdarank_truncation_level": 20} if objective == "lambdarank" else {})


def calibrate(forest: Forest, examples: Examples) -> Calibration:
    """From log odds to the probability observed in `examples`, which the forest has not seen.

    Raises:
        TrainingError: there are none.
    """
    if not len(examples.labels):
        raise TrainingError(
            "no sale was open at the newest moments, which are to calibrate; publish its newer sales as well"
        )
    raw = forest.raw_scores(np.ascontiguousarray(examples.rows))
    weights = examples.weights.astype(np.float64)
    chosen = examples.chosen()
    fit = fit_isotonic if chosen.sum() >= FEWEST_FOR_ISOTONIC else fit_sigmoid
    return fit(raw, chosen, weights)


def train_ranker(
    examples: Examples,
    features: tuple[str, ...],
    boosting: Boosting,
    objective: str = "binary",
    progress: Progress = lambda _: None,
) -> tuple[MetaModel, Fitted]:
    """A calibrated ranker on these features; the newest moments calibrate, those before them train.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    split = newest(examples, boosting)
    fitted = grow(examples.moments(0, split).only(features), boosting, objective, progress)
    forest = Forest.parse(fitted.text)
    calibration = calibrate(forest, examples.moments(split).only(features))
    return MetaModel(f"trained-{objective}", forest, calibration), fitted


Name = TypeVar("Name", bound=str)


def train_rankers(
    examples: Examples,
    read: Mapping[Name, tuple[str, ...]],
    boosting: Boosting,
    progress: Progress = lambda _: None,
) -> dict[Name, tuple[MetaModel, Fitted]]:
    """A ranker for each name on the features that it reads, in turn.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    return {
        name: train_ranker(examples, features, boosting, progress=told)
        for (name, features), told in zip(read.items(), in_turn(progress, len(read)), strict=True)
    }


def newest(examples: Examples, boosting: Boosting) -> int:
    """The first of the moments that are kept apart to calibrate."""
    return round(len(examples.groups) * (1 - boosting.held_out))


def of_kinds(features: Iterable[str], kinds: Sequence[str]) -> tuple[str, ...]:
    """Those of `features` that are of one of these kinds of evidence (`reco.reasons.kind_of`)."""
    return tuple(name for name in features if kind_of(name) in kinds)
