"""Sealed folders: a manifest names every file with its checksum, and a checksum covers the manifest.

Releases of rankers are such folders, and labellers. Nothing in them is a pickle. They are written so that
they last; what is not whole is refused before anything of it is used.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from models.release_promotion import Checksum, ReleaseId
from reco.errors import TenfoldError
from reco.events import Millis

FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{,99}")
"""A name in the folder itself: no separator of folders, no dot in front."""
MEBIBYTE = 1024 * 1024
UNFINISHED = ".unfinished-"
"""Begins the name of a folder in which one is being written; who is killed leaves it behind."""
LONGEST_WRITE = 24 * 3600
"""Seconds after which nobody is writing any more."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# A link could lead anywhere, a pipe would never end, neither is a file of the folder.
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class SealedManifest(Struct, frozen=True, kw_only=True):
    """What every manifest says.

    Attributes:
        format: the version of the format of the folder.
        id: the day of training (UTC) and the first 8 digits of the checksum; the name of the folder.
        created_at: when training ended.
        trained_on: whatever one may want to know later of what it was trained on, and how.
        metrics: how well it did, by name.
        files: SHA-256 of each file.
        checksum: SHA-256 of the canonical JSON (sorted keys, no space) of all this but `id` and `checksum`.
    """

    format: int
    id: ReleaseId
    created_at: Millis
    trained_on: dict[str, Any]
    metrics: dict[str, float]
    files: dict[str, Checksum]
    checksum: Checksum

    def __post_init__(self) -> None:
        if outside := [name for name in self.files if not FILE_NAME.fullmatch(name)]:
            raise ValueError(f"files: {outside[0]!r} is no name of a file in the folder")


M = TypeVar("M", bound=SealedManifest)


class _Format(Struct):
    format: int


