"""Co-visitation: sales that others looked at or bought after those that this visitor has just touched."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Query
from reco.kernels import (
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64,
    INT32_ROWS,
    INT32S,
    INT64,
    NOTHING,
    columns,
    compiled,
)
from reco.pairs import PAIRS, Pairs, follow, follow_twice, forget, link, no_pairs
from reco.parameters import CoVisitationParameters
from reco.recommenders.protocol import ACTIONS, CLICK, PURCHASE, Actions

NEIGHBOURS = 96
"""Sales kept that a click leads to; the weakest gives way to a new one."""
BOUGHT_NEIGHBOURS = 32
"""Sales kept that lead to a purchase, or are bought together; purchases are few."""
NEARNESS = 0.7
"""What a pair weighs relative to one with one sale fewer between the two."""
SOURCES = 12
"""Distinct sales of the visitor, the newest, whose neighbours are looked up."""


class Tables(NamedTuple):
    """One table of pairs for each way in which a sale leads to another."""

    onward_now: Pairs
    near_now: Pairs
    onward_lasting: Pairs
    near_lasting: Pairs
    to_purchase: Pairs
    together: Pairs


TABLES: Final = columns(Tables, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS, PAIRS)


class CoVisitation:
    """Decayed counts of pairs of sales per pair of event kinds, the strongest of each sale.

    Each table holds n(i → j), how often j came after i, and n(i), how often i could have led anywhere; its
    evidence for j is the conditional probability n(i → j) / n(i) of Deshpande and Karypis (Item-Based Top-N
    Recommendation Algorithms, TOIS 2004).

    - `onward`: what was touched last to the next click of the visit, directed; at a short half-life and a
      long one.
    - `near`: each click and what was touched before it in the visit, undirected, less for each sale between
      them; at both half-lives.
    - `to_purchase`: what was touched to a later purchase in the visit, directed.
    - `together`: purchase and purchase of one visitor, undirected, over visits.
    - `two_hops`: over a third sale, twice along `near` at the long half-life, from the visitor's newest one.
      It reaches what was never seen in one visit with it (as a walk through the graph of co-views does:
      Baluja et al., Video Suggestion and Discovery for YouTube, WWW 2008).

    `_last` looks from the visitor's newest sale only; `_visit` sums over the newest `SOURCES` distinct ones,
    each weighing less than the one touched after it. A second click on a sale that is among the last ones
    of the visit adds nothing, so reloading a page does not make pairs.
    """

    name = "covisitation"
    features = (
        "onward_now_last",
        "onward_now_visit",
        "near_now_last",
        "near_now_visit",
        "onward_lasting_last",
        "onward_lasting_visit",
        "near_lasting_last",
        "near_lasting_visit",
        "to_purchase_last",
        "to_purchase_visit",
        "together",
        "two_hops",
    )
    compared = frozenset(features)

    def __init__(self, parameters: CoVisitationParameters, capacity: int) -> None:
        self._parameters = parameters
        self._tables = Tables(
            onward_now=no_pairs(capacity, NEIGHBOURS),
            near_now=no_pairs(capacity, NEIGHBOURS),
            onward_lasting=no_pairs(capacity, NEIGHBOURS),
            near_lasting=no_pairs(capacity, NEIGHBOURS),
            to_purchase=no_pairs(capacity, BOUGHT_NEIGHBOURS),
            together=no_pairs(capacity, BOUGHT_NEIGHBOURS),
        )

    def learn(self, actions: Actions) -> None:
        """Count the pairs of each action with the other sales of its visit; late ones by their own time."""
        parameters = self._parameters
        _learn(self._tables, actions, parameters.now, parameters.lasting, parameters.purchases)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """How much the visitor's newest sales lead to each candidate, by each table."""
        rows[:] = 0
        touches = query.touches
        _score(
            self._tables,
            touches.slots,
            touches.counts,
            query.candidates.positions,
            self._parameters.recency,
            rows,
        )

    def sources(self, query: Query, positions: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
        """int32[k]: the touch whose sale leads most to each candidate at `positions` (int32[k]), or -1."""
        touches = np.full(len(positions), -1, np.int32)
        _sources(
            self._tables.near_lasting,
            query.touches.slots,
            query.candidates.positions,
            positions,
            np.zeros(len(query.candidates.slots), np.float32),
            touches,
        )
        return {self.name: touches}

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Empty the rows of the dropped sales, and take them out of all others."""
        for table in self._tables:
            forget(table, dropped)


@compiled(NOTHING(PAIRS, PAIRS, ACTIONS, INT64, INT64))
def _clicked(onward: Pairs, near: Pairs, actions: Actions, action: int, half_life: int) -> None:
    """Count the pairs of a click with what was touched before it in the visit."""
    slot, others = actions.slots[action], actions.companions[action]
    exponent, gain = decay.weight(actions.ts[action], half_life)
    decay.add(near.sources, slot, exponent, gain)
    if others[0] >= 0:
        decay.add(onward.sources, others[0], exponent, gain)
        link(onward, others[0], slot, exponent, gain)
    for other in others:
        if other >= 0:
            link(near, other, slot, exponent, gain)
            link(near, slot, other, exponent, gain)
            gain *= NEARNESS


@compiled(NOTHING(TABLES, ACTIONS, INT64, INT64))
def _bought(tables: Tables, actions: Actions, action: int, half_life: int) -> None:
    """Count the pairs of a purchase with what was touched before it in the visit, and bought before."""
    slot = actions.slots[action]
    exponent, gain = decay.weight(actions.ts[action], half_life)
    for other in actions.companions[action]:
        if other >= 0:
            link(tables.to_purchase, other, slot, exponent, gain)
    decay.add(tables.together.sources, slot, exponent, gain)
    for other in actions.owned[action]:
        if other >= 0:
            link(tables.together, other, slot, exponent, gain)
            link(tables.together, slot, other, exponent, gain)


@compiled(NOTHING(TABLES, ACTIONS, INT64, INT64, INT64))
def _learn(tables: Tables, actions: Actions, now: int, lasting: int, purchases: int) -> None:
    for action in range(len(actions.slots)):
        if actions.kinds[action] == PURCHASE:
            _bought(tables, actions, action, purchases)
        elif actions.kinds[action] == CLICK and not actions.repeated[action]:
            _clicked(tables.onward_now, tables.near_now, actions, action, now)
            _clicked(tables.onward_lasting, tables.near_lasting, actions, action, lasting)
            exponent, gain = decay.weight(actions.ts[action], purchases)
            decay.add(tables.to_purchase.sources, actions.slots[action], exponent, gain)


@compiled(NOTHING(TABLES, INT32S, INT32_ROWS, INT32S, FLOAT64, FLOAT32_ROWS))
def _score(
    tables: Tables,
    touched: NDArray[np.int32],
    counts: NDArray[np.int32],
    positions: NDArray[np.int32],
    recency: float,
    rows: NDArray[np.float32],
) -> None:
    sources, importance = 0, 1.0
    clicks = (
        tables.onward_now,
        tables.near_now,
        tables.onward_lasting,
        tables.near_lasting,
        tables.to_purchase,
    )
    for touch in range(len(touched)):
        source = touched[touch]
        if source < 0 or (touched[:touch] == source).any():
            continue
        for table in range(5):
            if sources == 0:
                follow(clicks[table], source, positions, 1.0, rows[2 * table])
            if sources < SOURCES:
                follow(clicks[table], source, positions, importance, rows[2 * table + 1])
        if (counts[touched == source, PURCHASE] > 0).any():
            follow(tables.together, source, positions, 1.0, rows[10])
        if sources == 0:
            follow_twice(tables.near_lasting, source, positions, rows[11])
        importance *= recency
        sources += 1


@compiled(NOTHING(PAIRS, INT32S, INT32S, INT32S, FLOAT32S, INT32S))
def _sources(
    pairs: Pairs,
    touched: NDArray[np.int32],
    positions: NDArray[np.int32],
    asked: NDArray[np.int32],
    scores: NDArray[np.float32],
    touches: NDArray[np.int32],
) -> None:
    best, sources = np.zeros(len(asked), np.float32), 0
    for touch in range(len(touched)):
        if touched[touch] < 0 or (touched[:touch] == touched[touch]).any():
            continue
        sources += 1
        if sources > SOURCES:
            break
        scores[:] = 0
        follow(pairs, touched[touch], positions, 1.0, scores)
        for number in range(len(asked)):
            if scores[asked[number]] > best[number]:
                best[number] = scores[asked[number]]
                touches[number] = touch
