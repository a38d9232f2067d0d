"""How sure a figure is: bootstrap intervals of means over questions, and Wilson's of a share.

Of the bootstrap, the draws are the same for all scorers, so paired. Questions of one visitor (or session,
or hour) resemble each other, so whole groups of them are drawn, with replacement (the cluster bootstrap:
Field and Welsh 2007; percentile intervals: Efron 1979).
"""

from math import nan, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

RESAMPLES = 1000
"""Bootstrap draws; the ends of a 95 % interval then stand on 25 draws each."""
COVERAGE = 0.95
FEWEST_UNITS = 4
"""Of 3, one draw in 27 is the same one thrice; as fewer lie beyond an end, that would be its figure alone."""
CELLS_AT_ONCE = 4_000_000
"""Counts drawn in one block, 32 MB: large enough for a fast matrix product."""


class Estimate(Struct, frozen=True):
    """A figure with the ends of its 95 % interval; NaN where that is not known."""

    mean: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """The figure and its interval, each number written by `spec`: `0.512 [0.498, 0.530]`."""
        return f"{self.mean:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def proportion(hits: int, cases: int) -> Estimate:
    """The share of `hits` among independent `cases`, at least one, with its score interval.

    The interval is that of Wilson (Probable inference, the law of succession, and statistical inference, JASA
    1927). It stays an interval where all cases are alike, of which every bootstrap draw would be the same.
    """
    share, z = hits / cases, NormalDist().inv_cdf((1 + COVERAGE) / 2)
    middle = (share + z**2 / (2 * cases)) / (1 + z**2 / cases)
    half = z * sqrt(share * (1 - share) / cases + (z / (2 * cases)) ** 2) / (1 + z**2 / cases)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


class Units(NamedTuple):
    """What is drawn: groups of questions, and what each question weighs in its group.

    Attributes:
        numbers: int64[n_questions], the unit of each question, from 0.
        weights: float64[n_questions].
    """

    numbers: NDArray[np.int64]
    weights: NDArray[np.float64]


def by_cluster(clusters: NDArray[np.integer]) -> Units:
    """Whole clusters are drawn; the mean is over questions, each counting alike."""
    _, numbers = np.unique(clusters, return_inverse=True)
    return Units(numbers.astype(np.int64), np.ones(len(numbers)))


def by_window(windows: NDArray[np.integer]) -> Units:
    """Whole windows are drawn; the mean is the mean of the windows' means, each window counting alike."""
    _, numbers, sizes = np.unique(windows, return_inverse=True, return_counts=True)
    return Units(numbers.astype(np.int64), 1.0 / sizes[numbers])


class Resampled(NamedTuple):
    """The means of several columns, and what they are in each draw: the same draw for all columns.

    Attributes:
        means: float64[n_columns].
        draws: float64[n_resamples, n_columns].
    """

    means: NDArray[np.float64]
    draws: NDArray[np.float64]

    def estimate(self, column: int) -> Estimate:
        """The mean of a column."""
        return _estimate(self.means[column], self.draws[:, column])

    def difference(self, column: int, other: int) -> Estimate:
        """How much the mean of `column` is above that of `other`, paired."""
        return _estimate(self.means[column] - self.means[other], self.draws[:, column] - self.draws[:, other])

    def uplift(self, column: int, other: int) -> Estimate:
        """How much the mean of `column` is above that of `other`, in per cent of that, paired.

        Draws in which `other` has nothing are left out; NaN if it has nothing at all.
        """
        if not self.means[other] > 0:
            return Estimate(nan, nan, nan)
        usable = ~(self.draws[:, other] <= 0)
        ratios = self.draws[usable, column] / self.draws[usable, other]
        return _estimate(100 * (self.means[column] / self.means[other] - 1), 100 * (ratios - 1))


def resample(
    values: NDArray[np.float64], units: Units, resamples: int = RESAMPLES, seed: int = 0
) -> Resampled:
    """The weighted means of `values`, float64[n_columns, n_questions], and `resamples` draws of them.

    Where there are fewer than `FEWEST_UNITS` units, draws say too little: they are NaN.

    Raises:
        ValueError: there is no question.
    """
    if not len(units.numbers):
        raise ValueError("a mean over no questions: nothing was asked")
    sums = np.stack([_per_unit(units, column * units.weights) for column in values], axis=1)
    sizes = _per_unit(units, units.weights)
    random = np.random.default_rng(seed)
    block = max(1, CELLS_AT_ONCE // len(sizes))
    draws = [
        _draw(sums, sizes, min(block, resamples - first), random) for first in range(0, resamples, block)
    ]
    return Resampled(sums.sum(axis=0) / sizes.sum(), np.concatenate(draws))


def _per_unit(units: Units, worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[n_units]: the sum over each unit's questions."""
    return np.bincount(units.numbers, worth).astype(np.float64, copy=False)


def _draw(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], times: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """float64[times, n_columns]: the means when as many units as there are, are drawn with replacement."""
    n = len(sizes)
    if n < FEWEST_UNITS:
        return np.full((times, sums.shape[1]), nan)
    drawn = np.stack([np.bincount(random.integers(n, size=n), minlength=n) for _ in range(times)])
    counts = drawn.astype(np.float64)
    means: NDArray[np.float64] = (counts @ sums) / (counts @ sizes)[:, None]
    return means


def _estimate(mean: float, draws: NDArray[np.float64]) -> Estimate:
    beyond = (1 - COVERAGE) / 2
    low, high = np.quantile(draws, [beyond, 1 - beyond])
    return Estimate(float(mean), float(low), float(high))
