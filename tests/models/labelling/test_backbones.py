"""Backbones: any network gives the features of its last convolution, and a file of one can be trusted."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.labelling.backbones import (
    BATCH,
    DEVIATIONS,
    Backbone,
    _preprocessing,
    load_backbone,
    small_network,
    train_small,
)
from models.labelling.lean_keras import keras
from reco.errors import LabellingError
from tests.source_tree import ROOT

WEIGHTS = ROOT.parent / "shared" / "weights"


def noise(count: int, side: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def convolution(side: int = 12, activation: str = "relu", seed: int = 1) -> tuple[Any, Any]:
    """Input and map of a network of one convolution."""
    images = keras.Input((side, side, 3))
    start = keras.initializers.RandomNormal(seed=seed)
    return images, keras.layers.Conv2D(5, 3, activation=activation, kernel_initializer=start)(images)


def own(giving: Callable[[Any], Any], **options: Any) -> Any:
    """A model of one convolution that gives whatever is made of its map."""
    images, found = convolution(**options)
    return keras.Model(images, giving(found))


def average(found: Any) -> Any:
    return keras.layers.GlobalAveragePooling2D()(found)


def refusal(name: str, weights: str | Path | None = None) -> str:
    with pytest.raises(LabellingError) as refused:
        load_backbone(name, weights)
    return str(refused.value)


def test_nothing_but_a_backbone_in_use_loads_tensorflow() -> None:
    modules = "pictures, scenes, augmentation, backbones, feature_cache"
    heavy = "print({'keras', 'tensorflow'} & set(sys.modules))"
    code = f"import sys\nfrom models.labelling import {modules}\n{heavy}"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["VGG16", "MobileNet", "DenseNet121", "EfficientNetB0"])
def test_the_convolution_in_front_does_what_the_networks_own_preprocessing_does(name: str) -> None:
    modules = {"VGG16": "vgg16", "MobileNet": "mobilenet", "DenseNet121": "densenet"}
    module = getattr(keras.applications, modules.get(name, "efficientnet"))
    images = noise(2, 9).astype(np.float32)
    ours = _preprocessing(getattr(keras.applications, name))(images)
    np.testing.assert_allclose(ours, module.preprocess_input(images.copy()), atol=1e-4)


def test_a_network_by_name_with_a_file_of_weights_averages_its_last_map(tmp_path: Path) -> None:
    network = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(224, 224, 3))
    network.save_weights(tmp_path / "mobile.weights.h5")
    backbone = load_backbone("MobileNet", tmp_path / "mobile.weights.h5")
    assert (backbone.name, backbone.size, backbone.dimensions) == ("MobileNet", (224, 224), 1024)
    images = noise(3, 224)
    wanted = network(keras.applications.mobilenet.preprocess_input(images.astype(np.float32)), training=False)
    np.testing.assert_allclose(backbone.features(images), wanted.numpy().mean((1, 2)), rtol=1e-3, atol=1e-5)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """EfficientNets have no more than the first of their blocks: what is looked at lies before these."""
    makes = keras.applications.EfficientNetB0, keras.applications.EfficientNetV2B0
    one, two = map(inspect.getmodule, makes)
    blocks, blocks_two = (vars(module)["DEFAULT_BLOCKS_ARGS"] for module in (one, two))
    monkeypatch.setattr(one, "DEFAULT_BLOCKS_ARGS", blocks[:1])
    monkeypatch.setitem(blocks_two, "efficientnetv2-b0", blocks_two["efficientnetv2-b0"][:1])


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("stored", "divisor"), [(DEVIATIONS, DEVIATIONS), ((0.25, 0.04, 1), (0.5, 0.2, 1))])
def test_weights_of_imagenet_from_a_file_divide_by_deviations_as_those_that_keras_fetches(
    stored: tuple[float, ...], divisor: tuple[float, ...], tmp_path: Path
) -> None:
    network = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(224, 224, 3))
    _, _, normalization, behind, *_ = network.layers
    mean, images = np.array([0.485, 0.456, 0.406]), noise(1, 224)
    normalization.set_weights([mean, np.array(stored), np.array(1)])
    network.save_weights(tmp_path / "efficient.weights.h5")
    found = load_backbone("EfficientNetB0", tmp_path / "efficient.weights.h5").features(images)
    wanted = keras.Model(behind.input, network.output)((images / 255 - mean) / divisor, training=False)
    np.testing.assert_allclose(found, wanted.numpy().mean((1, 2)), rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("short")
def test_a_network_whose_normalization_is_fixed_takes_weights_from_a_file(tmp_path: Path) -> None:
    network = keras.applications.EfficientNetV2B0(include_top=False, weights=None, input_shape=(224, 224, 3))
    network.save_weights(tmp_path / "fixed.weights.h5")
    wanted = network(noise(1, 224).astype(np.float32), training=False).numpy().mean((1, 2))
    found = load_backbone("EfficientNetV2B0", tmp_path / "fixed.weights.h5").features(noise(1, 224))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


def test_the_pooling_behind_the_last_convolution_is_left_out() -> None:
    network = load_backbone("VGG16").model.layers[-2]
    assert network.layers[-1].name == "block5_conv3"
    assert network.output_shape == (None, 14, 14, 512)


def test_what_is_no_network_is_refused_with_those_that_are() -> None:
    said = refusal("VGG17")
    assert "VGG17: is no network" in said
    assert "VGG16, VGG19, Xception" in said
    assert "is no network" in refusal("__file__")


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal("MobileNet", tmp_path / "none.h5")
    own(average).save_weights(tmp_path / "other.weights.h5")
    assert "are no weights for MobileNet" in refusal("MobileNet", tmp_path / "other.weights.h5")
    assert "holds its own weights" in refusal("mine.keras", "imagenet")


@pytest.mark.parametrize(
    "giving",
    [
        average,
        lambda found: found,
        lambda found: {"map": found},
        lambda found: {"features": average(found), "labels": keras.layers.Dense(3)(average(found))},
        lambda found: {"features": found, "map": average(found)},
    ],
    ids=["features", "map", "dict of a map", "dict with features", "features that are a map"],
)
def test_a_model_of_ones_own_may_give_features_or_a_map(giving: Callable[[Any], Any], tmp_path: Path) -> None:
    own(giving).save(tmp_path / "mine.keras")
    backbone = load_backbone(str(tmp_path / "mine.keras"), None)
    images = noise(4, 12)
    wanted = own(average)(images.astype(np.float32)).numpy()
    assert (backbone.size, backbone.dimensions) == ((12, 12), 5)
    np.testing.assert_allclose(backbone.features(images), wanted, rtol=1e-5)


def test_a_network_may_compute_in_half_precision(tmp_path: Path) -> None:
    backbone = Backbone(own(keras.layers.Conv2D(4, 1, dtype="bfloat16")))
    backbone.save(tmp_path / "half.keras")
    again = load_backbone(str(tmp_path / "half.keras"))
    assert again.digest == backbone.digest
    np.testing.assert_array_equal(again.features(noise(4, 12)), backbone.features(noise(4, 12)))


@pytest.mark.parametrize(
    "model",
    [
        lambda: own(lambda found: {"labels": found}),
        lambda: own(lambda found: [found, found]),
        lambda: own(keras.layers.Reshape((20, 25))),
        lambda: keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)]),
        lambda: keras.Sequential([keras.layers.Conv2D(4, 3)]),
    ],
    ids=["other dict", "list", "sequence", "no pictures", "not built"],
)
def test_a_model_that_is_no_backbone_is_refused(model: Callable[[], Any]) -> None:
    with pytest.raises(LabellingError, match="a backbone takes"):
        Backbone(model())


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.keras"
    assert "there is no such file" in refusal(str(path))
    path.write_bytes(b"not a model")
    assert "is no model that can be read in safe mode" in refusal(str(path))
    own(average).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert "is no model that can be read in safe mode" in refusal(str(path))


def test_a_model_that_hides_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hostile.keras"
    own(lambda found: keras.layers.Lambda(lambda value: value * 2)(average(found))).save(path)
    assert "is no model that can be read in safe mode" in refusal(str(path))


def test_a_saved_backbone_is_the_same_again(tmp_path: Path) -> None:
    backbone = Backbone(small_network(3, (16, 16), seed=4))
    backbone.save(tmp_path / "small.keras")
    again = load_backbone(str(tmp_path / "small.keras"))
    assert (again.name, again.size, again.digest) == (backbone.name, backbone.size, backbone.digest)
    assert np.array_equal(again.features(noise(5, 16)), backbone.features(noise(5, 16)))


def test_the_digest_tells_networks_apart_by_what_they_compute() -> None:
    digest = Backbone(own(average)).digest
    assert Backbone(own(average)).digest == digest  # Keras has counted the names of its layers up meanwhile
    others = [
        Backbone(own(average, **other)) for other in ({"seed": 2}, {"activation": "tanh"}, {"side": 13})
    ]
    assert len({digest, *(other.digest for other in others)}) == 4


def test_the_features_of_a_picture_with_several_views_are_their_mean() -> None:
    backbone, images = Backbone(own(average)), noise(2 * BATCH + 4, 12)
    views = images.reshape(-1, 2, *images.shape[1:])
    wanted = backbone.features(images).reshape(len(views), 2, -1).mean(axis=1)
    np.testing.assert_allclose(backbone.features(views), wanted, rtol=1e-5)
    assert np.array_equal(backbone.features(images[:, None]), backbone.features(images))


def test_any_number_of_pictures_goes_through_one_trace_of_the_network() -> None:
    backbone = Backbone(own(average))
    images = noise(2 * BATCH + 3, 12)
    one_by_one = np.concatenate([backbone.features(images[[row]]) for row in range(len(images))])
    for count in (0, 1, 3, BATCH, BATCH + 1, len(images)):
        found = backbone.features(images[:count])
        assert found.shape == (count, 5)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, one_by_one[:count], rtol=1e-4, atol=1e-5)
    assert backbone._run.experimental_get_tracing_count() == 1


def drawings(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Standing bars, lying bars and blots in random colours, at random places."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 80, (count, 32, 32, 3))
    labels = random.integers(0, 3, count)
    for image, label in zip(images, labels, strict=True):
        height, width = ((20, 4), (4, 20), (9, 9))[label]
        top, left = random.integers(0, 32 - height), random.integers(0, 32 - width)
        image[top : top + height, left : left + width] = random.integers(120, 256, 3)
    return images.astype(np.uint8), labels.astype(np.int32)


def test_the_small_network_learns_from_scratch_to_tell_drawings_apart() -> None:
    shares: list[float] = []
    images, labels = drawings(480, seed=1)
    backbone = train_small(images, labels, 3, seed=5, progress=shares.append)
    assert (backbone.size, backbone.dimensions) == ((32, 32), 128)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    means = np.stack([backbone.features(images[labels == label]).mean(axis=0) for label in range(3)])
    unseen, truth = drawings(150, seed=2)
    nearest = np.linalg.norm(backbone.features(unseen)[:, None] - means, axis=2).argmin(axis=1)
    assert (nearest == truth).mean() > 0.9


def test_the_small_network_starts_from_its_seed() -> None:
    first, same, other = (Backbone(small_network(4, (16, 16), seed)).digest for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.shared_data
def test_a_real_network_saved_by_others_gives_its_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not WEIGHTS.is_dir():
        pytest.skip("the folder of research data is not beside this checkout")
    monkeypatch.syspath_prepend(str(WEIGHTS))
    from importlib import import_module

    model = import_module("backbones").load("squeezenet_places365")
    model.save(tmp_path / "squeezenet.keras")
    backbone = load_backbone(str(tmp_path / "squeezenet.keras"))
    images = noise(2, 224)
    wanted = model(images.astype(np.float32), training=False)["features"]
    np.testing.assert_allclose(backbone.features(images), wanted, rtol=1e-4, atol=1e-5)
