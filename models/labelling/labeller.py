"""The labeller: backbones, head and topics in one folder, written whole and loaded whole, or not at all.

Loading reads `.keras` files in safe mode and arrays without pickles, each only after its bytes were verified.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.labelling.backbones import Backbone, load_backbone
from models.labelling.head import Head
from models.labelling.labeller_files import HEAD, LABELLER, TOPICS, Manifest, check_dimensions
from models.labelling.pictures import Sight
from models.labelling.topics import Topics
from models.sealed import digest, write
from reco.errors import LabellingError

Floats = NDArray[np.float32]

ARRAYS: Final = ("mean", "deviation", "hidden", "hidden_bias", "output", "output_bias")
"""The learned arrays of a head, as `head.npz` names them."""

_UNREADABLE: Final = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,  # a single array, which is no archive
    RuntimeError,  # an encrypted archive, or packed in a way that is not known
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises of bytes that are not the archive of arrays that they should be."""


class Labelled(NamedTuple):
    """What was recognised in pictures.

    Attributes:
        scores: float32[n, n_classes], probabilities of the scene labels, calibrated.
        topics: float32[n, n_topics], shares, each row sums to 1; n_topics is 0 if there are no topics.
        embeddings: float32[n, d], directions, of length 1.
    """

    scores: Floats
    topics: Floats
    embeddings: Floats


@dataclass(frozen=True, eq=False)
class Recognition:
    """What recognises.

    Attributes:
        backbones: the networks.
        head: on their features.
        topics: if they were fitted.
        views: of each picture, as the head was trained on them, see `Sight`.
    """

    backbones: tuple[Backbone, ...]
    head: Head
    topics: Topics | None = None
    views: int = 1


@dataclass(frozen=True)
class Provenance:
    """Where a labeller comes from.

    Attributes:
        created_at: when training ended, ms since the epoch, UTC.
        trained_on: pictures, options and whatever one may want to know later, as JSON.
        metrics: how well it did, by name; finite.
    """

    created_at: int
    trained_on: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Labeller:
    """A labeller, verified and ready; embeddings and topics of two versions cannot be compared."""

    manifest: Manifest
    recognition: Recognition

    @property
    def version(self) -> str:
        """The day of training and the first 8 digits of the checksum: `2026-11-24-1a2b3c4d`."""
        return self.manifest.id

    @property
    def classes(self) -> tuple[str, ...]:
        """The scene labels, in the order of the scores."""
        return self.recognition.head.classes

    @property
    def topic_names(self) -> tuple[str, ...]:
        """The names of the topics, in their order; none if there are no topics."""
        topics = self.recognition.topics
        return topics.names if topics else ()

    @property
    def sight(self) -> Sight:
        """How it looks at pictures."""
        return Sight(self.recognition.backbones[0].size, self.recognition.views)

    def label(self, images: NDArray[np.uint8]) -> Labelled:
        """Recognise what is on pictures, as `Backbone.features` takes them, seen by its `sight`."""
        features = np.hstack([backbone.features(images) for backbone in self.recognition.backbones])
        return self.label_features(features)

    def label_features(self, features: Floats) -> Labelled:
        """Recognise what is on pictures by their features, float32[n, d], of all backbones side by side."""
        head, topics = self.recognition.head, self.recognition.topics
        scores = head.probabilities(features)
        shares = topics.shares(scores) if topics else np.empty((len(scores), 0), np.float32)
        return Labelled(scores, shares, head.embedding(features))


def write_labeller(labellers: Path, recognition: Recognition, provenance: Provenance) -> Path:
    """Write a labeller below the folder `labellers`; its own folder, which is named after its version.

    Raises:
        LabellingError: it could not be loaded again; nothing is written then.
    """
    check_backbones(recognition.backbones)
    return LABELLER.place(
        labellers, lambda folder: _write_files(folder, recognition, provenance), load_labeller
    )


def load_labeller(folder: Path) -> Labeller:
    """The labeller in `folder`, every byte of it verified before it is used.

    Args:
        folder: named after the version of the labeller, as `write_labeller` made it.

    Raises:
        LabellingError: it is not whole, or cannot be used; says what, where and what to do.
    """
    manifest, head, topics = verify_labeller(folder)
    backbones = tuple(load_backbone(str(folder / stored.file)) for stored in manifest.backbones)
    for backbone, stored in zip(backbones, manifest.backbones, strict=True):
        if backbone.dimensions != stored.dimensions:
            finds = f"finds {backbone.dimensions} features, the manifest says {stored.dimensions}"
            raise LabellingError(f"{folder / stored.file}: {finds}; train it again")
    check_backbones(backbones)
    return Labeller(manifest, Recognition(backbones, head, topics, manifest.views))


