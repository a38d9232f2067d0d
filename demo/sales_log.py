"""All that was published about sales, so that the catalogue of any earlier moment can be asked for."""

from collections.abc import Sequence
from functools import lru_cache

from reco.catalogue import Catalogue
from reco.events import SaleFact

KEPT = 256
"""Catalogues of earlier moments that are kept; lists that arrive together were mostly made from a few."""


class SalesLog:
    """The records of the topic `sales`, partition by partition, none of them forgotten."""

    def __init__(self, partitions: int) -> None:
        self._facts: list[list[tuple[int, SaleFact]]] = [[] for _ in range(partitions)]
        self.newest = Catalogue(partitions)
        """The catalogue with all records."""
        self.titles: dict[str, str] = {}
        """The title that each sale was last published with; withdrawn ones keep theirs."""
        self.as_of = lru_cache(KEPT)(self._as_of)

    def take(self, fact: SaleFact, partition: int, offset: int) -> None:
        """Note the record at `offset` of `partition`, the next one there."""
        self._facts[partition].append((offset, fact))
        self.newest.apply(fact, partition, offset)
        title = getattr(fact, "title", None)
        if title:
            self.titles[fact.sale_id] = title

    def reaches(self, offsets: Sequence[int]) -> bool:
        """Whether all records before `offsets`, one per partition, are here."""
        return all(here >= wanted for here, wanted in zip(self.newest.offsets, offsets, strict=True))

    def _as_of(self, offsets: tuple[int, ...]) -> Catalogue:
        """The catalogue from the records before `offsets`, one per partition."""
        catalogue = Catalogue(len(offsets))
        for partition, facts in enumerate(self._facts):
            for offset, fact in facts:
                if offset < offsets[partition]:
                    catalogue.apply(fact, partition, offset)
        return catalogue
