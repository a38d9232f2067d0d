"""An index of images finds exactly what comparing every pair finds, and refuses what it cannot compare."""

from collections.abc import Collection
from hashlib import sha256

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.image_index import DIGEST_BYTES, ImageIndex
from reco.errors import LabellingError

DIMENSIONS = 4
# Each has a length that float32 divides by without rounding; so equal cosines are equal bit for bit.
CORNERS = st.sampled_from(
    [np.float32(sign) * row for sign in (-2, 1) for row in np.eye(DIMENSIONS, dtype=np.float32)]
    + [np.array(row, np.float32) for row in ((1, 1, 1, 1), (1, -1, 1, 1), (-3, 3, 3, -3), (2, 2, -2, 2))]
)
IDS = st.text("abc", min_size=1, max_size=4)


@st.composite
def alike(draw: st.DrawFn) -> tuple[list[str], NDArray[np.float32]]:
    """Sales of which many have the same cosine to each other."""
    ids = draw(st.lists(IDS, min_size=1, max_size=30, unique=True))
    return ids, np.array([draw(CORNERS) for _ in ids])


def plainly(
    ids: list[str], vectors: NDArray[np.float32], to: NDArray[np.float32], k: int, among: Collection[str]
) -> list[tuple[str, float]]:
    """The same answer the slow way, in float64."""
    exact, sought = vectors.astype(np.float64), to.astype(np.float64)
    cosines = exact @ sought / (np.linalg.norm(exact, axis=1) * np.linalg.norm(sought))
    found = [(-cosine, sale) for sale, cosine in zip(ids, cosines.tolist(), strict=True) if sale in among]
    return [(sale, -negative) for negative, sale in sorted(found)[:k]]


@given(sales=alike(), to=CORNERS, k=st.integers(0, 12), among=st.none() | st.sets(IDS))
def test_it_finds_what_comparing_all_finds_and_ties_break_by_id(
    sales: tuple[list[str], NDArray[np.float32]], to: NDArray[np.float32], k: int, among: set[str] | None
) -> None:
    ids, vectors = sales
    expected = plainly(ids, vectors, to, k, ids if among is None else among)
    assert ImageIndex(ids, vectors).nearest(to, k, among) == expected


@given(sales=alike(), k=st.integers(0, 12), among=st.none() | st.sets(IDS), data=st.data())
def test_a_sale_is_never_near_itself(
    sales: tuple[list[str], NDArray[np.float32]], k: int, among: set[str] | None, data: st.DataObject
) -> None:
    ids, vectors = sales
    sale = data.draw(st.sampled_from(ids))
    others = set(ids if among is None else among) - {sale}
    expected = plainly(ids, vectors, vectors[ids.index(sale)], k, others)
    assert ImageIndex(ids, vectors).nearest(sale, k, among) == expected


@given(
    vectors=arrays(np.float32, (40, 8), elements=st.floats(0.5, 10, width=32)),
    signs=arrays(np.bool_, (40, 8)),
    k=st.integers(1, 40),
)
def test_any_vectors_are_ranked_by_cosine(
    vectors: NDArray[np.float32], signs: NDArray[np.bool_], k: int
) -> None:
    vectors, ids = np.where(signs, vectors, -vectors), [f"sale-{number}" for number in range(40)]
    found, expected = (
        ImageIndex(ids, vectors).nearest(vectors[3], k),
        plainly(ids, vectors, vectors[3], 40, ids),
    )
    cosines = dict(expected)
    assert len({sale for sale, _ in found}) == k
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    np.testing.assert_allclose([score for _, score in found], [cosines[sale] for sale, _ in found], atol=1e-6)
    np.testing.assert_allclose(
        [score for _, score in found], [cosine for _, cosine in expected[:k]], atol=1e-6
    )


def test_a_thousand_sales_of_which_half_look_the_same_are_in_order() -> None:
    vectors = np.random.default_rng(1).normal(size=(500, 64)).astype(np.float32)
    ids = [f"sale-{number:04}" for number in range(1000)]
    found = ImageIndex(ids, np.concatenate([vectors, vectors])).nearest(vectors[7], 101)
    assert found[0][0] == "sale-0007"
    assert found[1][0] == "sale-0507"
    for (first, score), (second, same) in zip(found[::2], found[1::2], strict=False):
        assert (int(second[5:]), same) == (int(first[5:]) + 500, score)


def test_an_index_of_no_sales_finds_nothing() -> None:
    index = ImageIndex([], np.empty((0, 3), np.float32))
    assert (len(index), index.nearest(np.ones(3, np.float32), 10)) == (0, [])


