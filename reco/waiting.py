"""Actions in their final order that wait to be learned, as columns that become arrays at once."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from reco.events import Action, Cart, Click, Purchase
from reco.recommenders.protocol import CART, CLICK, PURCHASE

_KINDS: Final[dict[type[Action], int]] = {Click: CLICK, Cart: CART, Purchase: PURCHASE}


class WaitingActions:
    """Visitors' numbers, slots of sales, kinds and event times; it grows row by row and is taken whole."""

    def __init__(self) -> None:
        self._visitors: list[int] = []
        self._slots: list[int] = []
        self._kinds: list[int] = []
        self._ts: list[int] = []

    def __len__(self) -> int:
        """How many actions wait."""
        return len(self._slots)

    def add(self, visitor: int, slot: int, event: Action) -> None:
        """Append one action."""
        self._visitors.append(visitor)
        self._slots.append(slot)
        self._kinds.append(_KINDS[type(event)])
        self._ts.append(event.ts)

    def take(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int8], NDArray[np.int64]]:
        """Numbers of visitors, slots, kinds and event times (ms); none wait afterwards."""
        taken = (
            np.array(self._visitors, np.int64),
            np.array(self._slots, np.int32),
            np.array(self._kinds, np.int8),
            np.array(self._ts, np.int64),
        )
        for column in (self._visitors, self._slots, self._kinds, self._ts):
            column.clear()
        return taken
