"""A lock that the kernel keeps with a file and gives back however its holders end."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[int | None]:
    """Hold the lock of `path` (created if need be) in the block; the value is its file descriptor.

    A child process that inherits the descriptor holds the lock as well, also after the block. Without
    `wait`, the value is None if somebody else holds it.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            descriptor = None
        else:
            descriptor = file.fileno()
        yield descriptor


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of `path`."""
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
