"""The labels of all sales, as the newest records say, and which version of the labeller is in use."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.labels import LabelsFact, SaleLabels


class Version(NamedTuple):
    """What embeddings and topics must have in common to be compared.

    Attributes:
        labeller: the version of the labeller.
        dimensions: of an embedding.
        topics: the names of the topics, in the labeller's order.
    """

    labeller: str
    dimensions: int
    topics: tuple[str, ...]


class Seen(NamedTuple):
    """What one version of the labeller has seen in the images of a sale.

    Attributes:
        version: that version.
        labelled_at: when, ms since the epoch, UTC.
        embedding: float32[d].
        shares: float32[n_topics], those of its topics; None if it has none.
    """

    version: Version
    labelled_at: int
    embedding: NDArray[np.float32]
    shares: NDArray[np.float32] | None


class LabelBook:
    """Labels of sales: a function of the newest record of each sale, and so of the compacted topic alone.

    Embeddings of two versions cannot be compared, so one version is in use: that of most sales. While a new
    labeller goes through all sales both are there; the new one comes into use once it has labelled half of
    them (of versions with equally many, the one that has labelled last). Until then sales that it has
    labelled have no labels in use, and afterwards those that it has not. Sales without a single image that
    could be labelled do not count.

    >>> def rome(labeller: str, at: int) -> SaleLabels:
    ...     return SaleLabels("rome", labeller, ("a.jpg",), 1, (), (), np.ones(2, "<f4").tobytes(), at)
    >>> book = LabelBook(partitions=1)
    >>> book.apply(rome("v1", 1_000), partition=0, offset=4)
    >>> book.in_use.labeller, book.seen("rome").embedding.tolist(), book.seen("oslo"), book.offsets
    ('v1', [1.0, 1.0], None, (5,))
    """

    def __init__(self, partitions: int) -> None:
        self._offsets = (0,) * partitions
        self._seen: dict[str, Seen] = {}
        self._counts: Counter[Version] = Counter()
        self._in_use: Version | None = None
        self._is_found = True

    def __len__(self) -> int:
        """How many sales are labelled, by whichever version."""
        return len(self._seen)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Next offset of each partition of `sale-labels`; empty before the first record."""
        return self._offsets if any(self._offsets) else ()

    @property
    def in_use(self) -> Version | None:
        """The version in use; None while nothing is labelled."""
        if not self._is_found:
            self._in_use, self._is_found = self._most_used(), True
        return self._in_use

    def apply(self, fact: LabelsFact, partition: int, offset: int) -> None:
        """Take over one record of `sale-labels`; one that was taken over before changes nothing."""
        if offset < self._offsets[partition]:
            return
        self._offsets = (*self._offsets[:partition], offset + 1, *self._offsets[partition + 1 :])
        self._drop(fact.sale_id)
        seen = _seen(fact) if isinstance(fact, SaleLabels) else None
        if seen is not None:
            self._seen[fact.sale_id] = seen
            self._counts[seen.version] += 1
        self._is_found = False

    def seen(self, sale_id: str) -> Seen | None:
        """What the version in use has seen in the images of a sale; None if it has not labelled it."""
        seen = self._seen.get(sale_id)
        return seen if seen is not None and seen.version == self.in_use else None

    def sale_ids(self) -> Iterator[str]:
        """The sales that are labelled, by whichever version."""
        return iter(self._seen)

    def _drop(self, sale_id: str) -> None:
        seen = self._seen.pop(sale_id, None)
        if seen is not None:
            self._counts[seen.version] -= 1
            self._counts += Counter()  # leaves out those with none

    def _most_used(self) -> Version | None:
        """The version of most sales; of several the one that labelled last, then by name."""
        most = max(self._counts.values(), default=0)
        newest = {version: 0 for version, count in self._counts.items() if count == most}
        if len(newest) > 1:
            for seen in self._seen.values():
                if seen.version in newest:
                    newest[seen.version] = max(newest[seen.version], seen.labelled_at)
        return max(newest, key=lambda version: (newest[version], version), default=None)


def _seen(labels: SaleLabels) -> Seen | None:
    """What was seen; None if no image could be labelled."""
    embedding = labels.vector()
    if embedding is None:
        return None
    topics = tuple(sys.intern(topic.name) for topic in labels.topics)
    version = Version(labels.labeller, len(embedding), topics)
    return Seen(version, labels.labelled_at, embedding, labels.topic_shares())


def book_of(labels: Iterable[SaleLabels]) -> LabelBook:
    """A book with these labels, of which the last of a sale counts."""
    book = LabelBook(partitions=1)
    for offset, one in enumerate(labels):
        book.apply(one, 0, offset)
    return book
