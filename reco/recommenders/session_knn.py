"""Session neighbours: what visits that share sales with this visitor's went on to look at."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay, past_visits
from reco.candidates import Query
from reco.kernels import (
    FLOAT32,
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64,
    INT8S,
    INT32S,
    INT64,
    NOTHING,
    columns,
    compiled,
)
from reco.parameters import SessionKnnParameters
from reco.past_visits import (
    BLOCK,
    HEAD,
    LAST_BLOCK,
    LAST_VISIT,
    LENGTH,
    MAX_BLOCKS,
    MAX_VISITS,
    NEWEST,
    SIZE,
    VISITS,
    Visits,
)
from reco.recommenders.protocol import Actions
from reco.sale_index import MAX_SALES
from reco.segments import OTHERS

SHARED = 10
"""Distinct sales of the visitor, the newest, by which neighbours are found at most."""
LEAST_RECENCY = 0.01
"""A sale that weighs less than this beside the newest one finds no neighbours."""
NO_MATCH = 127
"""More than any recency."""


class Search(NamedTuple):
    """Where one search for neighbours writes; all zero between two of them.

    Attributes:
        similarity: float32[n_visits].
        found: int32[n_visits], the rows with a similarity, in the order in which they were found.
        selection: float32[n_visits], what each of `found` is chosen by.
        recency: int8[capacity], 1 + how many sales the visitor touched after each of theirs, else 0.
    """

    similarity: NDArray[np.float32]
    found: NDArray[np.int32]
    selection: NDArray[np.float32]
    recency: NDArray[np.int8]


class Votes(NamedTuple):
    """The parameters as a kernel reads them; see `reco.parameters.SessionKnnParameters`.

    Half-lives are given as steps of `reco.decay.FADING` in a ms.
    """

    neighbours: int
    newest: int
    selection: float
    scoring: float
    recency: NDArray[np.float32]
    around: NDArray[np.float32]
    landing: np.float32


SEARCH: Final = columns(Search, FLOAT32S, INT32S, FLOAT32S, INT8S)
VOTES: Final = columns(Votes, INT64, INT64, FLOAT64, FLOAT64, FLOAT32S, FLOAT32S, FLOAT32)


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
        capacity: int = MAX_SALES,
        max_visits: int = MAX_VISITS,
        max_blocks: int = MAX_BLOCKS,
    ) -> None:
        self._visits = past_visits.no_visits(capacity, max_visits, max_blocks)
        self._search = Search(
            similarity=np.zeros(max_visits, np.float32),
            found=np.zeros(max_visits, np.int32),
            selection=np.zeros(max_visits, np.float32),
            recency=np.zeros(capacity, np.int8),
        )
        self._votes = Votes(
            neighbours=parameters.neighbours,
            newest=parameters.newest,
            selection=decay.FADING_STEPS / parameters.selection,
            scoring=decay.FADING_STEPS / parameters.scoring,
            recency=_recency(parameters.recency),
            around=_around(parameters.nearness, parameters.backward),
            landing=np.float32(parameters.landing),
        )

    def learn(self, actions: Actions) -> None:
        """Add each action to its visit."""
        past_visits.learn(self._visits, actions, self._votes.newest)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """The votes of the neighbours of the visitor's newest sales."""
        rows[:] = 0
        _score(
            self._visits,
            self._search,
            self._votes,
            query.touches.slots,
            query.candidates.positions,
            query.segments,
            query.at,
            rows,
        )

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Take the dropped sales out of all visits."""
        past_visits.forget(self._visits, dropped)


def _recency(fading: float) -> NDArray[np.float32]:
    """What each shared sale weighs, the newest first."""
    weights = (fading ** np.arange(SHARED)).astype(np.float32)
    return weights[weights >= LEAST_RECENCY]


def _around(nearness: float, backward: float) -> NDArray[np.float32]:
    """float32[2 * LENGTH - 1]: what a sale of a neighbour weighs by its place relative to the shared sale's.

    That of the shared sale itself, which gets no vote, is in the middle.
    """
    steps = np.arange(1 - LENGTH, LENGTH)
    weights = nearness ** np.abs(steps) * np.where(steps < 0, backward, 1.0)
    around: NDArray[np.float32] = (weights * (steps != 0)).astype(np.float32)
    return around


@compiled(INT64(VISITS, SEARCH, VOTES, INT64, FLOAT32, INT64))
def _add_up(visits: Visits, search: Search, votes: Votes, block: int, weight: float, found: int) -> int:
    """Add `weight` to the newest visits of a list that ends with `block`; how many are found then."""
    oldest_block = max(visits.so_far[LAST_BLOCK] - len(visits.blocks), 0)
    n_visits, left = len(visits.facts), votes.newest
    # Its row may have been taken over. After it there may be others: a list is in the order of touches.
    oldest_visit = visits.so_far[LAST_VISIT] - n_visits
    while block > oldest_block:
        place = block % len(visits.blocks)
        for number in range(BLOCK - 1, 0, -1):
            visit = visits.blocks[place, number]
            if visit == 0:
                continue
            if left == 0:
                return found
            left -= 1
            if visit <= oldest_visit:
                continue
            row = visit % n_visits
            if search.similarity[row] == 0:
                search.found[found] = row
                found += 1
            search.similarity[row] += weight
        block = visits.blocks[place, 0]
    return found


@compiled(INT64(VISITS, SEARCH, VOTES, INT32S))
def _find(visits: Visits, search: Search, votes: Votes, touched: NDArray[np.int32]) -> int:
    """Add up the similarities of the newest visits to each of the visitor's newest sales; how many visits."""
    found, shared = 0, 0
    for touch in range(len(touched)):
        slot = touched[touch]
        if slot < 0 or search.recency[slot] > 0:
            continue
        search.recency[slot] = shared + 1
        found = _add_up(visits, search, votes, visits.heads[slot, HEAD], votes.recency[shared], found)
        shared += 1
        if shared == len(votes.recency):
            break
    return found


