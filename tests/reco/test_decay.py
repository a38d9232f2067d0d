"""Exponential decay in exact steps: it follows the formula, and its halves are exact."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco import decay
from reco.events import EARLIEST_TIME, LATEST_TIME

HALF_LIFE = 6 * 60 * 60 * 1000
times = st.integers(EARLIEST_TIME, LATEST_TIME)
ages = st.integers(0, 40 * HALF_LIFE)


def test_the_table_is_the_powers_of_two_that_it_stands_for() -> None:
    np.testing.assert_allclose(decay.GROWTH, 2.0 ** (np.arange(decay.STEPS) / decay.STEPS), rtol=1e-15)
    assert all(less < more for less, more in pairwise(decay.GROWTH))


@given(ages)
def test_what_is_left_follows_the_formula_to_a_step(age: int) -> None:
    assert decay.left(age, HALF_LIFE) == pytest.approx(2.0 ** (-age / HALF_LIFE), rel=2 / decay.STEPS)


@given(st.integers(0, 2 * decay.FADING_HALVINGS * HALF_LIFE))
def test_what_fades_follows_the_formula_to_a_coarse_step_and_from_some_age_on_no_more(age: int) -> None:
    halvings = min(age / HALF_LIFE, decay.FADING_HALVINGS - 1 / decay.FADING_STEPS)
    more = decay.faded(age, decay.FADING_STEPS / HALF_LIFE) / 2.0**-halvings
    assert 1 - 1e-6 < more < 2 ** (1 / decay.FADING_STEPS) + 1e-6


@given(ages)
def test_another_half_life_leaves_exactly_half(age: int) -> None:
    assert decay.left(age + HALF_LIFE, HALF_LIFE) == decay.left(age, HALF_LIFE) / 2


@given(ages, ages)
def test_an_older_one_never_leaves_more(age: int, more: int) -> None:
    assert decay.left(age + more, HALF_LIFE) <= decay.left(age, HALF_LIFE)


@given(times, times)
def test_a_later_time_never_weighs_less(one: int, other: int) -> None:
    assert decay.weight(min(one, other), HALF_LIFE) <= decay.weight(max(one, other), HALF_LIFE)


@given(st.floats(1e-300, 1e300), st.integers(-2000, 2000))
def test_halving_is_exact_however_often(value: float, times: int) -> None:
    try:
        expected = math.ldexp(value, -times)
    except OverflowError:
        expected = math.inf
    assert decay.halved(value, times) == expected


@given(st.permutations([(EARLIEST_TIME, 1.0), (EARLIEST_TIME + HALF_LIFE, 2.0), (LATEST_TIME, 4.0)]))
def test_counts_of_a_century_neither_overflow_nor_depend_on_the_order(gains: list[tuple[int, float]]) -> None:
    counts = decay.no_counts(1)
    for ts, gain in gains:
        exponent, factor = decay.weight(ts, HALF_LIFE)
        decay.add(counts, 0, exponent, gain * factor)
    exponent, factor = decay.weight(LATEST_TIME, HALF_LIFE)
    assert decay.worth(counts, 0, exponent) == 4.0 * factor
