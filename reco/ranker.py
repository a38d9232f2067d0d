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
        """The features it reads, in the order of its columns."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales] from float32[n_sales, n_features]; higher is better."""