class Verified(NamedTuple):
    """A labeller without its networks: everything but them is read, and every byte of them is verified."""

    manifest: Manifest
    head: Head
    topics: Topics | None


def verify_labeller(folder: Path) -> Verified:
    """Verify the labeller in `folder`, which neither takes TensorFlow nor its time.

    Raises:
        LabellingError: it is not whole; says what, where and what to do.
    """
    manifest = LABELLER.read_manifest(folder)
    files = LABELLER.read_files(folder, manifest)
    head = _head(folder / HEAD, files[HEAD], manifest)
    topics = _topics(folder / TOPICS, files[TOPICS], manifest) if TOPICS in files else None
    return Verified(manifest, head, topics)


def check_backbones(backbones: Sequence[Backbone]) -> None:
    """Check that backbones can look at the same pictures, and that an embedding holds what they find.

    Raises:
        LabellingError: there is none, two take pictures of different sizes, or they find too many features.
    """
    if not backbones:
        raise LabellingError("a labeller needs a backbone; name one")
    sizes = {backbone.size: backbone.name for backbone in backbones}
    if len(sizes) > 1:
        takes = ", ".join(f"{name} {height} x {width}" for (height, width), name in sizes.items())
        raise LabellingError(
            f"the backbones take pictures of different sizes ({takes}); take such of one size"
        )
    try:
        check_dimensions(backbone.dimensions for backbone in backbones)
    except ValueError as error:
        raise LabellingError(str(error)) from None


def _write_files(folder: Path, recognition: Recognition, provenance: Provenance) -> Manifest:
    stored = []
    for number, backbone in enumerate(recognition.backbones, 1):
        file = f"backbone-{number}.keras"
        backbone.save(folder / file)
        stored.append({"name": backbone.name, "file": file, "dimensions": backbone.dimensions})
    write(folder / HEAD, _stored_head(recognition.head))
    if recognition.topics:
        write(folder / TOPICS, recognition.topics.to_bytes())
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    for name, value in files.items():  # again, so that Keras's files last too
        write(folder / name, value)
    content = {
        "created_at": provenance.created_at,
        "trained_on": provenance.trained_on,
        "backbones": stored,
        "classes": recognition.head.classes,
        "temperature": recognition.head.temperature,
        "views": recognition.views,
        "metrics": provenance.metrics,
        "files": {name: digest(value) for name, value in files.items()},
    }
    return LABELLER.seal(content)


def _stored_head(head: Head) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{name: getattr(head, name) for name in ARRAYS})
    return file.getvalue()


def _head(path: Path, value: bytes, manifest: Manifest) -> Head:
    """The head of the manifest's backbones and classes, its arrays checked."""
    blocks = tuple(backbone.dimensions for backbone in manifest.backbones)
    try:
        with np.load(io.BytesIO(value), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ARRAYS}
        members, _, units = arrays["hidden"].shape
        d, classes = sum(blocks), len(manifest.classes)
        shapes = (
            (d,),
            (d,),
            (members, d, units),
            (members, units),
            (members, units, classes),
            (members, classes),
        )
        for (name, array), shape in zip(arrays.items(), shapes, strict=True):
            _check_array(name, array, shape, above=0 if name == "deviation" else -np.inf)
    except _UNREADABLE as error:
        raise LabellingError(
            f"{path}: is no head that can be read: {error}; train the labels again"
        ) from error
    return Head(manifest.classes, blocks, **arrays, temperature=manifest.temperature)


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...], *, above: float) -> None:
    if array.dtype != np.float32 or array.shape != shape or not array.size:
        raise ValueError(f"{name} is {array.dtype}{list(array.shape)}, not float32{list(shape)}")
    if not (np.isfinite(array) & (array > above)).all():
        raise ValueError(f"{name} is not finite and above {above} everywhere")


def _topics(path: Path, value: bytes, manifest: Manifest) -> Topics:
    try:
        topics = Topics.from_bytes(value)
    except LabellingError as error:
        raise LabellingError(f"{path}: {error}") from error
    if topics.classes != manifest.classes:
        raise LabellingError(f"{path}: its labels are not those of the labeller; train the labels again")
    return topics
