"""An index of vectors brings all that are nearest, and of the others only those that are as good as these."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.image_index import SPARE, FlatIndex

DIMENSIONS = 8
THOUSAND = 1000


def of_length_one(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    exact = vectors.astype(np.float64)
    return np.asarray(exact / np.linalg.norm(exact, axis=-1, keepdims=True), np.float32)


def drawn(count: int, dimensions: int, seed: int = 1) -> NDArray[np.float32]:
    return of_length_one(np.random.default_rng(seed).normal(size=(count, dimensions)))


def exactly(vectors: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine of each, as exactly as float64 has it."""
    return vectors.astype(np.float64) @ direction.astype(np.float64)


some = arrays(np.int8, st.tuples(st.integers(1, 120), st.just(DIMENSIONS)), elements=st.integers(0, 1)).map(
    lambda corners: of_length_one(corners.astype(np.float64) - 0.5)
)
"""Vectors of which many are the same, and many as near as others."""


@given(vectors=some, towards=st.integers(0, 119), k=st.integers(1, 150))
def test_none_of_the_nearest_is_left_out_although_many_are_as_near(
    vectors: NDArray[np.float32], towards: int, k: int
) -> None:
    direction = vectors[towards % len(vectors)]
    places, cosines = FlatIndex(vectors).near(direction, k), exactly(vectors, direction)
    last = np.sort(cosines)[-min(k, len(vectors))]
    assert set(places.tolist()) == set(np.flatnonzero(cosines >= last - 1e-6).tolist())
    assert len(places) == len(set(places.tolist()))


@pytest.mark.parametrize("dimensions", [2, 64, 1280])
def test_of_a_thousand_sales_it_brings_the_nearest_and_hardly_any_other(dimensions: int) -> None:
    vectors, direction = drawn(THOUSAND, dimensions), drawn(1, dimensions, seed=2)[0]
    found = set(FlatIndex(vectors).near(direction, 40).tolist())
    assert found >= set(np.argsort(-exactly(vectors, direction))[:40].tolist())
    assert len(found) < 40 + SPARE


def test_what_is_as_near_but_for_rounding_is_brought_too() -> None:
    direction = drawn(1, 1280)[0]
    alike = np.repeat(direction[np.newaxis], THOUSAND, axis=0)
    rows = np.arange(THOUSAND)
    alike[rows, rows] = np.nextafter(alike[rows, rows], np.float32(2))
    vectors = np.concatenate((drawn(THOUSAND, 1280, seed=3), alike))
    assert set(FlatIndex(vectors).near(direction, 5).tolist()) == set(range(THOUSAND, 2 * THOUSAND))


def test_it_does_not_change_with_the_vectors_it_was_built_from() -> None:
    vectors = np.eye(3, dtype=np.float32)
    index = FlatIndex(vectors)
    vectors[0] = vectors[1]
    assert index.near(vectors[1], 1).tolist() == [1]
