"""Backbones: pre-trained networks that turn a picture into the features its last convolution found.

Keras and TensorFlow are imported inside the functions that need them: a backbone costs seconds and 600 MB.
"""

import hashlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.progress import Progress
from reco.errors import LabellingError

BATCH = 64
"""Most pictures that go through the network at once."""
OWN = ".keras"
"""Suffix of a model in Keras's own format, the one that is read without running code that hides in it."""
USUAL_SIDE = 224
SIDES = {
    **dict.fromkeys(("InceptionV3", "InceptionResNetV2", "Xception"), 299),
    "NASNetLarge": 331,
    **{f"EfficientNetB{scale}": side for scale, side in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    **{f"EfficientNetV2B{scale}": side for scale, side in enumerate((224, 240, 260, 300))},
    "EfficientNetV2S": 384,
    **dict.fromkeys(("EfficientNetV2M", "EfficientNetV2L"), 480),
}
"""Height and width that networks were trained at, from Keras's documentation of each; the others at 224."""

DEVIATIONS = (0.229, 0.224, 0.225)
"""Of the colours of ImageNet, from 0 to 1."""

SMALL_CHANNELS = (24, 48, 96, 128)
SMALL_EPOCHS = 6
SMALL_BATCH = 32
SMALL_RATE = 3e-3
"""The small network: channels of its layers, and how it is trained (Adam, its rate falls along a cosine)."""


class Backbone:
    """A frozen network and where its features are.

    Attributes:
        name: what it is called, such as `VGG16`.
        size: height and width of the pictures it takes, pixels.
        dimensions: how many features it finds.
        digest: SHA-256 of architecture and weights, in hexadecimal digits: same digest, same features.
    """

    def __init__(self, model: Any) -> None:
        """Wrap a Keras model; its output is features, a map of them, or a dict with `features` or `map`.

        Raises:
            LabellingError: it takes or gives anything else.
        """
        from models.labelling.lean_keras import tf

        self.model = _with_features(model)
        self.name: str = self.model.name
        _, height, width, _ = self.model.input_shape
        self.size: tuple[int, int] = (height or USUAL_SIDE, width or USUAL_SIDE)
        self.dimensions: int = self.model.output_shape[-1]
        self.digest = _digest(self.model)
        # One signature for every number of pictures: TensorFlow traces the network once.
        self._run = tf.function(
            lambda images: self.model(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec((None, *self.size, 3), tf.uint8)],
        )

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, dimensions] of uint8[n, height, width, 3] RGB, on the GPU if there is one.

        Of pictures with several views, uint8[n, views, height, width, 3], it is the mean over the views.
        """
        views = images.reshape(-1, *images.shape[-3:])
        found = np.empty((len(views), self.dimensions), np.float32)
        for start in range(0, len(views), BATCH):
            batch = views[start : start + BATCH]
            found[start : start + len(batch)] = self._run(_padded(batch)).numpy()[: len(batch)]
        of_pictures = found.reshape(*images.shape[:-3], self.dimensions)
        mean: NDArray[np.float32] = of_pictures.mean(axis=tuple(range(1, of_pictures.ndim - 1)))
        return mean

    def save(self, path: Path) -> None:
        """Write it to a `.keras` file, which `load_backbone` reads; the digest stays the same."""
        self.model.save(path)


def load_backbone(name: str, weights: str | Path | None = None) -> Backbone:
    """A network by name, cut behind its last convolution, its preprocessing inside; or one's own model.

    Args:
        name: a network of `keras.applications`, such as `VGG16`; or the path of a `.keras` file.
        weights: `imagenet` (fetched once by Keras), a file of weights without the top, or None: random, and
            for a `.keras` file, those in it.

    Raises:
        LabellingError: there is no such network, or the file cannot be used.
    """
    if name.endswith(OWN):
        if weights is not None:
            raise LabellingError(f"{name}: holds its own weights; leave {weights} out")
        return Backbone(_own(Path(name)))
    return Backbone(_application(name, weights))


def _own(path: Path) -> Any:
    if not path.is_file():
        raise LabellingError(f"{path}: there is no such file; save a backbone there with Keras")
    from models.labelling.lean_keras import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged or hostile file makes Keras raise anything
        raise LabellingError(f"{path}: is no model that can be read in safe mode: {error}") from error


def _application(name: str, weights: str | Path | None) -> Any:
    """The network with preprocessing in front, uint8 RGB 0..255 in, its last map of features out."""
    from models.labelling.lean_keras import keras

    make = getattr(keras.applications, name, None)
    if not callable(make):
        known = ", ".join(
            one for one in dir(keras.applications) if callable(getattr(keras.applications, one))
        )
        raise LabellingError(f"{name}: is no network; take one of {known}, or the path of a {OWN} file")
    side = SIDES.get(name, USUAL_SIDE)
    network = _last_map(_weighted(make, name, (side, side, 3), weights))
    images = keras.Input((side, side, 3), name="images")
    return keras.Model(images, network(_preprocessing(make)(images)), name=name)


def _weighted(make: Any, name: str, shape: tuple[int, ...], weights: str | Path | None) -> Any:
    file = Path(weights) if weights not in {None, "imagenet"} else None
    if file is not None and not file.is_file():
        raise LabellingError(f"{file}: there is no such file; give imagenet or a file of weights for {name}")
    try:
        network = make(include_top=False, weights=None if file else weights, input_shape=shape)
        if file is not None:
            network.load_weights(file)
            _mend_deviations(network)
    except Exception as error:  # Keras raises bare ones for a failed download, and HDF5 anything
        what = f"{weights}: are no weights for {name} that can be used"
        raise LabellingError(f"{what}: {error}; those of a network without its top are needed") from error
    return network


def _mend_deviations(network: Any) -> None:
    """Divide by ImageNet's deviations, as Keras does in networks that it fetches the weights of itself.

    Its weights of EfficientNet have deviations where the layer takes variances; `weights="imagenet"` builds
    another layer that makes up for it, a file of the same weights does not.
    """
    from models.labelling.lean_keras import keras

    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            mean, variance, *others = layer.get_weights()
            if np.allclose(variance, DEVIATIONS):
                layer.set_weights([mean, variance**2, *others])
                layer.finalize_state()


def _last_map(network: Any) -> Any:
    """`network` without a pooling after its last convolution (VGG has one), normalised and activated."""
    from models.labelling.lean_keras import keras

    last = next(
        layer for layer in reversed(network.layers) if not isinstance(layer, keras.layers.MaxPooling2D)
    )
    return keras.Model(network.input, last.output, name=network.name)


def _preprocessing(make: Any) -> Any:
    """The network's own preprocessing as a 1x1 convolution, which a model file can hold without any code.

    `preprocess_input` scales, shifts and maybe swaps the colours: it is affine in each pixel, so that its
    values for black and for the three full colours say all about it.
    """
    from models.labelling.lean_keras import keras

    preprocess = inspect.getmodule(make).preprocess_input  # type: ignore[union-attr]
    black, *full = preprocess(np.vstack([np.zeros(3), 255 * np.eye(3)])[:, None, None, :])[:, 0, 0, :]
    kernel = (np.array(full) - black) / 255
    return keras.layers.Conv2D(
        3,
        1,
        kernel_initializer=keras.initializers.Constant(kernel[None, None].tolist()),
        bias_initializer=keras.initializers.Constant(black.tolist()),
        trainable=False,
        name="preprocessing",
    )


def _with_features(model: Any) -> Any:
    """`model` with a single output, [n, dimensions]; a map is averaged over its places."""
    from models.labelling.lean_keras import keras

    try:
        found = model.output
        images = model.input
        if isinstance(found, dict):
            found = found["features"] if "features" in found else found["map"]
        if tuple(images.shape[3:]) != (3,) or len(found.shape) not in {2, 4}:
            raise LabellingError(f"{model.name}: takes {images.shape} and gives {found.shape}; {_WANTED}")
    except (AttributeError, KeyError) as error:
        raise LabellingError(f"{getattr(model, 'name', model)}: {error!r}; {_WANTED}") from error
    if len(found.shape) == 4:  # noqa: PLR2004 -- pictures, height, width, features
        found = keras.layers.GlobalAveragePooling2D(name="features")(found)
    return keras.Model(images, found, name=model.name)


_WANTED = "a backbone takes [n, height, width, 3] and gives features, a map, or a dict with one of them"


def _padded(batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`batch` filled up to a power of two: kernels are chosen and set up anew for each new number."""
    padded = np.zeros((1 << (len(batch) - 1).bit_length(), *batch.shape[1:]), np.uint8)
    padded[: len(batch)] = batch
    return padded


