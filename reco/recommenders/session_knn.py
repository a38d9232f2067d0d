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
    BOUGHT,
    HEAD,
    LAST_BLOCK,
    LAST_VISIT,
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
from reco.sale_index import MAX_SALES
from reco.segments import OTHERS

SHARED = 10
"""Distinct sales of the visitor, the newest, by which neighbours are found at most."""
LEAST_RECENCY = 0.01
"""A sale that weighs less than this beside the newest one finds no neighbours."""
NO_MATCH = 127
"""More than any recency."""
ROOTS: Final = np.sqrt(np.arange(LENGTH + 1, dtype=np.float32))
"""float32: roots of the lengths of visits."""
BUCKET: Final = np.uint32(20)
"""Lower bits of a float32 that its bucket does not depend on; its exponent and three digits are left."""
BUCKETS = 1 << 11
"""Of floats above 0."""
STAN, VSKNN, OF_BOUGHT, OF_SEGMENT = range(4)
"""Rows of scores; from the last on, one for each segment."""


class Search(NamedTuple):
    """Where one search for neighbours writes; all zero between two of them.

    Attributes:
        similarity: float32[n_visits].
        found: int32[n_visits], the rows with a similarity, in the order in which they were found.
        selection: float32[n_visits], what each of `found` is chosen by.
        recency: int8[capacity], 1 + how many sales the visitor touched after each of theirs, else 0.
        listed: int32[LENGTH], the positions of candidates that a visit votes for; written anew by each.
        given: float32[LENGTH], the votes for them.
    """

    similarity: NDArray[np.float32]
    found: NDArray[np.int32]
    selection: NDArray[np.float32]
    recency: NDArray[np.int8]
    listed: NDArray[np.int32]
    given: NDArray[np.float32]


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


SEARCH: Final = columns(Search, FLOAT32S, INT32S, FLOAT32S, INT8S, INT32S, FLOAT32S)
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
            listed=np.zeros(LENGTH, np.int32),
            given=np.zeros(LENGTH, np.float32),
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


@compiled(NOTHING(VISITS, SEARCH, VOTES, INT64, INT64))
def _select(visits: Visits, search: Search, votes: Votes, found: int, at: int) -> None:
    """Write what each of the found visits is chosen by."""
    for number in range(found):
        row = search.found[number]
        age = max(at - visits.facts[row, NEWEST], 0)
        size = visits.facts[row, SIZE]
        similarity = search.similarity[row] / ROOTS[size] * decay.faded(age, votes.selection)
        # A visit of one sale has nothing to vote for.
        search.selection[number] = similarity if size > 1 else np.float32(0.0)


@compiled(FLOAT32(FLOAT32S, INT64))
def _greatest(values: NDArray[np.float32], k: int) -> float:
    """The k-th greatest of the values above 0; 0 if there are fewer.

    Counted by the upper bits of float32 first, which rise as the numbers do: so few are left to be ordered.
    """
    bits, counts, left = values.view(np.uint32), np.zeros(BUCKETS, np.int32), k
    for number in range(len(values)):
        counts[bits[number] >> BUCKET] += values[number] > 0
    bucket = BUCKETS - 1
    while bucket >= 0 and counts[bucket] < left:
        left -= counts[bucket]
        bucket -= 1
    if bucket < 0:
        return np.float32(0.0)  # type: ignore[return-value]
    among, n = np.empty(counts[bucket], np.float32), 0
    for number in range(len(values)):
        if bits[number] >> BUCKET == bucket and values[number] > 0:
            among[n] = values[number]
            n += 1
    return np.partition(among, n - left)[n - left]  # type: ignore[no-any-return]


@compiled(INT64(VISITS, SEARCH, INT64))
def _match(visits: Visits, search: Search, row: int) -> int:
    """The place in a visit of the sale that the visitor touched last of those they share; 0 if none is."""
    latest, match = NO_MATCH, 0
    for place in range(visits.facts[row, SIZE]):
        sale = visits.sales[row, place]
        if sale > 0:
            recency = search.recency[sale - 1]
            if 0 < recency < latest:
                latest, match = recency, place
    return match


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
    """Add the votes of a visit to the rows, which are in the order of `SessionKnn.features`."""
    match, bought = _match(visits, search, row), visits.facts[row, BOUGHT]
    shared = visits.sales[row, match]
    recency = search.recency[shared - 1] if shared > 0 else 0
    age = max(at - visits.facts[row, NEWEST], 0)
    plain = search.similarity[row] / ROOTS[visits.facts[row, SIZE]]
    fresh = plain * decay.faded(age, votes.scoring)
    by_recency = plain * votes.recency[recency - 1] if recency > 0 else np.float32(0.0)
    listed, given, n = search.listed, search.given, 0
    for place in range(visits.facts[row, SIZE]):
        sale = visits.sales[row, place]
        if sale == 0 or positions[sale - 1] < 0:
            continue
        position, vote = positions[sale - 1], fresh * votes.around[place - match + LENGTH - 1]
        if place == 0:
            vote *= votes.landing
        rows[STAN, position] += vote
        rows[VSKNN, position] += by_recency
        if bought >> place & 1 and place != match:
            rows[OF_BOUGHT, position] += fresh
        listed[n], given[n], n = position, vote, n + 1
    for segment in range(len(segments)):
        own = segments[segment]
        if visits.facts[row, SEGMENTS + segment] == own and 0 < own < OTHERS:
            for number in range(n):
                rows[OF_SEGMENT + segment, listed[number]] += given[number]


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
    _select(visits, search, votes, found, at)
    selection = search.selection[:found]
    threshold = _greatest(selection, votes.neighbours)
    for number in range(found):
        if selection[number] > 0 and selection[number] >= threshold:
            _vote(visits, search, votes, search.found[number], positions, segments, at, rows)
    for number in range(found):
        search.similarity[search.found[number]] = 0
    for slot in touched:
        if slot >= 0:
            search.recency[slot] = 0
