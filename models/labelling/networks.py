"""Networks as a command names them: of Keras, in a `.keras` file, or built by a Python file of one's own."""

import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from models.labelling.backbones import OWN, Backbone, load_backbone
from reco.errors import LabellingError

IMAGENET = "imagenet"
RANDOM = "random"
"""Weights that need no download: as fast as others, and as ignorant as can be."""
PYTHON = ".py"


class Network(Struct, frozen=True):
    """A network that is to be loaded.

    Attributes:
        name: a network of `keras.applications`, the path of a `.keras` file, or `FILE.py:NAME`, which is what
            the function `load(NAME)` of a Python file returns: a Keras model with its weights.
        weights: `imagenet`, `random`, or a file of weights without the top; None if it holds its own.
    """

    name: str
    weights: str | None = None


def networks(names: Sequence[str], weights: Sequence[str] = ()) -> tuple[Network, ...]:
    """The networks of these names; `weights` are of those of Keras, in their order, by default ImageNet's.

    Raises:
        LabellingError: there is not one of `weights` for each.
    """
    of_keras = [name for name in names if not holds_weights(name)]
    if weights and len(weights) != len(of_keras):
        given = f"weights: {len(weights)} are given for {len(of_keras)} named networks"
        raise LabellingError(f"{given}; give one for each")
    left = iter(weights or [IMAGENET] * len(of_keras))
    return tuple(Network(name, None if holds_weights(name) else next(left)) for name in names)


def holds_weights(name: str) -> bool:
    """Whether a network of this name holds its own weights."""
    return name.endswith(OWN) or _file(name).endswith(PYTHON)


def load_network(network: Network) -> Backbone:
    """The network, ready to find features.

    Raises:
        LabellingError: there is no such network, or it cannot be used.
    """
    if _file(network.name).endswith(PYTHON):
        return _lasting(Backbone(_built(network.name)), network.name)
    return load_backbone(network.name, None if network.weights == RANDOM else network.weights)


def builder(file: Path) -> Any:
    """The module in `file`, which is run; its `load(name)` builds Keras models.

    Raises:
        LabellingError: it is no Python file, or cannot be run.
    """
    spec = spec_from_file_location("networks_given", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise LabellingError(f"{file}: is no Python file")
    module = sys.modules[spec.name] = module_from_spec(spec)  # where annotations of its classes are looked up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # code of one's own raises anything
        raise LabellingError(f"{file}: cannot be run: {error!r}") from error
    return module


def _built(name: str) -> Any:
    module, built = builder(Path(_file(name))), name.rpartition(":")[2]
    try:
        return module.load(built)
    except Exception as error:
        raise LabellingError(f"{_file(name)}: load({built!r}) fails: {error!r}") from error


def _lasting(backbone: Backbone, name: str) -> Backbone:
    """The backbone, once it is known that workers, which run no code of one's own, can load it again.

    Raises:
        LabellingError: they cannot.
    """
    from models.labelling.lean_keras import keras

    registered = keras.saving.get_custom_objects()
    own = dict(registered)
    with TemporaryDirectory() as folder:
        file = str(Path(folder) / f"network{OWN}")
        registered.clear()
        try:
            backbone.save(Path(file))
            load_backbone(file)
        except Exception as error:  # Keras raises anything of layers that it does not know
            todo = "build it of Keras's own layers, without Lambda"
            raise LabellingError(f"{name}: a labeller cannot hold this network; {todo}: {error}") from error
        finally:
            registered.update(own)
    return backbone


def _file(name: str) -> str:
    """The file of `FILE.py:NAME`; empty if there is no colon."""
    return name.rpartition(":")[0]
