"""What every scoring worker reads of `sale-labels`: all of it, put into the content of the sales."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from reco.errors import RefusedRecordError
from reco.label_book import LabelBook
from reco.labels import LabelsFact
from streams.codecs import decode_labels
from streams.feeds import CatalogueFeed, Feed
from streams.settings import Kafka
from streams.topics import Topic
from streams.vitals import Vitals

log = logging.getLogger(__name__)

LABELS_AT_ONCE = 64
"""Records taken per turn of the event loop; 10 ms of embeddings with 1,280 dimensions."""


class LabelFeed(Feed):
    """Keeps a book of labels at the end of `sale-labels`, and contents in step with it.

    Between two turns of the event loop the contents are those of exactly the labels in the book, so a list
    that names the state of the book names theirs.

    Attributes:
        book: the labels.
        changed: the sales whose own records have changed their labels in use; whoever looks at one takes it
            out. That another version is in use, which changes those of all sales, is not said here.
    """

    at_once = LABELS_AT_ONCE

    def __init__(self, kafka: Kafka, topic: Topic, catalogue: CatalogueFeed, vitals: Vitals) -> None:
        super().__init__(kafka, topic)
        self._catalogue = catalogue
        self._counts = vitals.counts
        self.book = LabelBook(topic.partitions, catalogue.catalogue)
        self.changed: set[str] = set()

    async def build(self, share: float = 1.0) -> None:
        """Read to the present end of the topic; lists that are older are found by the offsets they name."""
        await super().build(share)
        self.changed.clear()

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Take over what can be read; the rest is counted, and said aloud, by every worker."""
        facts = list(self._readable(records))
        before = {fact.sale_id: self.book.seen(fact.sale_id) for _, fact in facts}
        for offset, fact in facts:
            self.book.apply(fact, partition, offset)
        self.changed.update(one for one in before if self.book.seen(one) is not before[one])
        for content in self._catalogue.contents:
            content.take_labels(before)

    def _readable(self, records: Iterable[Any]) -> Iterator[tuple[int, LabelsFact]]:
        """Offset and meaning of the records that can be read."""
        for record in records:
            try:
                yield record.offset, decode_labels(record.key, record.value)
            except RefusedRecordError as refusal:
                self._refuse(record, refusal)

    def _refuse(self, record: Any, refusal: RefusedRecordError) -> None:
        self._counts["labels_refused"] += 1
        log.warning(
            "%s, partition %s, offset %s are no labels of a sale: %s",
            record.topic,
            record.partition,
            record.offset,
            refusal,
        )
