"""Popularity among visitors of the same segment: the same country, device, or referrer."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Query
from reco.kernels import FLOAT32_ROWS, INT32S, INT64, INT64S, NOTHING, columns, compiled
from reco.recommenders.protocol import ACTIONS, CLICK, Actions
from reco.sale_index import MAX_SALES
from reco.segments import MAX_VALUES, N_SEGMENTS

PRIOR_CLICKS = 5.0
"""Clicks that are added to each sale's own, in the proportion of all visitors, before a lift is taken."""
LEAST_SHARE = 1e-12
"""Of all clicks: with less, next to nothing is left of those on a sale, and its lift is not known."""


class SegmentCounts(NamedTuple):
    """Decayed clicks, one row per value of each segment, and one for all visitors at the end.

    Attributes:
        counts: float32[n_rows, capacity], in units of 2 ** exponents.
        exponents: int64[n_rows].
    """

    counts: NDArray[np.float32]
    exponents: NDArray[np.int64]


SEGMENT_COUNTS: Final = columns(SegmentCounts, FLOAT32_ROWS, INT64S)


class SegmentPopularity:
    """Decayed clicks of visitors with the same value of a segment, and how they differ from all visitors'.

    The segments are three names of the context, chosen in `reco.parameters`. A count is the share of the
    sale among the clicks of the visitor's segment on all candidates. A lift is that share divided by the
    share among all visitors, smoothed: 1 for a sale that the segment likes as everybody does, NaN for one
    that nobody clicked on, and for a segment that is not known.
    """

    name = "segments"
    features = ("first", "second", "third", "first_lift", "second_lift", "third_lift")
    compared = frozenset(("first", "second", "third"))

    def __init__(self, half_life: int, capacity: int = MAX_SALES) -> None:
        self._half_life = half_life
        n_rows = N_SEGMENTS * MAX_VALUES + 1
        self._counts = SegmentCounts(np.zeros((n_rows, capacity), np.float32), np.zeros(n_rows, np.int64))

    def learn(self, actions: Actions) -> None:
        """Count clicks in the segments of their visitors."""
        _learn(self._counts, actions, self._half_life)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """Shares and lifts of each candidate in the visitor's segments; no share in one that is not known."""
        rows[:N_SEGMENTS] = 0
        rows[N_SEGMENTS:] = math.nan
        _score(self._counts, query.candidates.slots, query.segments, rows)

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Count from nothing again where `dropped`."""
        self._counts.counts[:, dropped] = 0


@compiled(NOTHING(SEGMENT_COUNTS, INT64, INT64, INT64, FLOAT32_ROWS.dtype))
def _add(state: SegmentCounts, row: int, slot: int, exponent: int, gain: float) -> None:
    newer = exponent - state.exponents[row]
    if newer > 0:
        fading = np.float32(decay.halved(1.0, newer))
        for other in range(state.counts.shape[1]):
            state.counts[row, other] *= fading
        state.exponents[row] = exponent
        newer = 0
    state.counts[row, slot] += np.float32(decay.halved(gain, -newer))


@compiled(NOTHING(SEGMENT_COUNTS, ACTIONS, INT64))
def _learn(state: SegmentCounts, actions: Actions, half_life: int) -> None:
    for action in range(len(actions.slots)):
        if actions.kinds[action] != CLICK:
            continue
        exponent, factor = decay.weight(actions.ts[action], half_life)
        slot = actions.slots[action]
        _add(state, N_SEGMENTS * MAX_VALUES, slot, exponent, factor)
        for segment in range(N_SEGMENTS):
            value = actions.segments[action, segment]
            if value > 0:
                _add(state, segment * MAX_VALUES + value, slot, exponent, factor)


@compiled(FLOAT32_ROWS.dtype(SEGMENT_COUNTS, INT64, INT32S))
def _total(state: SegmentCounts, row: int, slots: NDArray[np.int32]) -> float:
    total = np.float32(0.0)
    for slot in slots:
        if slot >= 0:
            total += state.counts[row, slot]
    return total  # type: ignore[return-value]


@compiled(NOTHING(SEGMENT_COUNTS, INT32S, INT32S, FLOAT32_ROWS))
def _score(
    state: SegmentCounts, slots: NDArray[np.int32], values: NDArray[np.int32], rows: NDArray[np.float32]
) -> None:
    everyone = N_SEGMENTS * MAX_VALUES
    total = _total(state, everyone, slots)
    for segment in range(N_SEGMENTS):
        row = segment * MAX_VALUES + values[segment]
        own = _total(state, row, slots)
        if values[segment] == 0 or own <= 0 or total <= 0:
            continue
        for position in range(len(slots)):
            slot = slots[position]
            if slot >= 0:
                share = state.counts[row, slot] / own
                overall = state.counts[everyone, slot] / total
                rows[segment, position] = share
                prior = PRIOR_CLICKS * overall
                if overall > LEAST_SHARE:
                    lift = (state.counts[row, slot] + prior) / (overall * own + prior)
                    rows[N_SEGMENTS + segment, position] = lift
