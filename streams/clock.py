"""The wall clock, read at the edge and handed in."""

import time


def now() -> int:
    """The moment, ms since the epoch, UTC."""
    return time.time_ns() // 1_000_000
