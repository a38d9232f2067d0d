"""Session neighbours: what visits that share sales with this visitor's went on to look at."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reco import decay, past_visits
from reco.candidates import Query
from reco.kernels import FLOAT32_ROWS, INT32S, INT64, NOTHING, compiled, prefetch
from reco.neighbours import (
    AHEAD,
    ROOTS,
    SEARCH,
    SHARED,
    VOTES,
    Search,
    Votes,
    clear,
    match,
    no_search,
    search_for,
    votes_of,
)
from reco.parameters import SessionKnnParameters
from reco.past_visits import (
    BOUGHT,
    LENGTH,
    MAX_BLOCKS,
    MAX_VISITS,
    NEWEST,
    SEGMENTS,
    SIZE,
    VISITS,
    Visits,
)
from reco.recommenders.protocol import Actions
from reco.segments import OTHERS

STAN, VSKNN, OF_BOUGHT, OF_SEGMENT = range(4)
"""Rows of scores; from the last on, one for each segment."""


class SessionKnn:
    """Vector multiplication session kNN on a ring of the newest visits, in several ways of voting.

    As in VMIS-kNN (Kersbergen, Sprangers, Schelter: Serenade, SIGMOD 2022), an index leads from each sale to
    the newest visits that touched it, so a search never looks at all of them. A visit's similarity sums over
    the shared sales what each weighs by recency, divided by the root of the visit's length, as in STAN (Garg,
    Gupta, Malhotra, Vig, Shroff: Sequence and Time Aware Neighborhood, SIGIR 2019); the `neighbours` most
    similar ones, older ones discounted, vote.

    - `stan`: the vote fades with the visit's age, and with the distance of the sale from the shared sale
      that the visitor touched last (STAN, factors 2 and 3). Visits go onward: what was touched before the
      shared sale, and what a visit began with, says less about what comes next.
    - `vsknn`: the vote weighs as that shared sale does by recency, whatever the distance and age, and the
      shared sale gets it too (Ludewig, Jannach: Evaluation of Session-based Recommendation Algorithms, UMUAI
      2018).
    - `bought`: as `stan`, for what the visits bought only, whatever the distance.
    - `stan_first`, `stan_second`, `stan_third`: as `stan`, of the neighbours with the visitor's value of a
      segment (`reco.parameters`) only; where that is not known, or no value of its own (`reco.segments`),
      nobody votes.
    """

    name = "session_knn"
    features = ("stan", "vsknn", "bought", "stan_first", "stan_second", "stan_third")
    compared = frozenset(features)

    def __init__(
        self,
        parameters: SessionKnnParameters,
        capacity: int,
        max_visits: int = MAX_VISITS,
        max_blocks: int = MAX_BLOCKS,
    ) -> None:
        self._visits = past_visits.no_visits(capacity, max_visits, max_blocks)
        self._search = no_search(capacity, max_visits)
        self._votes = votes_of(parameters)
        self._searched: Query | None = None
        """Whom the last search was for, until more is learned."""
        self._chosen = 0
        """How many visits it chose."""

    def learn(self, actions: Actions) -> None:
        """Add each action to its visit."""
        self._searched = None
        past_visits.learn(self._visits, actions, self._votes.newest)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """The votes of the neighbours of the visitor's newest sales."""
        rows[:] = 0
        self._chosen = _score(
            self._visits,
            self._search,
            self._votes,
            query.touches.slots,
            query.candidates.positions,
            query.segments,
            query.at,
            rows,
        )
        self._searched = query

    def sources(self, query: Query, positions: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
        """int32[k]: the touch by which the neighbours match whose votes (`stan`) for each are most, or -1."""
        if self._searched is not query:
            self.score(query, np.empty((len(self.features), len(query.candidates.slots)), np.float32))
        touches = np.full(len(positions), -1, np.int32)
        asked = np.full(len(query.candidates.slots), len(positions), np.int32)
        asked[positions] = np.arange(len(positions), dtype=np.int32)
        _sources(self._search, self._chosen, query.touches.slots, asked, touches)
        return {self.name: touches}

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Take the dropped sales out of all visits."""
        self._searched = None
        past_visits.forget(self._visits, dropped)


@compiled(INT64(VISITS, SEARCH, VOTES, INT64, INT64, INT32S, INT32S, INT64, FLOAT32_ROWS), inline=True)
def _vote(
    visits: Visits,
    search: Search,
    votes: Votes,
    number: int,
    start: int,
    positions: NDArray[np.int32],
    segments: NDArray[np.int32],
    at: int,
    rows: NDArray[np.float32],
) -> int:
    """Add the votes of one of the chosen to the rows of `features`, keep them from `start` on; the end."""
    row = search.chosen[number]
    matched, bought = match(visits, search, row), visits.facts[row, BOUGHT]
    shared = visits.sales[row, matched]
    recency = search.recency[shared - 1] if shared > 0 else 0
    age = max(at - visits.facts[row, NEWEST], 0)
    plain = search.similarity[row] / ROOTS[visits.facts[row, SIZE]]
    fresh = plain * decay.faded(age, votes.scoring)
    by_recency = plain * votes.recency[recency - 1] if recency > 0 else np.float32(0.0)
    listed, given, end = search.listed, search.given, start
    for place in range(visits.facts[row, SIZE]):
        sale = visits.sales[row, place]
        if sale == 0 or positions[sale - 1] < 0:
            continue
        position, vote = positions[sale - 1], fresh * votes.around[place - matched + LENGTH - 1]
        if place == 0:
            vote *= votes.landing
        rows[STAN, position] += vote
        rows[VSKNN, position] += by_recency
        if bought >> place & 1 and place != matched:
            rows[OF_BOUGHT, position] += fresh
        listed[end], given[end], end = position, vote, end + 1
    for segment in range(len(segments)):
        own = segments[segment]
        if visits.facts[row, SEGMENTS + segment] == own and 0 < own < OTHERS:
            for one in range(start, end):
                rows[OF_SEGMENT + segment, listed[one]] += given[one]
    search.shared[number], search.ends[number] = recency, end
    return end


@compiled(INT64(VISITS, SEARCH, VOTES, INT32S, INT32S, INT32S, INT64, FLOAT32_ROWS))
def _score(
    visits: Visits,
    search: Search,
    votes: Votes,
    touched: NDArray[np.int32],
    positions: NDArray[np.int32],
    segments: NDArray[np.int32],
    at: int,
    rows: NDArray[np.float32],
) -> int:
    """Add the votes of all neighbours to the rows; how many they are."""
    found, chosen = search_for(visits, search, votes, touched, at)
    end = 0
    for number in range(chosen):
        if number + AHEAD < chosen:
            prefetch(visits.sales, search.chosen[number + AHEAD])
        end = _vote(visits, search, votes, number, end, positions, segments, at, rows)
    clear(search, touched, found)
    return chosen


@compiled(NOTHING(SEARCH, INT64, INT32S, INT32S, INT32S))
def _sources(
    search: Search,
    chosen: int,
    touched: NDArray[np.int32],
    asked: NDArray[np.int32],
    touches: NDArray[np.int32],
) -> None:
    """Write the touch that most votes for each candidate are by.

    `asked` has its place in `touches`, or one behind them if it is not asked for.
    """
    led, start = np.zeros((len(touches) + 1, SHARED + 1), np.float32), 0
    for number in range(chosen):
        for vote in range(start, search.ends[number]):
            led[asked[search.listed[vote]], search.shared[number]] += search.given[vote]
        start = search.ends[number]
    best, shared = np.zeros(len(touches), np.float32), 0
    for touch in range(len(touched)):
        if touched[touch] < 0 or (touched[:touch] == touched[touch]).any():
            continue
        shared += 1
        if shared > SHARED:
            break
        for number in range(len(touches)):
            if led[number, shared] > best[number]:
                best[number], touches[number] = led[number, shared], touch
