"""The files of a release: written so that they last, read only if they are what they claim to be."""

import hashlib
import os
import re
import stat
from pathlib import Path

from reco.errors import ReleaseError

FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{,99}")
"""A name in the folder itself: no separator of folders, no dot in front."""
MAX_FILE_BYTES = 256 * 1024 * 1024
"""Largest accepted file; a forest of a thousand trees has some 5 MB as text."""

_AGAIN = "copy the release again, or train it again"
# A link could lead anywhere, a pipe would never end, neither is a file of the release.
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def digest(value: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(value).hexdigest()


def read(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a plain file.

    Raises:
        ReleaseError: it is not there, is no plain file but a link or a folder, or has more than `max_bytes`.
    """
    if not path.parent.is_dir():
        raise ReleaseError(f"{path.parent}: there is no such folder; see `tenfold releases list`")
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ReleaseError(f"{path}: is a link or no file at all; a release holds plain files; {_AGAIN}")
        with open(path, "rb", opener=lambda name, _: os.open(name, _OPEN)) as file:
            value = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ReleaseError(f"{path}: is missing; {_AGAIN}") from None
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read: {error}; check who may read it") from error
    if len(value) > max_bytes:
        raise ReleaseError(f"{path}: is larger than {max_bytes:,} bytes; {_AGAIN}")
    return value


def read_checked(path: Path, checksum: str) -> bytes:
    """The bytes of a file whose SHA-256 must be `checksum`.

    Raises:
        ReleaseError: it cannot be read, or has other bytes.
    """
    value = read(path)
    if digest(value) != checksum:
        raise ReleaseError(f"{path}: its {len(value):,} bytes are not those that were released; {_AGAIN}")
    return value


def write(path: Path, value: bytes) -> None:
    """Write a file, and have it on the disk when this returns."""
    with path.open("wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
