"""The data folder of a demo: its own, and gone with it; of a demo that was killed, it goes with the next one.

A demo holds the lock of its folder while it runs, so that "it is gone" is what the kernel says.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from infra.broker import find
from infra.data_folder import writing_to
from infra.file_lock import is_locked, locked

LOCK: Final = "demo.lock"


@contextmanager
def own_folder(demos: Path, name: str) -> Iterator[Path]:
    """The folder `name` below `demos`, for the length of the block; what demos that are gone left is removed.

    Raises:
        SettingsError: it cannot be written.
    """
    folder, unlocked = demos / name, demos / f".{name}"
    _remove_left_over(demos)
    with writing_to(folder):
        unlocked.mkdir(parents=True)
        (unlocked / LOCK).touch()
    try:
        with locked(unlocked / LOCK, wait=True):
            unlocked.rename(folder)  # by that name no other demo ever sees it without its lock
            yield folder
    finally:
        _remove(unlocked, folder)


def _remove_left_over(demos: Path) -> None:
    """Remove the folders that demos have locked, and lock no more; nothing else that is there."""
    for lock in demos.glob(f"demo.*/{LOCK}"):
        if not is_locked(lock) and find(lock.parent) is None:
            _remove(lock.parent)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # others are there
            folder.parent.rmdir()
