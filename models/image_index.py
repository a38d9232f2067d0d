"""The sales whose images look most alike: an exact index of embeddings, built whole and then replaced."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Annotated

import faiss
import msgspec
import numpy as np
from numpy.typing import NDArray

from reco.errors import LabellingError

ROUNDING = 1e-6
"""How far two sums of the same products, of vectors of length 1 in float32, may lie apart."""
DIGEST_BYTES = 32
"""A SHA-256, which a snapshot begins with."""

# A search among some thousand sales takes less time than waking another thread, which has its own work.
faiss.omp_set_num_threads(1)


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="images-1"):
    """A snapshot, without its checksum; vectors are little-endian, row by row."""

    sale_ids: tuple[str, ...]
    dimensions: Annotated[int, msgspec.Meta(ge=1)]
    vectors: bytes


class ImageIndex:
    """Which sales have embeddings near a vector, by the inner product of vectors of length 1: the cosine.

    It never changes: its owner builds another one and replaces the reference, so a search always sees one
    state whole. It is FAISS's flat index (Douze et al.: The Faiss library, 2024), since that is exact and
    fast enough for all live sales; a graph of neighbours could not forget a sale.
    """

    def __init__(self, sale_ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Index the embeddings of sales.

        Args:
            sale_ids: all different, in any order.
            vectors: float32[n_sales, n_dimensions], one of each sale, of any length but 0.

        Raises:
            LabellingError: there are not as many vectors as sales, a sale is there twice, or a vector is
                not finite, or 0.
        """
        if vectors.ndim != 2 or len(vectors) != len(sale_ids) or not vectors.shape[1]:  # noqa: PLR2004
            raise LabellingError(f"{len(sale_ids)} sales cannot have embeddings of shape {vectors.shape}")
        if len(set(sale_ids)) < len(sale_ids):
            raise LabellingError("a sale has two embeddings; give the newest one of each")
        # FAISS numbers vectors as they are added: in the order of ids, numbers break ties as ids do.
        order = sorted(range(len(sale_ids)), key=sale_ids.__getitem__)
        self._sale_ids = tuple(sale_ids[place] for place in order)
        self._places = {sale_id: place for place, sale_id in enumerate(self._sale_ids)}
        self._flat = faiss.IndexFlatIP(vectors.shape[1])
        self._flat.add(_of_length_one(vectors[order], self._sale_ids))

    @classmethod
    def from_bytes(cls, value: bytes) -> "ImageIndex":
        """The index that `to_bytes` stored.

        Raises:
            LabellingError: the bytes are no such index, or not all of them are as they were.
        """
        checksum, stored_bytes = value[:DIGEST_BYTES], value[DIGEST_BYTES:]
        if sha256(stored_bytes).digest() != checksum:
            raise LabellingError("is no index of images, or not all of one; build the index anew")
        try:
            stored = msgspec.msgpack.decode(stored_bytes, type=_Stored)
            vectors = np.frombuffer(stored.vectors, "<f4").reshape(len(stored.sale_ids), stored.dimensions)
        except (msgspec.DecodeError, ValueError) as error:
            raise LabellingError(f"is no index of images: {error}; build the index anew") from error
        return cls(stored.sale_ids, vectors.astype(np.float32))

    def to_bytes(self) -> bytes:
        """The index as bytes: a checksum, ids and vectors, which are all that a flat index holds."""
        vectors = self._flat.reconstruct_n(0, len(self)).astype("<f4").tobytes()
        stored = msgspec.msgpack.encode(_Stored(self._sale_ids, self.dimensions, vectors))
        return sha256(stored).digest() + stored

    @property
    def dimensions(self) -> int:
        """How many numbers an embedding has."""
        return int(self._flat.d)

    def __len__(self) -> int:
        return len(self._sale_ids)

    def __contains__(self, sale_id: object) -> bool:
        return sale_id in self._places

    def nearest(
        self, to: str | NDArray[np.float32], k: int, among: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """The `k` sales nearest to another sale, or to a vector; fewer, if fewer are there.

        Args:
            to: the id of a sale, or float32[n_dimensions] of any length but 0.
            k: how many.
            among: the sales to choose from, such as the live ones; those not indexed are passed over.

        Returns:
            Ids with cosines, best first, equal ones in the order of their ids.

        Raises:
            LabellingError: the sale is not indexed; or the vector has other dimensions, is not finite, or 0.
        """
        query = self._query(to)
        allowed = set(self._places) if among is None else {one for one in among if one in self._places}
        if isinstance(to, str):
            allowed.discard(to)
        places = np.fromiter((self._places[sale_id] for sale_id in allowed), np.int64, len(allowed))
        return [(self._sale_ids[place], score) for place, score in self._best(query, k, places)]

    def _query(self, to: str | NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[1, n_dimensions] of length 1."""
        if not isinstance(to, str):
            if to.shape != (self.dimensions,):
                raise LabellingError(
                    f"a vector of shape {to.shape} cannot be looked up in {self.dimensions} dimensions"
                )
            return _of_length_one(to[np.newaxis], ["the vector looked up"])
        if to not in self._places:
            raise LabellingError(f"sale {to} is not indexed; look it up by its vector")
        return np.asarray(self._flat.reconstruct(self._places[to]), np.float32)[np.newaxis]

    def _best(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.int64]
    ) -> list[tuple[int, float]]:
        """Places and scores of the best `k` of the places allowed."""
        k = min(k, len(allowed))
        if k < 1:
            return []
        selector = faiss.IDSelectorBatch(allowed)  # FAISS only points to it: it must outlive the searches.
        among = faiss.SearchParameters()
        among.sel = selector
        scores, _ = self._flat.search(query, k, params=among)
        # Which of several equal ones a search leaves out is chance; so all that are as good as the last.
        _, scores, places = self._flat.range_search(query, float(scores[0, -1]) - ROUNDING, params=among)
        best = sorted(zip((-scores).tolist(), places.tolist(), strict=True))[:k]
        return [(place, -negative) for negative, place in best]


def _of_length_one(vectors: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.float32]:
    """float32[n, n_dimensions]: the directions of vectors.

    Raises:
        LabellingError: one of them has none.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    lengths[np.abs(lengths - 1) < ROUNDING] = 1  # What has been divided once stays as it is.
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise LabellingError(f"{names[wrong[0]]}: has an embedding that is not finite, or 0; leave it out")
    return np.ascontiguousarray(vectors / lengths, np.float32)
