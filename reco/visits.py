"""The running visits of all visitors: which sales each has just looked at, and bought before."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.kernels import BOOL, BOOLS, INT8S, INT32, INT32_ROWS, INT32S, INT64S, NOTHING, columns, compiled
from reco.recommenders.protocol import PURCHASE
from reco.sessions import VISIT_SILENCE

MAX_VISITORS = 131_072
"""Visitors whose visit is followed; beyond, the one followed longest starts over."""
TRAIL = 6
"""Sales of a visit that are kept, the newest; a visit looks at 4 to 10."""
OWNED = 4
"""Bought sales of a visitor that are kept, the newest, over all visits."""


class Trails(NamedTuple):
    """The followed visits, one in a row.

    Attributes:
        occupants: int64[capacity], the number of the visitor in each row, -1 at first.
        newest: int64[capacity], event time of the newest action, ms since the epoch, UTC.
        visits: int64[capacity], the number of the running visit.
        sales: int32[capacity, TRAIL], slots of the last distinct sales, newest first, then -1.
        owned: int32[capacity, OWNED], slots of the last distinct sales bought, newest first, then -1.
        visits_so_far: int64[1], the number of the visit that started last.
    """

    occupants: NDArray[np.int64]
    newest: NDArray[np.int64]
    visits: NDArray[np.int64]
    sales: NDArray[np.int32]
    owned: NDArray[np.int32]
    visits_so_far: NDArray[np.int64]


TRAILS: Final = columns(Trails, INT64S, INT64S, INT64S, INT32_ROWS, INT32_ROWS, INT64S)


class Steps(NamedTuple):
    """Where n actions stand in the visits of their visitors; `reco.recommenders.protocol.Actions` says more.

    Attributes:
        visits: int64[n].
        companions: int32[n, TRAIL].
        owned: int32[n, OWNED].
        repeated: bool[n].
    """

    visits: NDArray[np.int64]
    companions: NDArray[np.int32]
    owned: NDArray[np.int32]
    repeated: NDArray[np.bool_]


STEPS: Final = columns(Steps, INT64S, INT32_ROWS, INT32_ROWS, BOOLS)


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
            visits=np.zeros(capacity, np.int64),
            sales=np.full((capacity, TRAIL), -1, np.int32),
            owned=np.full((capacity, OWNED), -1, np.int32),
            visits_so_far=np.zeros(1, np.int64),
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
        self,
        numbers: NDArray[np.int64],
        slots: NDArray[np.int32],
        kinds: NDArray[np.int8],
        ts: NDArray[np.int64],
    ) -> Steps:
        """Follow n actions, given by visitor number, slot of the sale, kind, and event time (ms)."""
        steps = Steps(
            visits=np.zeros(len(slots), np.int64),
            companions=np.full((len(slots), TRAIL), -1, np.int32),
            owned=np.full((len(slots), OWNED), -1, np.int32),
            repeated=np.zeros(len(slots), np.bool_),
        )
        _follow(self._trails, numbers, slots, kinds, ts, steps)
        return steps

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Take the sales in the slots where `dropped` (bool[n_slots]) is true out of all visits."""
        _forget(self._trails.sales, dropped)
        _forget(self._trails.owned, dropped)


@compiled(BOOL(INT32S, INT32, INT32S))
def _others(trail: NDArray[np.int32], slot: int, others: NDArray[np.int32]) -> bool:
    """Copy `trail` without `slot` into `others`; whether it was in the trail."""
    found, count = False, 0
    for back in range(len(trail)):
        if trail[back] == slot:
            found = True
        elif trail[back] >= 0:
            others[count] = trail[back]
            count += 1
    return found


@compiled(NOTHING(INT32S, INT32))
def _put_first(trail: NDArray[np.int32], slot: int) -> None:
    """Move `slot` to the head of `trail`; a new one pushes out the last."""
    place = len(trail) - 1
    for back in range(len(trail)):
        if trail[back] == slot:
            place = back
            break
    for back in range(place, 0, -1):
        trail[back] = trail[back - 1]
    trail[0] = slot


@compiled(NOTHING(TRAILS, INT64S, INT32S, INT8S, INT64S, STEPS))
def _follow(
    trails: Trails,
    numbers: NDArray[np.int64],
    slots: NDArray[np.int32],
    kinds: NDArray[np.int8],
    ts: NDArray[np.int64],
    steps: Steps,
) -> None:
    for action in range(len(slots)):
        row = numbers[action] % len(trails.occupants)
        newest = trails.newest[row]
        if trails.occupants[row] != numbers[action]:
            trails.owned[row] = -1
        if trails.occupants[row] != numbers[action] or ts[action] > newest + VISIT_SILENCE:
            trails.occupants[row] = numbers[action]
            trails.sales[row] = -1
            trails.visits_so_far[0] += 1
            trails.visits[row] = trails.visits_so_far[0]
            newest = ts[action]
        elif ts[action] < newest - VISIT_SILENCE:
            continue  # a straggler of a visit that is over
        trails.newest[row] = max(newest, ts[action])
        steps.visits[action] = trails.visits[row]
        steps.repeated[action] = _others(trails.sales[row], slots[action], steps.companions[action])
        _put_first(trails.sales[row], slots[action])
        _others(trails.owned[row], slots[action], steps.owned[action])
        if kinds[action] == PURCHASE:
            _put_first(trails.owned[row], slots[action])


@compiled(NOTHING(INT32_ROWS, BOOLS))
def _forget(trails: NDArray[np.int32], dropped: NDArray[np.bool_]) -> None:
    """Take the dropped sales out of all trails, and let the others move up: a new one pushes out the last."""
    for row in range(trails.shape[0]):
        kept = 0
        for back in range(trails.shape[1]):
            slot = trails[row, back]
            trails[row, back] = -1
            if slot >= 0 and not dropped[slot]:
                trails[row, kept] = slot
                kept += 1
