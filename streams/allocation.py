"""How the C library allocates: large arrays go back to the system when they are let go."""

import ctypes
from contextlib import suppress

LARGE = 1 << 20
"""Bytes of an allocation that has pages of its own; what lists are computed with is smaller."""
_M_MMAP_THRESHOLD = -3
"""`mallopt(3)`."""


def return_large_arrays() -> None:
    """Give allocations from `LARGE` on pages of their own, from now on, where the C library is glibc's.

    By itself it raises that limit, up to 32 MiB, with every larger one that is freed, and takes the next ones
    from its heap. There an array of zeros is written in full, where a page of its own would take no memory
    until it is used, and what is freed stays. Of knowledge, which a release can replace, that is most.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)
