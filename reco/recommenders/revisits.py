"""Revisits: what the visitor's own touches say about a sale; everything it needs is in the session."""

import math

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Query
from reco.kernels import FLOAT32_ROWS, INT32_ROWS, INT32S, INT64, INT64S, NOTHING, compiled
from reco.parameters import HOUR
from reco.recommenders.protocol import CART, CLICK, PURCHASE, Actions

KIND_WEIGHTS = np.array([1.0, 12.0])
"""What a click and a cart speak for a sale; put in the basket outweighs a dozen looks."""


class Revisits:
    """The visitor's own touches of each sale.

    - `decayed`: their decayed count; touches weigh less the longer they were before the visitor's newest
      one. 0 for a sale that was bought, for the wish is fulfilled; that it is kept out of lists is a rule
      (`reco.rules`).
    - `clicks`, `carts`, `purchases`: how many there were, as far as is remembered.
    - `this_visit`: how many of them in the newest visit.
    - `hours_ago`: hours from the newest of them to the moment of asking; NaN if there was none.
    - `sales_ago`: how many other sales were touched since; 0 for the newest, NaN if there was none.
    """

    name = "revisits"
    features = ("decayed", "clicks", "carts", "purchases", "this_visit", "hours_ago", "sales_ago")
    compared = frozenset(("decayed",))

    def __init__(self, half_life: int) -> None:
        self._half_life = half_life

    def learn(self, actions: Actions) -> None:
        """Nothing is learned from others."""

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """What the touches of the visitor say about each candidate."""
        rows[:5] = 0
        rows[5:] = math.nan
        touches = query.touches
        _score(
            touches.positions,
            touches.slots,
            touches.ts,
            touches.counts,
            query.visit_length,
            self._half_life,
            query.at,
            rows,
        )

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Nothing was learned."""


@compiled(NOTHING(INT32S, INT32S, INT64S, INT32_ROWS, INT64, INT64, INT64, FLOAT32_ROWS))
def _score(
    positions: NDArray[np.int32],
    slots: NDArray[np.int32],
    ts: NDArray[np.int64],
    counts: NDArray[np.int32],
    visit_length: int,
    half_life: int,
    at: int,
    rows: NDArray[np.float32],
) -> None:
    if len(ts) == 0:
        return
    newest, sales = ts.max(), 0
    for touch in range(len(ts)):
        position = positions[touch]
        if position < 0:
            # A sale that knowledge has no slot for cannot be told from another such.
            sales += slots[touch] < 0 or not (slots[:touch] == slots[touch]).any()
            continue
        worth = counts[touch, CLICK] * KIND_WEIGHTS[CLICK] + counts[touch, CART] * KIND_WEIGHTS[CART]
        rows[0, position] += worth * decay.left(newest - ts[touch], half_life)
        for kind in (CLICK, CART, PURCHASE):
            rows[1 + kind, position] += counts[touch, kind]
        if touch < visit_length:
            rows[4, position] += 1
        if math.isnan(rows[5, position]):
            rows[5, position] = max(at - ts[touch], 0) / HOUR
            rows[6, position] = sales
            sales += 1
    for touch in range(len(ts)):
        if positions[touch] >= 0 and counts[touch, PURCHASE] > 0:
            rows[0, positions[touch]] = 0.0
