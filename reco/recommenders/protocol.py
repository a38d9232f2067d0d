"""What every recommender is: it learns actions of all visitors and scores all candidates for one of them."""

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Candidates, Touches
from reco.kernels import BOOLS, INT8S, INT32_ROWS, INT32S, INT64S, columns

CLICK: Final = 0
CART: Final = 1
PURCHASE: Final = 2
"""Codes of the kinds of action in arrays."""


class Actions(NamedTuple):
    """Actions of all visitors, in the order in which they are learned.

    Attributes:
        slots: int32[n], the sale of each.
        kinds: int8[n], `CLICK`, `CART` or `PURCHASE`.
        ts: int64[n], event times, ms since the epoch, UTC.
        companions: int32[n, TRAIL], the other sales touched before in the same visit, newest first, then -1.
        repeated: bool[n], whether the sale itself was among the last ones of that visit.
    """

    slots: NDArray[np.int32]
    kinds: NDArray[np.int8]
    ts: NDArray[np.int64]
    companions: NDArray[np.int32]
    repeated: NDArray[np.bool_]


ACTIONS: Final = columns(Actions, INT32S, INT8S, INT64S, INT32_ROWS, BOOLS)
"""The type of `Actions` in the signature of a kernel."""


class Recommender(Protocol):
    """Evidence for what a visitor will buy; never a vote: a ranker weighs it."""

    name: str
    """The name of its feature."""

    def learn(self, actions: Actions) -> None:
        """Learn from actions; the same state comes of it, however they are cut into batches."""

    def score(self, candidates: Candidates, touches: Touches) -> NDArray[np.float32]:
        """float32[n_sales], finite, 0 for a candidate that nothing speaks for."""

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Forget the sales in the slots where `dropped` (bool[capacity]) is true; others will take them."""