@dataclass(frozen=True)
class Seal(Generic[M]):
    """How folders of one kind are sealed, and what is said of one that is not whole.

    Attributes:
        kind: what the folder is, in a word.
        manifest: the type of its manifest.
        file: the name of its manifest.
        format: rises when a reader of the format before could not read a folder, or would read it wrongly.
        max_manifest_bytes: largest accepted manifest.
        max_file_bytes: largest accepted file.
        error: what is raised.
        found: where to look if there is no such folder.
    """

    kind: str
    manifest: type[M]
    file: str
    format: int
    max_manifest_bytes: int
    max_file_bytes: int
    error: type[TenfoldError]
    found: str

    def seal(self, content: Mapping[str, Any]) -> M:
        """The manifest with these fields, its checksum and its id; it raises `error` if one cannot be."""
        unsealed = {"format": self.format, "id": "0000-00-00-00000000", "checksum": "0" * 64}
        try:
            manifest = msgspec.convert(msgspec.to_builtins(unsealed | dict(content)), self.manifest)
        except msgspec.ValidationError as error:
            raise self.error(f"{self.file}: {error}; correct what training hands over") from None
        checksum = checksum_of(msgspec.to_builtins(manifest))
        return replace(manifest, id=id_of(manifest.created_at, checksum), checksum=checksum)

    def write_manifest(self, folder: Path, manifest: M) -> None:
        """Write the manifest of `folder`, for a person to read as well."""
        write(folder / self.file, msgspec.json.format(msgspec.json.encode(manifest), indent=2))

    def place(self, parent: Path, fill: Callable[[Path], M], load: Callable[[Path], object]) -> Path:
        """A folder below `parent`, named after its id, whose other files `fill` writes for its manifest.

        It is written beside its place and loaded once, then put there in one step; so a folder of that name
        always holds a whole one. What `load` raises is raised, or `error` if it cannot be written, and
        nothing is put there then.
        """
        try:
            return self._place(parent, fill, load)
        except OSError as error:
            todo = "make room, or name another folder"
            raise self.error(f"{parent}: the {self.kind} cannot be written there: {error}; {todo}") from error

    def _place(self, parent: Path, fill: Callable[[Path], M], load: Callable[[Path], object]) -> Path:
        parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
        _remove_left(parent, beside.stat().st_mtime - LONGEST_WRITE)
        try:
            unnamed = beside / self.kind
            unnamed.mkdir()
            manifest = fill(unnamed)
            self.write_manifest(unnamed, manifest)
            folder, placed = unnamed.rename(beside / manifest.id), parent / manifest.id
            load(folder)
            if placed.exists():
                load(placed)
            else:
                folder.rename(placed)
        finally:
            shutil.rmtree(beside)
        return placed

    def read_manifest(self, folder: Path) -> M:
        """The manifest in `folder`, whose other files are not looked at.

        It raises `error` if there is none, it cannot be read or was altered, or the folder has another name.
        """
        path = folder / self.file
        value = self._read(path, self.max_manifest_bytes)
        try:
            self._check_format(path, msgspec.json.decode(value, type=_Format).format)
            content: dict[str, Any] = msgspec.json.decode(value)
            manifest = msgspec.json.decode(value, type=self.manifest)
        except _UNREADABLE as error:
            raise self.error(f"{path}: {error}; {self._again}") from None
        self._check(path, content, manifest)
        return manifest

    def newest_first(self, folders: Iterable[Path]) -> tuple[list[M], dict[Path, TenfoldError]]:
        """The manifests in the folders, what was trained last first; and why others cannot be read."""
        whole: list[M] = []
        broken: dict[Path, TenfoldError] = {}
        for folder in sorted(folders):
            try:
                whole.append(self.read_manifest(folder))
            except self.error as error:
                broken[folder] = error
        whole.sort(key=lambda one: one.created_at, reverse=True)
        return whole, broken

    def read_files(self, folder: Path, manifest: M) -> dict[str, bytes]:
        """The bytes of every file that the manifest names; it raises `error` if one has others."""
        files = {}
        for name, checksum in manifest.files.items():
            files[name] = value = self._read(folder / name, self.max_file_bytes)
            if digest(value) != checksum:
                says = f"its {len(value):,} bytes are not those that were released"
                raise self.error(f"{folder / name}: {says}; {self._again}")
        return files

    def check_promoted(self, folder: Path, manifest: M, promoted: tuple[str, str]) -> None:
        """Raise `error` if the manifest in `folder` is not that of the id and checksum that were promoted."""
        if (manifest.id, manifest.checksum) != promoted:
            holds = f"holds the {self.kind} {manifest.id} with checksum {manifest.checksum}"
            raise self.error(
                f"{folder}: {holds}, {promoted[0]} with {promoted[1]} was promoted; promote it again"
            )

    @property
    def _again(self) -> str:
        return f"copy the {self.kind} again, or train it again"

    def _read(self, path: Path, max_bytes: int) -> bytes:
        try:
            if not path.parent.is_dir():
                raise self.error(f"{path.parent}: there is no such folder; {self.found}")
            return _read_plain(path, max_bytes)
        except FileNotFoundError:
            raise self.error(f"{path}: is missing; {self._again}") from None
        except OSError as error:
            raise self.error(
                f"{path}: cannot be read: {error.strerror or error}; check who may read it"
            ) from error
        except ValueError as error:
            raise self.error(f"{path}: {error}; {self._again}") from None

    def _check_format(self, path: Path, found: int) -> None:
        if found != self.format:
            todo = "update tenfold" if found > self.format else "train it again"
            raise self.error(f"{path}: format {found}, this version reads {self.format}; {todo}")

    def _check(self, path: Path, content: Mapping[str, Any], manifest: M) -> None:
        if (made := checksum_of(content)) != manifest.checksum:
            says = f"checksum is {manifest.checksum}, its content has {made}: it was altered"
            raise self.error(f"{path}: {says}; {self._again}")
        if manifest.id != id_of(manifest.created_at, manifest.checksum):
            raise self.error(f"{path}: id {manifest.id} is not that of its content; {self._again}")
        if path.parent.resolve().name != manifest.id:
            raise self.error(f"{path.parent}: holds the {self.kind} {manifest.id}; name the folder like it")


def _remove_left(parent: Path, before: float) -> None:
    """Remove what those left unfinished in `parent` who were killed before then, s since the epoch."""
    for left in parent.glob(f"{UNFINISHED}*"):
        with suppress(OSError):  # another one may be removing it, too
            if left.stat().st_mtime < before:
                shutil.rmtree(left)


def checksum_of(content: Mapping[str, Any]) -> str:
    """The checksum of the fields of a manifest."""
    covered = {name: value for name, value in content.items() if name not in {"id", "checksum"}}
    return digest(msgspec.json.encode(covered, order="sorted"))


def id_of(created_at: int, checksum: str) -> str:
    """The id of a sealed folder: `2026-11-24-1a2b3c4d`."""
    day = datetime.fromtimestamp(created_at / 1000, UTC).date()
    return f"{day.isoformat()}-{checksum[:8]}"


def digest(value: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(value).hexdigest()


def write(path: Path, value: bytes) -> None:
    """Write a file, and have it on the disk when this returns."""
    with path.open("wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())


def _read_plain(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file; raises ValueError if it is a link or no file, or has more than `max_bytes`."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("is a link or no file at all, where only plain files are read")
    with open(path, "rb", opener=lambda name, _: os.open(name, _OPEN)) as file:
        value = file.read(max_bytes + 1)
    if len(value) > max_bytes:
        raise ValueError(f"is larger than {max_bytes:,} bytes")
    return value
