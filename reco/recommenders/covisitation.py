"""Co-visitation: sales that others looked at in one visit with those that this visitor has just touched."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Candidates, Touches
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
    columns,
    compiled,
)
from reco.recommenders.protocol import ACTIONS, CLICK, Actions
from reco.sale_index import MAX_SALES

HALF_LIFE = 12 * 60 * 60 * 1000
"""Half-life of a pair, ms (12 hours)."""
NEIGHBOURS = 64
"""Neighbours kept per sale; the weakest gives way to a new one."""
KIND_WEIGHTS = np.array([1.0, 2.0, 4.0])
"""What a click, a cart and a purchase add to the pairs with the sales looked at before."""
NEARNESS = 0.6
"""What a pair weighs relative to one with one sale fewer between the two."""
BACKWARD = 0.5
"""Weight of the pair (later, earlier) relative to (earlier, later): order says something, but not all."""
SOURCES = 10
"""Distinct sales of the visitor, the newest, whose neighbours are looked up."""
RECENCY = 0.6
"""What each of them weighs relative to the one touched after it."""


class Pairs(NamedTuple):
    """Decayed counts of pairs and of actions, one row per slot.

    Attributes:
        neighbours: int32[capacity, NEIGHBOURS], slots of the sales seen with each, -1 where there is none.
        weights: float32[capacity, NEIGHBOURS], their counts in units of 2 ** row_exponents.
        row_exponents: int64[capacity].
        actions: counts of actions on the sale itself.
    """

    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]
    row_exponents: NDArray[np.int64]
    actions: DecayedCounts


PAIRS: Final = columns(Pairs, INT32_ROWS, FLOAT32_ROWS, INT64S, DECAYED_COUNTS)


class CoVisitation:
    """Decayed counts of pairs of sales within visits, the strongest `NEIGHBOURS` of each sale.

    The score of a candidate j sums over the visitor's newest distinct sales i, the newest first,

        RECENCY^rank(i) · n(i → j) / n(i) · (n(i) / n(j))^(1/4)

    where n(i → j) counts pairs and n(i) actions, all decayed alike, and no pair counts more than either of
    its sales. The second factor is the probability of j given i; the third keeps a hub, which is seen
    together with everything, from dominating: the similarity by conditional probability of Deshpande and
    Karypis (Item-Based Top-N Recommendation Algorithms, TOIS 2004). Its exponent lies between the bare
    probability, 0, and the cosine of Sarwar et al. (WWW 2001), 1/2; on a news portal's log a quarter
    ranked the next click better than both.

    A second click on a sale that is among the last ones of the visit adds nothing, so reloading a page
    does not make pairs. A new neighbour takes the place of the weakest unless it is weaker still.
    """

    name = "covisitation"

    def __init__(self, capacity: int = MAX_SALES, half_life: int = HALF_LIFE) -> None:
        self._half_life = half_life
        self._pairs = Pairs(
            neighbours=np.full((capacity, NEIGHBOURS), -1, np.int32),
            weights=np.zeros((capacity, NEIGHBOURS), np.float32),
            row_exponents=np.zeros(capacity, np.int64),
            actions=decay.no_counts(capacity),
        )

    def learn(self, actions: Actions) -> None:
        """Count the pairs of each action with the other sales of its visit; late ones by their own time."""
        _learn(self._pairs, actions, self._half_life)

    def score(self, candidates: Candidates, touches: Touches) -> NDArray[np.float32]:
        """float32[n_sales]: how much the visitor's newest sales lead to each candidate."""
        scores = np.zeros(len(candidates.slots), np.float32)
        _score(self._pairs, touches.slots, candidates.positions, scores)
        return scores

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Empty the rows of the dropped sales, and take them out of all others."""
        decay.forget(self._pairs.actions, dropped)
        self._pairs.row_exponents[dropped] = 0
        self._pairs.weights[dropped] = 0
        self._pairs.neighbours[dropped] = -1
        _forget(self._pairs, dropped)


@compiled(NOTHING(INT32S, FLOAT32S, INT64, FLOAT64))
def _strengthen(neighbours: NDArray[np.int32], weights: NDArray[np.float32], other: int, gain: float) -> None:
    """Add `gain` to `other` in a row; a new one takes the place of the weakest, unless that is stronger."""
    weakest = 0
    for place in range(len(weights)):
        if neighbours[place] == other:
            weights[place] += gain
            return
        if weights[place] < weights[weakest]:
            weakest = place
    if gain >= weights[weakest]:
        neighbours[weakest] = other
        weights[weakest] = gain


@compiled(NOTHING(PAIRS, INT64, INT64, INT64, FLOAT64))
def _link(pairs: Pairs, slot: int, other: int, exponent: int, gain: float) -> None:
    """Add `gain * 2 ** exponent` to the pair from `slot` to `other`."""
    newer = exponent - pairs.row_exponents[slot]
    if newer > 0:
        fading = decay.halved(1.0, newer)
        for place in range(NEIGHBOURS):
            pairs.weights[slot, place] *= fading
        pairs.row_exponents[slot] = exponent
    late = decay.halved(gain, max(-newer, 0))
    _strengthen(pairs.neighbours[slot], pairs.weights[slot], other, late)


@compiled(NOTHING(PAIRS, ACTIONS, INT64))
def _learn(pairs: Pairs, actions: Actions, half_life: int) -> None:
    for action in range(len(actions.slots)):
        kind, slot = actions.kinds[action], actions.slots[action]
        if actions.repeated[action] and kind == CLICK:
            continue
        exponent, factor = decay.weight(actions.ts[action], half_life)
        gain = factor * KIND_WEIGHTS[kind]
        decay.add(pairs.actions, slot, exponent, gain)
        for other in actions.companions[action]:
            if other < 0:
                break
            _link(pairs, other, slot, exponent, gain)
            _link(pairs, slot, other, exponent, gain * BACKWARD)
            gain *= NEARNESS


@compiled(NOTHING(PAIRS, INT64, INT32S, FLOAT64, FLOAT32S))
def _follow(
    pairs: Pairs, source: int, positions: NDArray[np.int32], importance: float, scores: NDArray[np.float32]
) -> None:
    """Add what `source` leads to; counts are in units of the newest of its own, so that none overflows."""
    row_exponent = pairs.row_exponents[source]
    exponent = max(row_exponent, pairs.actions.exponents[source])
    own = decay.worth(pairs.actions, source, exponent)
    for place in range(NEIGHBOURS):
        other = pairs.neighbours[source, place]
        seen = min(decay.halved(pairs.weights[source, place], exponent - row_exponent), own)
        if seen > 0 and positions[other] >= 0:
            others = max(decay.worth(pairs.actions, other, exponent), seen)
            scores[positions[other]] += importance * seen / own * math.sqrt(math.sqrt(own / others))


@compiled(NOTHING(PAIRS, INT32S, INT32S, FLOAT32S))
def _score(
    pairs: Pairs, touched: NDArray[np.int32], positions: NDArray[np.int32], scores: NDArray[np.float32]
) -> None:
    sources, importance = 0, 1.0
    for touch in range(len(touched)):
        source = touched[touch]
        if source < 0 or (touched[:touch] == source).any():
            continue
        _follow(pairs, source, positions, importance, scores)
        importance *= RECENCY
        sources += 1
        if sources == SOURCES:
            return


@compiled(NOTHING(PAIRS, BOOLS))
def _forget(pairs: Pairs, dropped: NDArray[np.bool_]) -> None:
    for row in range(pairs.neighbours.shape[0]):
        for place in range(NEIGHBOURS):
            other = pairs.neighbours[row, place]
            if other >= 0 and dropped[other]:
                pairs.neighbours[row, place] = -1
                pairs.weights[row, place] = 0.0
