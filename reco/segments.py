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


class SegmentIndex:
    """Numbers the values of a few names of the context as they appear, each name on its own.

    >>> index = SegmentIndex(("country", "device"))
    >>> index.learn({"country": "FR"}), index.learn({"device": "phone"}), index.learn({"country": "FR"})
    ((1, 0), (0, 1), (1, 0))
    >>> index.known({"country": "DE", "device": "phone"}).tolist()
    [0, 1]
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._values: tuple[tuple[str, dict[str, int]], ...] = tuple((name, {}) for name in names)

    def learn(self, context: Mapping[str, str]) -> tuple[int, ...]:
        """The number of each value; a new value gets the next number."""
        if not context:
            return (0,) * len(self._values)
        numbers = []
        for name, values in self._values:
            value = context.get(name)
            if value is not None and value not in values and len(values) < OTHERS - 1:
                values[value] = len(values) + 1
            numbers.append(_number(value, values))
        return tuple(numbers)

    def known(self, context: Mapping[str, str]) -> NDArray[np.int32]:
        """int32[n_segments], the number of each value, 0 for one that was never learned."""
        return np.array([_number(context.get(name), values) for name, values in self._values], np.int32)


def _number(value: str | None, values: Mapping[str, int]) -> int:
    """The number of a value; once all are given, one that has none of its own shares the last."""
    shared = OTHERS if len(values) == OTHERS - 1 else 0
    return 0 if value is None else values.get(value, shared)
