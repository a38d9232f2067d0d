"""Which slot of the arrays belongs to which sale: slots are given on first sight and taken back in bulk."""

import numpy as np
from numpy.typing import NDArray

from reco.catalogue import OPEN_END, LiveSales

MAX_SALES = 65_536
"""Sales that knowledge holds something about; a site has hundreds open, an imported log 30,000 or more."""
LATELY = 20_000
"""Newest touches whose sales may be hot: hours of a busy site."""


class SaleIndex:
    """Sale ids and their slots, for sales that occur in events, whether or not the catalogue knows them.

    When no slot is free, the quarter of the sales whose newest touch is the oldest give theirs back; which
    ones is a function of what was learned so far, so every worker drops the same.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.slots: dict[str, int] = {}
        self._live: LiveSales | None = None
        self._never_dropped = True
        self._free = list(range(capacity - 1, -1, -1))
        self._last_ts = np.zeros(capacity, np.int64)
        self._lately = np.full(LATELY, -1, np.int32)
        self._counts = np.zeros(capacity, np.int32)
        self._touches = 0

    @property
    def is_full(self) -> bool:
        """Whether `add` has no slot left to give."""
        return not self._free

    def add(self, sale_id: str) -> int:
        """The slot of a sale that had none; the index must not be full."""
        slot = self._free.pop()
        self.slots[sale_id] = slot
        self._last_ts[slot] = 0
        self._live = None
        return slot

    def as_if_live(self) -> LiveSales:
        """The sales that have a slot, as if all were open, for logs that say nothing of opening and closing.

        They stand in the order in which they got their slots, not by id.
        """
        if self._live is None:
            ids = tuple(self.slots)
            self._live = LiveSales(
                ids=ids,
                position=self.slots
                if self._never_dropped
                else {sale_id: place for place, sale_id in enumerate(ids)},
                since=0,
                valid_until=None,
                next_opening=None,
                opens_at=np.zeros(len(ids), np.int64),
                closes_at=np.full(len(ids), OPEN_END, np.int64),
            )
        return self._live

    def touch(self, slots: NDArray[np.int32], ts: NDArray[np.int64]) -> None:
        """Note that the sales in `slots` (int32[n]) were touched at event times `ts` (int64[n], ms)."""
        np.maximum.at(self._last_ts, slots, ts)
        newest = slots[-LATELY:]
        places = (self._touches + len(slots) - len(newest) + np.arange(len(newest))) % LATELY
        before = self._lately[places]
        np.subtract.at(self._counts, before[before >= 0], 1)
        np.add.at(self._counts, newest, 1)
        self._lately[places] = newest
        self._touches += len(slots)

    def touched_lately(self) -> NDArray[np.intp]:
        """The slots of the sales in the last `LATELY` touches, rising."""
        return np.flatnonzero(self._counts)

    def drop_stalest(self) -> NDArray[np.bool_]:
        """Take the slots of the stalest quarter back; bool[capacity], true for each slot taken."""
        in_use = np.fromiter(self.slots.values(), np.int64, len(self.slots))
        order = in_use[np.lexsort((in_use, self._last_ts[in_use]))]
        dropped = np.zeros(self.capacity, np.bool_)
        dropped[order[: -(-len(order) // 4)]] = True
        self.slots = {sale_id: slot for sale_id, slot in self.slots.items() if not dropped[slot]}
        self._never_dropped = False
        self._counts[dropped] = 0
        self._lately[(self._lately >= 0) & dropped[self._lately]] = -1
        self._free.extend(np.flatnonzero(dropped)[::-1].tolist())
        self._live = None
        return dropped
