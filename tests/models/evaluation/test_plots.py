"""Plots: they say what they were given, as text, and stand inside a page."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.lines import Line2D

from models.evaluation import plots
from models.evaluation.results import Calibration, Results
from tests.models.evaluation.found import by_hand, drawn

PLOTS: dict[str, Callable[[Results], str]] = {
    "bars": lambda found: plots.scorer_bars(found.summary),
    "time": lambda found: plots.over_time(found, found.summary),
    "hits": lambda found: plots.hit_curve(found, found.summary),
    "features": lambda found: plots.feature_importance(found.about.importance),
    "families": lambda found: plots.family_importance(found.about.importance),
}


def texts(svg: str) -> list[str]:
    """What a reader reads in a plot."""
    tree = ET.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))  # noqa: S314 - our own
    return [element.text or "" for element in tree.iter() if element.tag.endswith("text")]


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_one_element_without_references_to_the_outside_and_takes_the_colour_of_the_page(
    name: str,
) -> None:
    svg = PLOTS[name](drawn())
    assert svg.startswith("<svg")
    assert "http" not in svg
    assert "currentColor" in svg
    assert plots._INK not in svg


def test_plots_that_look_alike_do_not_share_the_ids_that_they_refer_to() -> None:
    alike = plots.feature_importance([("kin", 1.0)]), plots.family_importance([("kin", 1.0)])
    features, families = (set(re.findall(r"#(\w+)", re.sub(r"#\w{6}[;\"]", "", svg))) for svg in alike)
    assert len(features) == len(families) > 0
    assert features.isdisjoint(families)


def test_bars_name_every_scorer_as_it_is_with_its_figure_and_the_best_published() -> None:
    found = drawn()
    shown = texts(plots.scorer_bars(found.summary))
    for row in found.summary.rows:
        assert row.scorer.name in shown
        assert f"{row.figures[0].mean:.4f}" in shown
    assert "published: XLNet" in shown
    assert shown.index("meta-model") < shown.index("popularity")


def test_families_add_up_what_stands_before_the_first_dot() -> None:
    shown = texts(plots.family_importance((("kin.share", 0.5), ("kin.rank.lift", 0.3), ("popularity", 0.2))))
    assert {"kin", "80.0 %", "popularity", "20.0 %"} <= set(shown)


def test_only_the_best_features_are_shown() -> None:
    importance = [(f"feature {number}", number / 1000) for number in range(40)]
    shown = [text for text in texts(plots.feature_importance(importance)) if text.startswith("feature")]
    assert shown == [f"feature {number}" for number in range(39, 39 - plots.TOP_FEATURES, -1)]


def test_lines_are_the_best_of_each_kind_the_ranker_first_and_six_at_most() -> None:
    kinds = ["baseline", "recommender", "rule", "challenger", "challenger", "challenger", "ranker", "ranker"]
    found = by_hand([[rank, rank] for rank in range(8, 0, -1)], kinds)  # type: ignore[arg-type]
    assert plots.main_scorers(found.summary) == [7, 2, 5, 0, 6, 4]


def test_points_over_time_hold_equally_many_questions_in_order_of_time() -> None:
    times = np.array([30, 10, 20, 40] * 100)
    found = by_hand([[1, 2, 3, 4] * 100], ["ranker"], times=times)
    points, at = plots._points(found)
    assert np.bincount(points).tolist() == [100] * 4
    assert points[:4].tolist() == [2, 0, 1, 3]
    assert at.astype(np.int64).tolist() == [10, 20, 30, 40]


def test_points_over_time_are_whole_windows() -> None:
    windows = np.repeat(np.arange(150), 3) + 1000
    found = by_hand([[1] * 450], ["ranker"], windows=windows)
    points, _ = plots._points(found)
    assert points.max() < plots.MAX_POINTS
    assert all(len(set(points[windows == window])) == 1 for window in (1000, 1077, 1149))


def test_lines_are_hit_rates_of_longer_lists_and_means_in_which_windows_count_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[list[float]] = []
    draw = plots._line

    def noted(*arguments: Any) -> list[Line2D]:
        lines.append(arguments[3].tolist())
        return draw(*arguments)

    monkeypatch.setattr(plots, "_line", noted)
    found = by_hand([[1, 2, 2, 0]], ["ranker"], windows=np.array([7, 8, 8, 8]))
    plots.hit_curve(found, found.summary)
    thirds = [1 / 2, *[(1 + 2 / 3) / 2] * (plots.MAX_HITS - 1)]
    assert lines.pop() == pytest.approx(thirds)
    monkeypatch.setattr(plots, "MAX_POINTS", 2)
    longer = by_hand([[1, 2, 2, 0, 1]], ["ranker"], windows=np.array([7, 8, 8, 8, 9]))
    plots.over_time(longer, longer.summary)
    assert lines.pop() == pytest.approx([found.summary.rows[0].figures[0].mean, 1])


def test_the_axis_of_time_says_whether_it_is_time() -> None:
    timed, untimed = drawn(windows=False), drawn(windows=False, times=False)
    assert "time of the questions, UTC" in texts(plots.over_time(timed, timed.summary))
    assert "questions, in order" in texts(plots.over_time(untimed, untimed.summary))


@pytest.mark.parametrize("probabilities", [[0.2, 0.2], [0.0, 0.5], [0.001, 0.01, 0.1, 0.3], [0.5]])
def test_a_reliability_diagram_can_be_drawn_of_few_or_equal_probabilities(probabilities: list[float]) -> None:
    n = len(probabilities)
    calibration = Calibration(np.array(probabilities, np.float32), np.arange(n) > 0)
    assert "predicted probability" in texts(plots.reliability_diagram(calibration))