@compiled(FLOAT32(VISITS, SEARCH, VOTES, INT64, INT64))
def _threshold(visits: Visits, search: Search, votes: Votes, found: int, at: int) -> float:
    """The least that a neighbour is chosen by."""
    for number in range(found):
        row = search.found[number]
        size = visits.facts[row, SIZE]
        if size == 1:  # a visit of one sale has nothing to vote for
            search.selection[number] = -1
            continue
        age = max(at - visits.facts[row, NEWEST], 0)
        similarity = search.similarity[row] / np.sqrt(size)
        search.selection[number] = similarity * decay.faded(age, votes.selection)
    if found <= votes.neighbours:
        return np.float32(0.0)  # type: ignore[return-value]
    least = np.partition(search.selection[:found], found - votes.neighbours)[found - votes.neighbours]
    return max(least, np.float32(0.0))  # type: ignore[no-any-return]


@compiled(FLOAT32(VISITS, INT64, INT64, INT32S))
def _shares(visits: Visits, row: int, segment: int, segments: NDArray[np.int32]) -> float:
    """1 for a visit with the visitor's value of a segment, 0 for any other."""
    own = segments[segment]
    return np.float32(visits.segments[row, segment] == own and 0 < own < OTHERS)  # type: ignore[return-value]


@compiled(NOTHING(VISITS, SEARCH, VOTES, INT64, INT32S, INT32S, INT64, FLOAT32_ROWS))
def _vote(
    visits: Visits,
    search: Search,
    votes: Votes,
    row: int,
    positions: NDArray[np.int32],
    segments: NDArray[np.int32],
    at: int,
    rows: NDArray[np.float32],
) -> None:
    latest, match = NO_MATCH, 0
    length = visits.facts[row, SIZE]
    for place in range(length):
        sale = visits.sales[row, place]
        if sale > 0:
            recency = search.recency[sale - 1]
            if 0 < recency < latest:
                latest, match = recency, place
    age = max(at - visits.facts[row, NEWEST], 0)
    plain = search.similarity[row] / np.sqrt(np.float32(length))
    fresh = plain * decay.faded(age, votes.scoring)
    by_recency = votes.recency[latest - 1] if latest < NO_MATCH else np.float32(0.0)
    first = _shares(visits, row, 0, segments)
    second = _shares(visits, row, 1, segments)
    third = _shares(visits, row, 2, segments)
    for place in range(length):
        sale = visits.sales[row, place]
        if sale == 0 or positions[sale - 1] < 0:
            continue
        position = positions[sale - 1]
        vote = fresh * votes.around[place - match + LENGTH - 1]
        if place == 0:
            vote *= votes.landing
        rows[0, position] += vote
        rows[1, position] += plain * by_recency
        rows[2, position] += fresh * (visits.bought[row, place] and place != match)
        rows[3, position] += vote * first
        rows[4, position] += vote * second
        rows[5, position] += vote * third


@compiled(NOTHING(VISITS, SEARCH, VOTES, INT32S, INT32S, INT32S, INT64, FLOAT32_ROWS))
def _score(
    visits: Visits,
    search: Search,
    votes: Votes,
    touched: NDArray[np.int32],
    positions: NDArray[np.int32],
    segments: NDArray[np.int32],
    at: int,
    rows: NDArray[np.float32],
) -> None:
    found = _find(visits, search, votes, touched)
    threshold = _threshold(visits, search, votes, found, at)
    for number in range(found):
        if search.selection[number] >= threshold:
            _vote(visits, search, votes, search.found[number], positions, segments, at, rows)
    for number in range(found):
        search.similarity[search.found[number]] = 0
    for slot in touched:
        if slot >= 0:
            search.recency[slot] = 0
