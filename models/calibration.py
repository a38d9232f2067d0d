"""Calibration: from a ranker's raw score, in log odds, to the probability that is observed for such scores.

It never changes an order: the higher raw score keeps the higher probability. Its numbers are in lists, which
must be the same wherever they are computed: exponentials and logarithms are the C library's, since those of
NumPy have other last bits on other processors.
"""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from reco.kernels import FLOAT64S, NOTHING, compiled

Floats: TypeAlias = NDArray[np.float64]
MAX_KNOTS = 100_000
"""Most blocks of a calibration; a fit on a million rows has some hundred."""
LEAST_SLOPE = 1e-3
"""Of Platt scaling: a score that says nothing still keeps its order, which calibration never changes."""
Knots = Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_KNOTS)]


class Sigmoid(Struct, frozen=True, tag_field="kind", tag="sigmoid"):
    """Platt scaling: probability = 1 / (1 + exp(-(slope * raw + intercept))).

    J. Platt, "Probabilistic outputs for support vector machines", 1999, section 2.1.

    Raises:
        ValueError: not finite, or not increasing.
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0):
            raise ValueError("slope and intercept must be finite, and slope above 0")

    def log_odds(self, raw: Floats) -> Floats:
        """float64[n] from float64[n] raw scores."""
        return self.slope * raw + self.intercept


class Isotonic(Struct, frozen=True, tag_field="kind", tag="isotonic"):
    """Isotonic regression, made strictly increasing.

    The regression itself is a staircase, on which all scores of a block would tie. So a block gives its
    probability to its centre alone; between two centres the log odds are interpolated linearly, and beyond
    the outermost ones they go on with slope 1, as those of a model that needs no calibration.

    Attributes:
        x: raw score of the centre of each block, in log odds, increasing.
        y: probability in each block, between 0 and 1, increasing.

    Raises:
        ValueError: not finite, not between 0 and 1, not increasing, or not of one length.
    """

    x: Knots
    y: Knots

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"x has {len(self.x)} entries and y has {len(self.y)}; they must be as many")
        if not (all(map(math.isfinite, self.x)) and all(0 < one < 1 for one in self.y)):
            raise ValueError("x must be finite, and y between 0 and 1")
        if not (_increases(self.x) and _increases(self.y)):
            raise ValueError("x and y must increase from each entry to the next")

    def log_odds(self, raw: Floats) -> Floats:
        """float64[n] from float64[n] raw scores."""
        followed = np.empty(len(raw))
        _follow(*_line(self), np.ascontiguousarray(raw, np.float64), followed)
        return followed


Calibration: TypeAlias = Isotonic | Sigmoid


@lru_cache(maxsize=64)
def _line(calibration: Isotonic) -> tuple[Floats, Floats]:
    """The raw scores of the centres, and their log odds; kept, since every list is calibrated."""
    return np.array(calibration.x), logit(np.array(calibration.y))


@compiled(NOTHING(FLOAT64S, FLOAT64S, FLOAT64S, FLOAT64S))
def _follow(x: Floats, log_odds: Floats, raw: Floats, followed: Floats) -> None:
    """Write the log odds of raw scores along the line through the points (x, log_odds)."""
    for place in range(len(raw)):
        within = min(max(raw[place], x[0]), x[-1])
        after = np.searchsorted(x, within)
        odds = log_odds[after]
        if within < x[after]:
            share = (within - x[after - 1]) / (x[after] - x[after - 1])
            odds = min(odds, log_odds[after - 1] + share * (odds - log_odds[after - 1]))
        followed[place] = odds + (raw[place] - within)


def expit(log_odds: Floats) -> Floats:
    """Probabilities of log odds: float64[n]."""
    probabilities = np.empty(len(log_odds))
    _expit(np.ascontiguousarray(log_odds, np.float64), probabilities)
    return probabilities


@compiled(NOTHING(FLOAT64S, FLOAT64S))
def _expit(log_odds: Floats, probabilities: Floats) -> None:
    for place in range(len(log_odds)):
        rare = math.exp(-abs(log_odds[place]))
        probabilities[place] = (1.0 if log_odds[place] > 0 else rare) / (1.0 + rare)


def logit(probabilities: Floats) -> Floats:
    """Log odds of probabilities: float64[n]."""
    return np.array([math.log(one) - math.log1p(-one) for one in probabilities.tolist()])


def fit_sigmoid(raw: Floats, labels: NDArray[np.bool_], weights: Floats) -> Sigmoid:
    """Platt scaling of float64[n] raw scores to bool[n] labels of these weights, with his smoothed targets.

    Where higher scores are not more often right, all get about the one probability that there is.
    """
    from sklearn.linear_model import LogisticRegression

    positive, negative = float(weights[labels].sum()), float(weights[~labels].sum())
    targets = np.where(labels, (positive + 1) / (positive + 2), 1 / (negative + 2))
    rows = np.concatenate([raw, raw])[:, None]
    sides = np.repeat([1, 0], len(raw))
    fitted = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(
        rows, sides, np.concatenate([weights * targets, weights * (1 - targets)])
    )
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope < LEAST_SLOPE:
        rate = np.array([np.average(targets, weights=weights)])
        slope = LEAST_SLOPE
        intercept = float(logit(rate)[0]) - slope * float(np.average(raw, weights=weights))
    return Sigmoid(slope, intercept)


def fit_isotonic(raw: Floats, labels: NDArray[np.bool_], weights: Floats) -> Isotonic:
    """Isotonic regression of float64[n] raw scores to bool[n] labels, weights above 0.

    A lowest block without any purchase gets half a one, but at most half the probability of the next block;
    a highest block of nothing else likewise.
    """
    from sklearn.isotonic import isotonic_regression

    scores, which = np.unique(raw, return_inverse=True)
    weight = np.bincount(which, weights)
    rates = np.bincount(which, weights * labels) / weight
    levels, block = np.unique(isotonic_regression(rates, sample_weight=weight), return_inverse=True)
    total: Floats = np.bincount(block, weight).astype(np.float64)
    # Rounding can move a mean out of its block, and onto the next one if that is one float64 away.
    lowest, highest = (np.searchsorted(block, np.arange(len(levels)), side) for side in ("left", "right"))
    centres = np.clip(np.bincount(block, weight * scores) / total, scores[lowest], scores[highest - 1])
    return Isotonic(tuple(centres.tolist()), tuple(_inside(levels, total).tolist()))


def _inside(y: Floats, weight: Floats) -> Floats:
    """`y`, increasing, with a first 0 and a last 1 moved between 0 and 1."""
    y = y.copy()
    half = 0.5 / (weight + 1)
    if y[0] <= 0:
        y[0] = min(half[0], y[1] / 2) if len(y) > 1 else half[0]
    if y[-1] >= 1:
        y[-1] = 1 - (min(half[-1], (1 - y[-2]) / 2) if len(y) > 1 else half[-1])
    return y


def _increases(values: tuple[float, ...]) -> bool:
    return all(before < after for before, after in pairwise(values))
