"""What a list is asked for: candidates, and a visitor at a moment, as arrays that recommenders score from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.catalogue import LiveSales
from reco.sessions import Remembered, Session

NOWHERE = -1
"""Position of a sale that is no candidate, and slot of one that nothing is known about."""
MAX_COUNT = 1000
"""Remembered touches of one sale beyond so many are a machine's, and say no more."""
_ONE: Mapping[str, tuple[int, int, int]] = {"click": (1, 0, 0), "cart": (0, 1, 0), "purchase": (0, 0, 1)}


@dataclass(frozen=True, eq=False)
class Candidates:
    """Live sales that are to be scored, and where knowledge has them. Valid until knowledge advances.

    Attributes:
        live: all live sales.
        places: int32[n_sales], where each candidate stands in `live.ids`, rising.
        slot_of_sale: the slot of each sale that anything is known about.
        slots: int32[n_sales], the slot of each candidate, `NOWHERE` if nothing is known about it.
        positions: int32[capacity], the position of the sale in each slot, `NOWHERE` if it is no candidate.
    """

    live: LiveSales
    places: NDArray[np.int32]
    slot_of_sale: Mapping[str, int]
    slots: NDArray[np.int32]
    positions: NDArray[np.int32]

    def only(self, chosen: NDArray[np.int32]) -> "Candidates":
        """The candidates at the positions `chosen` (int32[n], rising)."""
        slots = self.slots[chosen]
        positions = _positions(slots, len(self.positions))
        return Candidates(self.live, self.places[chosen], self.slot_of_sale, slots, positions)


class Touches(NamedTuple):
    """What one visitor touched, newest first: the session's recent touches, then what is remembered.

    Attributes:
        positions: int32[n], position of the sale among the candidates, or `NOWHERE`.
        slots: int32[n], slot of the sale, or `NOWHERE`.
        ts: int64[n], event time, ms since the epoch, UTC; of the last touch, for remembered sales.
        counts: int32[n, 3], clicks, carts and purchases.
    """

    positions: NDArray[np.int32]
    slots: NDArray[np.int32]
    ts: NDArray[np.int64]
    counts: NDArray[np.int32]


class Query(NamedTuple):
    """One visitor at one moment, and the sales to be scored for them.

    Attributes:
        candidates: the sales.
        touches: what the visitor touched.
        touched: the ids of the sales of `touches`, in their order.
        visit_length: how many of `touches`, the first ones, belong to the newest visit.
        earlier_visits: how many visits there were before it.
        segments: int32[n_segments], the visitor's value of each segment, 0 where it is not known.
        at: the moment, ms since the epoch, UTC.
    """

    candidates: Candidates
    touches: Touches
    touched: tuple[str, ...]
    visit_length: int
    earlier_visits: int
    segments: NDArray[np.int32]
    at: int

    def only(self, chosen: NDArray[np.int32]) -> "Query":
        """The same for the candidates at the positions `chosen` (int32[n], rising)."""
        moved = np.full(len(self.candidates.slots) + 1, NOWHERE, np.int32)  # one more, which NOWHERE finds
        moved[chosen] = np.arange(len(chosen), dtype=np.int32)
        touches = self.touches._replace(positions=moved[self.touches.positions])
        return self._replace(candidates=self.candidates.only(chosen), touches=touches)


def candidates_of(live: LiveSales, slot_of_sale: Mapping[str, int], capacity: int) -> Candidates:
    """All of `live`, with the slots that knowledge of `capacity` slots has for its sales."""
    slots = np.array([slot_of_sale.get(sale_id, NOWHERE) for sale_id in live.ids], np.int32)
    return candidates_in(live, slot_of_sale, slots, capacity)


def candidates_in(
    live: LiveSales, slot_of_sale: Mapping[str, int], slots: NDArray[np.int32], capacity: int
) -> Candidates:
    """All of `live`, which stand in these slots (int32[n_sales])."""
    places = np.arange(len(slots), dtype=np.int32)
    return Candidates(live, places, slot_of_sale, slots, _positions(slots, capacity))


def _positions(slots: NDArray[np.int32], capacity: int) -> NDArray[np.int32]:
    """`Candidates.positions` of candidates in these slots (int32[n_sales])."""
    positions = np.full(capacity, NOWHERE, np.int32)
    known = np.flatnonzero(slots != NOWHERE)
    positions[slots[known]] = known
    return positions


def touched_by(session: Session | None) -> tuple[str, ...]:
    """The ids of the sales that `session` touched, in the order of `Touches`."""
    if session is None:
        return ()
    recent = [touch.sale_id for touch in reversed(session.recent)]
    return (*recent, *[old.sale_id for old in session.memory])


def touches_of(session: Session | None, candidates: Candidates) -> Touches:
    """The touches of `session`; none for a visitor who is not known yet."""
    recent = session.recent[::-1] if session else ()
    memory = session.memory if session else ()
    ids = touched_by(session)
    times = [touch.ts for touch in recent] + [old.last_ts for old in memory]
    counts = [_ONE[touch.kind] for touch in recent] + [_counts(old) for old in memory]
    position, slot = candidates.live.position, candidates.slot_of_sale
    return Touches(
        positions=np.array([position.get(sale_id, NOWHERE) for sale_id in ids], np.int32),
        slots=np.array([slot.get(sale_id, NOWHERE) for sale_id in ids], np.int32),
        ts=np.array(times, np.int64),
        counts=np.array(counts, np.int32).reshape(-1, 3),
    )


def query_of(session: Session | None, candidates: Candidates, segments: NDArray[np.int32], at: int) -> Query:
    """What is asked for the visitor of `session` at `at` (ms): all live sales, which are the candidates."""
    return Query(
        candidates=candidates,
        touches=touches_of(session, candidates),
        touched=touched_by(session),
        visit_length=len(session.visit()) if session else 0,
        earlier_visits=session.visits() - 1 if session else 0,
        segments=segments,
        at=at,
    )


def _counts(old: Remembered) -> tuple[int, int, int]:
    return min(old.clicks, MAX_COUNT), min(old.carts, MAX_COUNT), min(old.purchases, MAX_COUNT)
