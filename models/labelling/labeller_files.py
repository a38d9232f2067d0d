"""The manifest of a labeller, `labeller.json`: its networks, classes, files, and what it was trained on."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from models.labelling.pictures import MAX_VIEWS
from models.sealed import MEBIBYTE, Seal, SealedManifest
from reco.errors import LabellingError
from reco.labels import MAX_DIMENSIONS, Name

HEAD = "head.npz"
TOPICS = "topics.msgpack"
MAX_CLASSES = 10_000
"""Most classes of a labeller."""


class StoredBackbone(Struct, frozen=True):
    """A backbone of a labeller: its name, its file, and how many features it finds."""

    name: Name
    file: str
    dimensions: Annotated[int, Meta(ge=1)]


class Manifest(SealedManifest, frozen=True, kw_only=True):
    """What `labeller.json` says, beside what every manifest does; its id is the version of the labeller.

    Attributes:
        backbones: in the order in which the head takes their features.
        classes: the scene labels, in the order of the scores.
        temperature: of the head.
        views: of a picture, whose features are averaged, see `Sight`.
    """

    backbones: Annotated[tuple[StoredBackbone, ...], Meta(min_length=1, max_length=8)]
    classes: Annotated[tuple[Name, ...], Meta(min_length=2, max_length=MAX_CLASSES)]
    temperature: Annotated[float, Meta(gt=0)]
    views: Annotated[int, Meta(ge=1, le=MAX_VIEWS)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        needed = [HEAD, *(backbone.file for backbone in self.backbones)]
        if missing := [name for name in needed if name not in self.files]:
            raise ValueError(f"files: {missing[0]} is not among them")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: one occurs twice")
        check_dimensions(backbone.dimensions for backbone in self.backbones)


def check_dimensions(dimensions: Iterable[int]) -> None:
    """Check that what backbones find, side by side, is no longer than the embedding of a sale may be.

    Labels with a longer one are refused by whoever reads them, so that sales would be labelled for ever.

    Raises:
        ValueError: it is longer; says what to do.
    """
    if (found := sum(dimensions)) > MAX_DIMENSIONS:
        raise ValueError(
            f"backbones: they find {found:,} features in all, an embedding has at most {MAX_DIMENSIONS:,}; "
            "take fewer networks, or such as pool their features"
        )


LABELLER = Seal(
    kind="labeller",
    manifest=Manifest,
    file="labeller.json",
    format=1,
    max_manifest_bytes=MEBIBYTE,
    max_file_bytes=2048 * MEBIBYTE,  # the largest network of `keras.applications`, ConvNeXtXLarge, has 1.4 GB
    error=LabellingError,
    found="name the folder that `tenfold labels train` wrote",
)
