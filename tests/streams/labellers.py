"""A small real labeller for tests, which tells drawn postcards apart by their colours; it errs at times."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.postcards import draw
from models.labelling.backbones import Backbone
from models.labelling.head import Head
from models.labelling.labeller import Provenance, Recognition, write_labeller
from models.labelling.lean_keras import keras
from models.labelling.topics import Topics

KINDS = ("skyline", "ski slope", "safari")
SIDE = 64
PATCH = 16
"""Height and width of what the colours are averaged over, pixels."""
KNOWN = 16
"""Postcards of each kind that it knows."""
TEMPERATURE = 10.0
"""With which it is sure of most postcards, and of none altogether."""


@cache
def recognition() -> Recognition:
    """What recognises the kinds of postcards: each is what most resembles those of it that are known."""
    backbone = Backbone(colours())
    features = backbone.features(postcards(range(KNOWN)))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    mean, deviation = unit.mean(axis=0), unit.std(axis=0)
    kinds = ((unit - mean) / deviation).reshape(len(KINDS), KNOWN, -1).mean(axis=1)
    nothing = np.zeros((1, len(KINDS)), np.float32)
    as_they_are = np.eye(len(KINDS), dtype=np.float32)[None]
    layers = (kinds.T[None], nothing, as_they_are, nothing)
    head = Head(KINDS, (backbone.dimensions,), mean, deviation, *layers, temperature=TEMPERATURE)
    weights = np.array([[0.5, 0, 0.5], [0, 1, 0]], np.float32)
    return Recognition((backbone,), head, Topics(KINDS, weights, ids=(0, 1), issued=2))


def colours() -> Any:
    """A network without weights, whose features are the colours of each patch."""
    images = keras.Input((SIDE, SIDE, 3))
    patches = keras.layers.AveragePooling2D(PATCH)(images)
    return keras.Model(images, keras.layers.Flatten()(patches), name="colours")


def write(folder: Path, number: int = 1) -> Path:
    """Write a labeller; another number makes another version, whose embeddings are others."""
    shared = recognition()
    head = replace(shared.head, mean=shared.head.mean + np.float32(0.1 * (number - 1)))
    provenance = Provenance(1_780_000_000_000 + number, {"number": number})
    return write_labeller(folder, replace(shared, head=head), provenance)


def postcards(seeds: range) -> NDArray[np.uint8]:
    """uint8[n, 64, 64, 3]: postcards of each kind, kind after kind."""
    return np.stack([np.asarray(draw(kind, seed, SIDE)) for kind in KINDS for seed in seeds])
