"""The blend: a fixed weighted sum of the recommenders, the first ranker and a baseline for all later ones."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

WEIGHTS: Final[Mapping[str, float]] = {
    "revisits.decayed": 0.70,
    "covisitation.near_lasting_visit": 0.25,
    "popularity.clicks_today": 0.05,
}
"""What each recommender weighs; they sum to 1."""


class Blend:
    """Each recommender's scores relative to its best candidate, weighted and summed; 0 to 1.

    Relative, because the recommenders count in different units; weighted in the order of how well each
    alone finds the next purchase. A recommender without evidence adds nothing; all three go by clicks or
    the basket, so that in a shop which records purchases alone no sale has a score.
    """

    release = "blend-1"
    features = tuple(WEIGHTS)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales] from float32[n_features, n_sales]."""
        total = np.zeros(features.shape[1], np.float32)
        for column, weight in zip(features, WEIGHTS.values(), strict=True):
            best = column.max(initial=0)
            if best > 0:
                total += np.float32(weight) * (column / best)
        return total

    def contributions(self, features: NDArray[np.float32]) -> None:
        """None: its score is no probability."""
