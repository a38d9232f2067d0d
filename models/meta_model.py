"""The meta-model: a forest of trees over the scores of the recommenders, calibrated to a probability."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration, expit
from models.forest import Forest


@dataclass(frozen=True, eq=False)
class MetaModel:
    """A ranker of a release.

    Attributes:
        release: names the release and the ranker in every list.
        forest: gives log odds.
        calibration: makes them the probability that is observed.
    """

    release: str
    forest: Forest
    calibration: Calibration

    @property
    def features(self) -> tuple[str, ...]:
        """The features it reads, in the order of its rows."""
        return self.forest.features

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales] purchase probabilities, from float32[n_features, n_sales]."""
        return expit(self.calibration.log_odds(self.forest.raw_scores(rows))).astype(np.float32)

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n_sales, n_features + 1] from float32[n_features, n_sales]: what makes each log odds.

        What calibration adds is in the last column, with the base rate.
        """
        parts = self.forest.contributions(rows)
        raw = parts.sum(axis=1)
        parts[:, -1] += self.calibration.log_odds(raw) - raw
        return parts