def _digest(model: Any) -> str:
    """SHA-256 of what a model computes: its layers, how they are joined, and their weights."""
    config = json.loads(model.to_json())["config"]
    numbers = {name: f"#{number}" for number, name in enumerate(dict.fromkeys(_names(config)))}
    sha = hashlib.sha256(json.dumps(_unnamed(config, numbers), sort_keys=True).encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        sha.update(f"{value.shape}{value.dtype.str}".encode())
        sha.update(value.tobytes())  # of bfloat16, NumPy gives no other view
    return sha.hexdigest()


def _names(config: Any) -> Iterator[str]:
    """The names of all models and layers; Keras counts some of them up within a process."""
    if isinstance(config, dict):
        yield config.get("name", "")  # a layer of one's own may leave it out
        for layer in config.get("layers", ()):
            yield from _names(layer["config"])


_NAMING = ("name", "keras_history", "input_layers", "output_layers")


def _unnamed(config: Any, numbers: dict[str, str], *, naming: bool = False) -> Any:
    """`config` with a number in place of each name of a layer."""
    if isinstance(config, dict):
        return {key: _unnamed(value, numbers, naming=key in _NAMING) for key, value in config.items()}
    if isinstance(config, list):
        return [_unnamed(value, numbers, naming=naming) for value in config]
    return numbers.get(config, config) if naming and isinstance(config, str) else config


def small_network(classes: int, size: tuple[int, int] = (64, 64), seed: int = 0) -> Any:
    """A small convolutional network, to be trained from scratch on drawings; uint8 RGB 0..255 in.

    Returns:
        A Keras model: `features` [n, 128] and `labels`, the logits of the classes [n, classes].
    """
    from models.labelling.lean_keras import keras

    found = images = keras.Input((*size, 3), name="images")
    found = keras.layers.Rescaling(1 / 127.5, offset=-1)(found)
    for number, channels in enumerate(SMALL_CHANNELS):
        start = keras.initializers.HeNormal(seed=seed + number)
        found = keras.layers.Conv2D(
            channels, 3, strides=2, padding="same", use_bias=False, kernel_initializer=start
        )(found)
        found = keras.layers.BatchNormalization(momentum=0.9)(found)
        found = keras.layers.ReLU()(found)
    found = keras.layers.GlobalAveragePooling2D(name="features")(found)
    start = keras.initializers.GlorotUniform(seed=seed + len(SMALL_CHANNELS))
    labels = keras.layers.Dense(classes, kernel_initializer=start, name="labels")(found)
    return keras.Model(images, {"features": found, "labels": labels}, name="small")


def train_small(
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    classes: int,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Backbone:
    """A small network trained from scratch: the backbone where no pre-trained one can be had.

    Args:
        images: uint8[n, h, w, 3] RGB; some thousand drawings of 64 x 64 take less than a minute on a CPU.
        labels: int32[n], the class of each, 0 up to `classes` - 1.
        classes: how many there are.
        seed: of the first weights and of the order of the drawings.
        progress: told after each epoch.
    """
    from models.labelling.lean_keras import keras, learn_once

    model = small_network(classes, (images.shape[1], images.shape[2]), seed)
    training = keras.Model(model.input, model.output["labels"])
    steps = SMALL_EPOCHS * -(-len(images) // SMALL_BATCH)
    rate = keras.optimizers.schedules.CosineDecay(SMALL_RATE, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile(keras.optimizers.Adam(rate), loss)
    random = np.random.default_rng(seed)
    for epoch in range(SMALL_EPOCHS):
        learn_once(training, SMALL_BATCH, random, images, labels)
        progress((epoch + 1) / SMALL_EPOCHS)
    return Backbone(model)
