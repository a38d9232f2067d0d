"""Results of an evaluation: tables by hand, and the file that holds them."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluation.intervals import Resampled, Units, resample
from models.evaluation.results import Kind, Metric, Results, summarise, write_json
from tests.models.evaluation.found import by_hand, drawn


def test_metrics_are_named_with_their_cut() -> None:
    assert [Metric("MRR", 20).name, Metric("NDCG", 10).name] == ["MRR@20", "NDCG@10"]
    assert Metric("MRR", 2).of(np.array([1, 2, 3, 0])).tolist() == [1.0, 0.5, 0.0, 0.0]


def test_figures_are_plain_means_of_all_questions() -> None:
    summary = by_hand([[1, 3, 0, 0]], ["recommender"]).summary
    assert [one.mean for one in summary.rows[0].figures] == pytest.approx([1.5 / 4, 2 / 4])
    assert summary.windows is None


def test_with_windows_each_window_counts_alike() -> None:
    summary = by_hand([[1, 1, 1, 0]], ["ranker"], windows=np.array([7, 7, 7, 8])).summary
    assert [one.mean for one in summary.rows[0].figures] == [0.5, 0.5]
    assert summary.windows == 2


def test_the_best_single_is_a_recommender_or_rule_never_a_baseline_or_learned() -> None:
    ranks = [[1, 1], [2, 2], [1, 2], [1, 1], [1, 1]]
    summary = by_hand(ranks, ["baseline", "recommender", "rule", "challenger", "ranker"]).summary
    assert summary.best_single == 2
    assert summary.best_ranker == 4


def test_the_best_is_the_best_by_the_main_metric() -> None:
    kinds: list[Kind] = ["recommender", "recommender", "ranker", "ranker"]
    summary = by_hand([[2, 2], [3, 1], [2, 2], [3, 1]], kinds).summary
    assert (summary.best_single, summary.best_ranker) == (1, 3)


def test_equals_are_ranked_in_their_order() -> None:
    summary = by_hand([[0, 1], [1, 0], [1, 1]], ["recommender", "recommender", "ranker"]).summary
    assert summary.ranked() == [2, 0, 1]
    assert summary.best_single == 0


def test_uplift_is_over_the_best_single_and_only_for_what_is_learned() -> None:
    ranks = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]]
    summary = by_hand(ranks, ["baseline", "recommender", "ranker"]).summary
    assert [len(row.uplift) for row in summary.rows] == [0, 0, 2]
    assert [one.mean for one in summary.rows[2].uplift] == pytest.approx([50, 50])


def test_a_ranker_that_ranks_as_the_best_single_has_no_uplift() -> None:
    ranks = [[1, 5, 0, 2]] * 2
    for one in by_hand(ranks, ["recommender", "ranker"]).summary.rows[1].uplift:
        assert (one.mean, one.low, one.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_slices_name_their_own_best_single_and_the_difference_to_both() -> None:
    ranks = [[1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [1, 1, 0, 1, 1]]
    slices = np.array([0, 0, 0, 1, 1], np.int8)
    summary = by_hand(ranks, ["recommender", "recommender", "ranker"], slices=slices).summary
    carted, untouched = summary.slices
    assert [carted.name, carted.questions, carted.best_here] == ["carted", 3, "scorer 0"]
    assert [untouched.name, untouched.questions, untouched.best_here] == ["never touched", 2, "scorer 1"]
    ranker = untouched.rows[0]
    assert [ranker.figure.mean, ranker.over_best.mean, ranker.over_best_here.mean] == [1.0, 1.0, 0.0]
    assert carted.rows[0].over_best.mean == pytest.approx(-1 / 3)
    assert [untouched.figure_best.mean, untouched.figure_best_here.mean] == [0, 1]


def test_slices_are_judged_by_the_main_metric() -> None:
    summary = by_hand([[3, 1], [2, 2]], ["ranker", "rule"], slices=np.zeros(2, np.int8)).summary
    assert summary.slices[0].rows[0].figure.mean == pytest.approx(0.75)


def test_whole_windows_are_drawn_for_intervals_or_without_any_whole_clusters() -> None:
    """Of two of them, no interval is known."""
    twice, each = np.repeat([3, 8], 10), np.arange(20)
    for arrays, known in (
        ({"clusters": twice}, False),
        ({"clusters": each}, True),
        ({"clusters": each, "windows": twice}, False),
        ({"clusters": twice, "windows": each}, True),
    ):
        summary = by_hand([[1, 0] * 10, [0, 1] * 10], ["rule", "ranker"], **arrays).summary
        assert summary.clusters == len(np.unique(arrays["clusters"]))
        assert np.isfinite(summary.rows[0].figures[0].low) == known
        assert np.isfinite(summary.rows[1].uplift[0].low) == known


def test_a_mean_over_all_questions_is_that_of_the_windows() -> None:
    found = by_hand([[1, 1, 1, 0]], ["ranker"], windows=np.array([7, 7, 7, 8]))
    assert found.mean(Metric("HR", 1), 0) == 0.5


def test_the_best_published_is_the_best_by_the_main_metric() -> None:
    others = {"a": {"NDCG@20": 0.3, "HR@20": 0.9}, "b": {"NDCG@20": 0.4}, "c": {"HR@20": 0.95}}
    assert msgspec.structs.replace(drawn(9).about, published=others).best_published() == ("b", 0.4)


def test_in_each_slice_a_hand_rule_is_judged_beside_what_is_learned() -> None:
    ranks = [[1, 1, 1, 0, 0], [0, 0, 0, 0, 1], [1, 1, 0, 1, 1]]
    slices = np.array([0, 0, 0, 1, 1], np.int8)
    untouched = by_hand(ranks, ["recommender", "rule", "ranker"], slices=slices).summary.slices[1]
    assert [row.scorer.kind for row in untouched.rows] == ["rule", "ranker"]
    assert untouched.rows[0].figure.mean == 0.5


def test_a_slice_that_no_question_is_in_is_left_out() -> None:
    slices = np.array([1, 1], np.int8)
    summary = by_hand([[1, 2], [1, 1]], ["rule", "ranker"], slices=slices).summary
    assert [one.name for one in summary.slices] == ["never touched"]


def test_without_anything_single_or_learned_there_is_still_a_table() -> None:
    summary = by_hand([[1, 2]], ["baseline"], slices=np.array([0, 1], np.int8)).summary
    assert (summary.best_single, summary.best_ranker, summary.slices) == (None, None, ())
    assert len(summary.rows) == 1


def test_every_interval_holds_its_mean_and_draws_are_repeatable() -> None:
    results = drawn()
    for row in results.summary.rows:
        assert all(one.low < one.mean < one.high for one in (*row.figures, *row.uplift))
    assert summarise(results) == results.summary


def test_calibration_is_summed_up() -> None:
    results = drawn()
    calibrated, given = results.summary.calibrated, results.calibration
    assert calibrated is not None
    assert given is not None
    told = np.where(given.labels, given.probabilities, 1 - given.probabilities).astype(np.float64)
    assert calibrated.log_loss == pytest.approx(-np.log(told).mean(), rel=1e-5)
    assert calibrated.examples == 500
    assert 0 < calibrated.error < 0.1
    assert sum(share for _, _, share in calibrated.table) == pytest.approx(1)


def test_the_json_holds_the_tables_without_the_arrays(tmp_path: Path) -> None:
    results = drawn()
    write_json(results, tmp_path / "found.json")
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["rows"] == json.loads(msgspec.json.encode(results.summary.rows))
    assert written["about"]["published"]["XLNet"]["HR@20"] == 0.6721
    assert "ranks" not in written


def test_a_figure_that_is_not_a_number_is_null_in_json(tmp_path: Path) -> None:
    write_json(by_hand([[0, 0], [1, 1]], ["rule", "ranker"]), tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["rows"][1]["uplift"][0]["mean"] is None


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ranks of shape \(1, 3\)"):
        by_hand([[1, 2, 3]], ["ranker"], clusters=np.arange(2))
    with pytest.raises(ValueError, match="times of shape"):
        by_hand([[1, 2, 3]], ["ranker"], times=np.arange(4))
    with pytest.raises(ValueError, match="slices are positions"):
        by_hand([[1, 2]], ["ranker"], slices=np.array([0, 2], np.int8))
    with pytest.raises(ValueError, match="need a metric"):
        Results(
            about=msgspec.structs.replace(drawn(9).about, metrics=()),
            ranks=drawn(9).ranks,
            clusters=np.arange(9),
        )


def test_units_are_drawn_once_for_a_metric_however_many_scorers_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []

    def noted(values: NDArray[np.float64], units: Units) -> Resampled:
        drawn.append(len(values))
        return resample(values, units)

    monkeypatch.setattr("models.evaluation.results.resample", noted)
    recommenders: list[Kind] = ["recommender"] * 39
    ranks = np.random.default_rng(1).integers(0, 50, (40, 60))
    results = by_hand(ranks.tolist(), [*recommenders, "ranker"])
    assert len(results.summary.rows) == 40
    assert drawn == [40] * len(results.about.metrics)
