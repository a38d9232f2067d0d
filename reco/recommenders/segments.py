"""Popularity among visitors of the same segment: the same country, device, or referrer."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Query
from reco.kernels import (
    FLOAT32_CUBES,
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64,
    INT32S,
    INT64,
    INT64_ROWS,
    INT64S,
    NOTHING,
    columns,
    compiled,
    copy,
)
from reco.parameters import PopularityParameters
from reco.recommenders.popularity import LEAST_CLICKS, rate
from reco.recommenders.protocol import ACTIONS, CLICK, PURCHASE, Actions
from reco.segments import MAX_VALUES, N_SEGMENTS

COUNTED = ("clicks_segments", "clicks_today", "clicks_lasting", "purchases_today", "purchases_lasting")
"""What is counted in each segment, and at which half-life of `PopularityParameters`."""
CLICKS: Final = 0
"""The first of them: of all visitors only these are counted, which lifts are taken from."""
FIRST_PURCHASE: Final = COUNTED.index("purchases_today")
SAID = (
    "clicks",
    "clicks_today",
    "bought_today",
    "bought_lasting",
    "conversion_today",
    "conversion",
    "lift",
)
"""What is said about each segment."""
LIFT: Final = SAID.index("lift")
EVERYONE: Final = N_SEGMENTS * MAX_VALUES
"""The row of the clicks of all visitors."""
PRIOR_CLICKS = 5.0
"""Clicks that are added to each sale's own, in the proportion of all visitors, before a lift is taken."""
MAX_DOUBLINGS = 64
"""Half-lives before the newest action that counts are given as of, at most: float32 ends at twice as many."""
LEAST_SHARE = 1e-12
"""Of all clicks: with less, next to nothing is left of those on a sale, and its lift is not known."""


class SegmentCounts(NamedTuple):
    """Decayed counts, one row per value of each segment, and one for the clicks of all visitors at the end.

    Attributes:
        counts: float32[n_rows, capacity, n_counted], in units of 2 ** exponents.
        exponents: int64[n_rows, n_counted].
        newest: int64[1], event time of the newest action, ms; 0 before any.
        end: int64[1], the slot behind the last one that was ever counted.
    """

    counts: NDArray[np.float32]
    exponents: NDArray[np.int64]
    newest: NDArray[np.int64]
    end: NDArray[np.int64]


SEGMENT_COUNTS: Final = columns(SegmentCounts, FLOAT32_CUBES, INT64_ROWS, INT64S, INT64S)


