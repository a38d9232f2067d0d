"""Metrics by hand, and what must hold for all rankings and probabilities."""

from math import log, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reco.metrics import (
    MISS,
    expected_calibration_error,
    hit_rate,
    log_loss,
    ndcg,
    reciprocal_rank,
    reliability,
    target_rank,
)

RANKS = np.array([1, 2, 3, 20, 21, MISS], np.int32)

any_scores = st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, np.inf, np.nan]), min_size=1, max_size=30)
judged = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0]), st.booleans(), st.floats(0.1, 10)),
    min_size=1,
    max_size=60,
)


def test_the_best_score_has_rank_1_and_the_worst_the_last() -> None:
    scores = np.array([0.1, 0.9, 0.5], np.float32)
    assert [target_rank(scores, target) for target in range(3)] == [3, 1, 2]


def test_ties_count_against_the_target() -> None:
    assert target_rank(np.array([0.5, 0.5, 0.5, 0.1]), 1) == 3
    assert target_rank(np.zeros(7, np.float32), 0) == 7


def test_nan_is_below_everything_even_minus_infinity() -> None:
    scores = np.array([np.nan, -np.inf, np.nan, 1.0])
    assert [target_rank(scores, target) for target in range(4)] == [4, 2, 4, 1]


def test_a_target_that_is_no_candidate_is_a_miss() -> None:
    assert target_rank(np.array([0.3, 0.2]), -1) == MISS


@given(any_scores, st.data())
def test_the_rank_is_1_and_1_more_for_each_other_that_is_not_below(
    scores: list[float], data: st.DataObject
) -> None:
    target = data.draw(st.integers(0, len(scores) - 1))
    height = [(not np.isnan(score), 0.0 if np.isnan(score) else score) for score in scores]
    others = [height[other] >= height[target] for other in range(len(scores)) if other != target]
    assert target_rank(np.array(scores), target) == 1 + sum(others)


def test_hit_rate_counts_targets_among_the_first_k() -> None:
    assert hit_rate(RANKS, 20).tolist() == [1, 1, 1, 1, 0, 0]
    assert hit_rate(RANKS, 1).tolist() == [1, 0, 0, 0, 0, 0]


def test_ndcg_falls_with_the_logarithm_of_the_rank() -> None:
    assert ndcg(RANKS, 20).tolist() == pytest.approx([1, 1 / log2(3), 0.5, 1 / log2(21), 0, 0])


def test_reciprocal_rank_is_1_over_the_rank() -> None:
    assert reciprocal_rank(RANKS, 20).tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 20, 0, 0])


@given(arrays(np.int32, (3, 7), elements=st.integers(0, 40)), st.integers(1, 30))
def test_better_ranks_never_score_less_and_no_metric_exceeds_the_hit_rate(ranks: np.ndarray, k: int) -> None:
    for metric in (ndcg, reciprocal_rank):
        values = metric(ranks, k)
        assert values.shape == ranks.shape
        assert values.dtype == np.float64
        assert (values <= hit_rate(ranks, k)).all()
        assert (metric(np.where(ranks > 1, ranks - 1, ranks), k) >= values).all()


def test_reliability_has_bins_of_equal_weight() -> None:
    table = reliability([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], bins=2)
    assert table.predicted.tolist() == pytest.approx([0.15, 0.35])
    assert table.observed.tolist() == [0.5, 0.5]
    assert table.share.tolist() == [0.5, 0.5]


def test_equal_probabilities_stay_in_one_bin() -> None:
    table = reliability([0.1] * 9 + [0.7], [0] * 9 + [1], bins=5)
    assert table.predicted.tolist() == pytest.approx([0.1, 0.7])
    assert table.share.tolist() == pytest.approx([0.9, 0.1])


def test_calibration_error_is_the_mean_distance_by_hand() -> None:
    # Bins {0.1, 0.2} and {0.3, 0.4}: |0.5 - 0.15| and |0.5 - 0.35|, each half of the weight.
    assert expected_calibration_error([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], bins=2) == pytest.approx(0.25)


def test_an_example_that_weighs_3_counts_as_three() -> None:
    probabilities, labels = [0.1, 0.4, 0.8], [0, 1, 1]
    weighted = (probabilities, labels, [1.0, 3.0, 2.0])
    repeated = ([0.1, 0.4, 0.4, 0.4, 0.8, 0.8], [0, 1, 1, 1, 1, 1])
    assert expected_calibration_error(*weighted) == pytest.approx(expected_calibration_error(*repeated))


@given(judged, st.randoms(use_true_random=False))
def test_the_order_of_examples_does_not_matter(
    examples: list[tuple[float, bool, float]], random: object
) -> None:
    shuffled = examples.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (np.array(each).T for each in (examples, shuffled))
    assert expected_calibration_error(*one) == pytest.approx(expected_calibration_error(*other))
    assert log_loss(*one[:2]) == pytest.approx(log_loss(*other[:2]))


@given(judged)
def test_bins_share_out_all_weight_and_the_error_is_at_most_1(
    examples: list[tuple[float, bool, float]],
) -> None:
    table = reliability(*np.array(examples).T)
    assert table.share.sum() == pytest.approx(1)
    assert (np.diff(table.predicted) > 0).all()
    assert 0 <= expected_calibration_error(*np.array(examples).T) <= 1 + 1e-12  # as shares are rounded


def test_log_loss_is_by_hand_and_finite_for_a_sure_mistake() -> None:
    assert log_loss([0.25, 0.5], [1, 0]) == pytest.approx((log(4) + log(2)) / 2)
    assert 10 < log_loss([0.0, 1.0], [1, 0]) < 100


def test_no_examples_and_no_weight_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="no example that has weight"):
        expected_calibration_error([], [])
    with pytest.raises(ValueError, match="no example that has weight"):
        expected_calibration_error([0.5], [1], [0.0])
