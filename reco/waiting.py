"""Actions in their final order that wait to be learned, as columns that become arrays at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.events import Action
from reco.recommenders.protocol import KINDS


class Waited(NamedTuple):
    """The actions that waited.

    Attributes:
        visitors: int64[n], their numbers.
        slots: int32[n], slots of the sales.
        kinds: int8[n].
        ts: int64[n], event times, ms.
        segments: int32[n, n_segments].
    """

    visitors: NDArray[np.int64]
    slots: NDArray[np.int32]
    kinds: NDArray[np.int8]
    ts: NDArray[np.int64]
    segments: NDArray[np.int32]


class WaitingActions:
    """It grows action by action and is taken whole."""

    def __init__(self) -> None:
        self._visitors: list[int] = []
        self._slots: list[int] = []
        self._kinds: list[int] = []
        self._ts: list[int] = []
        self._segments: list[tuple[int, ...]] = []

    def __len__(self) -> int:
        """How many actions wait."""
        return len(self._slots)

    def add(self, visitor: int, slot: int, event: Action, ts: int, segments: tuple[int, ...]) -> None:
        """Append one action, which counts as of `ts`, ms."""
        self._visitors.append(visitor)
        self._slots.append(slot)
        self._kinds.append(KINDS[type(event)])
        self._ts.append(ts)
        self._segments.append(segments)

    def take(self) -> Waited:
        """All that waited, in order; nothing waits afterwards."""
        taken = Waited(
            np.array(self._visitors, np.int64),
            np.array(self._slots, np.int32),
            np.array(self._kinds, np.int8),
            np.array(self._ts, np.int64),
            np.array(self._segments, np.int32).reshape(len(self._slots), -1),
        )
        for column in (self._visitors, self._slots, self._kinds, self._ts, self._segments):
            column.clear()
        return taken
