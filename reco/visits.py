"""The running visits of all visitors: which sales each has just looked at."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.kernels import BOOL, BOOLS, INT32, INT32_ROWS, INT32S, INT64S, NOTHING, columns, compiled
from reco.sessions import VISIT_SILENCE

MAX_VISITORS = 131_072
"""Visitors whose visit is followed; beyond, the one followed longest starts over."""
TRAIL = 6
"""Sales of a visit that are kept, the newest; a visit looks at 4 to 10."""


class Trails(NamedTuple):
    """The followed visits, one in a row.

    Attributes:
        occupants: int64[capacity], the number of the visitor in each row, -1 at first.
        newest: int64[capacity], event time of the newest action, ms since the epoch, UTC.
        sales: int32[capacity, TRAIL], slots of the last distinct sales, newest first, then -1.
    """

    occupants: NDArray[np.int64]
    newest: NDArray[np.int64]
    sales: NDArray[np.int32]


TRAILS: Final = columns(Trails, INT64S, INT64S, INT32_ROWS)


class RunningVisits:
    """The last `TRAIL` distinct sales of each visitor's running visit, in the order of their actions.

    Visitors are numbered as they appear; number n lives in row n modulo the capacity until a later number
    takes the row over. A visit ends with 30 minutes of silence in event time.
    """

    def __init__(self, capacity: int = MAX_VISITORS) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = [""] * capacity
        self._next = 0
        self._trails = Trails(
            occupants=np.full(capacity, -1, np.int64),
            newest=np.zeros(capacity, np.int64),
            sales=np.full((capacity, TRAIL), -1, np.int32),
        )

    def number(self, visitor_id: str) -> int:
        """The visitor's number; a new one for a visitor who is not followed."""
        number = self._numbers.get(visitor_id)
        return self._new_number(visitor_id) if number is None else number

    def _new_number(self, visitor_id: str) -> int:
        number, row = self._next, self._next % len(self._names)
        if number >= len(self._names):
            del self._numbers[self._names[row]]
        self._numbers[visitor_id] = number
        self._names[row] = visitor_id
        self._next += 1
        return number

    def follow(
        self, numbers: NDArray[np.int64], slots: NDArray[np.int32], ts: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Follow n actions, given by visitor number, slot of the sale, and event time (ms).

        Returns:
            int32[n, TRAIL]: the other sales of the same visit before each action, newest first, then -1.
            bool[n]: whether the sale was itself among the last `TRAIL` of the visit.
        """
        companions = np.full((len(slots), TRAIL), -1, np.int32)
        repeated = _follow(self._trails, numbers, slots, ts, companions)
        return companions, repeated

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Take the sales in the slots where `dropped` (bool[n_slots]) is true out of all visits."""
        _forget(self._trails.sales, dropped)


@compiled(BOOL(INT32S, INT32, INT32S))
def _step(trail: NDArray[np.int32], slot: int, companions: NDArray[np.int32]) -> bool:
    """Put `slot` at the head of `trail` and the others into `companions`; whether it was in the trail."""
    place, repeated, others = len(trail) - 1, False, 0
    for back in range(len(trail)):
        if trail[back] == slot:
            place, repeated = back, True
        elif trail[back] >= 0:
            companions[others] = trail[back]
            others += 1
    for back in range(place, 0, -1):
        trail[back] = trail[back - 1]
    trail[0] = slot
    return repeated


@compiled(BOOLS(TRAILS, INT64S, INT32S, INT64S, INT32_ROWS))
def _follow(
    trails: Trails,
    numbers: NDArray[np.int64],
    slots: NDArray[np.int32],
    ts: NDArray[np.int64],
    companions: NDArray[np.int32],
) -> NDArray[np.bool_]:
    repeated = np.zeros(len(slots), np.bool_)
    for action in range(len(slots)):
        row = numbers[action] % len(trails.occupants)
        newest = trails.newest[row]
        if trails.occupants[row] != numbers[action] or ts[action] > newest + VISIT_SILENCE:
            trails.occupants[row] = numbers[action]
            trails.sales[row] = -1
            newest = ts[action]
        elif ts[action] < newest - VISIT_SILENCE:
            continue  # a straggler of a visit that is over
        trails.newest[row] = max(newest, ts[action])
        repeated[action] = _step(trails.sales[row], slots[action], companions[action])
    return repeated


@compiled(NOTHING(INT32_ROWS, BOOLS))
def _forget(trails: NDArray[np.int32], dropped: NDArray[np.bool_]) -> None:
    for row in range(trails.shape[0]):
        for back in range(trails.shape[1]):
            slot = trails[row, back]
            if slot >= 0 and dropped[slot]:
                trails[row, back] = -1
