"""The head: two dense layers that turn the features of frozen backbones into scene-label probabilities.

It is trained with Keras, which is imported when training starts, and applied with NumPy alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.progress import Progress, in_turn
from reco.errors import LabellingError

Floats = NDArray[np.float32]

FEWEST_FOLDS = 2
TEMPERATURES = (0.05, 20.0)
"""Where the temperature is looked for."""
UNVARIED = 1e-6
"""A feature whose standard deviation is below this says nothing, and is not stretched to say something."""
TINY = 1e-12
"""Shorter rows count as zeros."""


class HeadOptions(Struct, frozen=True):
    """How a head is trained.

    The defaults were chosen by cross-validation on 600 photographs of 25 scenes; label smoothing and weight
    decay were tried too, and did not lower the log loss.

    Attributes:
        hidden: units of the first dense layer.
        folds: members of the head; each leaves another part of the pictures out, to know when to stop.
        epochs: most passes over the training pictures and their copies.
        patience: passes without a lower loss on the pictures left out, after which training stops.
        feature_dropout: share of the features that are dropped in training.
        dropout: share of the hidden units that are dropped in training.
        learning_rate: of Adam (Kingma and Ba, ICLR 2015).
        batch: rows of a step.
        seed: of folds, first weights, order and dropout.
    """

    hidden: int = 256
    folds: int = 10
    epochs: int = 200
    patience: int = 10
    feature_dropout: float = 0.5
    dropout: float = 0.5
    learning_rate: float = 3e-4
    batch: int = 32
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Head:
    """Trained members, whose logits are averaged, and the temperature that calibrates the average.

    Attributes:
        classes: the scene labels, in the order of the scores.
        blocks: how many features come from each backbone, in order; each block is brought to length 1.
        mean: float32[d], of each feature in training.
        deviation: float32[d], its standard deviation, above 0.
        hidden: float32[members, d, units], weights of the first layer.
        hidden_bias: float32[members, units].
        output: float32[members, units, n_classes], weights of the second layer.
        output_bias: float32[members, n_classes].
        temperature: what logits are divided by, above 0.
    """

    classes: tuple[str, ...]
    blocks: tuple[int, ...]
    mean: Floats
    deviation: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    temperature: float

    def probabilities(self, features: Floats) -> Floats:
        """float32[n, n_classes], rows sum to 1, from float32[n, d]."""
        return softmax(self.logits(features) / np.float32(self.temperature))

    def embedding(self, features: Floats) -> Floats:
        """float32[n, d]: directions, of length 1; the cosine of two is how much the pictures resemble.

        They are the standardised features themselves, not the hidden units, which only know what tells the
        labels apart: of classes that a head was not trained on, features find more of the same class.
        """
        return _unit(self._standard(features))

    def logits(self, features: Floats) -> Floats:
        """float32[n, n_classes]: the mean of the members' logits."""
        standard = self._standard(features)
        members = [self._member(number, standard) for number in range(len(self.hidden))]
        return np.asarray(np.mean(members, axis=0), np.float32)

    def _member(self, number: int, standard: Floats) -> Floats:
        units = np.maximum(standard @ self.hidden[number] + self.hidden_bias[number], 0)
        logits: Floats = units @ self.output[number] + self.output_bias[number]
        return logits

    def _standard(self, features: Floats) -> Floats:
        standard: Floats = (_unit_blocks(features, self.blocks) - self.mean) / self.deviation
        return standard


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head, and what its members say about pictures that they were not trained on.

    Attributes:
        head: trained and calibrated.
        unseen: float32[n, n_classes], calibrated probabilities of each training picture, by the member that
            left it out.
        epochs: how many passes each member's best weights took.
    """

    head: Head
    unseen: Floats
    epochs: tuple[int, ...]


def train_head(
    features: Floats,
    labels: NDArray[np.int32],
    classes: Sequence[str],
    options: HeadOptions,
    *,
    blocks: Sequence[int] = (),
    progress: Progress = lambda _: None,
) -> TrainedHead:
    """Train a head as a committee of cross-validation: its members leave out one part of the pictures each.

    So all pictures teach, all say when to stop, and all calibrate, none of them to the member it taught
    (Krogh and Vedelsby, Neural network ensembles, cross validation, and active learning, NIPS 1994). Rare
    classes weigh more, so that all classes weigh the same.

    Args:
        features: float32[n * (1 + copies), d], finite: of all pictures, then of their first copies ...
        labels: int32[n], the class of each picture.
        classes: the names of the labels.
        options: how.
        blocks: how many features come from each backbone; by default all from one.
        progress: told after each pass.

    Raises:
        LabellingError: it cannot be learned from these; says why.
    """
    blocks = tuple(blocks) or (features.shape[1],)
    _check(features, labels, classes, blocks)
    unit = _unit_blocks(features, blocks)
    mean, deviation = unit.mean(axis=0), unit.std(axis=0)
    deviation[deviation < UNVARIED] = 1
    left_out = folds_of(labels, min(options.folds, len(labels)), options.seed)
    members = _train_members((unit - mean) / deviation, labels, left_out, options, progress)
    unseen = np.empty((len(labels), len(classes)), np.float32)
    for fold, member in enumerate(members):
        unseen[left_out == fold] = member.unseen
    temperature = fit_temperature(unseen, labels)
    head = Head(tuple(classes), blocks, mean, deviation, *_stacked(members), temperature)
    return TrainedHead(head, softmax(unseen / np.float32(temperature)), tuple(one.epochs for one in members))


def folds_of(labels: NDArray[np.int32], folds: int, seed: int) -> NDArray[np.int64]:
    """int64[n]: the fold of each picture; each class is spread over the folds as evenly as it can be."""
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    found = np.empty(len(labels), np.int64)
    found[by_class] = np.arange(len(labels)) % folds
    return found


def fit_temperature(logits: Floats, labels: NDArray[np.int32]) -> float:
    """What to divide logits[n, n_classes] by, so that the log loss of labels[n] is least.

    Temperature scaling: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017.
    Where all are right, nothing would be too sure: so one more picture counts that shows any other label, as
    by Platt, Probabilistic outputs for support vector machines, 1999, section 2.2.
    """
    from scipy.optimize import minimize_scalar

    exact, wrong = logits.astype(np.float64), 1 / (len(labels) + 1)

    def loss(log_temperature: float) -> float:
        cooled = exact / np.exp(log_temperature)
        return (1 - wrong) * _loss(cooled, labels) + wrong * _loss_of_others(cooled, labels)

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def softmax(logits: NDArray[np.floating]) -> Floats:
    """float32, the shape of `logits`: probabilities, each row sums to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _loss(logits: NDArray[np.floating], labels: NDArray[np.int32]) -> float:
    """The mean negative log probability of labels[n] under logits[n, n_classes], in nats."""
    return float(np.mean(_totals(logits) - logits[np.arange(len(labels)), labels]))


