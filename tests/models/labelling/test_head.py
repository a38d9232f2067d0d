"""Heads: what they learn, that plain NumPy says what Keras says, and calibration."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.labelling.head import (
    HeadOptions,
    TrainedHead,
    _begun_anew,
    _examples,
    _network,
    _pass,
    fit_temperature,
    folds_of,
    softmax,
    train_head,
)
from reco.errors import LabellingError

CLASSES = ("beach", "castle", "desert", "harbour")
BLOCKS = (12, 8)
QUICK = HeadOptions(hidden=32, folds=2, epochs=20, patience=5, learning_rate=0.02, batch=16)


def pictures(per_class: int, seed: int, spread: float = 0.5) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Features that scatter around a centre of their class, never below 0; and the labels."""
    centres = np.random.default_rng(99).uniform(0, 2, (len(CLASSES), sum(BLOCKS)))
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(CLASSES), dtype=np.int32), per_class)
    features = centres[labels] + random.normal(0, spread, (len(labels), sum(BLOCKS)))
    return features.clip(0).astype(np.float32), labels


def trained(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    options: HeadOptions = QUICK,
    blocks: Sequence[int] = BLOCKS,
) -> TrainedHead:
    return train_head(features, labels, CLASSES, options, blocks=blocks)


@pytest.fixture(scope="module")
def learned() -> TrainedHead:
    return trained(*pictures(15, seed=1))


def test_a_head_recognises_pictures_that_it_has_not_seen(learned: TrainedHead) -> None:
    features, labels = pictures(50, seed=2)
    assert (learned.head.probabilities(features).argmax(axis=1) == labels).mean() > 0.9


def test_numpy_says_what_keras_says(learned: TrainedHead) -> None:
    head, (features, _) = learned.head, pictures(5, seed=3)
    parts = np.split(features, [BLOCKS[0]], axis=1)
    unit = np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts])
    logits = []
    for member in range(QUICK.folds):
        network = _network(sum(BLOCKS), len(CLASSES), QUICK, np.random.default_rng(0))
        layers = (head.hidden, head.hidden_bias, head.output, head.output_bias)
        network.set_weights([layer[member] for layer in layers])
        logits.append(np.asarray(network((unit - head.mean) / head.deviation, training=False)))
    np.testing.assert_allclose(head.logits(features), np.mean(logits, axis=0), rtol=1e-4, atol=1e-5)
    expected = softmax(np.mean(logits, axis=0) / head.temperature)
    np.testing.assert_allclose(head.probabilities(features), expected, rtol=1e-4, atol=1e-6)


def test_probabilities_of_a_picture_sum_to_1_and_embeddings_have_length_1(learned: TrainedHead) -> None:
    features, _ = pictures(5, seed=4)
    scores, embedding = learned.head.probabilities(features), learned.head.embedding(features)
    assert scores.dtype == embedding.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)


def test_pictures_of_a_class_resemble_each_other_more_than_others(learned: TrainedHead) -> None:
    features, labels = pictures(10, seed=5)
    embedding = learned.head.embedding(features)
    cosines = embedding @ embedding.T
    same = labels[:, None] == labels
    assert cosines[same].mean() > cosines[~same].mean() + 0.5


def test_no_backbone_outweighs_another_by_larger_numbers(learned: TrainedHead) -> None:
    features, _ = pictures(5, seed=6)
    louder = features * np.where(np.arange(sum(BLOCKS)) < BLOCKS[0], np.float32(1000), np.float32(1))
    np.testing.assert_allclose(
        learned.head.probabilities(louder), learned.head.probabilities(features), rtol=1e-3, atol=1e-5
    )


def test_a_picture_without_any_feature_has_probabilities_too(learned: TrainedHead) -> None:
    nothing = np.zeros((1, sum(BLOCKS)), np.float32)
    assert np.isfinite(learned.head.probabilities(nothing)).all()
    assert np.isfinite(learned.head.embedding(nothing)).all()


def test_the_same_seed_gives_the_same_head_and_another_seed_another() -> None:
    features, labels = pictures(6, seed=7)
    few = HeadOptions(hidden=8, folds=2, epochs=1)
    first, again = trained(features, labels, few), trained(features, labels, few)
    other = trained(features, labels, HeadOptions(hidden=8, folds=2, epochs=1, seed=1))
    np.testing.assert_allclose(
        first.head.probabilities(features), again.head.probabilities(features), rtol=1e-5
    )
    assert not np.allclose(first.head.hidden, other.head.hidden)


def test_training_stops_when_it_no_longer_helps_and_keeps_the_best_weights() -> None:
    features, _ = pictures(10, seed=8)
    chance = np.random.default_rng(8).permutation(np.repeat(np.arange(4, dtype=np.int32), 10))
    eager = HeadOptions(hidden=64, folds=2, epochs=200, patience=2, learning_rate=0.02)
    found = trained(features, chance, eager)
    assert max(found.epochs) < 50
    assert found.unseen.max(axis=1).mean() < 0.6, "labels by chance leave nobody sure"


