"""Popularity: how much each sale was looked at and bought lately, at several half-lives, and its trend."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Candidates, Query
from reco.decay import DecayedCounts
from reco.kernels import (
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64_ROWS,
    INT32S,
    INT64,
    INT64_ROWS,
    INT64S,
    NOTHING,
    columns,
    compiled,
)
from reco.parameters import HOUR, PopularityParameters
from reco.recommenders.protocol import ACTIONS, CART, CLICK, PURCHASE, Actions

COUNTED = (
    "clicks_now",
    "clicks_recent",
    "clicks_today",
    "clicks_lasting",
    "clicks_ever",
    "onward_now",
    "onward_recent",
    "carts_today",
    "purchases_today",
    "purchases_lasting",
)
"""What is counted, and at which half-life of `PopularityParameters`.

Onward clicks are those inside a visit, without the one that it landed on.
"""
FIRST_ONWARD: Final = COUNTED.index("onward_now")
FIRST_CART: Final = COUNTED.index("carts_today")
FIRST_PURCHASE: Final = COUNTED.index("purchases_today")
RATES: Final = {
    "carts_per_click": ("carts_today", "clicks_lasting"),
    "conversion_today": ("purchases_today", "clicks_today"),
    "conversion": ("purchases_lasting", "clicks_lasting"),
}
"""Which counts a rate divides: a conversion rate is purchases per click."""
RATED: Final = np.array([[COUNTED.index(count) for count in counts] for counts in RATES.values()])
TRENDS = ("trend_now", "trend_recent", "trend_today")
TIMES = ("age", "idle")
PRIOR_CLICKS = 20.0
"""Clicks of an average sale that are added to each sale's own before a rate is taken (empirical Bayes)."""
LEAST_CLICKS = 1e-12
"""On all sales: with fewer, next to nothing is left of them, and a ratio to them says nothing."""


class Counts(NamedTuple):
    """Decayed counts of each sale, each worth `counts * 2 ** exponents`.

    Attributes:
        counts: float64[capacity, n_counted].
        exponents: int64[capacity, n_counted].
        first: int64[capacity], event time of the first action on the sale, ms; 0 before any.
        last: int64[capacity], that of the newest.
    """

    counts: NDArray[np.float64]
    exponents: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


COUNTS: Final = columns(Counts, FLOAT64_ROWS, INT64_ROWS, INT64S, INT64S)