def _loss_of_others(logits: NDArray[np.floating], labels: NDArray[np.int32]) -> float:
    """The same of all labels but these, each as probable as the others."""
    n_classes = logits.shape[1]
    others = (logits.sum(axis=1) - logits[np.arange(len(labels)), labels]) / (n_classes - 1)
    return float(np.mean(_totals(logits) - others))


def _totals(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """[n]: the log of what the exponentials of logits[n, n_classes] add up to."""
    highest = logits.max(axis=1)
    return np.asarray(np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest)


@dataclass(frozen=True, eq=False)
class _Examples:
    """What a member learns from, rows with labels and weights, and what it is stopped by."""

    rows: Floats
    labels: NDArray[np.int32]
    weights: Floats
    left_out: Floats
    left_out_labels: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class _Member:
    """The weights of a member, its logits of the pictures that it left out, and the passes that it took."""

    weights: tuple[Floats, Floats, Floats, Floats]
    unseen: Floats
    epochs: int


def _train_members(
    standard: Floats,
    labels: NDArray[np.int32],
    left_out: NDArray[np.int64],
    options: HeadOptions,
    progress: Progress,
) -> list[_Member]:
    """A member for each fold, trained on the others."""
    members, classes = list[_Member](), int(labels.max()) + 1
    model: Any = None
    for fold, told in enumerate(in_turn(progress, int(left_out.max()) + 1)):
        examples = _examples(standard, labels, left_out == fold)
        random = np.random.default_rng((options.seed, fold))
        new = _network(standard.shape[1], classes, options, random)
        model = _begun_anew(model, new) if members else new
        members.append(_train_member(model, examples, options, random, told))
    return members


def _stacked(members: Sequence[_Member]) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights and biases of the two layers, of all members."""
    hidden, hidden_bias, output, output_bias = (
        np.stack([member.weights[one] for member in members]) for one in range(4)
    )
    return hidden, hidden_bias, output, output_bias


def _examples(standard: Floats, labels: NDArray[np.int32], left_out: NDArray[np.bool_]) -> _Examples:
    """A copy of a picture that is left out is left out too; the picture itself stands for all its copies."""
    taught = np.tile(~left_out, len(standard) // len(labels))
    rows, originals = standard[taught], standard[: len(labels)]
    taught_labels = np.tile(labels, len(standard) // len(labels))[taught]
    counts = np.bincount(taught_labels)
    weights = (len(rows) / (np.count_nonzero(counts) * counts[taught_labels])).astype(np.float32)
    return _Examples(rows, taught_labels, weights, originals[left_out], labels[left_out])


def _train_member(
    model: Any, examples: _Examples, options: HeadOptions, random: np.random.Generator, progress: Progress
) -> _Member:
    """The member as it was when the loss of the pictures that it left out was least."""
    lowest, best = np.inf, _member(model, examples, 0)
    for epoch in range(1, options.epochs + 1):
        _pass(model, examples, options.batch, random)
        progress(epoch / options.epochs)
        now = _member(model, examples, epoch)
        if (loss := _loss(now.unseen, examples.left_out_labels)) < lowest:
            lowest, best = loss, now
        if epoch - best.epochs >= options.patience:
            break
    return best


def _pass(model: Any, examples: _Examples, batch: int, random: np.random.Generator) -> None:
    from models.labelling.lean_keras import learn_once

    learn_once(model, batch, random, examples.rows, examples.labels, examples.weights)


def _member(model: Any, examples: _Examples, epochs: int) -> _Member:
    unseen = np.asarray(model(examples.left_out, training=False))
    return _Member(tuple(model.get_weights()), unseen, epochs)


def _network(dimensions: int, classes: int, options: HeadOptions, random: np.random.Generator) -> Any:
    from models.labelling.lean_keras import keras

    seeds = random.integers(2**31, size=4).tolist()
    start = [keras.initializers.GlorotUniform(seed=seed) for seed in seeds[:2]]
    model = keras.Sequential(
        [
            keras.Input((dimensions,)),
            keras.layers.Dropout(options.feature_dropout, seed=seeds[2]),
            keras.layers.Dense(options.hidden, "relu", kernel_initializer=start[0], name="hidden"),
            keras.layers.Dropout(options.dropout, seed=seeds[3]),
            keras.layers.Dense(classes, kernel_initializer=start[1], name="logits"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(options.learning_rate), loss)
    return model


def _begun_anew(model: Any, new: Any) -> Any:
    """The model in the state of a new one; its pass is traced already, which takes as long as many passes."""
    new.optimizer.build(new.trainable_variables)
    for whole, given in ((model, new), (model.optimizer, new.optimizer)):
        for variable, value in zip(whole.variables, given.variables, strict=True):
            variable.assign(value)
    return model


def _unit_blocks(features: Floats, blocks: Sequence[int]) -> Floats:
    """float32[n, d]: the features of each backbone brought to length 1, so that none outweighs the others."""
    ends = np.cumsum(blocks)[:-1]
    return np.hstack([_unit(part) for part in np.split(features.astype(np.float32), ends, axis=1)])


def _unit(rows: Floats) -> Floats:
    """Rows brought to length 1; a row of zeros stays as it is."""
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(TINY))
    return unit


def _check(
    features: Floats, labels: NDArray[np.int32], classes: Sequence[str], blocks: Sequence[int]
) -> None:
    if not len(labels) or len(features) % len(labels) or features.shape[1] != sum(blocks):
        raise LabellingError(
            f"features of shape {features.shape} are not those of {len(labels)} pictures and their copies, "
            f"{sum(blocks)} each"
        )
    if not np.isfinite(features).all():
        raise LabellingError("features are not all finite; check the weights of the backbone")
    counts = np.bincount(labels, minlength=len(classes))
    if len(counts) > len(classes) or counts.min() < FEWEST_FOLDS:
        name = classes[int(counts[: len(classes)].argmin())]
        raise LabellingError(
            f"class {name} has fewer than {FEWEST_FOLDS} pictures; add some, or leave it out"
        )
