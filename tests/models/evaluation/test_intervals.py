"""Intervals: by hand, against a plain loop, and what draws of whole groups must give."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.evaluation import intervals
from models.evaluation.intervals import Resampled, Units, by_cluster, by_window, proportion, resample


def test_clusters_give_the_plain_mean_and_windows_the_mean_of_their_means() -> None:
    values = np.array([[1.0, 1.0, 1.0, 0.0]])
    groups = np.array([4, 4, 4, 9])
    assert resample(values, by_cluster(groups)).means.tolist() == [0.75]
    assert resample(values, by_window(groups)).means.tolist() == [0.5]


def test_draws_are_those_of_a_plain_loop() -> None:
    values = np.random.default_rng(1).random((2, 12))
    clusters = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4])
    random = np.random.default_rng(5)
    expected = []
    for _ in range(40):
        questions = np.concatenate([np.flatnonzero(clusters == one) for one in random.integers(5, size=5)])
        expected.append(values[:, questions].mean(axis=1))
    assert resample(values, by_cluster(clusters), 40, seed=5).draws == pytest.approx(np.array(expected))


def test_of_a_hundred_draws_five_lie_outside_as_many_on_either_side() -> None:
    found = Resampled(np.array([40.0]), np.arange(1001.0)[:, None]).estimate(0)
    assert (found.mean, found.low, found.high) == pytest.approx((40, 25, 975))


def test_the_size_of_a_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, units = np.random.default_rng(1).random((2, 50)), by_cluster(np.arange(50) // 2)
    at_once = resample(values, units, 30).draws
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 100)
    assert resample(values, units, 30).draws == pytest.approx(at_once)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.integers(1, 8),
    st.sampled_from([by_cluster, by_window]),
)
def test_the_interval_holds_the_mean_when_groups_are_many_or_alike(
    values: list[float], size: int, units_of: Callable[[NDArray[np.int64]], Units]
) -> None:
    # So many copies of each value make four groups at least, and no draw of these is one-sided.
    column = np.repeat(values, 32)
    groups = np.arange(len(column)) // size
    one = resample(column[None], units_of(groups), 300).estimate(0)
    assert one.low - 1e-12 <= one.mean <= one.high + 1e-12


def test_the_interval_of_independent_questions_is_that_of_the_textbook() -> None:
    values = (np.arange(4000) % 4 == 0).astype(np.float64)
    one = resample(values[None], by_cluster(np.arange(4000))).estimate(0)
    error = 1.96 * np.sqrt(0.25 * 0.75 / 4000)
    assert (one.mean, one.low, one.high) == pytest.approx((0.25, 0.25 - error, 0.25 + error), abs=error / 5)


def test_questions_that_repeat_each_other_make_the_interval_wider() -> None:
    values = np.repeat(np.arange(100) % 2, 10).astype(np.float64)[None]
    whole = resample(values, by_cluster(np.repeat(np.arange(100), 10))).estimate(0)
    apart = resample(values, by_cluster(np.arange(1000))).estimate(0)
    assert whole.high - whole.low > 2 * (apart.high - apart.low)


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    values, units = np.random.default_rng(1).random((3, 100)), by_cluster(np.arange(100))
    assert np.array_equal(resample(values, units).draws, resample(values, units).draws)
    assert not np.array_equal(resample(values, units).draws, resample(values, units, seed=1).draws)


def test_identical_scorers_differ_by_nothing_in_any_draw() -> None:
    hits = np.tile(np.random.default_rng(3).integers(0, 2, 200).astype(np.float64), (2, 1))
    found = resample(hits, by_cluster(np.arange(200) // 3))
    same = found.uplift(1, 0)
    assert (same.mean, same.low, same.high) == pytest.approx((0, 0, 0), abs=1e-9)
    assert found.difference(0, 1).high == pytest.approx(0, abs=1e-12)


def test_differences_are_paired_so_a_constant_gain_is_sure() -> None:
    noisy = np.random.default_rng(3).random(300)
    found = resample(np.stack([noisy, noisy + 0.01]), by_cluster(np.arange(300)))
    gain = found.difference(1, 0)
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0.01, 0.01, 0.01))


def test_uplift_is_in_per_cent_of_the_other() -> None:
    found = resample(np.array([[0.2] * 4, [0.3] * 4]), by_cluster(np.arange(4)))
    assert found.uplift(1, 0).mean == pytest.approx(50)
    assert found.uplift(0, 1).low == pytest.approx(-100 / 3)


def test_there_is_no_uplift_over_nothing() -> None:
    found = resample(np.array([[0.0, 0.0], [1.0, 0.0]]), by_cluster(np.array([0, 1])))
    assert np.isnan(found.uplift(1, 0).mean)


def test_draws_in_which_the_other_has_nothing_say_nothing_about_uplift() -> None:
    found = resample(np.array([[1.0, 1.0, 0.0, 0.0]] * 2), by_cluster(np.arange(4)))
    one = found.uplift(1, 0)
    assert (found.draws[:, 0] == 0).any()
    assert (one.mean, one.low, one.high) == (0, 0, 0)


@pytest.mark.parametrize("groups", [[0, 0, 0], [0, 1, 2]])
def test_of_up_to_three_groups_the_mean_is_known_and_no_interval(groups: list[int]) -> None:
    for units in (by_cluster(np.array(groups)), by_window(np.array(groups))):
        found = resample(np.array([[0.2, 0.2, 0.2], [0.1, 0.3, 0.5]]), units)
        for one, mean in ((found.estimate(1), 0.3), (found.difference(1, 0), 0.1), (found.uplift(1, 0), 50)):
            assert one.mean == pytest.approx(mean)
            assert np.isnan([one.low, one.high]).all()


def test_no_questions_have_no_mean() -> None:
    with pytest.raises(ValueError, match="nothing was asked"):
        resample(np.zeros((2, 0)), by_cluster(np.zeros(0, np.int64)))


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    [
        (8, 8, 0.6756, 1),
        (0, 10, 0, 0.2775),
        (1, 1, 0.2065, 1),
        (81, 263, 0.2553, 0.3662),  # Newcombe (Statistics in Medicine 17, 1998), table I, as the next two
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_share_is_the_score_interval(
    hits: int, cases: int, low: float, high: float
) -> None:
    one = proportion(hits, cases)
    assert (one.mean, one.low, one.high) == pytest.approx((hits / cases, low, high), abs=5e-5)
