"""Revisits: the sales that the visitor came back to or put into the basket, and has not bought."""

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Candidates, Touches
from reco.kernels import FLOAT32S, INT32_ROWS, INT32S, INT64, INT64S, NOTHING, compiled
from reco.recommenders.protocol import CART, CLICK, PURCHASE, Actions

HALF_LIFE = 6 * 60 * 60 * 1000
"""Half-life of a visitor's own touch, ms (6 hours); on the log of a shop, 1 to 6 hours ranked best."""
KIND_WEIGHTS = np.array([1.0, 12.0])
"""What a click and a cart speak for a sale; put in the basket outweighs a dozen looks."""


class Revisits:
    """The decayed count of the visitor's own touches, one per sale; everything it needs is in the session.

    Touches weigh less the longer they were before the visitor's newest one. A sale that was bought scores 0,
    for the wish is fulfilled; that it is kept out of lists is a rule (`reco.rules`).
    """

    name = "revisits"

    def __init__(self, half_life: int = HALF_LIFE) -> None:
        self._half_life = half_life

    def learn(self, actions: Actions) -> None:
        """Nothing is learned from others."""

    def score(self, candidates: Candidates, touches: Touches) -> NDArray[np.float32]:
        """float32[n_sales]: the decayed count of each candidate; a click of now counts 1."""
        scores = np.zeros(len(candidates.slots), np.float32)
        _score(touches.positions, touches.ts, touches.counts, self._half_life, scores)
        return scores

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Nothing was learned."""


@compiled(NOTHING(INT32S, INT64S, INT32_ROWS, INT64, FLOAT32S))
def _score(
    positions: NDArray[np.int32],
    ts: NDArray[np.int64],
    counts: NDArray[np.int32],
    half_life: int,
    scores: NDArray[np.float32],
) -> None:
    if len(ts) == 0:
        return
    now = ts.max()
    for touch in range(len(ts)):
        if positions[touch] >= 0:
            worth = counts[touch, CLICK] * KIND_WEIGHTS[CLICK] + counts[touch, CART] * KIND_WEIGHTS[CART]
            scores[positions[touch]] += worth * decay.left(now - ts[touch], half_life)
    for touch in range(len(ts)):
        if positions[touch] >= 0 and counts[touch, PURCHASE] > 0:
            scores[positions[touch]] = 0.0
