"""Similarity: how near the text and the images of a sale are to those of the sales the visitor touched."""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Query
from reco.catalogue import LiveSales
from reco.content import SIDE_BY_SIDE, SPACES, TASTE_HALF_LIFE, Content, SideBySide, taste
from reco.kernels import (
    BOOL,
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64S,
    INT32S,
    INT64,
    INT64S,
    NOTHING,
    compiled,
    copy,
)
from reco.recommenders.protocol import Actions

RECENCY = 0.8
"""What a sale of the visit weighs in its centre, relative to the one touched after it."""
MAX_VISITED = 24
"""Distinct sales that make a centre, or of the newest visit that are looked at; a visit has 4 to 10."""
NO_DIRECTION = 1e-6
"""A mean of vectors of length 1 that is shorter says nothing: they cancel each other."""
KINDS = ("centroid", "last", "best", "profile")


class Similarity:
    """Cosines between the vector of each candidate and what the visitor touched, in each space of `Content`.

    - `centroid`: with the mean over the sales of the newest visit, each weighing less than the one touched
      after it.
    - `last`: with the newest touched sale that has a vector, in whichever visit.
    - `best`: the highest with any touched sale of the newest visit.
    - `profile`: with the mean over all remembered touches, older ones weighing less: the visitor's taste.

    From -1 to 1; NaN where the candidate has no vector, or none of the touched sales has. Each cosine is
    added up in one order, by no linear algebra library: the last bit of theirs depends on the machine.
    """

    name = "similarity"
    features = tuple(f"{space}_{kind}" for space, kind in product(SPACES, KINDS))
    compared = frozenset(features)

    def __init__(self, content: Content) -> None:
        self._content = content

    def learn(self, actions: Actions) -> None:
        """Nothing is learned from others."""

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """The cosines of each candidate, in the order of the spaces."""
        rows[:] = math.nan
        spaces = [(place, self._content.vectors(space)) for place, space in enumerate(SPACES)]
        if not query.touched or all(vectors is None for _, vectors in spaces):
            return
        touched = self._content.rows_of(query.touched)
        weights = taste(query.touches.ts, query.touches.counts, TASTE_HALF_LIFE)
        for place, vectors in spaces:
            if vectors is not None:
                own = rows[place * len(KINDS) : (place + 1) * len(KINDS)]
                sales = self._content.side_by_side(
                    SPACES[place], query.candidates.live, query.candidates.places
                )
                _score(vectors, sales, touched, query.visit_length, weights, own)

    def sources(self, query: Query, positions: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
        """By space, int32[k]: for each of `positions` (int32[k]), the touch of the most similar sale, or -1.

        Of another sale, that is, with a cosine above 0; of equally similar ones the newest.
        """
        live, places = query.candidates.live, query.candidates.places
        if len(places) < len(live.ids):  # nothing is kept of some of them: compare with these alone
            places, positions = places[positions], np.arange(len(positions), dtype=np.int32)
        own = self._content.live(live).rows[places[positions]]
        touched, found = self._content.rows_of(query.touched), {}
        for space in SPACES:
            found[space] = np.full(len(positions), -1, np.int32)
            vectors = self._content.vectors(space)
            if vectors is not None:
                sales = self._content.side_by_side(space, live, places)
                _nearest(vectors, sales, touched, own, positions, found[space])
        return found

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Nothing was learned."""


def nearest(
    content: Content, space: str, live: LiveSales, direction: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `k` of `live` that lie nearest to `direction` (float32[d], of length 1); fewer, if fewer are there.

    The index of `content` proposes them, none if it has no index. The cut is made by the cosines that are the
    same on every machine.

    Returns:
        int32[n] positions and float32[n] cosines, best first, equal ones in the order of their positions.
    """
    indexed, vectors = content.indexed(space, live), content.vectors(space)
    if indexed is None or vectors is None:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    proposed = indexed.positions[np.sort(indexed.vectors.near(direction, k))]
    cosines = _cosines(content.side_by_side(space, live, proposed).axes, direction[np.newaxis])[0]
    best = np.argsort(-cosines, kind="stable")[:k]
    return proposed[best], cosines[best]


def nearest_to_touched(content: Content, space: str, query: Query, k: int) -> NDArray[np.int32]:
    """int32[n]: positions of the `k` live sales nearest to the centre of what was touched, best first.

    It is the `centroid` of `Similarity`, but goes on through earlier visits: so the newest visit counts most,
    and where none of its sales has a vector, the one before it.
    """
    vectors = content.vectors(space)
    if vectors is None:
        return np.empty(0, np.int32)
    touched, direction = content.rows_of(query.touched), np.empty_like(vectors[0])
    if not _centre(vectors, touched[_newest(vectors, touched, MAX_VISITED)], direction):
        return np.empty(0, np.int32)
    return nearest(content, space, query.candidates.live, direction, k)[0]


@compiled(BOOL(FLOAT32_ROWS, INT32S, INT64))
def _is_new(vectors: NDArray[np.float32], touched: NDArray[np.int32], touch: int) -> bool:
    """Whether this touch is of a sale with a vector, that none of the newer ones is of."""
    row = touched[touch]
    if row < 0 or math.isnan(vectors[row, 0]):
        return False
    return not (touched[:touch] == row).any()


@compiled(BOOL(FLOAT64S, FLOAT64S.dtype, FLOAT32S))
def _direction(total: NDArray[np.float64], weight: float, direction: NDArray[np.float32]) -> bool:
    """Write the direction of a weighted sum of vectors of length 1; False if it has none."""
    length = 0.0
    for value in total:
        length += value * value
    length = math.sqrt(length)
    if not length > NO_DIRECTION * weight:
        return False
    for axis in range(len(total)):
        direction[axis] = total[axis] / length
    return True


@compiled(INT64S(FLOAT32_ROWS, INT32S, INT64))
def _newest(vectors: NDArray[np.float32], touched: NDArray[np.int32], most: int) -> NDArray[np.int64]:
    """int64[n]: the touches of the newest distinct sales that have a vector, `most` at most."""
    found, n = np.empty(min(most, len(touched)), np.int64), 0
    for touch in range(len(touched)):
        if n < len(found) and _is_new(vectors, touched, touch):
            found[n] = touch
            n += 1
    return found[:n]


@compiled(BOOL(FLOAT32_ROWS, INT32S, FLOAT32S))
def _centre(vectors: NDArray[np.float32], newest: NDArray[np.int32], direction: NDArray[np.float32]) -> bool:
    """Write the direction of the sales in these rows, each weighing less than the one touched after it.

    False if it has none.
    """
    total, weight, importance = np.zeros(vectors.shape[1]), 0.0, 1.0
    for row in newest:
        for axis in range(len(total)):
            total[axis] += importance * vectors[row, axis]
        weight += importance
        importance *= RECENCY
    return _direction(total, weight, direction)


@compiled(BOOL(FLOAT32_ROWS, INT32S, FLOAT64S, FLOAT32S))
def _profile(
    vectors: NDArray[np.float32],
    touched: NDArray[np.int32],
    weights: NDArray[np.float64],
    direction: NDArray[np.float32],
) -> bool:
    """Write the direction of all touched sales with these weights; False if it has none."""
    total, weight = np.zeros(vectors.shape[1]), 0.0
    for touch in range(len(touched)):
        row = touched[touch]
        if row < 0 or math.isnan(vectors[row, 0]):
            continue
        weight += weights[touch]
        for axis in range(len(total)):
            total[axis] += weights[touch] * vectors[row, axis]
    return _direction(total, weight, direction)


@compiled(NOTHING(FLOAT32_ROWS, FLOAT32S, FLOAT32S), inline=True)
def _add_four(axes: NDArray[np.float32], values: NDArray[np.float32], row: NDArray[np.float32]) -> None:
    """Add four axes (float32[4, n_sales]) times the `values` on them, one after the other."""
    first, second, third, fourth = axes[0], axes[1], axes[2], axes[3]
    one, two, three, four = values[0], values[1], values[2], values[3]
    for place in range(len(row)):
        total = row[place] + one * first[place] + two * second[place]
        row[place] = total + three * third[place] + four * fourth[place]


@compiled(FLOAT32_ROWS(FLOAT32_ROWS, FLOAT32_ROWS))
def _cosines(sales: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[k, n_sales] of k directions (float32[k, d]) with each sale (float32[d, n_sales]).

    Added up one axis after the other, four of them for all directions while they are at hand.
    """
    cosines = np.zeros((len(directions), sales.shape[1]), np.float32)
    by_four = len(sales) // 4 * 4
    for axis in range(0, by_four, 4):
        for k in range(len(directions)):
            _add_four(sales[axis : axis + 4], directions[k, axis : axis + 4], cosines[k])
    for axis in range(by_four, len(sales)):
        for k in range(len(directions)):
            for place in range(sales.shape[1]):
                cosines[k, place] += directions[k, axis] * sales[axis, place]
    for k in range(len(directions)):
        for place in range(sales.shape[1]):
            if abs(cosines[k, place]) > 1:
                cosines[k, place] = np.sign(cosines[k, place])
    return cosines


@compiled(FLOAT32_ROWS(FLOAT32_ROWS, SIDE_BY_SIDE, INT32S))
def _compared(
    vectors: NDArray[np.float32], sales: SideBySide, rows: NDArray[np.int32]
) -> NDArray[np.float32]:
    """float32[k, n_sales]: the cosines of the vectors in k rows with each sale."""
    if len(sales.kept) == 0:
        return _cosines(sales.axes, vectors[rows])
    for row in rows:
        if not sales.kept[row]:
            copy(_cosines(sales.axes, vectors[row : row + 1])[0], sales.cosines[row])
            sales.kept[row] = True
    return sales.cosines[rows]


@compiled(NOTHING(FLOAT32_ROWS, SIDE_BY_SIDE, INT32S, INT64, FLOAT64S, FLOAT32_ROWS))
def _score(
    vectors: NDArray[np.float32],
    sales: SideBySide,
    touched: NDArray[np.int32],
    visit_length: int,
    weights: NDArray[np.float64],
    rows: NDArray[np.float32],
) -> None:
    """Write the rows of one space, in the order of `KINDS`, where they are known."""
    visited = touched[_newest(vectors, touched[:visit_length], MAX_VISITED)]
    # What was touched last is the first of these, if the newest visit has any.
    newest = visited if len(visited) > 0 else touched[_newest(vectors, touched, 1)]
    directions = np.zeros((2, vectors.shape[1]), np.float32)
    centred = _centre(vectors, visited, directions[0])
    profiled = _profile(vectors, touched, weights, directions[1])
    overall, cosines = _cosines(sales.axes, directions), _compared(vectors, sales, newest)
    if centred:
        copy(overall[0], rows[0])
    if len(newest) > 0:
        copy(cosines[0], rows[1])
    if len(visited) > 0:
        copy(cosines[0], rows[2])
        for k in range(1, len(visited)):
            for place in range(rows.shape[1]):
                rows[2, place] = max(rows[2, place], cosines[k, place])
    if profiled:
        copy(overall[1], rows[3])


@compiled(NOTHING(FLOAT32_ROWS, SIDE_BY_SIDE, INT32S, INT32S, INT32S, INT32S))
def _nearest(
    vectors: NDArray[np.float32],
    sales: SideBySide,
    touched: NDArray[np.int32],
    own: NDArray[np.int32],
    positions: NDArray[np.int32],
    touches: NDArray[np.int32],
) -> None:
    """Write the touches of the sales most similar to those at `positions`, whose rows are `own`, if any."""
    best = np.zeros(len(positions), np.float32)
    newest = _newest(vectors, touched, len(touched))
    cosines = _compared(vectors, sales, touched[newest])
    for k in range(len(newest)):
        for number in range(len(positions)):
            cosine = cosines[k, positions[number]]
            if cosine > best[number] and own[number] != touched[newest[k]]:
                best[number] = cosine
                touches[number] = newest[k]
