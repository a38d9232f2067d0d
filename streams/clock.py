"""The wall clock, read at the edge and handed in."""

import time
from datetime import UTC, datetime
from typing import Literal


def now() -> int:
    """The moment, ms since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def in_utc(ms: int, to_the: Literal["minutes", "seconds"] = "minutes") -> str:
    """A moment, ms since the epoch, for a person; the number, if it is in no year that a calendar has.

    >>> in_utc(1_764_000_000_000), in_utc(1_764_000_000_000, "seconds"), in_utc(10**18)
    ('2025-11-24 16:00 UTC', '2025-11-24 16:00:00 UTC', '1000000000000000000 ms')
    """
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
    return f"{moment.isoformat(' ', to_the)} UTC"
