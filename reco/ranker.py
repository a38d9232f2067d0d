"""What a ranker is: it turns the evidence about each candidate into one score."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Ranker(Protocol):
    """One release of a ranker. Pure: the same features give the same scores, bit for bit."""

    @property
    def release(self) -> str:
        """Names the release in every list."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features it reads, in the order of its rows; see `reco.features.FEATURES`."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales] from float32[n_features, n_sales]; higher is better."""

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """float64[n_sales, n_features + 1] from float32[n_features, n_sales]: what made each score.

        What each feature adds to the log odds of the score, and the base rate in the last column; together
        they are the log odds. None if the score is no probability, and so has none.
        """
