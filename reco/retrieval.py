"""Retrieval: of many live sales, the few hundred that are worth a full score for one visitor."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reco.greatest import kth_greatest
from reco.kernels import BOOLS, FLOAT32_ROWS, INT32S, NOTHING, compiled

MAX_SCORED = 320
"""Up to so many live sales, all are scored."""
LED: Final = {
    "session_knn.stan": 120,
    "session_knn.vsknn": 60,
    "session_knn.bought": 20,
    "covisitation.onward_now_visit": 60,
    "covisitation.near_now_visit": 60,
    "covisitation.onward_lasting_visit": 60,
    "covisitation.near_lasting_visit": 60,
    "covisitation.to_purchase_visit": 20,
    "covisitation.together": 10,
    "covisitation.two_hops": 80,
}
"""How many of its best each recommender sends that starts from what the visitor touched."""
HOT: Final = {
    "popularity.onward_now": 80,
    "popularity.clicks_recent": 60,
    "popularity.clicks_today": 40,
    "popularity.purchases_lasting": 20,
    "segments.first_clicks": 40,
    "segments.second_clicks": 40,
    "segments.third_clicks": 60,
}
"""How many of its best each sends that starts from what everybody touched lately."""
NEAR: Final = {"image": 40, "text": 40}
"""How many come in of each space of content, visited or not: those nearest to what the visitor touched."""


def best_of(rows: NDArray[np.float32], quotas: Mapping[str, int]) -> NDArray[np.int32]:
    """Positions of the best candidates of each row, rising, from scores float32[n_rows, n_sales].

    Ties at the end of a quota come in, up to twice the quota; a candidate without evidence does not.
    """
    chosen = np.zeros(rows.shape[1], np.bool_)
    _choose(rows, np.array(list(quotas.values()), np.int32), chosen)
    return np.flatnonzero(chosen).astype(np.int32)


@compiled(NOTHING(FLOAT32_ROWS, INT32S, BOOLS))
def _choose(rows: NDArray[np.float32], quotas: NDArray[np.int32], chosen: NDArray[np.bool_]) -> None:
    places, scores = np.empty(rows.shape[1], np.int32), np.empty(rows.shape[1], np.float32)
    for source in range(len(quotas)):
        quota, n = quotas[source], 0
        for position in range(rows.shape[1]):
            places[n], scores[n] = position, rows[source, position]
            n += rows[source, position] > 0
        least = np.float32(0.0)
        if n > quota:
            least = kth_greatest(scores[:n].copy(), quota)
        count = (scores[:n] > least).sum()
        for number in range(n):
            if scores[number] > least:
                chosen[places[number]] = True
            elif scores[number] == least and count < 2 * quota:
                chosen[places[number]] = True
                count += 1
