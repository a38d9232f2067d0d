"""The vectors nearest to a direction, those of images above all: exact, built whole and then replaced."""

import faiss
import numpy as np
from numpy.typing import NDArray

SPARE = 24
"""How many more than are asked for a search brings, which tells whether others are as good as the last."""

# A search among some thousand sales takes less time than waking another thread, which has its own work.
faiss.omp_set_num_threads(1)


class FlatIndex:
    """Vectors of length 1, and which of them are near a direction by the inner product: the cosine.

    It never changes: its owner builds another one and replaces the reference. It is FAISS's flat index (Douze
    et al.: The Faiss library, 2024), since that is exact and fast enough for all live sales; a graph of
    neighbours could not forget a sale.

    FAISS adds up in the order that suits the machine. Of vectors of length 1 in float32, d products added up
    in any order are within d * epsilon / 2 of their sum (Higham: Accuracy and Stability of Numerical
    Algorithms, 2002, chapter 3); so what two machines rank differently differs by little, and all of it is
    found.
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        """Index float32[n, d], with n > 0, of length 1."""
        self._flat = faiss.IndexFlatIP(vectors.shape[1])
        self._flat.add(vectors)
        self._rounding = 4 * vectors.shape[1] * float(np.finfo(np.float32).eps)

    def near(self, direction: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """int64[n]: places of the `k` vectors nearest to `direction` (float32[d], of length 1), in any order.

        With those that another order of adding up might put among them. `k` is above 0.
        """
        asked = min(k + SPARE, self._flat.ntotal)
        (scores,), (places,) = self._flat.search(direction[np.newaxis], asked)
        least = float(scores[min(k, asked) - 1]) - self._rounding
        if scores[-1] > least and asked < self._flat.ntotal:
            _, _, places = self._flat.range_search(direction[np.newaxis], least)
            return np.asarray(places, np.int64)
        return np.asarray(places[scores > least], np.int64)
