"""What the images of a catalogue are about: topics, found among scene labels that occur together.

Topics are the parts of a non-negative matrix factorisation of label scores (Lee and Seung: Learning the parts
of objects by non-negative matrix factorization, Nature 1999), by squared error. They are fitted with
scikit-learn and SciPy, and applied without them.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from reco.errors import LabellingError

MAX_NAME = 240
"""Characters of a name; with a number behind it, it still fits a record of `sale-labels`."""
NAMED_LABELS = 3
"""Labels that a topic is named after, at most."""
NAMED_SHARE = 0.2
"""A label must weigh this part of the topic's strongest one to be in the name; others would only decorate."""
UPDATES = 200
"""Updates of the shares of new pictures: to within 0.001 of the optimum, with 30 topics of 365 labels."""
ITERATIONS = 1000
"""Most iterations of a fit; photographs of 25 scenes took 50 or fewer."""
COMPARED_LABELS = 5
"""Strongest labels of a topic, that its stability is measured on."""
RESAMPLED = 0.8
"""The part of the pictures in a sample, as in the experiments of Greene et al. (see `stabilities`)."""
MOST_RESAMPLED = 2000
"""Pictures in a sample, at most: larger ones take longer and differ less."""
ROUNDING = 1e-3
"""How far a sum of float32 weights may be from 1."""
SAME_TOPIC = 0.5
"""The least cosine of two topics that are one; different ones of 25 scenes had 0.13 at most."""


class TopicOptions(msgspec.Struct, frozen=True):
    """How topics are fitted.

    Attributes:
        numbers: how many topics may there be; the most stable number is taken. No more than one topic for two
            labels, and for one picture of a sample, are fitted: larger numbers are lowered to that.
        samples: of the pictures, that the stability of each number is measured on.
        seed: of the samples; with the same seed, the same catalogue has the same topics.
    """

    numbers: tuple[int, ...] = tuple(range(4, 31))
    samples: int = 10
    seed: int = 0


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="topics-1"):
    """Topics as they are stored; weights are little-endian, row by row."""

    classes: tuple[str, ...]
    ids: tuple[int, ...]
    issued: int
    weights: bytes


