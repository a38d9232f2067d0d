"""TensorFlow and Keras, without what Keras takes along: nothing here uses it, and it takes half the time.

To be imported inside the functions that need them, see `models.labelling.backbones`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["keras", "learn_once", "tf", "without"]

TAKEN_ALONG: Final = ("sklearn", "matplotlib")
"""Packages that Keras imports if they are there, for wrappers and plots, and does without otherwise."""


class _Hidden:
    """Hides packages from one thread; what others import meanwhile is their own matter."""

    def __init__(self, packages: tuple[str, ...]) -> None:
        self._packages = packages
        self._thread = get_ident()

    def find_spec(self, name: str, *_: Any) -> None:
        """Refuse to find a hidden package; leave all else to others."""
        if name in self._packages and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """In the block, this thread finds none of these packages, unless they are imported already."""
    hidden = _Hidden(packages)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


with without(*TAKEN_ALONG):
    import keras
    import tensorflow as tf


def learn_once(model: Any, batch: int, random: np.random.Generator, *arrays: NDArray[Any]) -> None:
    """Have a compiled model learn from all rows of what it is trained with once, in an order that is drawn.

    Keras's `fit` does the same, but takes up to 20 times as long where rows are few and short.
    """
    order = random.permutation(len(arrays[0]))
    for start in range(0, len(order), batch):
        step = order[start : start + batch]
        model.train_on_batch(*(array[step] for array in arrays))
