"""The networks of benchmarks of images: one of Keras by name, a `.keras` file, or built by a Python file."""

import argparse
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from models.labelling.backbones import OWN, Backbone, load_backbone

RANDOM = "random"
"""Weights that need no download: as fast as others, and as ignorant as can be."""
CPU = "CPU"
"""What TensorFlow computes on where it sees no card."""


def add_arguments(parser: argparse.ArgumentParser, backbone: str, weights: str) -> None:
    """The arguments `--backbone`, which may be repeated, and `--weights`, with their defaults."""
    parser.add_argument(
        "--backbone",
        action="append",
        metavar="NAME|FILE",
        help=f"a network of Keras, FILE{OWN}, or FILE.py:NAME, built by its load(NAME); default {backbone}",
    )
    parser.add_argument(
        "--weights",
        default=weights,
        metavar=f"imagenet|{RANDOM}|FILE",
        help=f"of networks of Keras; default {weights}",
    )
    parser.set_defaults(default_backbone=backbone)


def names(given: argparse.Namespace) -> Sequence[str]:
    """What is to be loaded, as it was given."""
    return given.backbone or [given.default_backbone]


def load(given: argparse.Namespace) -> list[Backbone]:
    """The networks that were asked for.

    Raises:
        LabellingError: there is no such network, or it cannot be used.
    """
    return [_load(name, given.weights) for name in names(given)]


def _load(name: str, weights: str) -> Backbone:
    file, _, built = name.rpartition(":")
    if file.endswith(".py"):
        return Backbone(builder(Path(file)).load(built))
    return load_backbone(name, None if weights == RANDOM or name.endswith(OWN) else weights)


def builder(file: Path) -> Any:
    """The module in `file`, whose `load(name)` builds a Keras model, and whose `labels()` name its scores."""
    spec = spec_from_file_location("backbones_given", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise SystemExit(f"{file}: is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def device() -> str:
    """What TensorFlow computes on: the names of the GPUs that it sees, or `CPU`."""
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    described = [tf.config.experimental.get_device_details(card) for card in cards]
    return ", ".join(str(one.get("device_name", "GPU")) for one in described) or CPU
