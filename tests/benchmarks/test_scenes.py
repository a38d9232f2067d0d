"""Scenes: neighbours that show the same are counted, the probe learns, and both stand beside the head."""

from argparse import Namespace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.scenes import NEIGHBOURS, Pictures, agreement, measure, probe
from models.labelling.training_labels import train_and_test

SHARED = Path(__file__).parents[3] / "shared"


def clusters(each: int, seed: int) -> Pictures:
    """Three classes, each around a direction of its own."""
    labels = np.repeat(np.arange(3, dtype=np.int32), each)
    noise = np.random.default_rng(seed).normal(size=(3 * each, 8))
    return Pictures(of_length_one(4 * np.eye(8)[labels] + noise), labels)


def of_length_one(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    unit: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float32)


def test_neighbours_among_others_and_among_themselves_show_the_same() -> None:
    known, asked = clusters(20, seed=1), clusters(11, seed=2)
    among_known, among_asked = agreement(asked, known), agreement(asked, None)
    assert among_known.shape == (len(NEIGHBOURS) + 1, 33)
    for found in (among_known, among_asked):
        assert found[:-1].mean() > 0.8
    np.testing.assert_allclose(among_known[-1], 1 / 3)
    np.testing.assert_allclose(among_asked[-1], 10 / 32)


def test_no_picture_is_its_own_neighbour() -> None:
    labels = np.arange(12, dtype=np.int32)
    assert not agreement(Pictures(np.eye(12, dtype=np.float32), labels), None).any()


def test_neighbours_of_directions_drawn_by_lot_are_of_the_same_class_by_chance() -> None:
    drawn = np.random.default_rng(3)
    asked = Pictures(of_length_one(drawn.normal(size=(600, 16))), np.arange(600, dtype=np.int32) % 4)
    found = agreement(asked, None)
    np.testing.assert_allclose(found[2].mean(), found[3].mean(), atol=0.02)


def test_the_probe_tells_clusters_apart() -> None:
    train, test = clusters(20, seed=4), clusters(20, seed=5)
    found = probe(train, test.rows, seed=0)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == test.labels).mean() > 0.9


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the research data are not at {SHARED}")
def test_real_scenes_are_recognised_and_their_neighbours_show_the_same(tmp_path: Path) -> None:
    backbone = f"{SHARED / 'weights' / 'backbones.py'}:squeezenet_places365"
    split = train_and_test(SHARED / "images" / "sun25" / "split.csv")
    given = Namespace(backbone=[backbone], weights="", views=2, seed=0, copies=0, cache=tmp_path)
    said = StringIO()
    measure(split, given, Console(file=said, width=130))
    shares = [
        float(line.split("│")[2].split("%")[0]) for line in said.getvalue().splitlines() if "% [" in line
    ]
    top_1, top_5, nearest, *_ = shares
    assert top_1 > 85
    assert top_5 > 97
    assert nearest > 70
