"""Judgements: what counts as right, who is confused with whom, and how sure is sure."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.labelling.judging import Judgement, judge, ranks

CLASSES = tuple("abcdefg")


def scores(*rows: dict[str, float]) -> NDArray[np.float32]:
    """Probabilities of the classes that are named, 0 of the others."""
    return np.array([[row.get(name, 0.0) for name in CLASSES] for row in rows], np.float32)


def judged(*pairs: tuple[str, dict[str, float]]) -> Judgement:
    """The judgement of (right label, what was said) for each picture."""
    labels = np.array([CLASSES.index(right) for right, _ in pairs], np.int32)
    return judge(scores(*(said for _, said in pairs)), labels, CLASSES)


FOUND = judged(
    ("a", {"a": 0.9, "b": 0.1}),
    ("a", {"a": 0.4, "b": 0.6}),
    ("b", {"b": 0.6, "c": 0.4}),
    ("c", {"a": 0.7, "c": 0.3}),
    ("c", {"a": 0.3, "b": 0.25, "d": 0.2, "e": 0.1, "f": 0.1, "c": 0.05}),
)


def test_the_most_probable_label_counts_and_the_five_most_probable_ones() -> None:
    assert FOUND.top_1.mean == pytest.approx(2 / 5)
    assert FOUND.top_5.mean == pytest.approx(4 / 5)
    assert FOUND.top_1.low < FOUND.top_1.mean < FOUND.top_1.high


def test_a_labeller_that_was_right_about_a_few_pictures_is_not_sure_to_be_right_about_all() -> None:
    faultless = judged(*[("a", {"a": 0.9, "b": 0.1})] * 8)
    assert (faultless.top_1.mean, faultless.top_1.high) == (1, 1)
    assert faultless.top_1.low == pytest.approx(0.676, abs=5e-4)


def test_a_label_that_shares_its_probability_is_not_ahead() -> None:
    said = scores({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.3, "c": 0.2})
    assert ranks(said, np.array([0, 0], np.int32)).tolist() == [2, 1]
    undecided = np.full((1, 7), 1 / 7, np.float32)
    assert judge(undecided, np.array([0], np.int32), CLASSES).top_5.mean == 0


def test_confusion_has_a_line_for_each_class_that_was_shown() -> None:
    assert FOUND.confusion[:3, :3].tolist() == [[1, 1, 0], [0, 1, 0], [2, 0, 0]]
    assert FOUND.confusion.sum() == 5


def test_each_class_has_its_accuracy_and_one_without_pictures_has_none() -> None:
    assert FOUND.accuracies[:3].tolist() == [0.5, 1.0, 0.0]
    assert np.isnan(FOUND.accuracies[3:]).all()


def test_the_worst_classes_come_first_and_faultless_ones_not_at_all() -> None:
    assert FOUND.worst_classes(9) == [2, 0]
    assert FOUND.worst_classes(1) == [2]


def test_the_worst_pictures_are_those_whose_label_was_least_expected() -> None:
    assert FOUND.worst_pictures(9) == [4, 3, 1]


def test_the_pairs_that_are_confused_most_come_first() -> None:
    assert [tuple(one) for one in FOUND.confused(9)] == [(2, 0, 2), (0, 1, 1)]


def test_log_loss_is_that_of_the_right_label() -> None:
    expected = -np.log([0.9, 0.4, 0.6, 0.3, 0.05]).mean()
    assert FOUND.log_loss == pytest.approx(expected, rel=1e-6)


def test_a_labeller_that_is_as_often_right_as_it_says_is_calibrated() -> None:
    honest = judged(*[("a" if n < 7 else "b", {"a": 0.7, "b": 0.3}) for n in range(10)])
    boastful = judged(*[("a" if n < 7 else "b", {"a": 0.99, "b": 0.01}) for n in range(10)])
    assert honest.calibration_error == pytest.approx(0, abs=1e-6)
    assert boastful.calibration_error == pytest.approx(0.29, abs=1e-6)


def test_metrics_are_the_figures_by_name() -> None:
    assert FOUND.metrics()["top-1"] == pytest.approx(0.4)
    assert all(np.isfinite(value) for value in FOUND.metrics().values())
