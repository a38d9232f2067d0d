"""What every recommender is: it learns actions of all visitors and scores all candidates for one of them."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Query
from reco.events import Action, Cart, Click, Purchase
from reco.kernels import BOOLS, INT8S, INT32_ROWS, INT32S, INT64S, columns

CLICK: Final = 0
CART: Final = 1
PURCHASE: Final = 2
"""Codes of the kinds of action in arrays."""
KINDS: Final[Mapping[type[Action], int]] = {Click: CLICK, Cart: CART, Purchase: PURCHASE}
"""The code of each kind."""


class Actions(NamedTuple):
    """Actions of all visitors, in the order in which they are learned.

    Attributes:
        slots: int32[n], the sale of each.
        kinds: int8[n], `CLICK`, `CART` or `PURCHASE`.
        ts: int64[n], event times, ms since the epoch, UTC.
        visits: int64[n], the number of the visit, growing from 1; 0 for a straggler of a visit that is over.
        companions: int32[n, TRAIL], the other sales touched before in the same visit, newest first, then -1.
        owned: int32[n, OWNED], the sales that the visitor had bought before, newest first, then -1.
        repeated: bool[n], whether the sale itself was among the last ones of that visit.
        segments: int32[n, n_segments], the value of each segment, 0 where it is not known.
    """

    slots: NDArray[np.int32]
    kinds: NDArray[np.int8]
    ts: NDArray[np.int64]
    visits: NDArray[np.int64]
    companions: NDArray[np.int32]
    owned: NDArray[np.int32]
    repeated: NDArray[np.bool_]
    segments: NDArray[np.int32]


ACTIONS: Final = columns(Actions, INT32S, INT8S, INT64S, INT64S, INT32_ROWS, INT32_ROWS, BOOLS, INT32_ROWS)
"""The type of `Actions` in the signature of a kernel."""


class Recommender(Protocol):
    """Evidence for what a visitor will buy; never a vote: a ranker weighs it."""

    name: str
    """The family of its features."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features, in the order of its rows; each full name is `name.feature`."""

    @property
    def compared(self) -> frozenset[str]:
        """Those that say most when compared with the other candidates: as a share and as a rank."""

    def learn(self, actions: Actions) -> None:
        """Learn from actions; the same state comes of it, however they are cut into batches."""

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """Write every element of `rows`, float32[n_features, n_sales].

        Evidence is finite and 0 for a candidate that nothing speaks for; what is not known is NaN.
        """

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Forget the sales in the slots where `dropped` (bool[capacity]) is true; others will take them."""


@runtime_checkable
class FromTouches(Protocol):
    """A recommender that can say which touched sale its evidence comes from."""

    def sources(self, query: Query, positions: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
        """By kind of evidence (`reco.reasons.kind_of`), the touches from which most of it comes.

        int32[k], for each candidate at `positions` (int32[k]) the touch that speaks most for it, or -1.
        """


@runtime_checkable
class SaysToMany(Protocol):
    """A recommender that says the same about the same candidates to many visitors."""

    def shared(self, query: Query) -> tuple[int, ...]:
        """What it looks at of `query` besides the candidates; to all with the same it says the same."""
