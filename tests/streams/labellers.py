"""A small real labeller for tests, trained in seconds on drawn postcards; it errs often, which is no harm."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.postcards import draw
from models.labelling.backbones import train_small
from models.labelling.head import HeadOptions, train_head
from models.labelling.labeller import Provenance, Recognition, write_labeller
from models.labelling.topics import TopicOptions, fit_topics

KINDS = ("skyline", "ski slope", "safari")
SIDE = 64
TAUGHT, HEAD = 24, 16
"""Postcards of each kind that the network learns from, and others that the head does."""


@cache
def recognition() -> Recognition:
    """What recognises the kinds of postcards, trained once in a test run."""
    backbone = train_small(postcards(range(TAUGHT)), classes_of(TAUGHT), len(KINDS))
    features = backbone.features(postcards(range(TAUGHT, TAUGHT + HEAD)))
    options = HeadOptions(hidden=32, folds=2, epochs=10)
    head = train_head(features, classes_of(HEAD), KINDS, options).head
    topics = fit_topics(head.probabilities(features), KINDS, TopicOptions(numbers=(2,)))
    return Recognition((backbone,), head, topics)


def write(folder: Path, number: int = 1) -> Path:
    """Write a labeller; another number makes another version, whose embeddings are others."""
    shared = recognition()
    head = replace(shared.head, mean=shared.head.mean + np.float32(0.1 * (number - 1)))
    provenance = Provenance(1_780_000_000_000 + number, {"number": number})
    return write_labeller(folder, replace(shared, head=head), provenance)


def postcards(seeds: range) -> NDArray[np.uint8]:
    """uint8[n, 64, 64, 3]: postcards of each kind, kind after kind."""
    return np.stack([np.asarray(draw(kind, seed, SIDE)) for kind in KINDS for seed in seeds])


def classes_of(each: int) -> NDArray[np.int32]:
    return np.repeat(np.arange(len(KINDS), dtype=np.int32), each)
