"""Exploration: in a few lists the last place goes to a sale drawn by lot; the list says how likely that was.

A shop that only ever shows what its ranker prefers never learns what it would have sold otherwise.
With exploration at share e, the last of a full list goes, with probability e, to one of the m other
sales that could stand there, each alike. So the probability of being in the list, the propensity, is

    1        for all before the last place, on which no lot is drawn
    1 - e    for the sale that the ranker puts last
    e / m    for each of the others

and what another policy would have earned is estimated without bias from what was earned, each
outcome at that place divided by its propensity (inverse propensity scoring: Bottou et al., "Counterfactual
reasoning and learning systems", JMLR 14, 2013; Swaminathan and Joachims, "Batch learning from logged
bandit feedback through counterfactual risk minimization", JMLR 16, 2015).

The lot is a hash of the id of the list, so that a replay draws the same.
"""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from reco.lists import CERTAIN

_KEY = b"tenfold exploration"
_LOT = 2**64
"""A lot is a whole number below this."""


def last_place(best: int, others: NDArray[np.int64], share: float, list_id: str) -> tuple[int, float]:
    """The position of the sale that gets the last place of the list `list_id`, and its propensity.

    `best` has it by rank; `others` int64[m] are the positions of all that may have it instead; `share` is the
    probability that one of them does, if there are any.
    """
    if not len(others):
        return best, CERTAIN
    whether, which = _lots(list_id)
    if whether < share * _LOT:
        return int(others[which * len(others) // _LOT]), share / len(others)
    return best, 1.0 - share


def _lots(list_id: str) -> tuple[int, int]:
    """Two lots, as good as drawn at random: independent of each other and of those of other lists."""
    digest = blake2b(list_id.encode(), digest_size=16, key=_KEY).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
