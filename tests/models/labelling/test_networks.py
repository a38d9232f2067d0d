"""Networks are named by a command: of Keras with weights, in files with their own, or built by Python."""

from pathlib import Path

import pytest

from models.labelling.backbones import Backbone, small_network
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
