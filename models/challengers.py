"""Challengers of the rankers: other models on the same evidence, reported beside them and never served."""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.calibration import expit
from models.progress import Progress
from models.training import Boosting, newest, train_ranker
from models.training_set import Examples

LOGISTIC_MOMENTS: Final = 4_000
"""Moments that the logistic regression gets, the newest; it learns no more from more."""


class Ranking(Protocol):
    """What ranks candidates: a ranker, or a challenger of it."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features it reads."""

    def score(self, rows: NDArray[np.float32], /) -> NDArray[np.float32]:
        """float32[n_sales] from float32[n_features, n_sales]."""


class LogisticRegression:
    """Logistic regression on the same features: a simpler meta-model, and a baseline.

    Features are standardised; what is unknown counts as average.
    """

    def __init__(self, examples: Examples) -> None:
        from sklearn.linear_model import LogisticRegression as Fit

        rows, self.features = examples.rows, examples.features
        count = np.maximum((~np.isnan(rows)).sum(axis=1, keepdims=True), 1)
        mean = np.nansum(rows, axis=1, keepdims=True, dtype=np.float64) / count
        self._mean = mean.astype(np.float32)
        squares = np.nansum((rows - self._mean) ** 2, axis=1, keepdims=True, dtype=np.float64)
        self._scale = np.maximum(np.sqrt(squares / count), 1e-9).astype(np.float32)
        fitted = Fit(C=1.0, max_iter=300).fit(
            self._standard(rows).T, examples.labels > 0, examples.relative_weights()
        )
        self._weights: NDArray[np.float64] = fitted.coef_[0].astype(np.float64)
        self._bias = float(fitted.intercept_[0])

    def _standard(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """In the precision of the rows: they are large, and few bits matter."""
        standard: NDArray[np.float32] = (rows - self._mean) / self._scale
        np.nan_to_num(standard, copy=False, nan=0.0)
        np.clip(standard, -10, 10, out=standard)
        return standard

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales], probabilities among the drawn examples."""
        return expit(self._weights @ self._standard(rows) + self._bias).astype(np.float32)


def challengers(
    examples: Examples, boosting: Boosting, progress: Progress = lambda _: None
) -> Mapping[str, Ranking]:
    """Lambdarank and logistic regression (the reference system's own), trained on the moments of a ranker.

    The logistic regression is left out if its few moments have nothing to tell apart.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    found: dict[str, Ranking] = {}
    found["lambdarank"] = train_ranker(examples, examples.features, boosting, "lambdarank", progress)[0]
    split = newest(examples, boosting)
    few = examples.moments(max(0, split - LOGISTIC_MOMENTS), split)
    if 0 < (few.labels > 0).sum() < len(few.labels):
        found["logistic regression"] = LogisticRegression(few)
    return found
