"""Session neighbours: what visits that share sales with this visitor's went on to look at."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import Query
from reco.kernels import (
    BOOL,
    FLOAT32,
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64,
    INT8_ROWS,
    INT8S,
    INT32_ROWS,
    INT32S,
    INT64,
    INT64_ROWS,
    INT64S,
    NOTHING,
    columns,
    compiled,
)
from reco.parameters import SessionKnnParameters
from reco.recommenders.protocol import ACTIONS, PURCHASE, Actions
from reco.sale_index import MAX_SALES

MAX_VISITS = 1 << 18
"""Visits kept, the newest."""
MAX_BLOCKS = 1 << 18
"""Blocks kept, the newest, of the lists of those who touched a sale; a visit looks at 4 to 10 sales."""
BLOCK = 16
"""Numbers in a block, two cache lines: where the block before it is, then visits."""
LENGTH = 20
"""Sales kept of a visit, the newest."""
SHARED = 10
"""Distinct sales of the visitor, the newest, by which neighbours are found at most."""
LEAST_RECENCY = 0.01
"""A sale that weighs less than this beside the newest one finds no neighbours."""
NO_MATCH = 127
"""More than any recency."""


class Visits(NamedTuple):
    """The newest visits of all visitors, and for each sale the chain of those that touched it.

    Attributes:
        facts: int64[n_visits, 3], of the visit in each row its number, 0 at first; the event time of its
            newest action, ms since the epoch, UTC; and how many sales it has. Together, as they are read.
        sales: int32[n_visits, LENGTH], 1 + slots of its sales in the order of their first touch, 0 for none.
        bought: int8[n_visits, LENGTH], whether the visit bought it.
        blocks: int64[n_blocks, BLOCK], visits that touched one sale, in the order of their first touch, after
            the number of the block before, 0 if there is none; block b lives in place b modulo n_blocks.
        heads: int64[capacity, 2], the newest block of each sale, 0 if there is none, and how full it is.
        so_far: int64[2], the number of the last block, and the highest number of a visit.
    """

    facts: NDArray[np.int64]
    sales: NDArray[np.int32]
    bought: NDArray[np.int8]
    blocks: NDArray[np.int64]
    heads: NDArray[np.int64]
    so_far: NDArray[np.int64]


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
    nearness: NDArray[np.float32]
    backward: float
    landing: float


VISITS: Final = columns(Visits, INT64_ROWS, INT32_ROWS, INT8_ROWS, INT64_ROWS, INT64_ROWS, INT64S)
NUMBER, NEWEST, SIZE = 0, 1, 2
"""Columns of `Visits.facts`."""
HEAD, FILLED = 0, 1
"""Columns of `Visits.heads`."""
LAST_BLOCK, LAST_VISIT = 0, 1
"""Places in `Visits.so_far`."""
SEARCH: Final = columns(Search, FLOAT32S, INT32S, FLOAT32S, INT8S)
VOTES: Final = columns(Votes, INT64, INT64, FLOAT64, FLOAT64, FLOAT32S, FLOAT32S, FLOAT64, FLOAT64)


class SessionKnn:
    """Vector multiplication session kNN on a ring of the newest visits, in three ways of voting.

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
    """

    name = "session_knn"
    features = ("stan", "vsknn", "bought")
    compared = frozenset(features)

    def __init__(
        self,
        parameters: SessionKnnParameters,
        capacity: int = MAX_SALES,
        max_visits: int = MAX_VISITS,
        max_blocks: int = MAX_BLOCKS,
    ) -> None:
        self._visits = Visits(
            facts=np.zeros((max_visits, 3), np.int64),
            sales=np.zeros((max_visits, LENGTH), np.int32),
            bought=np.zeros((max_visits, LENGTH), np.int8),
            blocks=np.zeros((max_blocks, BLOCK), np.int64),
            heads=np.zeros((capacity, 2), np.int64),
            so_far=np.zeros(2, np.int64),
        )
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
            nearness=(parameters.nearness ** np.arange(LENGTH)).astype(np.float32),
            backward=float(parameters.backward),
            landing=float(parameters.landing),
        )

    def learn(self, actions: Actions) -> None:
        """Add each action to its visit."""
        _learn(self._visits, actions, self._votes.newest)

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """The votes of the neighbours of the visitor's newest sales."""
        rows[:] = 0
        _score(
            self._visits,
            self._search,
            self._votes,
            query.touches.slots,
            query.candidates.positions,
            query.at,
            rows,
        )

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Take the dropped sales out of all visits."""
        self._visits.heads[dropped] = 0
        _forget(self._visits.sales, np.concatenate((np.zeros(1, np.bool_), dropped)).astype(np.int8))


def _recency(fading: float) -> NDArray[np.float32]:
    """What each shared sale weighs, the newest first."""
    weights = (fading ** np.arange(SHARED)).astype(np.float32)
    return weights[weights >= LEAST_RECENCY]


@compiled(NOTHING(INT32_ROWS, INT8S))
def _forget(sales: NDArray[np.int32], dropped: NDArray[np.int8]) -> None:
    for row in range(sales.shape[0]):
        for place in range(sales.shape[1]):
            if dropped[sales[row, place]]:
                sales[row, place] = 0


@compiled(NOTHING(VISITS, INT64, INT64))
def _enter(visits: Visits, slot: int, visit: int) -> None:
    """Add a visit to the list of those that touched a sale."""
    head, filled = visits.heads[slot, HEAD], visits.heads[slot, FILLED]
    n_blocks = len(visits.blocks)
    # A block that will soon be taken over is filled no more, or new visits would be lost with it.
    if head == 0 or filled == BLOCK - 1 or head <= visits.so_far[LAST_BLOCK] - n_blocks // 2:
        visits.so_far[LAST_BLOCK] += 1
        before, head, filled = head, visits.so_far[LAST_BLOCK], 0
        visits.blocks[head % n_blocks] = 0
        visits.blocks[head % n_blocks, 0] = before
    visits.blocks[head % n_blocks, filled + 1] = visit
    visits.heads[slot, HEAD] = head
    visits.heads[slot, FILLED] = filled + 1


@compiled(BOOL(VISITS, INT64, INT64, INT64))
def _is_entered(visits: Visits, slot: int, visit: int, newest: int) -> bool:
    """Whether a visit is among the newest of the list of those that touched a sale."""
    block, left = visits.heads[slot, HEAD], newest
    while block > max(visits.so_far[LAST_BLOCK] - len(visits.blocks), 0):
        place = block % len(visits.blocks)
        for number in range(BLOCK - 1, 0, -1):
            if left > 0 and visits.blocks[place, number] == visit:
                return True
            left -= visits.blocks[place, number] > 0
        block = visits.blocks[place, 0] if left > 0 else 0
    return False


@compiled(NOTHING(VISITS, INT64, INT32_ROWS.dtype, INT64, INT64))
def _add(visits: Visits, row: int, slot: int, visit: int, newest: int) -> None:
    """Append a sale to a visit; beyond `LENGTH` the first one goes.

    Who goes round in a circle of more sales than that, as robots do, comes back to one that is gone, and
    still stands in its list: twice there, the visit would count twice.
    """
    length, long = visits.facts[row, SIZE], visits.facts[row, SIZE] == LENGTH
    if long:
        for place in range(LENGTH - 1):
            visits.sales[row, place] = visits.sales[row, place + 1]
            visits.bought[row, place] = visits.bought[row, place + 1]
        length -= 1
    visits.sales[row, length] = slot + 1
    visits.bought[row, length] = 0
    visits.facts[row, SIZE] = length + 1
    if not (long and _is_entered(visits, slot, visit, newest)):
        _enter(visits, slot, visit)


@compiled(NOTHING(VISITS, ACTIONS, INT64))
def _learn(visits: Visits, actions: Actions, newest: int) -> None:
    for action in range(len(actions.slots)):
        visit, slot = actions.visits[action], actions.slots[action]
        if visit == 0:
            continue
        row = visit % len(visits.facts)
        if visits.facts[row, NUMBER] != visit:
            if visits.facts[row, NUMBER] > visit:
                continue
            visits.facts[row, NUMBER] = visit
            visits.facts[row, NEWEST] = 0
            visits.facts[row, SIZE] = 0
            visits.sales[row] = 0
            visits.so_far[LAST_VISIT] = max(visits.so_far[LAST_VISIT], visit)
        place = -1
        for known in range(visits.facts[row, SIZE]):
            if visits.sales[row, known] == slot + 1:
                place = known
        if place < 0:
            _add(visits, row, slot, visit, newest)
            place = visits.facts[row, SIZE] - 1
        if actions.kinds[action] == PURCHASE:
            visits.bought[row, place] = 1
        visits.facts[row, NEWEST] = max(visits.facts[row, NEWEST], actions.ts[action])


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


@compiled(NOTHING(VISITS, SEARCH, VOTES, INT64, INT32S, INT64, FLOAT32_ROWS))
def _vote(
    visits: Visits,
    search: Search,
    votes: Votes,
    row: int,
    positions: NDArray[np.int32],
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
    for place in range(length):
        sale = visits.sales[row, place]
        if sale == 0 or positions[sale - 1] < 0:
            continue
        position = positions[sale - 1]
        rows[1, position] += plain * by_recency
        if place != match:
            order = (1.0 if place > match else votes.backward) * (1.0 if place > 0 else votes.landing)
            rows[0, position] += fresh * votes.nearness[abs(place - match)] * order
            if visits.bought[row, place]:
                rows[2, position] += fresh


@compiled(NOTHING(VISITS, SEARCH, VOTES, INT32S, INT32S, INT64, FLOAT32_ROWS))
def _score(
    visits: Visits,
    search: Search,
    votes: Votes,
    touched: NDArray[np.int32],
    positions: NDArray[np.int32],
    at: int,
    rows: NDArray[np.float32],
) -> None:
    found = _find(visits, search, votes, touched)
    threshold = _threshold(visits, search, votes, found, at)
    for number in range(found):
        if search.selection[number] >= threshold:
            _vote(visits, search, votes, search.found[number], positions, at, rows)
    for number in range(found):
        search.similarity[search.found[number]] = 0
    for slot in touched:
        if slot >= 0:
            search.recency[slot] = 0
