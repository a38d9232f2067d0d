"""The labels of all sales, as the newest records say, and which version of the labeller is in use."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.catalogue import Catalogue
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
    """Labels of sales: a function of the newest record of each sale, and so of the compacted topics alone.

    Embeddings of two versions cannot be compared, so one version is in use: that of most sales of the
    catalogue that had not closed when the newest labels were made. While a new labeller goes through all
    sales, open ones first, both are there; the new one comes into use once it has labelled half of those (of
    versions with equally many, the one that has labelled last). Until then sales that it has labelled have no
    labels in use, and afterwards those that it has not. Sales without a single image that could be labelled
    do not count. Without a catalogue all others do.

    >>> def rome(labeller: str, at: int) -> SaleLabels:
    ...     return SaleLabels("rome", labeller, ("a.jpg",), 1, (), (), np.ones(2, "<f4").tobytes(), at)
    >>> book = LabelBook(partitions=1)
    >>> book.apply(rome("v1", 1_000), partition=0, offset=4)
    >>> book.in_use.labeller, book.seen("rome").embedding.tolist(), book.seen("oslo"), book.offsets
    ('v1', [1.0, 1.0], None, (5,))
    """

    def __init__(self, partitions: int, catalogue: Catalogue | None = None) -> None:
        self._offsets = (0,) * partitions
        self._catalogue = catalogue
        self._seen: dict[str, Seen] = {}
        self._counts: Counter[Version] = Counter()
        self._in_use: Version | None = None
        self._found_at: tuple[tuple[int, ...], ...] = ()

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
        state = (self._offsets, () if self._catalogue is None else self._catalogue.offsets)
        if self._found_at != state:
            self._in_use, self._found_at = self._most_used(), state
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
        """The version of most sales that count; of several the one that labelled last, then by name."""
        if len(self._counts) <= 1:  # as nearly always
            return next(iter(self._counts), None)
        now = max(seen.labelled_at for seen in self._seen.values())
        counted, newest = Counter[Version](), dict.fromkeys(self._counts, 0)
        for sale_id, seen in self._seen.items():
            counted[seen.version] += self._is_to_close(sale_id, now)
            newest[seen.version] = max(newest[seen.version], seen.labelled_at)
        return max(newest, key=lambda version: (counted[version], newest[version], version))

    def _is_to_close(self, sale_id: str, now: int) -> bool:
        """Whether the sale is in the catalogue, and closes after `now`, ms since the epoch."""
        if self._catalogue is None:
            return True
        sale = self._catalogue.sale(sale_id)
        return sale is not None and (sale.closes_at is None or sale.closes_at > now)


def _seen(labels: SaleLabels) -> Seen | None:
    """What was seen; None if no image could be labelled."""
    embedding = labels.vector()
    if embedding is None:
        return None
    topics = tuple(sys.intern(topic.name) for topic in labels.topics)
    version = Version(labels.labeller, len(embedding), topics)
    return Seen(version, labels.labelled_at, embedding, labels.topic_shares())


def book_of(labels: Iterable[SaleLabels], catalogue: Catalogue | None = None) -> LabelBook:
    """A book with these labels, of which the last of a sale counts."""
    book = LabelBook(partitions=1, catalogue=catalogue)
    for offset, one in enumerate(labels):
        book.apply(one, 0, offset)
    return book
