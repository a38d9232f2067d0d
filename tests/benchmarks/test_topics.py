"""Coherence: labels that meet in pictures belong together, and those grouped at random do not."""

import math
from itertools import chain

import numpy as np
import pytest

from benchmarks.topics import coherence, label_npmi, regrouped


def test_coherence_is_that_of_labels_that_meet() -> None:
    met = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 0, 1]]
    npmi = label_npmi(np.array(met, np.float32))
    assert npmi[0, 1] == pytest.approx(1)
    assert (npmi[0, 2], npmi[3, 4]) == (-1, -1)
    assert npmi[2, 3] == pytest.approx(math.log(2) / math.log(4))
    assert coherence([(0, 1), (2, 3), (4,)], npmi) == pytest.approx((1 + 0.5) / 2)
    assert coherence([(0, 2, 2)], npmi) == -1
    assert math.isnan(coherence([(0,)], npmi))


def test_a_label_of_every_picture_meets_every_other_by_chance() -> None:
    npmi = label_npmi(np.array([[0.5, 0.5, 0], [0.5, 0, 0.5]], np.float32))
    assert (npmi[0, 0], npmi[0, 1]) == (1, 0)


def test_labels_that_meet_are_more_coherent_than_the_same_labels_at_random() -> None:
    groups = np.arange(30).reshape(6, 5).tolist()
    rng = np.random.default_rng(0)
    scores = np.zeros((200, 30), np.float32)
    for row, group in zip(scores, rng.integers(len(groups), size=200), strict=True):
        row[groups[group]] = 1 / 5
    npmi = label_npmi(scores)
    assert coherence(groups, npmi) > max(coherence(regrouped(groups, rng), npmi) for _ in range(20)) + 0.3


def test_random_groups_have_the_same_labels_and_sizes() -> None:
    groups = [(1, 2, 3), (3, 4), (5,)]
    mixed = regrouped(groups, np.random.default_rng(1))
    assert [len(group) for group in mixed] == [3, 2, 1]
    assert sorted(chain(*mixed)) == [1, 2, 3, 3, 4, 5]
    assert mixed != [list(group) for group in groups]