@dataclass(frozen=True, eq=False)
class Topics:
    """Topics in their order, and what each label weighs in them.

    Attributes:
        classes: the labels, all different.
        weights: float32[n_topics, n_classes], not negative; each row sums to 1.
        ids: a number for each topic that stays with it when topics are fitted again.
        issued: how many numbers were ever given, so that none is given twice.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    ids: tuple[int, ...]
    issued: int

    @classmethod
    def from_bytes(cls, value: bytes) -> "Topics":
        """The topics that `to_bytes` stored.

        Raises:
            LabellingError: the bytes are no topics, or broken ones.
        """
        try:
            stored = msgspec.msgpack.decode(value, type=_Stored)
            weights = np.frombuffer(stored.weights, "<f4").reshape(len(stored.ids), len(stored.classes))
            return _checked(cls(stored.classes, weights.astype(np.float32), stored.ids, stored.issued))
        except (msgspec.DecodeError, ValueError) as error:
            raise LabellingError(
                f"are no topics that can be read: {error}; train the labels again"
            ) from error

    def to_bytes(self) -> bytes:
        """The topics as bytes, the same for the same topics."""
        weights = self.weights.astype("<f4").tobytes()
        return msgspec.msgpack.encode(_Stored(self.classes, self.ids, self.issued, weights))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each topic, such as "Beach - Coast - Harbor", by its strongest labels; no two alike."""
        names = [self._name(row) for row in self.weights]
        often = Counter(names)
        return tuple(
            name if often[name] == 1 else f"{name} ({number})"
            for name, number in zip(names, self.ids, strict=True)
        )

    def _name(self, weights: NDArray[np.float32]) -> str:
        strongest = np.argsort(-weights, kind="stable")[:NAMED_LABELS].tolist()
        named = [self.classes[label] for label in strongest if weights[label] >= NAMED_SHARE * weights.max()]
        return " - ".join(map(_in_words, named))[:MAX_NAME]

    def strongest(self) -> tuple[tuple[int, ...], ...]:
        """The columns of the `COMPARED_LABELS` strongest labels of each topic, in order; none of weight 0."""
        ranks = _ranks(self.weights)
        order = np.argsort(ranks, axis=1, kind="stable")[:, :COMPARED_LABELS]
        known = np.take_along_axis(ranks, order, axis=1) < COMPARED_LABELS
        return tuple(tuple(labels[kept].tolist()) for labels, kept in zip(order, known, strict=True))

    def shares(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n, n_topics]: how much of each picture is of each topic; rows sum to 1.

        The updates are those of Lee and Seung (Algorithms for non-negative matrix factorization, NIPS 2000)
        for squared error with fixed topics, from equal shares; a row does not depend on the others. A picture
        without a label of any topic has equal shares.

        Args:
            scores: float32[n, n_classes], finite and not negative.
        """
        weights, shares = self.weights.astype(np.float64), np.ones((len(scores), len(self.ids)))
        towards, overlap = scores.astype(np.float64) @ weights.T, weights @ weights.T
        for _ in range(UPDATES):
            shares *= towards / np.maximum(shares @ overlap, np.finfo(np.float64).tiny)
        shares[shares.sum(axis=1) == 0] = 1
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def matched(self, old: "Topics") -> "Topics":
        """These topics, with the numbers and in the order of the `old` ones that they continue; then the new.

        Pairs are those with the largest sum of cosines (the Hungarian method: Kuhn, 1955), none of them below
        `SAME_TOPIC`. Labels are compared by name, so there may be others than before.
        """
        cosines = _cosines(old, self)
        cosines[cosines < SAME_TOPIC] = 0
        same = {row: column for row, column in _paired(cosines) if cosines[row, column]}
        new = [column for column in range(len(self.ids)) if column not in same.values()]
        issued = old.issued + len(new)
        ids = (*(old.ids[row] for row in same), *range(old.issued, issued))
        return Topics(self.classes, self.weights[[*same.values(), *new]], ids, issued)


def fit_topics(scores: NDArray[np.float32], classes: Sequence[str], options: TopicOptions) -> Topics:
    """The topics of a catalogue, the largest one first; as many as are most stable (see `stabilities`).

    Args:
        scores: float32[n, n_classes], the label probabilities of its pictures.
        classes: the labels, all different.
        options: how.

    Raises:
        LabellingError: the scores are not such numbers, or as good as 0; or the options ask for no number of
            topics.
    """
    _check(scores, classes, options)
    numbers = _possible(scores, options)
    if len(numbers) > 1:
        stable = stabilities(scores, options)
        numbers = [max(numbers, key=lambda number: (stable[number], number))]
    weights = _factorised(scores, numbers[0], options.seed)
    if not len(weights):
        raise LabellingError(
            f"scores are so small, {scores.max():g} at most, that they have no topics; give probabilities"
        )
    topics = Topics(tuple(classes), weights, tuple(range(len(weights))), len(weights))
    largest_first = np.argsort(-topics.shares(scores).sum(axis=0), kind="stable")
    return Topics(topics.classes, weights[largest_first], topics.ids, topics.issued)


def stabilities(scores: NDArray[np.float32], options: TopicOptions) -> dict[int, float]:
    """How stable each number of topics is, from 0 to 1: whether samples of the pictures have the same topics.

    This is the term stability of Greene, O'Callaghan and Cunningham (How many topics? Stability analysis for
    topic models, ECML PKDD 2014): the agreement of the strongest labels of topics with those of topics that
    are fitted to samples. It is chosen over the cophenetic correlation of Brunet et al. (PNAS 2004), which
    compares every pair of pictures, and was above 0.95, whatever the number, for photographs of 25 scenes.
    """
    rng = np.random.default_rng(options.seed)
    samples = [np.sort(rng.permutation(len(scores))[: _sampled(scores)]) for _ in range(options.samples)]
    return {
        number: float(np.mean(_agreements(scores, samples, number, options.seed)))
        for number in _possible(scores, options)
    }


def _sampled(scores: NDArray[np.float32]) -> int:
    """How many of the pictures are in a sample."""
    return min(math.ceil(RESAMPLED * len(scores)), MOST_RESAMPLED)


def _possible(scores: NDArray[np.float32], options: TopicOptions) -> list[int]:
    """The numbers of topics to choose from, in order."""
    most = max(1, min(_sampled(scores), scores.shape[1] // 2))
    return sorted({min(number, most) for number in options.numbers})


def _factorised(scores: NDArray[np.float32], number: int, seed: int) -> NDArray[np.float32]:
    """float32[n_topics, n_classes]: the weights of `number` topics; fewer, if there are no more parts."""
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    model = NMF(number, init="nndsvd", max_iter=ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        # More topics than the pictures have parts never settle; such a number is not stable, so not taken.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scores.astype(np.float64))
    sums = model.components_.sum(axis=1, keepdims=True)
    parts = sums[:, 0] > 0
    return np.asarray(model.components_[parts] / sums[parts], np.float32)


def _agreements(
    scores: NDArray[np.float32], samples: Sequence[NDArray[np.intp]], number: int, seed: int
) -> list[float]:
    """How well the topics of each sample agree with those of all pictures, from 0 to 1."""
    everything = _ranks(_factorised(scores, number, seed))
    return [_agreement(everything, _ranks(_factorised(scores[one], number, seed))) for one in samples]


def _agreement(first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    """The mean average Jaccard similarity of topics, each paired with the one that it resembles."""
    similarity = np.zeros((len(first), len(second)))
    for depth in range(1, COMPARED_LABELS + 1):
        these, those = (first < depth).astype(np.float64), (second < depth).astype(np.float64)
        common = these @ those.T
        similarity += common / (these.sum(axis=1)[:, np.newaxis] + those.sum(axis=1) - common)
    agreed = sum(float(similarity[pair]) for pair in _paired(similarity))
    return agreed / COMPARED_LABELS / max(1, *similarity.shape)


def _paired(similarity: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Rows with columns, each in one pair at most, of the largest sum; in the order of the rows."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(similarity, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _ranks(weights: NDArray[np.float32]) -> NDArray[np.intp]:
    """intp[n_topics, n_classes]: the place of each label in a topic, strongest first; n_classes for none."""
    places = np.argsort(np.argsort(-weights, axis=1, kind="stable"), axis=1)
    return np.where(weights > 0, places, weights.shape[1])


def _cosines(old: Topics, new: Topics) -> NDArray[np.float64]:
    """float64[n_old, n_new]: the cosine of each two topics, label by label."""
    columns = {label: column for column, label in enumerate(dict.fromkeys(old.classes + new.classes))}

    def directions(topics: Topics) -> NDArray[np.float64]:
        spread = np.zeros((len(topics.ids), len(columns)))
        spread[:, [columns[label] for label in topics.classes]] = topics.weights
        return np.asarray(spread / np.linalg.norm(spread, axis=1, keepdims=True), np.float64)

    return directions(old) @ directions(new).T


def _in_words(label: str) -> str:
    """A label as one reads it: `swimming_pool/outdoor` is "Swimming pool outdoor"."""
    words = re.sub(r"[_/\s]+", " ", label).strip() or label
    return words[:1].upper() + words[1:]


def _check(scores: NDArray[np.float32], classes: Sequence[str], options: TopicOptions) -> None:
    if scores.ndim != 2 or not len(scores) or scores.shape[1] != len(classes):  # noqa: PLR2004
        raise LabellingError(
            f"topics of {len(classes)} labels cannot be fitted to scores of shape {scores.shape}"
        )
    if len(set(classes)) < len(classes) or not all(classes):
        raise LabellingError("two labels have one name, or one has none; name them all")
    if not (np.isfinite(scores).all() and (scores >= 0).all() and scores.any()):
        raise LabellingError("scores are not all finite and from 0 up, or all are 0; give probabilities")
    if not options.numbers or min(options.numbers) < 1 or options.samples < 1:
        raise LabellingError("no number of topics, or no sample, is asked for; ask for 1 or more of each")


def _checked(topics: Topics) -> Topics:
    """The topics, if they can be applied.

    Raises:
        ValueError: they cannot.
    """
    if len(set(topics.classes)) < len(topics.classes) or not all(topics.classes):
        raise ValueError("classes: one occurs twice, or has no name")
    if not topics.ids or len(set(topics.ids)) < len(topics.ids):
        raise ValueError("ids: there are none, or one occurs twice")
    if min(topics.ids) < 0 or max(topics.ids) >= topics.issued:
        raise ValueError(f"ids: one was never given, of the {topics.issued} that were")
    weights = topics.weights
    if not ((weights >= 0) & (weights <= 1)).all() or (np.abs(weights.sum(axis=1) - 1) > ROUNDING).any():
        raise ValueError("weights: are not from 0 to 1, or do not sum to 1")
    return topics