class SegmentPopularity:
    """Decayed counts of visitors with the same value of a segment, and how they differ from all visitors'.

    The segments are three names of the context, chosen in `reco.parameters`. Counts are given as of the
    moment of asking, or of the newest action at all if that was before it; rates are those of
    `Popularity`, within the segment. A lift is the share of the sale among the clicks of the segment
    on all candidates, divided by the share among all visitors', smoothed: 1 for a sale that the segment likes
    as everybody does, NaN for one that nobody clicked on, and for a segment that is not known, or has no
    clicks.
    """

    name = "segments"
    features = tuple(f"{place}_{said}" for place in ("first", "second", "third") for said in SAID)
    compared = frozenset(name for name in features if not name.endswith("_lift"))

    def __init__(self, parameters: PopularityParameters, capacity: int) -> None:
        half_lives = [getattr(parameters, name.partition("_")[2]) for name in COUNTED]
        self._half_lives = np.array(half_lives, np.int64)
        n_rows = EVERYONE + 1
        self._counts = SegmentCounts(
            counts=np.zeros((n_rows, capacity, len(COUNTED)), np.float32),
            exponents=np.zeros((n_rows, len(COUNTED)), np.int64),
            newest=np.zeros(1, np.int64),
            end=np.zeros(1, np.int64),
        )

    def learn(self, actions: Actions) -> None:
        """Count clicks and purchases in the segments of their visitors."""
        _learn(self._counts, actions, self._half_lives)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """What the visitor's segments say about each candidate; nothing, where one is not known."""
        rows[:] = 0
        rows[LIFT :: len(SAID)] = math.nan
        slots, as_of = query.candidates.slots, self._as_of(query)
        _score(self._counts, slots, query.segments, self._half_lives, as_of, rows)

    def shared(self, query: Query) -> tuple[int, ...]:
        """The visitor's segments, and the moment as of which counts are given."""
        return (self._as_of(query), *query.segments.tolist())

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Count from nothing again where `dropped`."""
        self._counts.counts[:, dropped] = 0

    def _as_of(self, query: Query) -> int:
        return min(int(self._counts.newest[0]), query.at)


@compiled(NOTHING(SEGMENT_COUNTS, INT64, INT64, INT64, INT64, FLOAT64))
def _add(state: SegmentCounts, row: int, slot: int, counted: int, exponent: int, gain: float) -> None:
    newer = exponent - state.exponents[row, counted]
    if newer > 0:
        fading = np.float32(decay.halved(1.0, newer))
        for other in range(state.end[0]):
            state.counts[row, other, counted] *= fading
        state.exponents[row, counted] = exponent
        newer = 0
    state.counts[row, slot, counted] += np.float32(decay.halved(gain, -newer))


@compiled(NOTHING(SEGMENT_COUNTS, ACTIONS, INT64S))
def _learn(state: SegmentCounts, actions: Actions, half_lives: NDArray[np.int64]) -> None:
    for action in range(len(actions.slots)):
        slot, kind, ts = actions.slots[action], actions.kinds[action], actions.ts[action]
        state.newest[0] = max(state.newest[0], ts)
        state.end[0] = max(state.end[0], slot + 1)
        for counted in range(len(half_lives)):
            if kind != (CLICK if counted < FIRST_PURCHASE else PURCHASE):
                continue
            exponent, factor = decay.weight(ts, half_lives[counted])
            if counted == CLICKS:
                _add(state, EVERYONE, slot, counted, exponent, factor)
            for segment in range(N_SEGMENTS):
                value = actions.segments[action, segment]
                if value > 0:
                    _add(state, segment * MAX_VALUES + value, slot, counted, exponent, factor)


@compiled(NOTHING(SEGMENT_COUNTS, INT64, INT32S, INT64S, INT64, FLOAT32_ROWS))
def _count(
    state: SegmentCounts,
    row: int,
    slots: NDArray[np.int32],
    half_lives: NDArray[np.int64],
    as_of: int,
    counts: NDArray[np.float32],
) -> None:
    """Write the counts as of `as_of`, float32[n_counted, n_sales]."""
    for counted in range(len(half_lives)):
        exponent, factor = decay.weight(as_of, half_lives[counted])
        older = max(exponent - state.exponents[row, counted], -MAX_DOUBLINGS)
        unit = decay.halved(1.0, older) / factor
        for position in range(len(slots)):
            slot = slots[position]
            counts[counted, position] = state.counts[row, slot, counted] * unit if slot >= 0 else 0.0


@compiled(NOTHING(FLOAT32S, FLOAT32S, FLOAT32S))
def _lift(own: NDArray[np.float32], everyone: NDArray[np.float32], lifts: NDArray[np.float32]) -> None:
    """Write the lifts that clicks of a segment and of all visitors make, where they are known."""
    own_total, total = 0.0, 0.0
    for position in range(len(own)):
        own_total += own[position]
        total += everyone[position]
    if own_total <= LEAST_CLICKS or total <= LEAST_CLICKS:
        return
    for position in range(len(own)):
        usual = everyone[position] / total
        if usual > LEAST_SHARE:
            prior = PRIOR_CLICKS * usual
            lifts[position] = (own[position] + prior) / (usual * own_total + prior)


@compiled(NOTHING(SEGMENT_COUNTS, INT32S, INT32S, INT64S, INT64, FLOAT32_ROWS))
def _score(
    state: SegmentCounts,
    slots: NDArray[np.int32],
    values: NDArray[np.int32],
    half_lives: NDArray[np.int64],
    as_of: int,
    rows: NDArray[np.float32],
) -> None:
    own = np.empty((len(half_lives), len(slots)), np.float32)
    everyone = np.empty((1, len(slots)), np.float32)
    _count(state, EVERYONE, slots, half_lives[: CLICKS + 1], as_of, everyone)
    for segment in range(N_SEGMENTS):
        if values[segment] == 0:
            continue
        _count(state, segment * MAX_VALUES + values[segment], slots, half_lives, as_of, own)
        said = rows[segment * len(SAID) : (segment + 1) * len(SAID)]
        for place, counted in enumerate((0, 1, 3, 4)):
            copy(own[counted], said[place])
        rate(own[3], own[1], said[4])
        rate(own[4], own[2], said[5])
        _lift(own[CLICKS], everyone[CLICKS], said[LIFT])
