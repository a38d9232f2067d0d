"""Diversity: a sale is marked down for being like one that stands before it in the list.

This is greedy maximal marginal relevance (Carbonell and Goldstein, "The use of MMR, diversity-based
reranking for reordering documents and producing summaries", SIGIR 1998): each place goes to the sale
of the pool with the highest

    (1 - diversity) * relevance - diversity * greatest likeness to a sale before it

where relevance is the score, scaled so that the pool runs from 0 to 1, and likeness is the share of
their tags that two sales have in common (Jaccard), the country being one of them.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from reco.caps import Room
from reco.lists import LIST_LENGTH

POOL = 50
"""Sales among which places are given by diversity, the best ones; the others keep their order behind them."""


def likeness(tags: AbstractSet[str], others: AbstractSet[str]) -> float:
    """The share of all tags of two sales that both have, 0 to 1; 0 if neither has any.

    >>> likeness({"country:IT", "old town"}, {"country:IT", "beach"})
    0.3333333333333333
    """
    shared = len(tags & others)
    return shared / (len(tags) + len(others) - shared) if shared else 0.0


def diverse(
    ranked: NDArray[np.int64],
    scores: NDArray[np.float64],
    tags: Sequence[AbstractSet[str]],
    diversity: float,
    room: Room,
) -> list[int]:
    """Up to ten positions from the best of `ranked`, in the order of maximal marginal relevance.

    `ranked` holds positions, best first; ties go to whichever stands first in it. `scores` float64[n_sales],
    finite, and `tags` are by position. Only what `room` has open is taken, and it is taken from `room`.
    """
    pool = ranked[:POOL]
    relevance = _from_0_to_1(scores[pool])
    nearest = np.zeros(len(pool))
    listed: list[int] = []
    while len(listed) < LIST_LENGTH:
        is_open = room.open[pool]
        if not is_open.any():
            break
        worth = (1.0 - diversity) * relevance - diversity * nearest
        position = int(pool[np.where(is_open, worth, -np.inf).argmax()])
        room.take(position)
        listed.append(position)
        alike = [likeness(tags[position], tags[other]) for other in pool.tolist()]
        np.maximum(nearest, alike, out=nearest)
    return listed


def _from_0_to_1(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores of a pool, best first, scaled; all 0 if they are equal."""
    scaled = np.zeros(len(scores))
    if scores.size and scores[0] > scores[-1]:
        np.divide(scores - scores[-1], scores[0] - scores[-1], out=scaled)
    return scaled
