"""Decayed counts of pairs of sales: for each sale the others that it leads to, the strongest of them."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.decay import DECAYED_COUNTS, DecayedCounts
from reco.kernels import (
    BOOLS,
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64,
    INT32_ROWS,
    INT32S,
    INT64,
    INT64S,
    NOTHING,
    UINT64,
    columns,
    compiled,
)

SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2 ** 64 divided by the golden ratio, odd: products with it spread over all bits (Knuth, TAOCP 3, 6.4)."""
LEAST_HOP = 1 / 64
"""A sale that led to another less often is not followed on from there: it adds little, and costs as much."""


class Pairs(NamedTuple):
    """Decayed counts of pairs, one row per sale; and of how often the sale was there to lead anywhere.

    Attributes:
        neighbours: int32[capacity, n_neighbours], 1 + slot of the sales that each leads to, 0 where none is.
        weights: float32[capacity, n_neighbours], their counts in units of 2 ** row_exponents.
        row_exponents: int64[capacity].
        sources: how often each sale was a source.
    """

    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]
    row_exponents: NDArray[np.int64]
    sources: DecayedCounts


PAIRS: Final = columns(Pairs, INT32_ROWS, FLOAT32_ROWS, INT64S, DECAYED_COUNTS)


def no_pairs(capacity: int, n_neighbours: int) -> Pairs:
    """No pairs yet, with room for so many of each sale; memory is used up as sales appear."""
    return Pairs(
        neighbours=np.zeros((capacity, n_neighbours), np.int32),
        weights=np.zeros((capacity, n_neighbours), np.float32),
        row_exponents=np.zeros(capacity, np.int64),
        sources=decay.no_counts(capacity),
    )


def forget(pairs: Pairs, dropped: NDArray[np.bool_]) -> None:
    """Empty the rows of the dropped sales, and take them out of all others."""
    decay.forget(pairs.sources, dropped)
    pairs.row_exponents[dropped] = 0
    pairs.weights[dropped] = 0
    pairs.neighbours[dropped] = 0
    _forget(pairs, dropped)


@compiled(FLOAT64(UINT64))
def lot(seed: int) -> float:
    """A number from 0 to 1, 1 excluded, that looks like one drawn by lot and is the same on every machine."""
    mixed = np.uint64(seed) * SPREAD
    mixed = (mixed ^ (mixed >> np.uint64(32))) * SPREAD
    return np.float64((mixed ^ (mixed >> np.uint64(32))) >> np.uint64(11)) / 2.0**53


@compiled(NOTHING(INT32S, FLOAT32S, INT64, FLOAT64))
def _strengthen(neighbours: NDArray[np.int32], weights: NDArray[np.float32], other: int, gain: float) -> None:
    """Add `gain` to `other` in a row.

    In a full row the weakest grows by what a new one gains, and gives its place to it with the probability of
    the gain's share. So counts are right on average, and a sale that has just opened is not shut out of the
    row of a busy one (unbiased Space-Saving: Ting, Data Sketches for Disaggregated Subset Sum and Frequent
    Item Estimation, SIGMOD 2018). The lot is drawn from the bits of the weight: the same log, the same row.
    """
    weakest = 0
    for place in range(len(weights)):
        if neighbours[place] == other + 1:
            weights[place] += gain
            return
        if weights[place] < weights[weakest]:
            weakest = place
        if neighbours[place] == 0:
            weakest = place
            break
    weights[weakest] += gain
    if neighbours[weakest] == 0 or lot(weights.view(np.uint32)[weakest]) * weights[weakest] < gain:
        neighbours[weakest] = other + 1


@compiled(NOTHING(PAIRS, INT64, INT64, INT64, FLOAT64))
def link(pairs: Pairs, slot: int, other: int, exponent: int, gain: float) -> None:
    """Add `gain * 2 ** exponent` to the pair from `slot` to `other`."""
    newer = exponent - pairs.row_exponents[slot]
    if newer > 0:
        fading = decay.halved(1.0, newer)
        for place in range(pairs.weights.shape[1]):
            pairs.weights[slot, place] *= fading
        pairs.row_exponents[slot] = exponent
    late = decay.halved(gain, max(-newer, 0))
    _strengthen(pairs.neighbours[slot], pairs.weights[slot], other, late)


@compiled(NOTHING(PAIRS, INT64, INT32S, FLOAT64, FLOAT32S))
def follow(
    pairs: Pairs, source: int, positions: NDArray[np.int32], importance: float, scores: NDArray[np.float32]
) -> None:
    """Add `importance` times the share of `source` that led to each candidate; no share exceeds 1."""
    row_exponent = pairs.row_exponents[source]
    exponent = max(row_exponent, pairs.sources.exponents[source])
    own = decay.worth(pairs.sources, source, exponent)
    if own <= 0:
        return
    fading = decay.halved(1.0, exponent - row_exponent)
    for place in range(pairs.weights.shape[1]):
        other = pairs.neighbours[source, place] - 1
        if other < 0:
            break
        position = positions[other]
        if position >= 0:
            seen = min(pairs.weights[source, place] * fading, own)
            scores[position] += importance * seen / own


@compiled(NOTHING(PAIRS, INT64, INT32S, FLOAT32S))
def follow_twice(
    pairs: Pairs, source: int, positions: NDArray[np.int32], scores: NDArray[np.float32]
) -> None:
    """Add the share of `source` that led to another sale, times the share of that which led to a candidate.

    Summed over all sales between the two. The way back counts too: who came once may come again.
    """
    row_exponent = pairs.row_exponents[source]
    exponent = max(row_exponent, pairs.sources.exponents[source])
    own = decay.worth(pairs.sources, source, exponent)
    fading = decay.halved(1.0, exponent - row_exponent)
    for place in range(pairs.weights.shape[1] if own > 0 else 0):
        between = pairs.neighbours[source, place] - 1
        seen = min(pairs.weights[source, place] * fading, own)
        if between >= 0 and seen >= LEAST_HOP * own:
            follow(pairs, between, positions, seen / own, scores)


@compiled(NOTHING(PAIRS, BOOLS))
def _forget(pairs: Pairs, dropped: NDArray[np.bool_]) -> None:
    """Take the dropped sales out of all rows, and let the others move up: a row is searched up to its end."""
    for row in range(pairs.neighbours.shape[0]):
        kept = 0
        for place in range(pairs.neighbours.shape[1]):
            other = pairs.neighbours[row, place] - 1
            if other < 0:
                break
            weight = pairs.weights[row, place]
            pairs.neighbours[row, place] = 0
            pairs.weights[row, place] = 0.0
            if not dropped[other]:
                pairs.neighbours[row, kept] = other + 1
                pairs.weights[row, kept] = weight
                kept += 1
