"""The training set: at moments of history, what recommenders said about the target and other candidates."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reco.metrics import target_rank

NEGATIVES, FEWEST_NEGATIVES = 60, 15
"""Candidates that are shown or drawn beside the target, of each moment: of few moments, and of very many."""
EXAMPLES = 3_000_000
"""About so many examples there are, 2.6 GB, and 6 while rankers learn: of more moments, fewer others each."""
BLOCK = 50_000
"""Examples whose rows are one array until all are there; memory of many small ones would not come back."""
FEWEST_DRAWN = 10
"""Of those that were not shown, at least so many are drawn: they can be listed too."""
NONE_SHOWN = np.empty(0, np.intp)


def negatives_of(moments: int) -> int:
    """How many others each of so many moments has: more moments teach more than more others of each."""
    return min(NEGATIVES, max(FEWEST_NEGATIVES, EXAMPLES // max(moments, 1)))


@dataclass(eq=False)
class TrainingSet:
    """Examples, a group for each moment: the target, if it is a candidate, what was shown, and others.

    An example that was not the target weighs as many candidates as it stands for, so that probabilities can
    be calibrated as if all candidates were here (importance weights); see `Examples.relative_weights` for the
    fit of rankers.
    """

    features: tuple[str, ...]
    random: np.random.Generator
    negatives: int = NEGATIVES
    _blocks: list[NDArray[np.float32]] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _labels: list[NDArray[np.float32]] = field(default_factory=list)
    _weights: list[NDArray[np.float32]] = field(default_factory=list)

    def __len__(self) -> int:
        """How many moments there are."""
        return len(self._labels)

    def add(
        self,
        rows: NDArray[np.float32],
        target: int,
        allowed: NDArray[np.bool_],
        *,
        shown: NDArray[np.integer] = NONE_SHOWN,
        grade: float = 1.0,
        weight: float = 1.0,
    ) -> None:
        """Add one moment.

        Args:
            rows: float32[n_features, n_sales].
            target: position of the sale that was chosen next; -1 if it is none of them. No list leads to one
                that could not be listed, as to what is bought again: it counts as none of them.
            allowed: bool[n_sales], the candidates that could be listed.
            shown: int[n], positions of those that the visitor saw and could choose; all of them are taken.
            grade: the label of the target; 1 unless it is less than what is to be predicted.
            weight: how many moments this one stands for.
        """
        could = allowed.copy()
        found = [target] if target >= 0 and could[target] else []
        could[found] = False
        others = np.flatnonzero(could)
        seen = np.isin(others, shown) if len(shown) else np.zeros(len(others), np.bool_)
        rest = others[~seen]
        drawn = self.random.permutation(rest)[: max(self.negatives - int(seen.sum()), FEWEST_DRAWN)]
        chosen = np.concatenate((found, others[seen], drawn)).astype(np.intp)
        weights = np.full(len(chosen), weight, np.float32)
        weights[len(chosen) - len(drawn) :] *= len(rest) / max(len(drawn), 1)
        self._keep(rows[:, chosen].T)
        labels = np.zeros(len(chosen), np.float32)
        labels[: len(found)] = grade
        self._labels.append(labels)
        self._weights.append(weights)

    def _keep(self, rows: NDArray[np.float32]) -> None:
        """Add float32[n, n_features] to the last block, or to a new one if there is no room."""
        if not self._blocks or self._ends[-1] + len(rows) > len(self._blocks[-1]):
            self._blocks.append(np.empty((max(BLOCK, len(rows)), len(self.features)), np.float32))
            self._ends.append(0)
        self._blocks[-1][self._ends[-1] : self._ends[-1] + len(rows)] = rows
        self._ends[-1] += len(rows)

    def complete(self) -> "Examples":
        """All examples; they move out of the set, so that memory holds them once."""
        groups = np.array([len(one) for one in self._labels], np.int64)
        rows = np.empty((int(groups.sum()), len(self.features)), np.float32)
        end = len(rows)
        while self._blocks:
            part = self._blocks.pop()[: self._ends.pop()]
            rows[end - len(part) : end] = part
            end -= len(part)
        labels = np.concatenate([np.empty(0, np.float32), *self._labels])
        weights = np.concatenate([np.empty(0, np.float32), *self._weights])
        self._labels.clear()
        self._weights.clear()
        return Examples(self.features, rows.T, labels, weights, groups)


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples as arrays.

    Attributes:
        features: names of the rows.
        rows: float32[n_features, n_examples]; in memory, all of one example stand together, so that LightGBM
            reads those of some moments without a copy of them.
        labels: float32[n_examples], 1 for a sale that was chosen, less for one of another `grade`, else 0.
        weights: float32[n_examples], how many candidates it stands for.
        groups: int64[n_moments], how many examples each moment has.
    """

    features: tuple[str, ...]
    rows: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    groups: NDArray[np.int64]

    def chosen(self) -> NDArray[np.bool_]:
        """bool[n_examples]: the sales whose choice is to be predicted; those of a lower grade are not."""
        chosen: NDArray[np.bool_] = self.labels == 1
        return chosen

    def relative_weights(self) -> NDArray[np.float32]:
        """float32[n_examples]: what each weighs beside the others of its moment when rankers are fitted.

        All that was shown is here, and of the rest only what was drawn. If both counted alike, whatever looks
        like a listed sale would seem to be chosen more seldom than it is; so one that was shown counts as
        much less as it stands for fewer candidates. The target counts in full.
        """
        sizes = self.groups[self.groups > 0]
        most = np.maximum.reduceat(self.weights, np.cumsum(sizes) - sizes)
        relative: NDArray[np.float32] = self.weights / np.repeat(most, sizes)
        relative[self.labels > 0] = 1
        return relative

    def moments(self, first: int, last: int | None = None) -> "Examples":
        """Those of the moments from `first` (included) to `last` (excluded), in their order; a view."""
        ends = np.concatenate(([0], np.cumsum(self.groups)))
        groups = self.groups[first:last]
        chosen = slice(int(ends[first]), int(ends[first + len(groups)]))
        return Examples(
            self.features, self.rows[:, chosen], self.labels[chosen], self.weights[chosen], groups
        )

    def only(self, features: tuple[str, ...]) -> "Examples":
        """The same with these features only."""
        if features == self.features:
            return self
        chosen = [self.features.index(name) for name in features]
        rows = self.rows.T.take(chosen, axis=1).T
        return Examples(features, rows, self.labels, self.weights, self.groups)

    def ranks(self, scores: NDArray[np.floating]) -> NDArray[np.int32]:
        """int32[n]: the pessimistic rank of the target of each moment that has one, of any grade.

        Among the examples of the moment, by `scores`, float[n_examples].
        """
        ends = np.cumsum(self.groups)
        ranks = [
            target_rank(scores[end - size : end], 0)
            for end, size in zip(ends.tolist(), self.groups.tolist(), strict=True)
            if size and self.labels[end - size]
        ]
        return np.array(ranks, np.int32)
