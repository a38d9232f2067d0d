"""The k-th greatest of many, which need not be ordered for it."""

import numpy as np
from numpy.typing import NDArray

from reco.kernels import FLOAT32, FLOAT32S, INT64, compiled


@compiled(FLOAT32(FLOAT32S, INT64))
def kth_greatest(values: NDArray[np.float32], k: int) -> np.float32:
    """The k-th greatest of at least k values, none of them NaN; they are moved about.

    Hoare, "Algorithm 65: FIND" (Communications of the ACM, 1961). It compiles in no time; NumPy's `partition`
    takes numba as long as a dozen kernels.
    """
    place, first, last = k - 1, 0, len(values) - 1
    while first < last:
        pivot, left, right = values[(first + last) // 2], first, last
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if right < place < left:
            break
        first, last = (first, right) if place <= right else (left, last)
    return values[place]  # type: ignore[no-any-return]
