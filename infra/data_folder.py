"""The data folder, which may be on a disk that is full, read-only or somebody else's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from reco.errors import SettingsError


@contextmanager
def writing_to(folder: Path, setting: str = "worker.data_dir") -> Iterator[None]:
    """A block that creates what is to be in `folder`, which `setting` decides.

    Raises:
        SettingsError: it could not.
    """
    try:
        yield
    except OSError as error:
        mistake = f"{folder} cannot be written: {error}; change its owner or set {setting}"
        raise SettingsError([mistake]) from error


def try_writing(folder: Path, setting: str = "worker.data_dir") -> None:
    """Try whether `folder`, which `setting` decides and which need not be there yet, can be written.

    Raises:
        SettingsError: it cannot.
    """
    with writing_to(folder, setting), TemporaryFile(dir=nearest(folder)):
        pass


def nearest(folder: Path) -> Path:
    """The absolute `folder`, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110 - no error where it may not look


def write_whole(path: Path, text: str) -> None:
    """Write a file at once, on the disk: nobody reads half of it, and what it held stays if that is full."""
    fresh = path.with_suffix(".fresh")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