class Popularity:
    """Exponentially decayed counts, and what they say together.

    A count halves every so many ms of event time, so that a flash sale that was hot yesterday does not
    outrank one that is hot now. Counts are given as of the moment of asking, or of the newest action on any
    candidate if that was before it: a log of years ago says the same as if it were read in its own time.

    A rate is smoothed towards that of all candidates, at most 1. A trend is the ratio of two counts, each
    per its half-life: above 1 for a sale that is rising. `age` and `idle` are hours since the first and the
    newest action on the sale, NaN if there was none. One from before the sale opened, by its own time, looked
    at it in advance or had a wrong clock: `age` counts from the opening on.
    """

    name = "popularity"
    features = (*COUNTED, *RATES, *TRENDS, *TIMES)
    compared = frozenset((*COUNTED, *RATES))

    def __init__(self, parameters: PopularityParameters, capacity: int) -> None:
        half_lives = [getattr(parameters, name.partition("_")[2]) for name in COUNTED]
        self._half_lives = np.array(half_lives, np.int64)
        self._counts = Counts(
            counts=np.zeros((capacity, len(COUNTED))),
            exponents=np.zeros((capacity, len(COUNTED)), np.int64),
            first=np.zeros(capacity, np.int64),
            last=np.zeros(capacity, np.int64),
        )
        self._newest: tuple[Candidates, int] | None = None
        """The newest action on any of the candidates that were asked about last, until more is learned."""

    def learn(self, actions: Actions) -> None:
        """Count the actions; a late one counts what it would count had it come in time."""
        self._newest = None
        _learn(self._counts, actions, self._half_lives)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """Counts, rates, trends and times of each candidate."""
        candidates = query.candidates
        opened = candidates.live.opens_at[candidates.places]
        _score(self._counts, candidates.slots, opened, self._half_lives, self._as_of(query), rows)

    def shared(self, query: Query) -> tuple[int, ...]:
        """The moment as of which counts are given."""
        return (self._as_of(query),)

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Count from nothing again where `dropped`."""
        self._newest = None
        for column in self._counts:
            column[dropped] = 0

    def _as_of(self, query: Query) -> int:
        if self._newest is None or self._newest[0] is not query.candidates:
            slots = query.candidates.slots
            self._newest = query.candidates, int(self._counts.last[slots[slots >= 0]].max(initial=0))
        return min(self._newest[1], query.at)


@compiled(NOTHING(COUNTS, ACTIONS, INT64S))
def _learn(state: Counts, actions: Actions, half_lives: NDArray[np.int64]) -> None:
    for action in range(len(actions.slots)):
        slot, kind, ts = actions.slots[action], actions.kinds[action], actions.ts[action]
        own = DecayedCounts(state.counts[slot], state.exponents[slot])
        onward = not actions.repeated[action] and actions.companions[action, 0] >= 0
        for counted in range(len(half_lives)):
            if counted < FIRST_CART:
                wanted = kind == CLICK and (counted < FIRST_ONWARD or onward)
            else:
                wanted = kind == (CART if counted < FIRST_PURCHASE else PURCHASE)
            if wanted:
                exponent, factor = decay.weight(ts, half_lives[counted])
                decay.add(own, counted, exponent, factor)
        state.last[slot] = max(state.last[slot], ts)
        state.first[slot] = ts if state.first[slot] == 0 else min(state.first[slot], ts)


@compiled(NOTHING(COUNTS, INT32S, INT64S, INT64S, INT64, FLOAT32_ROWS))
def _count(
    state: Counts,
    slots: NDArray[np.int32],
    opened: NDArray[np.int64],
    half_lives: NDArray[np.int64],
    as_of: int,
    rows: NDArray[np.float32],
) -> None:
    """The counts and the times as of `as_of`."""
    n_counted = len(half_lives)
    for counted in range(n_counted):
        exponent, factor = decay.weight(as_of, half_lives[counted])
        for position in range(len(slots)):
            slot = slots[position]
            if slot >= 0 and state.counts[slot, counted] > 0:
                older = max(exponent - state.exponents[slot, counted], 0)
                rows[counted, position] = decay.halved(state.counts[slot, counted], older) / factor
            else:
                rows[counted, position] = 0.0
    ages = rows[n_counted + len(RATED) + len(TRENDS) :]
    for position in range(len(slots)):
        slot = slots[position]
        known = slot >= 0 and state.last[slot] > 0
        first = max(state.first[slot], opened[position]) if known else 0
        ages[0, position] = max(as_of - first, 0) / HOUR if known else math.nan
        ages[1, position] = max(as_of - state.last[slot], 0) / HOUR if known else math.nan


@compiled(NOTHING(FLOAT32S, FLOAT32S, FLOAT32S))
def rate(wanted: NDArray[np.float32], clicks: NDArray[np.float32], rates: NDArray[np.float32]) -> None:
    """Write how many are wanted per click of each sale, smoothed towards that of all, which is at most 1."""
    of_all, clicks_of_all = 0.0, 0.0
    for position in range(len(clicks)):
        of_all += wanted[position]
        clicks_of_all += clicks[position]
    usual = min(of_all / clicks_of_all, 1.0) if clicks_of_all > LEAST_CLICKS else 0.0
    for position in range(len(clicks)):
        rates[position] = (wanted[position] + PRIOR_CLICKS * usual) / (clicks[position] + PRIOR_CLICKS)


@compiled(NOTHING(COUNTS, INT32S, INT64S, INT64S, INT64, FLOAT32_ROWS))
def _score(
    state: Counts,
    slots: NDArray[np.int32],
    opened: NDArray[np.int64],
    half_lives: NDArray[np.int64],
    as_of: int,
    rows: NDArray[np.float32],
) -> None:
    _count(state, slots, opened, half_lives, as_of, rows)
    n_counted = len(half_lives)
    for number in range(len(RATED)):
        wanted, clicks = RATED[number]
        rate(rows[wanted], rows[clicks], rows[n_counted + number])
    for trend in range(len(TRENDS)):
        prior, row = 1.0 / half_lives[trend + 1], rows[n_counted + len(RATED) + trend]
        for position in range(len(slots)):
            faster = rows[trend, position] / half_lives[trend]
            slower = rows[trend + 1, position] / half_lives[trend + 1]
            row[position] = (faster + prior) / (slower + prior)
