"""The manifest of a release, `release.json`: what was trained, on what, how well, and its files.

Nothing in a release is a pickle. The checksum covers all of the manifest, and through it every byte of every
file; the id is made of the day of training and of the checksum.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from models.calibration import Calibration
from models.release_files import FILE_NAME, read
from models.release_promotion import Checksum, RankerName, ReleaseId
from reco.errors import ReleaseError
from reco.events import Millis
from reco.parameters import Parameters

FORMAT = 1
"""Rises when a reader of the format before could not read a release, or would read it wrongly."""
MANIFEST = "release.json"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
"""Largest accepted manifest; calibrations are the largest thing in it."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Trained(Struct, frozen=True):
    """One ranker of a release: the file of its forest, the features it reads in order, its calibration."""

    model: str
    features: Annotated[tuple[str, ...], Meta(min_length=1, max_length=1000)]
    calibration: Calibration


class Manifest(Struct, frozen=True):
    """What `release.json` says.

    Attributes:
        format: the version of this format.
        id: the day of training (UTC) and the first 8 digits of the checksum.
        created_at: when training ended.
        trained_on: source, period, rows, seed and whatever else training wants to be known.
        features: the version of each feature that a ranker reads.
        parameters: those of the recommenders whose scores the rankers were trained on.
        metrics: how well it did, by name.
        files: SHA-256 of each file.
        checksum: SHA-256 of the canonical JSON (sorted keys, no space) of all this but `id` and `checksum`.
    """

    format: int
    id: ReleaseId
    created_at: Millis
    trained_on: dict[str, Any]
    features: dict[str, int]
    parameters: Parameters
    metrics: dict[str, float]
    rankers: dict[RankerName, Trained]
    files: dict[str, Checksum]
    checksum: Checksum

    def __post_init__(self) -> None:
        if outside := [name for name in self.files if not FILE_NAME.fullmatch(name)]:
            raise ValueError(f"files: {outside[0]!r} is no name of a file in the folder")


class _Format(Struct):
    format: int


def checksum_of(content: Mapping[str, Any]) -> str:
    """The checksum of the fields of a manifest."""
    covered = {name: value for name, value in content.items() if name not in {"id", "checksum"}}
    return hashlib.sha256(msgspec.json.encode(covered, order="sorted")).hexdigest()


def id_of(created_at: int, checksum: str) -> str:
    """The id of a release: `2026-11-24-1a2b3c4d`."""
    day = datetime.fromtimestamp(created_at / 1000, UTC).date()
    return f"{day.isoformat()}-{checksum[:8]}"


def seal(content: dict[str, Any]) -> Manifest:
    """The manifest with these fields, its checksum and its id.

    Raises:
        ReleaseError: a field is not what it must be.
    """
    unsealed = {"format": FORMAT, "id": "0000-00-00-00000000", "checksum": "0" * 64}
    try:
        manifest = msgspec.convert(msgspec.to_builtins(unsealed | content), Manifest)
    except msgspec.ValidationError as error:
        raise ReleaseError(f"{MANIFEST}: {error}; correct what training hands over") from None
    checksum = checksum_of(msgspec.to_builtins(manifest))
    return replace(manifest, id=id_of(manifest.created_at, checksum), checksum=checksum)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the release in `folder`; its other files are not looked at.

    Raises:
        ReleaseError: there is none, it cannot be read, or it was altered.
    """
    path = folder / MANIFEST
    value = read(path, MAX_MANIFEST_BYTES)
    try:
        found = msgspec.json.decode(value, type=_Format).format
        if found != FORMAT:
            raise ReleaseError(
                f"{path}: format {found}, this version reads {FORMAT}; "
                + ("update tenfold" if found > FORMAT else "train it again")
            )
        content: dict[str, Any] = msgspec.json.decode(value)
        manifest = msgspec.json.decode(value, type=Manifest)
    except _UNREADABLE as error:
        raise ReleaseError(f"{path}: {error}; copy the release again, or train it again") from None
    _check(path, content, manifest)
    return manifest


def _check(path: Path, content: Mapping[str, Any], manifest: Manifest) -> None:
    if (made := checksum_of(content)) != manifest.checksum:
        raise ReleaseError(
            f"{path}: checksum is {manifest.checksum}, its content has {made}: it was altered; "
            "copy the release again, or train it again"
        )
    if manifest.id != id_of(manifest.created_at, manifest.checksum):
        raise ReleaseError(f"{path}: id {manifest.id} is not that of its content; copy the release again")
    if path.parent.name != manifest.id:
        raise ReleaseError(f"{path.parent}: holds the release {manifest.id}; name the folder like it")
