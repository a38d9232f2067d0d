"""How far long work is: whoever works tells it, as a fraction."""

from collections.abc import Callable

Progress = Callable[[float], None]
"""Told now and then which fraction of a piece of work is done, 0 to 1, growing."""


def between(progress: Progress, start: float, end: float) -> Progress:
    """What a part of the work, from `start` to `end` of it, tells its progress to."""
    return lambda done: progress(start + (end - start) * done)


def in_turn(progress: Progress, count: int) -> list[Progress]:
    """What each of `count` parts of the work tells its progress to, one after the other, as long each."""
    return [between(progress, part / count, (part + 1) / count) for part in range(count)]
