"""The networks of benchmarks of images, as their command lines name them, and what computes them."""

import argparse
from collections.abc import Sequence

from models.labelling.backbones import OWN, Backbone
from models.labelling.networks import IMAGENET, RANDOM, Network, holds_weights, load_network
from models.labelling.pictures import MAX_VIEWS

CPU = "CPU"
"""What TensorFlow computes on where it sees no card."""


def add_arguments(parser: argparse.ArgumentParser, backbone: str, weights: str) -> None:
    """The arguments `--backbone`, which may be repeated, `--weights` and `--views`, with their defaults."""
    parser.add_argument(
        "--backbone",
        action="append",
        metavar="NAME|FILE",
        help=f"a network of Keras, FILE{OWN}, or FILE.py:NAME, built by its load(NAME); default {backbone}",
    )
    parser.add_argument(
        "--weights",
        default=weights,
        metavar=f"{IMAGENET}|{RANDOM}|FILE",
        help=f"of networks of Keras; default {weights}",
    )
    parser.add_argument(
        "--views",
        type=int,
        default=MAX_VIEWS,
        choices=range(1, MAX_VIEWS + 1),
        help=f"of each picture; default {MAX_VIEWS}, as of what `tenfold labels train` trains",
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
    return [
        load_network(Network(name, None if holds_weights(name) else given.weights)) for name in names(given)
    ]


def device() -> str:
    """What TensorFlow computes on: the names of the GPUs that it sees, or `CPU`."""
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    described = [tf.config.experimental.get_device_details(card) for card in cards]
    return ", ".join(str(one.get("device_name", "GPU")) for one in described) or CPU
