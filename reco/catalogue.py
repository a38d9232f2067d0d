"""The catalogue: every sale as last published, and which of them are open at a time."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reco.events import LATEST_TIME, Sale, SaleFact

OPEN_END = LATEST_TIME + 1
"""Closing time of a sale without one, ms; later than any moment."""


@dataclass(frozen=True, eq=False)
class LiveSales:
    """The sales that are open from `since` (included) until `valid_until` (excluded). Never changes.

    Attributes:
        ids: sorted; the position of a sale in it is its place in every vector of scores.
        position: where each id stands in `ids`.
        since: the last opening or closing that was known, ms since the epoch, UTC; 0 if there was none.
        valid_until: the next known opening or closing of any sale, None if there is none.
        next_opening: the next known opening of a sale, None if there is none.
        opens_at: int64[n_sales], ms since the epoch, UTC; 0 where it is not known.
        closes_at: int64[n_sales], as the sales say, `OPEN_END` for one that stays open.
    """

    ids: tuple[str, ...]
    position: Mapping[str, int]
    since: int
    valid_until: int | None
    next_opening: int | None
    opens_at: NDArray[np.int64]
    closes_at: NDArray[np.int64]


class Catalogue:
    """All sales that were published and not withdrawn, past, open and to come.

    It holds what the compacted topic `sales` holds, no more; for a replay of history, withdrawn sales too.
    Opening and closing times also stand in arrays, so that the open ones among 100,000 are found in a
    fraction of a millisecond.

    >>> catalogue = Catalogue(partitions=1)
    >>> catalogue.apply(Sale("rome", "Three days in Rome", 1_000, closes_at=9_000), partition=0, offset=4)
    >>> catalogue.live(at=5_000).ids, catalogue.live(at=9_000).ids, catalogue.offsets
    (('rome',), (), (5,))
    """

    def __init__(self, partitions: int) -> None:
        self.offsets: tuple[int, ...] = (0,) * partitions
        self._sales: dict[str, Sale] = {}
        self._ids: list[str] = []
        self._opens = array("q")
        self._closes = array("q")
        self._gone = array("q")  # from when on each is withdrawn; `OPEN_END` for one that is not
        self._rows: dict[str, int] = {}
        self._live: LiveSales | None = None

    def __len__(self) -> int:
        """How many sales there are, past ones included."""
        return len(self._sales)

    def apply(self, fact: SaleFact, partition: int, offset: int, withdrawn_at: int | None = None) -> None:
        """Take over one record of `sales`; one that was taken over before changes nothing.

        With `withdrawn_at`, ms since the epoch, UTC, a sale that `fact` withdraws stays as one that was there
        until then; its closing time remains what it said, since nobody knew of the withdrawal before.
        """
        if offset < self.offsets[partition]:
            return
        self.offsets = (*self.offsets[:partition], offset + 1, *self.offsets[partition + 1 :])
        if isinstance(fact, Sale):
            self._put(fact)
        elif withdrawn_at is None:
            self._remove(fact.sale_id)
        else:
            self._withdraw(fact.sale_id, withdrawn_at)

    def sale(self, sale_id: str) -> Sale | None:
        """The sale as last published; None if there is none, or it was withdrawn."""
        return self._sales.get(sale_id)

    def sales(self) -> Iterator[Sale]:
        """All sales, past ones included."""
        return iter(self._sales.values())

    def live(self, at: int) -> LiveSales:
        """The sales open at `at`, ms since the epoch, UTC; the same object until they change."""
        live = self._live
        if live is None or at < live.since or (live.valid_until is not None and at >= live.valid_until):
            self._live = live = self._find_live(at)
        return live

    def _put(self, sale: Sale) -> None:
        row = self._rows.setdefault(sale.sale_id, len(self._ids))
        if row == len(self._ids):
            self._ids.append(sale.sale_id)
            for times in self._times():
                times.append(0)
        elif self._sales[sale.sale_id] == sale and self._gone[row] == OPEN_END:
            return
        self._opens[row] = sale.opens_at
        self._closes[row] = OPEN_END if sale.closes_at is None else sale.closes_at
        self._gone[row] = OPEN_END
        self._sales[sale.sale_id] = sale
        self._live = None

    def _remove(self, sale_id: str) -> None:
        row = self._rows.pop(sale_id, None)
        if row is None:
            return
        del self._sales[sale_id]
        last, last_times = self._ids.pop(), [times.pop() for times in self._times()]
        if last != sale_id:
            self._rows[last] = row
            self._ids[row] = last
            for times, moved in zip(self._times(), last_times, strict=True):
                times[row] = moved
        self._live = None

    def _withdraw(self, sale_id: str, at: int) -> None:
        """Keep a sale as one that was there until `at`; one that had not opened by then never was."""
        row = self._rows.get(sale_id)
        if row is None:
            return
        if self._opens[row] >= at:
            self._remove(sale_id)
            return
        self._gone[row] = min(self._gone[row], at)
        self._live = None

    def _times(self) -> tuple["array[int]", ...]:
        """The arrays that have an entry for each sale."""
        return self._opens, self._closes, self._gone

    def _find_live(self, at: int) -> LiveSales:
        opens, closes = np.array(self._opens), np.array(self._closes)
        ends = np.minimum(closes, np.array(self._gone))
        open_rows = {self._ids[row]: row for row in np.flatnonzero((opens <= at) & (ends > at))}
        ids = sorted(open_rows)
        rows = np.array([open_rows[sale_id] for sale_id in ids], np.intp)
        changes = np.concatenate((opens, ends[ends < OPEN_END]))
        past, coming, openings = changes[changes <= at], changes[changes > at], opens[opens > at]
        return LiveSales(
            ids=tuple(ids),
            position={sale_id: position for position, sale_id in enumerate(ids)},
            since=int(past.max()) if past.size else 0,
            valid_until=int(coming.min()) if coming.size else None,
            next_opening=int(openings.min()) if openings.size else None,
            opens_at=opens[rows],
            closes_at=closes[rows],
        )


def catalogue_of(facts: Iterable[SaleFact]) -> Catalogue:
    """A catalogue to which these were published, in this order, in one partition."""
    catalogue = Catalogue(partitions=1)
    for offset, fact in enumerate(facts):
        catalogue.apply(fact, 0, offset)
    return catalogue
