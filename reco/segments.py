"""Segments: small numbers for the values that a visitor's context has, such as country or device."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

N_SEGMENTS: Final = 3
"""Names of the context that are told apart; `reco.parameters` says which."""
MAX_VALUES = 32
"""Numbers per segment: 0 if it is not known, and the last for all values that have none of their own."""
OTHERS = MAX_VALUES - 1
"""The number of all values that appeared once those before it were given."""
MAX_REMEMBERED = 4096
"""Combinations of values whose numbers are remembered, at most."""


class SegmentIndex:
    """Numbers the values of a few names of the context as they appear, each name on its own.

    >>> index = SegmentIndex(("country", "device"))
    >>> index.learn({"country": "FR"}), index.learn({"device": "phone"}), index.learn({"country": "FR"})
    ((1, 0), (0, 1), (1, 0))
    >>> index.known({"country": "DE", "device": "phone"}).tolist()
    [0, 1]
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._numbers: tuple[dict[str, int], ...] = tuple({} for _ in names)
        self._remembered: dict[tuple[str | None, ...], tuple[int, ...]] = {}
        """By the values: a number that was given once stays."""

    def learn(self, context: Mapping[str, str]) -> tuple[int, ...]:
        """The number of each value; a new value gets the next number."""
        values = tuple(map(context.get, self._names))
        numbers = self._remembered.get(values)
        if numbers is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            numbers = self._remembered[values] = tuple(map(_learned, values, self._numbers))
        return numbers

    def known(self, context: Mapping[str, str]) -> NDArray[np.int32]:
        """int32[n_segments], the number of each value, 0 for one that was never learned."""
        return np.array(list(map(_number, map(context.get, self._names), self._numbers)), np.int32)


def _learned(value: str | None, numbers: dict[str, int]) -> int:
    if value is not None and value not in numbers and len(numbers) < OTHERS - 1:
        numbers[value] = len(numbers) + 1
    return _number(value, numbers)


def _number(value: str | None, numbers: Mapping[str, int]) -> int:
    """The number of a value; once all are given, one that has none of its own shares the last."""
    shared = OTHERS if len(numbers) == OTHERS - 1 else 0
    return 0 if value is None else numbers.get(value, shared)
