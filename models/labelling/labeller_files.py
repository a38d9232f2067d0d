"""The manifest of a labeller, `labeller.json`: its networks, classes and files, and what it was trained on.

As in a release of rankers, nothing is a pickle: the checksum covers the manifest, and through it every byte
of every file; the version is made of the day of training and of the checksum.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from models import release_files
from models.release_files import FILE_NAME
from models.release_manifest import checksum_of, id_of
from models.release_promotion import Checksum, ReleaseId
from reco.errors import LabellingError, ReleaseError
from reco.events import Millis
from reco.labels import Name

FORMAT = 1
"""Rises when a reader of the format before could not read a labeller, or would read it wrongly."""
MANIFEST = "labeller.json"
HEAD = "head.npz"
TOPICS = "topics.msgpack"
MAX_MANIFEST_BYTES = 1024 * 1024
MAX_FILE_BYTES = 1024 * 1024 * 1024
"""Largest accepted file; the largest networks of `keras.applications` have some 350 MB without their top."""


class StoredBackbone(Struct, frozen=True):
    """A backbone of a labeller: its name, its file, and how many features it finds."""

    name: Name
    file: str
    dimensions: Annotated[int, Meta(ge=1, le=65536)]


class Manifest(Struct, frozen=True):
    """What `labeller.json` says.

    Attributes:
        format: the version of this format.
        id: the version of the labeller: day of training (UTC) and the first 8 digits of the checksum.
        created_at: when training ended.
        trained_on: pictures, options, versions of packages: whatever one may want to know later.
        backbones: in the order in which the head takes their features.
        classes: the scene labels, in the order of the scores.
        temperature: of the head.
        metrics: how well it did on pictures that it was not trained on.
        files: SHA-256 of each file.
        checksum: SHA-256 of the canonical JSON (sorted keys, no space) of all this but `id` and `checksum`.
    """

    format: int
    id: ReleaseId
    created_at: Millis
    trained_on: dict[str, Any]
    backbones: Annotated[tuple[StoredBackbone, ...], Meta(min_length=1, max_length=8)]
    classes: Annotated[tuple[Name, ...], Meta(min_length=2, max_length=10_000)]
    temperature: Annotated[float, Meta(gt=0)]
    metrics: dict[str, float]
    files: dict[str, Checksum]
    checksum: Checksum

    def __post_init__(self) -> None:
        if outside := [name for name in self.files if not FILE_NAME.fullmatch(name)]:
            raise ValueError(f"files: {outside[0]!r} is no name of a file in the folder")
        needed = [HEAD, *(backbone.file for backbone in self.backbones)]
        if missing := [name for name in needed if name not in self.files]:
            raise ValueError(f"files: {missing[0]} is not among them")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: one occurs twice")


class _Format(Struct):
    format: int


def seal(content: Mapping[str, Any]) -> Manifest:
    """The manifest with these fields, its checksum and its id.

    Raises:
        LabellingError: a field is not what it must be.
    """
    unsealed = {"format": FORMAT, "id": "0000-00-00-00000000", "checksum": "0" * 64}
    try:
        manifest = msgspec.convert(msgspec.to_builtins(unsealed | dict(content)), Manifest)
    except msgspec.ValidationError as error:
        raise LabellingError(f"{MANIFEST}: {error}; correct what training hands over") from None
    checksum = checksum_of(msgspec.to_builtins(manifest))
    return replace(manifest, id=id_of(manifest.created_at, checksum), checksum=checksum)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the labeller in `folder`; its other files are not looked at.

    Raises:
        LabellingError: there is none, it cannot be read, or it was altered.
    """
    path = folder / MANIFEST
    value = _read(path, MAX_MANIFEST_BYTES)
    try:
        found = msgspec.json.decode(value, type=_Format).format
        if found != FORMAT:
            todo = "update tenfold" if found > FORMAT else "train it again"
            raise LabellingError(f"{path}: format {found}, this version reads {FORMAT}; {todo}")
        content: dict[str, Any] = msgspec.json.decode(value)
        manifest = msgspec.json.decode(value, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LabellingError(f"{path}: {error}; {_AGAIN}") from None
    if (made := checksum_of(content)) != manifest.checksum:
        says = f"checksum is {manifest.checksum}, its content has {made}"
        raise LabellingError(f"{path}: {says}: it was altered; {_AGAIN}")
    if manifest.id != id_of(manifest.created_at, manifest.checksum):
        raise LabellingError(f"{path}: id {manifest.id} is not that of its content; {_AGAIN}")
    return manifest


def read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """The bytes of every file that the manifest names, each of them verified.

    Raises:
        LabellingError: one is missing, is no plain file, or has other bytes.
    """
    files = {name: _read(folder / name, MAX_FILE_BYTES) for name in manifest.files}
    for name, value in files.items():
        if release_files.digest(value) != manifest.files[name]:
            says = f"its {len(value):,} bytes are not those of labeller {manifest.id}"
            raise LabellingError(f"{folder / name}: {says}; {_AGAIN}")
    return files


_AGAIN = "copy the labeller again, or train it again"


def _read(path: Path, max_bytes: int) -> bytes:
    if not path.exists():
        raise LabellingError(f"{path}: there is no such file; name the folder of a labeller, or {_AGAIN}")
    try:
        return release_files.read(path, max_bytes)
    except ReleaseError as error:
        raise LabellingError(str(error)) from error
