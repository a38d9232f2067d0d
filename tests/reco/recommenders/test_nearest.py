"""The live sales nearest to what was touched: those that comparing all of them finds, to the last bit."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.image_index import FlatIndex
from reco.candidates import touched_by
from reco.content import SPACES, Content, IndexOf
from reco.recommenders.similarity import MAX_VISITED, RECENCY, nearest, nearest_to_touched
from reco.sessions import Session
from tests.reco.contents import IDS, UNPUBLISHED, query_of, sessions, touched
from tests.reco.worlds import NOON, act, open_sales, session_of

Vector = Sequence[float]
whole = st.lists(st.integers(-2, 2), min_size=5, max_size=5).filter(any)
"""Whole numbers, so that some are the same, some opposite and some orthogonal."""
vectors = st.dictionaries(st.sampled_from((*IDS, UNPUBLISHED)), whole)


class Everything:
    """No index: it proposes all there are."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._count = len(vectors)

    def near(self, direction: NDArray[np.float32], k: int) -> NDArray[np.int64]:  # noqa: ARG002
        """All places."""
        return np.arange(self._count)


def content_of(known: Mapping[str, Vector], index_of: IndexOf | None = FlatIndex) -> Content:
    content = Content(index_of)
    for sale_id, vector in known.items():
        content.put_vector("image", sale_id, np.array(vector, np.float64))
    return content


def near(content: Content, session: Session | None, k: int, ids: Sequence[str] = IDS) -> list[str]:
    """The `k` of the live sales nearest to what the visitor of `session` touched."""
    query = query_of(session, open_sales(ids))
    return [ids[position] for position in nearest_to_touched(content, "image", query, k).tolist()]


def plain_centre(session: Session | None, known: Mapping[str, NDArray[np.float32]]) -> list[float] | None:
    """The centre of the newest touched sales, number by number."""
    newest = [one for one in dict.fromkeys(touched_by(session)) if one in known][:MAX_VISITED]
    total, importance, weight = [0.0] * 5, 1.0, 0.0
    for one in newest:
        total = [
            so_far + importance * value for so_far, value in zip(total, known[one].tolist(), strict=True)
        ]
        weight += importance
        importance *= RECENCY
    length = math.sqrt(sum(value * value for value in total))
    return [value / length for value in total] if length > 1e-6 * weight else None


def plain_cosine(direction: Sequence[float], vector: NDArray[np.float32]) -> np.float32:
    """Added up axis by axis, in float32."""
    total = np.float32(0)
    for one, other in zip(np.array(direction, np.float32), vector, strict=True):
        total += one * other
    return np.clip(total, np.float32(-1), np.float32(1))


@given(session=sessions, known=vectors, k=st.integers(1, 14))
def test_they_are_those_of_the_plain_reference_and_ties_break_by_id(
    session: Session | None, known: dict[str, Vector], k: int
) -> None:
    content = content_of(known)
    rows, kept = content.rows_of(known), content.vectors("image")
    unit = {one: kept[row] for one, row in zip(known, rows.tolist(), strict=True)} if kept is not None else {}
    direction = plain_centre(session, unit)
    expected = []
    if direction is not None:
        expected = sorted((-plain_cosine(direction, unit[one]), one) for one in IDS if one in unit)[:k]
    assert near(content, session, k) == [one for _, one in expected]


@given(seed=st.integers(0, 99), k=st.integers(1, 60), copies=st.integers(1, 4))
def test_whatever_else_an_index_proposes_the_answer_is_the_same(seed: int, k: int, copies: int) -> None:
    random = np.random.default_rng(seed)
    ids = [f"sale-{number:03}" for number in range(200)]
    drawn = random.normal(size=(200 // copies, 40)).tolist() * copies
    known, live = dict(zip(ids, drawn, strict=False)), open_sales(ids)
    direction = np.array([1.0] + [0.0] * 39, np.float32)
    by_index = nearest(content_of(known), "image", live, direction, k)
    by_all = nearest(content_of(known, Everything), "image", live, direction, k)
    assert [one.tobytes() for one in by_index] == [one.tobytes() for one in by_all]
    assert len(by_index[0]) == k


def test_nothing_is_near_without_an_index_a_vector_or_a_touch() -> None:
    known = {"s1": [1.0], "s2": [1.0]}
    assert near(content_of(known), touched("s1"), 9) == ["s1", "s2"]
    assert near(content_of(known, None), touched("s1"), 9) == []
    assert near(content_of(known), None, 9) == []
    assert near(content_of(known), touched("s3"), 9) == []
    assert near(content_of({}), touched("s1"), 9) == []
    assert near(content_of(known), touched("s1"), 9, ids=["s3"]) == []
    assert near(content_of({"s1": [1.0], "s2": [-1.0]}), touched("s1", "s2"), 1) == ["s2"]


@pytest.mark.parametrize("space", SPACES)
def test_it_looks_at_one_space_alone(space: str) -> None:
    content = Content(FlatIndex)
    for other in SPACES:
        content.put_vector(other, "s1" if other == space else "s2", np.ones(2))
        content.put_vector(other, "s0", np.ones(2))
    found = nearest_to_touched(content, space, query_of(touched("s0")), 9)
    assert [IDS[position] for position in found] == ["s0", "s1"]


def test_what_was_touched_last_counts_most_and_an_earlier_visit_where_the_newest_says_nothing() -> None:
    content = content_of({"s0": [1.0, 0.0], "s1": [0.9, 0.1], "s2": [0.0, 1.0]})
    assert near(content, touched("s0", "s2"), 1, ids=["s0", "s2"]) == ["s2"]
    assert near(content, touched("s2", "s0"), 1, ids=["s0", "s2"]) == ["s0"]
    assert near(content, session_of([act("s0", NOON - 9 * 3_600_000), act("s9")]), 2) == ["s0", "s1"]
