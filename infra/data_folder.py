"""The data folder, which may be on a disk that is full, read-only or somebody else's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reco.errors import SettingsError


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """A block that creates what is to be in `folder`.

    Raises:
        SettingsError: it could not.
    """
    try:
        yield
    except OSError as error:
        mistake = f"{folder} cannot be written: {error}; change its owner or set worker.data_dir"
        raise SettingsError([mistake]) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file at once: nobody reads half of it, and what it held stays if the disk is full."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
