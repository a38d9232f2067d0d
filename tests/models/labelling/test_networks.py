"""Networks are named by a command: of Keras with weights, in files with their own, or built by Python."""

from pathlib import Path

import pytest

from models.labelling.backbones import Backbone, small_network
from models.labelling.lean_keras import keras
from models.labelling.networks import Network, load_network, networks
from reco.errors import LabellingError

BUILDS = """
from models.labelling.backbones import small_network

def load(name):
    return small_network({"few": 2, "many": 9}[name], (16, 16))
"""


def test_weights_are_of_the_networks_of_keras_in_their_order() -> None:
    assert networks(["VGG16", "own.keras", "built.py:one", "MobileNet"], ["random", "imagenet"]) == (
        Network("VGG16", "random"),
        Network("own.keras"),
        Network("built.py:one"),
        Network("MobileNet", "imagenet"),
    )
    assert networks(["VGG16"]) == (Network("VGG16", "imagenet"),)
    with pytest.raises(LabellingError, match="1 are given for 2 named networks; give one for each"):
        networks(["VGG16", "MobileNet"], ["imagenet"])


def test_a_python_file_builds_the_network_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "built.py"
    file.write_text(BUILDS)
    assert load_network(Network(f"{file}:many")).digest == Backbone(small_network(9, (16, 16))).digest


def test_a_python_file_may_have_classes_whose_annotations_are_texts(tmp_path: Path) -> None:
    file = tmp_path / "built.py"
    sizes = "from dataclasses import dataclass\n@dataclass\nclass Sizes:\n    side: 'int' = 16\n"
    file.write_text(f"{sizes}{BUILDS}")
    assert load_network(Network(f"{file}:few")).size == (16, 16)


LAYER = """
import keras

{decorator}
class Twice(keras.layers.Layer):
    def call(self, found):
        return 2 * found
{config}
def load(name):
    images = keras.Input((16, 16, 3))
    return keras.Model(images, {layer}(keras.layers.Conv2D(4, 3)(images)))
"""
REGISTERED = "@keras.saving.register_keras_serializable('built')"
NAMELESS = "    def get_config(self):\n        return {}\n"


@pytest.mark.parametrize(
    ("decorator", "config", "layer"),
    [
        ("", "", "Twice()"),
        ("", NAMELESS, "Twice()"),
        (REGISTERED, "", "Twice()"),
        ("", "", "keras.layers.Lambda(lambda found: 2 * found)"),
    ],
)
def test_a_network_with_code_of_its_own_that_no_worker_can_load_is_refused_at_once(
    tmp_path: Path, decorator: str, config: str, layer: str
) -> None:
    file = tmp_path / "built.py"
    file.write_text(LAYER.format(decorator=decorator, config=config, layer=layer))
    before = dict(keras.saving.get_custom_objects())
    with pytest.raises(LabellingError, match="a labeller cannot hold this network; build it of Keras's own"):
        load_network(Network(f"{file}:any"))
    assert keras.saving.get_custom_objects().keys() - before.keys() == (
        {"built>Twice"} if decorator else set()
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (BUILDS, r"load\('unknown'\) fails: KeyError"),
        ("def load(name): return 3", "'int' object has no attribute"),
        ("here = there", "cannot be run: NameError"),
        (None, "is no Python file"),
    ],
)
def test_a_python_file_that_builds_no_network_is_refused(
    tmp_path: Path, code: str | None, message: str
) -> None:
    file = tmp_path / "built.py"
    if code is not None:
        file.write_text(code)
    with pytest.raises(LabellingError, match=message):
        load_network(Network(f"{file}:unknown"))