def test_what_is_said_about_unseen_pictures_is_as_sure_as_it_is_right() -> None:
    features, labels = pictures(60, seed=9, spread=1.2)
    unseen = trained(features, labels).unseen
    right = (unseen.argmax(axis=1) == labels).mean()
    assert 0.5 < right < 0.95
    assert unseen.max(axis=1).mean() == pytest.approx(right, abs=0.06)


def test_copies_of_a_picture_that_is_left_out_do_not_teach() -> None:
    labels = np.array([0, 0, 1, 1], np.int32)
    standard = np.arange(12, dtype=np.float32)[:, None]  # pictures 0 to 3, copies 4 to 7 and 8 to 11
    examples = _examples(standard, labels, np.array([False, True, False, True]))
    assert examples.rows[:, 0].tolist() == [0, 2, 4, 6, 8, 10]
    assert examples.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert examples.left_out[:, 0].tolist() == [1, 3]


def test_a_member_begins_with_nothing_of_the_one_before_it() -> None:
    features, labels = pictures(6, seed=12)
    examples = _examples(features, labels, np.arange(len(labels)) % 2 == 0)
    used, new, alike = (
        _network(sum(BLOCKS), len(CLASSES), QUICK, np.random.default_rng(seed)) for seed in (1, 2, 2)
    )
    _pass(used, examples, QUICK.batch, np.random.default_rng(3))
    for model in (again := _begun_anew(used, new), alike):
        _pass(model, examples, QUICK.batch, np.random.default_rng(4))
    for found, wanted in zip(again.get_weights(), alike.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_all_classes_weigh_the_same() -> None:
    labels = np.array([0] * 8 + [1] * 2, np.int32)
    examples = _examples(np.zeros((10, 1), np.float32), labels, np.zeros(10, bool))
    assert examples.weights.tolist() == [10 / 16] * 8 + [10 / 4] * 2


@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.integers(2, 5), st.integers(0, 9))
def test_folds_are_even_and_so_is_each_class_in_them(given_labels: list[int], folds: int, seed: int) -> None:
    labels = np.array(given_labels, np.int32)
    found = folds_of(labels, folds, seed)
    for members in (found, *(found[labels == label] for label in set(given_labels))):
        sizes = np.bincount(members, minlength=folds)
        assert sizes.max() - sizes.min() <= 1


@settings(max_examples=30)
@given(st.floats(0.2, 5), st.integers(0, 99))
def test_the_temperature_undoes_a_factor_of_the_logits(factor: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (400, 5)).astype(np.float32)
    chosen = [random.choice(5, p=row / row.sum()) for row in softmax(logits).astype(float)]
    labels = np.array(chosen, np.int32)
    ours = fit_temperature(logits, labels)
    assert ours == pytest.approx(1, abs=0.3)
    assert fit_temperature(logits * np.float32(factor), labels) == pytest.approx(ours * factor, rel=1e-2)


def test_the_temperature_is_where_the_log_loss_is_least() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (200, 4)).astype(np.float32)
    labels = np.where(random.random(200) < 0.6, logits.argmax(axis=1), random.integers(0, 4, 200))

    def loss(temperature: float) -> float:
        return float(-np.log(softmax(logits / temperature)[np.arange(200), labels]).mean())

    best = fit_temperature(logits, labels.astype(np.int32))
    assert loss(best) < min(loss(best * 1.1), loss(best / 1.1))


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_where_all_are_right_probabilities_are_no_surer_than_so_many_pictures_allow(count: int) -> None:
    labels = np.arange(count, dtype=np.int32) % 5
    logits = 40 * np.eye(5, dtype=np.float32)[labels]
    right = softmax(logits / fit_temperature(logits, labels))[np.arange(count), labels]
    assert right == pytest.approx(1 - 1 / (count + 1), rel=1e-3)


def test_two_pictures_of_each_class_are_enough() -> None:
    features, labels = pictures(2, seed=10)
    found = trained(features, labels, HeadOptions(hidden=8, epochs=1))
    assert found.unseen.shape == (8, 4)
    assert np.isfinite(found.unseen).all()


def test_what_cannot_be_learned_from_is_refused() -> None:
    features, labels = pictures(3, seed=11)
    with pytest.raises(LabellingError, match="finite"):
        trained(features * np.float32(np.nan), labels)
    with pytest.raises(LabellingError, match="of 12 pictures and their copies, 20 each"):
        trained(features[:-1], labels)
    with pytest.raises(LabellingError, match="12 pictures and their copies, 19 each"):
        trained(features, labels, blocks=(12, 7))
    with pytest.raises(LabellingError, match="class harbour has fewer than 2 pictures"):
        trained(features, np.minimum(labels, 2))
