"""Neighbours: the past visits that are most similar to a visitor's, found by the sales that they share."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.greatest import kth_greatest
from reco.kernels import (
    FLOAT32,
    FLOAT32S,
    FLOAT64,
    INT8S,
    INT32S,
    INT64,
    INT64S,
    NOTHING,
    columns,
    compiled,
    pair,
    prefetch,
)
from reco.parameters import SessionKnnParameters
from reco.past_visits import BLOCK, HEAD, LAST_BLOCK, LAST_VISIT, LENGTH, NEWEST, SIZE, VISITS, Visits

SHARED = 10
"""Distinct sales of the visitor, the newest, by which neighbours are found at most."""
LEAST_RECENCY = 0.01
"""A sale that weighs less than this beside the newest one finds no neighbours."""
NO_MATCH = 127
"""More than any recency."""
AHEAD: Final = 16
"""How many visits ahead of the one that is looked at the next are fetched."""
ROOTS: Final = np.sqrt(np.arange(LENGTH + 1, dtype=np.float32))
"""float32: roots of the lengths of visits."""
BUCKET: Final = np.uint32(20)
"""Lower bits of a float32 that its bucket does not depend on; its exponent and three digits are left."""
BUCKETS = 1 << 11
"""Of floats above 0."""


class Search(NamedTuple):
    """Where one search for neighbours writes.

    Attributes:
        similarity: float32[n_visits]; all zero between two searches.
        found: int32[n_visits], the rows with a similarity, in the order in which they were found.
        selection: float32[n_visits], what each of `found` is chosen by.
        chosen: int32[n_visits], the rows of the chosen ones.
        recency: int8[capacity], 1 + how many sales the visitor touched after each of theirs, else 0; all
            zero between two searches.
        shared: int8[n_visits], the `recency` of the shared sale that each of the chosen matches by.
        ends: int64[n_visits], where the votes of each of the chosen end, behind those of the one before.
        listed: int32[n_visits * LENGTH], the positions of the candidates that are voted for.
        given: float32[n_visits * LENGTH], the votes for them.
    """

    similarity: NDArray[np.float32]
    found: NDArray[np.int32]
    selection: NDArray[np.float32]
    chosen: NDArray[np.int32]
    recency: NDArray[np.int8]
    shared: NDArray[np.int8]
    ends: NDArray[np.int64]
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


SEARCH: Final = columns(Search, FLOAT32S, INT32S, FLOAT32S, INT32S, INT8S, INT8S, INT64S, INT32S, FLOAT32S)
VOTES: Final = columns(Votes, INT64, INT64, FLOAT64, FLOAT64, FLOAT32S, FLOAT32S, FLOAT32)


def no_search(capacity: int, max_visits: int) -> Search:
    """Room for a search among `max_visits` visits to `capacity` sales."""
    return Search(
        similarity=np.zeros(max_visits, np.float32),
        found=np.zeros(max_visits, np.int32),
        selection=np.zeros(max_visits, np.float32),
        chosen=np.zeros(max_visits, np.int32),
        recency=np.zeros(capacity, np.int8),
        shared=np.zeros(max_visits, np.int8),
        ends=np.zeros(max_visits, np.int64),
        listed=np.zeros(max_visits * LENGTH, np.int32),  # takes memory only where it is written
        given=np.zeros(max_visits * LENGTH, np.float32),
    )


def votes_of(parameters: SessionKnnParameters) -> Votes:
    """The parameters as a kernel reads them."""
    return Votes(
        neighbours=parameters.neighbours,
        newest=parameters.newest,
        selection=decay.FADING_STEPS / parameters.selection,
        scoring=decay.FADING_STEPS / parameters.scoring,
        recency=_recency(parameters.recency),
        around=_around(parameters.nearness, parameters.backward),
        landing=np.float32(parameters.landing),
    )


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
        prefetch(visits.blocks, visits.blocks[place, 0] % len(visits.blocks))
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
        if number + AHEAD < found:
            prefetch(visits.facts, search.found[number + AHEAD])
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
    return kth_greatest(among, left)  # type: ignore[return-value]


@compiled(pair(INT64, INT64)(VISITS, SEARCH, VOTES, INT32S, INT64))
def search_for(
    visits: Visits, search: Search, votes: Votes, touched: NDArray[np.int32], at: int
) -> tuple[int, int]:
    """Find the visits that share sales with a visitor, and choose the most similar; how many of each.

    All that are as similar as the last of `neighbours` are chosen. `clear` comes after.
    """
    found, chosen = _find(visits, search, votes, touched), 0
    _select(visits, search, votes, found, at)
    threshold = _greatest(search.selection[:found], votes.neighbours)
    for number in range(found):
        search.chosen[chosen] = search.found[number]
        chosen += search.selection[number] > 0 and search.selection[number] >= threshold
    return found, chosen


@compiled(INT64(VISITS, SEARCH, INT64), inline=True)
def match(visits: Visits, search: Search, row: int) -> int:
    """The place in a visit of the sale that the visitor touched last of those they share; 0 if none is."""
    latest, shared = NO_MATCH, 0
    for place in range(visits.facts[row, SIZE]):
        sale = visits.sales[row, place]
        if sale > 0:
            recency = search.recency[sale - 1]
            if 0 < recency < latest:
                latest, shared = recency, place
    return shared


@compiled(NOTHING(SEARCH, INT32S, INT64))
def clear(search: Search, touched: NDArray[np.int32], found: int) -> None:
    """Make room for the next search; which visits were found, and what they voted with, is still there."""
    for number in range(found):
        search.similarity[search.found[number]] = 0
    for slot in touched:
        if slot >= 0:
            search.recency[slot] = 0
