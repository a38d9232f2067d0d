"""Training of rankers: LightGBM on the evidence of the recommenders, calibrated on the newest moments."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from models.calibration import Calibration, expit, fit_isotonic, fit_sigmoid
from models.forest import Forest
from models.meta_model import MetaModel
from models.training_set import Examples
from reco.errors import TrainingError

CONTENT: Final = ("similarity", "attributes", "moment")
"""Families of the ranker that looks at images, descriptions and attributes only."""
VISITS: Final = ("popularity", "covisitation", "session_knn", "segments", "revisits", "moment")
"""Families of the ranker that looks at what visitors did only."""
FEWEST_POSITIVES = 50
"""Fewer chosen sales than this teach nothing."""
FEWEST_FOR_ISOTONIC = 1000
"""Fewer chosen sales than this in the newest moments are calibrated by a sigmoid, which needs less."""


class Boosting(Struct, frozen=True):
    """How LightGBM grows a forest; the names are its own.

    Attributes:
        held_out: share of the moments, the newest, that only calibrate.
    """

    trees: Annotated[int, Meta(ge=1)] = 150
    num_leaves: Annotated[int, Meta(ge=2)] = 31
    learning_rate: Annotated[float, Meta(gt=0)] = 0.07
    feature_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.4
    min_data_in_leaf: Annotated[int, Meta(ge=1)] = 200
    lambda_l2: Annotated[float, Meta(ge=0)] = 5.0
    held_out: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    seed: Annotated[int, Meta(ge=0)] = 1
    threads: Annotated[int, Meta(ge=0)] = 0


class Fitted(Struct, frozen=True):
    """A trained forest as LightGBM's text, and the share of the gain of each feature, the largest first."""

    text: str
    features: tuple[str, ...]
    importance: tuple[tuple[str, float], ...]


def grow(examples: Examples, boosting: Boosting, objective: str = "binary") -> Fitted:
    """A forest for one of LightGBM's objectives: `binary`, or `lambdarank` with the moments as queries.

    Graded labels make of `binary` a `cross_entropy`, which is the same but for labels between 0 and 1.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    import lightgbm

    chosen = int((examples.labels > 0).sum())
    if chosen < FEWEST_POSITIVES:
        remedy = "take a longer history, or another target"
        if not chosen:
            remedy = (
                "are the sale ids of events and sales the same ones, and were the sales open at the time?"
            )
        raise TrainingError(
            f"only {chosen} of the moments led to a candidate, "
            f"at least {FEWEST_POSITIVES} are needed; {remedy}"
        )
    data = lightgbm.Dataset(
        examples.rows.T,
        examples.labels,
        group=examples.groups if objective == "lambdarank" else None,
        feature_name=list(examples.features),
    )
    booster = lightgbm.train(_options(examples, boosting, objective), data, boosting.trees)
    gains = booster.feature_importance("gain")
    total = max(float(gains.sum()), 1e-12)
    order = np.argsort(-gains, kind="stable")
    importance = tuple((examples.features[one], float(gains[one]) / total) for one in order.tolist())
    return Fitted(booster.model_to_string(), examples.features, importance)


def _options(examples: Examples, boosting: Boosting, objective: str) -> dict[str, Any]:
    leaf = min(boosting.min_data_in_leaf, max(5, int((examples.labels > 0).sum()) // 10))
    if objective == "binary" and ((examples.labels > 0) & ~examples.chosen()).any():
        objective = "cross_entropy"
    options = {
        "objective": objective,
        "num_leaves": boosting.num_leaves,
        "learning_rate": boosting.learning_rate,
        "feature_fraction": boosting.feature_fraction,
        "min_data_in_leaf": leaf,
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
    examples: Examples, features: tuple[str, ...], boosting: Boosting, objective: str = "binary"
) -> tuple[MetaModel, Fitted]:
    """A calibrated ranker on these features; the newest moments calibrate, those before them train.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    split = newest(examples, boosting)
    fitted = grow(examples.moments(0, split).only(features), boosting, objective)
    forest = Forest.parse(fitted.text)
    calibration = calibrate(forest, examples.moments(split).only(features))
    return MetaModel(f"trained-{objective}", forest, calibration), fitted


def newest(examples: Examples, boosting: Boosting) -> int:
    """The first of the moments that are kept apart to calibrate."""
    return round(len(examples.groups) * (1 - boosting.held_out))


class LogisticRegression:
    """Logistic regression on the same features: a simpler meta-model, and a baseline.

    Features are standardised; what is unknown counts as average.
    """

    def __init__(self, examples: Examples) -> None:
        from sklearn.linear_model import LogisticRegression as Fit

        rows = examples.rows.astype(np.float64)
        self.features = examples.features
        known = ~np.isnan(rows)
        count = np.maximum(known.sum(axis=1), 1)
        self._mean = np.where(known, rows, 0).sum(axis=1) / count
        squares = np.where(known, (rows - self._mean[:, None]) ** 2, 0).sum(axis=1)
        self._scale = np.maximum(np.sqrt(squares / count), 1e-9)
        fitted = Fit(C=1.0, max_iter=300).fit(self._standard(examples.rows).T, examples.labels > 0)
        self._weights: NDArray[np.float64] = fitted.coef_[0]
        self._bias = float(fitted.intercept_[0])

    def _standard(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        standard = (rows - self._mean[:, None]) / self._scale[:, None]
        clipped: NDArray[np.float64] = np.clip(np.nan_to_num(standard, nan=0.0), -10, 10)
        return clipped

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales], probabilities among the drawn examples."""
        return expit(self._weights @ self._standard(rows) + self._bias).astype(np.float32)


def of_families(features: Iterable[str], families: Sequence[str]) -> tuple[str, ...]:
    """Those of `features` that belong to one of `families`."""
    return tuple(name for name in features if name.partition(".")[0] in families)
