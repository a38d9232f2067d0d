"""Past visits: the sales of the newest visits of all visitors, and which of them touched a sale."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.kernels import (
    BOOL,
    BOOLS,
    INT32,
    INT32_ROWS,
    INT64,
    INT64_ROWS,
    INT64S,
    NOTHING,
    columns,
    compiled,
)
from reco.recommenders.protocol import ACTIONS, PURCHASE, Actions
from reco.segments import N_SEGMENTS

MAX_VISITS = 1 << 18
"""Visits kept, the newest."""
MAX_BLOCKS = 1 << 18
"""Blocks kept, the newest, of the lists of those who touched a sale; a visit looks at 4 to 10 sales."""
BLOCK = 16
"""Numbers in a block, two cache lines: where the block before it is, then visits."""
LENGTH = 20
"""Sales kept of a visit, the newest."""


class Visits(NamedTuple):
    """The newest visits of all visitors, and for each sale the chain of those that touched it.

    Attributes:
        facts: int64[n_visits, SEGMENTS + N_SEGMENTS], of the visit in each row its number, 0 at first; the
            event time of its newest action, ms since the epoch, UTC; how many sales it has; which of them
            it bought, a bit for each place; and the values of the last context in which one is known, as in
            sessions, 0 where none is. Together, as they are read.
        sales: int32[n_visits, LENGTH], 1 + slots of its sales in the order of their first touch, 0 for none.
        blocks: int64[n_blocks, BLOCK], visits that touched one sale, in the order of their first touch, after
            the number of the block before, 0 if there is none; block b lives in place b modulo n_blocks.
        heads: int64[capacity, 2], the newest block of each sale, 0 if there is none, and how full it is.
        so_far: int64[2], the number of the last block, and the highest number of a visit.
    """

    facts: NDArray[np.int64]
    sales: NDArray[np.int32]
    blocks: NDArray[np.int64]
    heads: NDArray[np.int64]
    so_far: NDArray[np.int64]


VISITS: Final = columns(Visits, INT64_ROWS, INT32_ROWS, INT64_ROWS, INT64_ROWS, INT64S)
NUMBER, NEWEST, SIZE, BOUGHT, SEGMENTS = range(5)
"""Columns of `Visits.facts`; from the last on, one for each segment."""
HEAD, FILLED = 0, 1
"""Columns of `Visits.heads`."""
LAST_BLOCK, LAST_VISIT = 0, 1
"""Places in `Visits.so_far`."""


def no_visits(capacity: int, max_visits: int, max_blocks: int) -> Visits:
    """No visit yet; memory is used up as they come."""
    return Visits(
        facts=np.zeros((max_visits, SEGMENTS + N_SEGMENTS), np.int64),
        sales=np.zeros((max_visits, LENGTH), np.int32),
        blocks=np.zeros((max_blocks, BLOCK), np.int64),
        heads=np.zeros((capacity, 2), np.int64),
        so_far=np.zeros(2, np.int64),
    )


def forget(visits: Visits, dropped: NDArray[np.bool_]) -> None:
    """Take the sales in the slots where `dropped` (bool[capacity]) is true out of all visits."""
    visits.heads[dropped] = 0
    _forget(visits.sales, np.concatenate((np.zeros(1, np.bool_), dropped)))


@compiled(NOTHING(INT32_ROWS, BOOLS))
def _forget(sales: NDArray[np.int32], dropped: NDArray[np.bool_]) -> None:
    """Empty the places of the sales whose number, 1 + slot, is `dropped` (bool[1 + capacity])."""
    for row in range(sales.shape[0]):
        for place in range(sales.shape[1]):
            if dropped[sales[row, place]]:
                sales[row, place] = 0


@compiled(NOTHING(VISITS, INT64, INT64))
def _enter(visits: Visits, slot: int, visit: int) -> None:
    """Add a visit to the list of those that touched a sale."""
    head, filled = visits.heads[slot, HEAD], visits.heads[slot, FILLED]
    n_blocks = len(visits.blocks)
    # A block that will soon be taken over is filled no more, or new visits would be lost with it.
    if head == 0 or filled == BLOCK - 1 or head <= visits.so_far[LAST_BLOCK] - n_blocks // 2:
        visits.so_far[LAST_BLOCK] += 1
        before, head, filled = head, visits.so_far[LAST_BLOCK], 0
        visits.blocks[head % n_blocks] = 0
        visits.blocks[head % n_blocks, 0] = before
    visits.blocks[head % n_blocks, filled + 1] = visit
    visits.heads[slot, HEAD] = head
    visits.heads[slot, FILLED] = filled + 1


@compiled(BOOL(VISITS, INT64, INT64, INT64))
def _is_entered(visits: Visits, slot: int, visit: int, newest: int) -> bool:
    """Whether a visit is among the newest of the list of those that touched a sale."""
    block, left = visits.heads[slot, HEAD], newest
    while block > max(visits.so_far[LAST_BLOCK] - len(visits.blocks), 0):
        place = block % len(visits.blocks)
        for number in range(BLOCK - 1, 0, -1):
            if left > 0 and visits.blocks[place, number] == visit:
                return True
            left -= visits.blocks[place, number] > 0
        block = visits.blocks[place, 0] if left > 0 else 0
    return False


@compiled(NOTHING(VISITS, INT64, INT32, INT64, INT64))
def _add(visits: Visits, row: int, slot: int, visit: int, newest: int) -> None:
    """Append a sale to a visit; beyond `LENGTH` the first one goes.

    Who goes round in a circle of more sales than that, as robots do, comes back to one that is gone, and
    still stands in its list: twice there, the visit would count twice.
    """
    length, long = visits.facts[row, SIZE], visits.facts[row, SIZE] == LENGTH
    if long:
        for place in range(LENGTH - 1):
            visits.sales[row, place] = visits.sales[row, place + 1]
        visits.facts[row, BOUGHT] >>= 1
        length -= 1
    visits.sales[row, length] = slot + 1
    visits.facts[row, SIZE] = length + 1
    if not (long and _is_entered(visits, slot, visit, newest)):
        _enter(visits, slot, visit)


@compiled(NOTHING(VISITS, INT64, INT64))
def _begin(visits: Visits, row: int, visit: int) -> None:
    """Give the row to a new visit; they begin in the order of their numbers."""
    visits.facts[row] = 0
    visits.facts[row, NUMBER] = visit
    visits.sales[row] = 0
    visits.so_far[LAST_VISIT] = visit


@compiled(INT64(VISITS, INT64, INT64, INT64, INT64))
def _place(visits: Visits, row: int, slot: int, visit: int, newest: int) -> int:
    """Where a sale stands in a visit, to which it is added if it is not there yet."""
    for place in range(visits.facts[row, SIZE]):
        if visits.sales[row, place] == slot + 1:
            return place
    _add(visits, row, slot, visit, newest)
    return int(visits.facts[row, SIZE]) - 1


@compiled(NOTHING(VISITS, ACTIONS, INT64))
def learn(visits: Visits, actions: Actions, newest: int) -> None:
    """Add each action to its visit; searches look at the `newest` of the visits that touched a sale."""
    for action in range(len(actions.slots)):
        visit = actions.visits[action]
        row = visit % len(visits.facts)
        if visit == 0 or visits.facts[row, NUMBER] > visit:
            continue
        if visits.facts[row, NUMBER] < visit:
            _begin(visits, row, visit)
        place = _place(visits, row, actions.slots[action], visit, newest)
        if actions.kinds[action] == PURCHASE:
            visits.facts[row, BOUGHT] |= 1 << place
        visits.facts[row, NEWEST] = max(visits.facts[row, NEWEST], actions.ts[action])
        segments = actions.segments[action]
        if segments.any():
            for segment in range(len(segments)):
                visits.facts[row, SEGMENTS + segment] = segments[segment]
