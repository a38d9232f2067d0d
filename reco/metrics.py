"""How good rankings and probabilities are: rank of the target, hit rate, NDCG, reciprocal rank, calibration.

A question has one right answer, its target; a ranking is judged by the rank of the target alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MISS = 0
"""The rank of a target that is not among the candidates."""
BINS = 10
"""Bins of a reliability table, as in Naeini et al. 2015."""
SURE = 1e-15
"""Log loss takes a probability for at least this, and at most 1 less this: one mistake is not infinite."""


def target_rank(scores: NDArray[np.floating], target: int) -> int:
    """The pessimistic rank of the candidate at position `target` of `scores`, float[n_sales].

    1, and 1 more for each other candidate that scores higher or the same: a scorer that cannot tell
    candidates apart earns nothing by it. NaN counts as lower than every number. A negative `target` is not
    among the candidates: `MISS`.

    >>> target_rank(np.array([0.5, 0.9, 0.5, np.nan]), 0)
    3
    """
    if target < 0:
        return MISS
    if np.isnan(scores[target]):
        return len(scores)
    return int(np.count_nonzero(scores >= scores[target]))


def hit_rate(ranks: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """1 per question whose target is among the first `k`, else 0: float64, the shape of `ranks`.

    >>> hit_rate(np.array([1, 20, 21, MISS]), 20).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    hit: NDArray[np.bool_] = (ranks != MISS) & (ranks <= k)
    return hit.astype(np.float64)


def ndcg(ranks: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """1 / log2(1 + rank) per question, 0 beyond `k`: float64, the shape of `ranks`.

    With one relevant item the ideal gain is 1 (Järvelin and Kekäläinen 2002).

    >>> ndcg(np.array([1, 3, 4, MISS]), 3).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    gain: NDArray[np.float64] = hit_rate(ranks, k) / np.log2(1.0 + np.maximum(ranks, 1))
    return gain


def reciprocal_rank(ranks: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """1 / rank per question, 0 beyond `k`: float64, the shape of `ranks`; its mean is MRR@k.

    >>> reciprocal_rank(np.array([1, 4, 5, MISS]), 4).tolist()
    [1.0, 0.25, 0.0, 0.0]
    """
    gain: NDArray[np.float64] = hit_rate(ranks, k) / np.maximum(ranks, 1)
    return gain


class Reliability(NamedTuple):
    """What was predicted and what came true, in bins of rising probability: columns, float64[n_bins].

    Attributes:
        predicted: mean probability of the bin.
        observed: share of the bin that came true.
        share: share of all weight that is in the bin; they sum to 1.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    share: NDArray[np.float64]


def reliability(
    probabilities: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    bins: int = BINS,
) -> Reliability:
    """What was predicted, probabilities[n], against what came true, labels[n] (0 or 1), in bins.

    Bins of equal weight: nearly all purchase probabilities are small, so that of bins of equal
    width the first would hold nearly everything. Equal probabilities stay in one bin, so the order of the
    examples does not matter; then bins are not quite equal, and there can be fewer than `bins`.

    Raises:
        ValueError: there is nothing to judge: no example, or no weight.
    """
    given = np.asarray(probabilities, np.float64)
    weight = np.ones(len(given)) if weights is None else np.asarray(weights, np.float64)
    if not weight.sum() > 0:
        raise ValueError("no probabilities to judge: there is no example that has weight")
    values, group = np.unique(given, return_inverse=True)
    mass = np.bincount(group, weight)
    middle = np.cumsum(mass) - mass / 2
    place = np.minimum((bins * middle / mass.sum()).astype(np.int64), bins - 1)
    in_bin = np.bincount(place, mass, bins)
    predicted = np.bincount(place, mass * values, bins)
    observed = np.bincount(place[group], weight * np.asarray(labels, np.float64), bins)
    held = in_bin > 0
    return Reliability(
        predicted[held] / in_bin[held], observed[held] / in_bin[held], in_bin[held] / in_bin.sum()
    )


def expected_calibration_error(
    probabilities: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    bins: int = BINS,
) -> float:
    """The mean distance between predicted and observed rates over the bins of `reliability`, by weight.

    The expected calibration error of Naeini et al. 2015 (AAAI), which sorts the predictions and partitions
    them; Guo et al. 2017 (ICML) made it known with bins of equal width. 0 is perfect, on average per bin.

    >>> expected_calibration_error([0.2] * 5 + [0.6] * 5, [1, 0, 0, 0, 0] + [1] * 5)
    0.2
    """
    table = reliability(probabilities, labels, weights, bins)
    return float(np.sum(table.share * np.abs(table.observed - table.predicted)))


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The mean negative log likelihood of labels[n] (0 or 1) under probabilities[n], n > 0, in nats."""
    given = np.clip(np.asarray(probabilities, np.float64), SURE, 1 - SURE)
    came_true = np.asarray(labels, np.float64)
    losses = -(came_true * np.log(given) + (1 - came_true) * np.log1p(-given))
    return float(np.mean(losses))
