"""Decayed popularity: how much each sale was clicked and bought lately, newer actions counting more."""

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Candidates, Touches
from reco.decay import DECAYED_COUNTS, DecayedCounts
from reco.kernels import FLOAT32S, INT32S, INT64, NOTHING, compiled
from reco.recommenders.protocol import ACTIONS, Actions
from reco.sale_index import MAX_SALES

HALF_LIFE = 6 * 60 * 60 * 1000
"""Half-life of a count, ms (6 hours): flash sales live for days, and are hottest just after opening."""
KIND_WEIGHTS = np.array([1.0, 3.0, 6.0])
"""What a click, a cart and a purchase count."""


class Popularity:
    """Exponentially decayed counts, one per sale.

    A count halves every `half_life` ms of event time, so that a flash sale that was hot yesterday does not
    outrank one that is hot now. All counts decay alike, so a share of them does not depend on the moment at
    which it is asked for: a log of years ago gives the same shares as if it were read in its own time.
    """

    name = "popularity"

    def __init__(self, capacity: int = MAX_SALES, half_life: int = HALF_LIFE) -> None:
        self._half_life = half_life
        self._counts = decay.no_counts(capacity)

    def learn(self, actions: Actions) -> None:
        """Count the actions; a late one counts what it would count had it come in time."""
        _learn(self._counts, actions, self._half_life)

    def score(self, candidates: Candidates, _touches: Touches) -> NDArray[np.float32]:
        """float32[n_sales]: each candidate's share of the counts of all; they sum to 1, or all are 0."""
        shares = np.zeros(len(candidates.slots), np.float32)
        _share(self._counts, candidates.slots, shares)
        return shares

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Count from 0 again where `dropped`."""
        decay.forget(self._counts, dropped)


@compiled(NOTHING(DECAYED_COUNTS, ACTIONS, INT64))
def _learn(counts: DecayedCounts, actions: Actions, half_life: int) -> None:
    for action in range(len(actions.slots)):
        exponent, factor = decay.weight(actions.ts[action], half_life)
        decay.add(counts, actions.slots[action], exponent, factor * KIND_WEIGHTS[actions.kinds[action]])


@compiled(NOTHING(DECAYED_COUNTS, INT32S, FLOAT32S))
def _share(counts: DecayedCounts, slots: NDArray[np.int32], shares: NDArray[np.float32]) -> None:
    newest = -1
    for slot in slots:
        if slot >= 0 and counts.counts[slot] > 0:
            newest = max(newest, counts.exponents[slot])
    total = 0.0
    for slot in slots:
        if slot >= 0:
            total += decay.worth(counts, slot, newest)
    for position in range(len(slots)):
        if slots[position] >= 0 and total > 0:
            shares[position] = decay.worth(counts, slots[position], newest) / total
