"""How good scene labels are: top-1 and top-5, confusion, accuracy of each class, calibration, worst pictures.

Ties count against the labeller, as everywhere: a label of the same probability counts as above the right one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.evaluation.intervals import Estimate, proportion
from reco.metrics import SURE, expected_calibration_error

TOP = 5
"""The second figure of ImageNet and Places: the right label is among the five most probable."""


class Confused(NamedTuple):
    """Two classes, the right one first, and how many pictures of the right one were taken for the other."""

    right: int
    taken_for: int
    pictures: int


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a labeller said about pictures, and what they show.

    Attributes:
        classes: the labels.
        scores: float32[n, n_classes], probabilities.
        labels: int32[n], the right ones.
        top_1: share of pictures whose most probable label is right, with its 95 % score interval.
        top_5: share of pictures whose right label is among the `TOP` most probable ones.
    """

    classes: tuple[str, ...]
    scores: NDArray[np.float32]
    labels: NDArray[np.int32]
    top_1: Estimate
    top_5: Estimate

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """int64[n], the most probable label of each picture."""
        return np.asarray(np.argmax(self.scores, axis=1), np.int64)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """int64[n_classes, n_classes]: pictures of each class, row, that were taken for each, column."""
        n = len(self.classes)
        pairs = self.labels.astype(np.int64) * n + self.predicted
        return np.bincount(pairs, minlength=n * n).reshape(n, n)

    @cached_property
    def accuracies(self) -> NDArray[np.float64]:
        """float64[n_classes], the share of each class that was recognised; NaN of one without pictures."""
        counts = self.confusion.sum(axis=1)
        right = np.diag(self.confusion)
        shares: NDArray[np.float64] = np.divide(
            right, counts, out=np.full(len(counts), np.nan), where=counts > 0
        )
        return shares

    @cached_property
    def confidences(self) -> NDArray[np.float32]:
        """float32[n], the probability of the label that was chosen."""
        best: NDArray[np.float32] = self.scores.max(axis=1)
        return best

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """bool[n], whether the most probable label is the right one."""
        return np.asarray(ranks(self.scores, self.labels) == 1, np.bool_)

    @cached_property
    def calibration_error(self) -> float:
        """Expected calibration error of the most probable label; see `reco.metrics`."""
        return expected_calibration_error(self.confidences, self.right)

    @cached_property
    def log_loss(self) -> float:
        """The mean negative log probability of the right label, in nats."""
        return float(-np.log(np.maximum(self._of_right, SURE)).mean())

    @property
    def _of_right(self) -> NDArray[np.float64]:
        return self.scores[np.arange(len(self.labels)), self.labels].astype(np.float64)

    def worst_classes(self, count: int) -> list[int]:
        """The classes that were recognised least often, the worst first; only those with a mistake."""
        mistaken = np.flatnonzero(self.accuracies < 1)
        order = np.argsort(self.accuracies[mistaken], kind="stable")
        return [int(one) for one in mistaken[order][:count]]

    def worst_pictures(self, count: int) -> list[int]:
        """The mistaken pictures whose right label was least probable, the worst first."""
        mistaken = np.flatnonzero(~self.right)
        order = np.argsort(self._of_right[mistaken], kind="stable")
        return [int(one) for one in mistaken[order][:count]]

    def confused(self, count: int) -> list[Confused]:
        """The pairs of classes that were confused most often, the most frequent first."""
        mistakes = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
        pairs = np.stack(np.unravel_index(order, mistakes.shape), axis=1).tolist()
        return [
            Confused(row, column, int(mistakes[row, column]))
            for row, column in pairs
            if mistakes[row, column]
        ]

    def metrics(self) -> dict[str, float]:
        """The figures by name."""
        return {
            "top-1": self.top_1.mean,
            "top-5": self.top_5.mean,
            "log loss": self.log_loss,
            "calibration error": self.calibration_error,
        }


def judge(scores: NDArray[np.float32], labels: NDArray[np.int32], classes: Sequence[str]) -> Judgement:
    """Judge probabilities, float32[n, n_classes], of at least one picture; the right labels are int32[n]."""
    found = ranks(scores, labels)
    top_1, top_5 = (proportion(int(np.count_nonzero(found <= k)), len(labels)) for k in (1, TOP))
    return Judgement(tuple(classes), scores, labels, top_1, top_5)


def ranks(scores: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """int64[n], the pessimistic rank of the right label of each picture; 1 is the most probable."""
    right = scores[np.arange(len(labels)), labels]
    return np.asarray(np.count_nonzero(scores >= right[:, None], axis=1), np.int64)
