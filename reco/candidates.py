"""The candidates of a list and the visitor's touches, as the arrays that recommenders score from."""

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
    """The live sales, and where knowledge has them. Valid until knowledge advances.

    Attributes:
        live: the sales; position p of every vector of scores belongs to `live.ids[p]`.
        slot_of_sale: the slot of each sale that anything is known about.
        slots: int32[n_sales], the slot of each candidate, `NOWHERE` if nothing is known about it.
        positions: int32[capacity], the position of the sale in each slot, `NOWHERE` if it is no candidate.
    """

    live: LiveSales
    slot_of_sale: Mapping[str, int]
    slots: NDArray[np.int32]
    positions: NDArray[np.int32]


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


def candidates_of(live: LiveSales, slot_of_sale: Mapping[str, int], capacity: int) -> Candidates:
    """`live` with the slots that knowledge of `capacity` slots has for its sales."""
    slots = np.array([slot_of_sale.get(sale_id, NOWHERE) for sale_id in live.ids], np.int32)
    positions = np.full(capacity, NOWHERE, np.int32)
    known = np.flatnonzero(slots != NOWHERE)
    positions[slots[known]] = known
    return Candidates(live, slot_of_sale, slots, positions)


def touches_of(session: Session | None, candidates: Candidates) -> Touches:
    """The touches of `session`; none for a visitor who is not known yet."""
    recent = session.recent[::-1] if session else ()
    memory = session.memory if session else ()
    ids = [touch.sale_id for touch in recent] + [old.sale_id for old in memory]
    times = [touch.ts for touch in recent] + [old.last_ts for old in memory]
    counts = [_ONE[touch.kind] for touch in recent] + [_counts(old) for old in memory]
    position, slot = candidates.live.position, candidates.slot_of_sale
    return Touches(
        positions=np.array([position.get(sale_id, NOWHERE) for sale_id in ids], np.int32),
        slots=np.array([slot.get(sale_id, NOWHERE) for sale_id in ids], np.int32),
        ts=np.array(times, np.int64),
        counts=np.array(counts, np.int32).reshape(-1, 3),
    )


def _counts(old: Remembered) -> tuple[int, int, int]:
    return min(old.clicks, MAX_COUNT), min(old.carts, MAX_COUNT), min(old.purchases, MAX_COUNT)