def test_it_does_not_change_with_the_vectors_it_was_built_from() -> None:
    vectors = np.eye(3, dtype=np.float32)
    index = ImageIndex(["a", "b", "c"], vectors)
    vectors[0] = vectors[1]
    assert index.nearest(vectors[1], 2) == [("b", 1.0), ("a", 0.0)]


@pytest.mark.parametrize(
    ("ids", "vectors", "fault"),
    [
        (["a"], np.ones((2, 3)), r"1 sales cannot have embeddings of shape \(2, 3\)"),
        (["a", "b", "c"], np.ones(3), r"shape \(3,\)"),
        (["a"], np.ones((1, 0)), r"shape \(1, 0\)"),
        (["a", "a"], np.ones((2, 3)), "two embeddings"),
        (["b", "a"], [[1, 2], [np.nan, 1]], "^a: has an embedding that is not finite"),
        (["a", "b"], [[1, 2], [np.inf, 1]], "^b: has"),
        (["a"], np.zeros((1, 3)), "^a: has"),
    ],
)
def test_what_has_no_direction_is_not_indexed(ids: list[str], vectors: object, fault: str) -> None:
    with pytest.raises(LabellingError, match=fault):
        ImageIndex(ids, np.asarray(vectors, np.float32))


@pytest.mark.parametrize(
    ("to", "fault"),
    [
        (np.ones(2), r"shape \(2,\) cannot be looked up in 3 dimensions"),
        (np.ones((1, 3)), r"shape \(1, 3\)"),
        (np.array([1, np.nan, 0]), "the vector looked up: has"),
        (np.zeros(3), "the vector looked up: has"),
    ],
)
def test_a_vector_that_cannot_be_compared_is_refused(to: NDArray[np.float64], fault: str) -> None:
    with pytest.raises(LabellingError, match=fault):
        ImageIndex(["a"], np.ones((1, 3), np.float32)).nearest(to.astype(np.float32), 1)


def test_a_sale_that_is_not_indexed_is_refused() -> None:
    index = ImageIndex(["a"], np.ones((1, 3), np.float32))
    assert ("a" in index, "b" in index) == (True, False)
    with pytest.raises(LabellingError, match="sale b is not indexed"):
        index.nearest("b", 1)


def test_it_is_the_same_when_read_again() -> None:
    vectors = np.random.default_rng(2).normal(size=(1000, 3)).astype(np.float32)
    ids = [f"sale-{number}" for number in range(1000)]
    index = ImageIndex(ids, vectors)
    again = ImageIndex.from_bytes(index.to_bytes())
    assert again.to_bytes() == index.to_bytes()
    assert [again.nearest(sale, 5) for sale in ids[:50]] == [index.nearest(sale, 5) for sale in ids[:50]]


@given(st.binary(max_size=100))
def test_bytes_that_are_no_index_are_refused(value: bytes) -> None:
    with pytest.raises(LabellingError, match="is no index of images"):
        ImageIndex.from_bytes(value)
    with pytest.raises(LabellingError, match="is no index of images"):
        ImageIndex.from_bytes(sealed(value))


def sealed(value: bytes) -> bytes:
    return sha256(value).digest() + value


WHOLE = ImageIndex(["a", "b"], np.eye(2, 3, dtype=np.float32)).to_bytes()


@given(place=st.integers(0, len(WHOLE) - 1), flipped=st.integers(1, 255))
def test_one_wrong_byte_is_found(place: int, flipped: int) -> None:
    wrong = WHOLE[:place] + bytes([WHOLE[place] ^ flipped]) + WHOLE[place + 1 :]
    with pytest.raises(LabellingError, match="not all of one"):
        ImageIndex.from_bytes(wrong)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("format", "images-9", "images-9"),
        ("dimensions", 2, "reshape"),
        ("dimensions", -1, "dimensions"),
        ("sale_ids", ["a"], "reshape"),
        ("sale_ids", ["a", "a"], "two embeddings"),
        ("vectors", b"\0" * 24, "a: has an embedding that is not finite, or 0"),
        ("vectors", b"123", "buffer size"),
        ("more", 1, "more"),
    ],
)
def test_a_broken_snapshot_is_refused(field: str, value: object, fault: str) -> None:
    stored = msgspec.msgpack.decode(WHOLE[DIGEST_BYTES:]) | {field: value}
    with pytest.raises(LabellingError, match=fault):
        ImageIndex.from_bytes(sealed(msgspec.msgpack.encode(stored)))
