"""What is still to be labelled: all sales, what each was last labelled with, and what is asked for again.

Both feeds hold what compacted topics hold, so what is to be done is the same after a restart.
"""

import asyncio
import math
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from reco.errors import RefusedRecordError
from reco.events import Sale
from reco.labels import SaleLabels
from streams.codecs import decode_labels, decode_sale
from streams.feeds import Feed
from streams.settings import Kafka
from streams.topics import Topic, TopicSet

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 6 * 3600.0
"""Before images are asked for again, s: it doubles each time. Beyond the longest, they are given up."""


class FeedToWaitFor(Feed):
    """A feed of which one can wait until it has read a record, as one must before reading one's own write."""

    def __init__(self, kafka: Kafka, topic: Topic) -> None:
        super().__init__(kafka, topic)
        self._moved = asyncio.Event()

    def settle(self, consumer: Any) -> None:  # noqa: ARG002
        """Wake those who wait."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def reach(self, records: Iterable[Any]) -> None:
        """Wait until those of these records that are of this topic are taken over."""
        ends = [(one.partition, one.offset) for one in records if one.topic == self._topic.name]
        while any(self._next[self._topic.name, partition] <= offset for partition, offset in ends):
            await self._moved.wait()


class Published(NamedTuple):
    """A sale as last published, and the record that says so."""

    sale: Sale
    record: Any


class PublishedSales(FeedToWaitFor):
    """Every sale as last published.

    Attributes:
        by_id: the sales.
        changed: set with every record of a sale, and with another labeller.
        found: the end of each partition when the worker started, by number.
    """

    def __init__(self, kafka: Kafka, topic: Topic) -> None:
        super().__init__(kafka, topic)
        self.by_id: dict[str, Published] = {}
        self.changed = asyncio.Event()
        self.found: dict[int, int] = {}

    async def build(self, share: float = 1.0) -> None:
        """Read what is there."""
        await super().build(share)
        self.found = {partition: end for (_, partition), end in self.positions().items()}

    def take(self, partition: int, records: Iterable[Any]) -> None:  # noqa: ARG002
        """Take over what can be read; the sessions agent sends the rest to dead-letters."""
        for record in records:
            try:
                fact = decode_sale(record.key, record.value)
            except RefusedRecordError:
                continue
            self.by_id.pop(fact.sale_id, None)
            if isinstance(fact, Sale):
                self.by_id[fact.sale_id] = Published(fact, record)
            self.changed.set()


class LastLabels(NamedTuple):
    """What a sale was last labelled with, and in which partition of `sale-labels` that stands.

    Attributes:
        labeller: the version.
        image_urls: the images that were asked for.
        refused: how many of them could not be looked at.
        partition: its number.
    """

    labeller: str
    image_urls: tuple[str, ...]
    refused: int
    partition: int


class LabelledSales(FeedToWaitFor):
    """What every sale was last labelled with, by whichever worker.

    Attributes:
        by_id: that, by sale.
        version: of the labeller that is used here; set once it is loaded.
    """

    def __init__(self, kafka: Kafka, topic: Topic) -> None:
        super().__init__(kafka, topic)
        self.by_id: dict[str, LastLabels] = {}
        self.version = ""

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Take over what can be read; scoring workers count the rest, and say it aloud."""
        for record in records:
            try:
                fact = decode_labels(record.key, record.value)
            except RefusedRecordError:
                continue
            self.by_id.pop(fact.sale_id, None)
            if isinstance(fact, SaleLabels):
                refused = len(set(fact.image_urls)) - fact.images
                self.by_id[fact.sale_id] = LastLabels(fact.labeller, fact.image_urls, refused, partition)

    def newly_refused(self, sale_id: str, refused: Collection[str]) -> list[str]:
        """Those of the `refused` images of a sale that were not refused when it was last labelled.

        How many they were then is known, but not which: if there are more now, they are taken for new.
        """
        last = self.by_id.get(sale_id)
        again = {url for url in refused if last and url in last.image_urls}
        if last and len(again) > last.refused:
            again.clear()
        return [url for url in refused if url not in again]

    def lacks(self, sale: Sale) -> bool:
        """Whether the labeller in use has not labelled a sale with its images."""
        last = self.by_id.get(sale.sale_id)
        if last is None:
            return bool(sale.image_urls)
        return (last.labeller, last.image_urls) != (self.version, sale.image_urls)


class _Pause(NamedTuple):
    """How long these images are not asked for, s, and until when, monotonic s."""

    image_urls: tuple[str, ...]
    seconds: float = 0.0
    until: float = -math.inf


class Retries:
    """When to ask again for the images of sales that could not be had, for a reason that may pass.

    It forgets in a restart, and with another labeller: then they are asked for again at once. So are other
    images of a sale.
    """

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def note(self, sale: Sale, at: float) -> bool:
        """Whether to ask again, after it was in vain at `at`, monotonic s."""
        seconds = 2 * self.pause(sale) or FIRST_PAUSE
        self.forget(sale.sale_id)
        if seconds > LONGEST_PAUSE:
            return False
        self._pauses[sale.sale_id] = _Pause(sale.image_urls, seconds, at + seconds)
        return True

    def forget(self, sale_id: str) -> None:
        """Nothing is missing any more."""
        self._pauses.pop(sale_id, None)

    def may_ask(self, sale: Sale, at: float) -> bool:
        """Whether the images of a sale may be asked for at `at`, monotonic s."""
        return self._last(sale).until <= at

    def pause(self, sale: Sale) -> float:
        """The last pause before the images of a sale are asked for again, s; 0 if they were not in vain."""
        return self._last(sale).seconds

    def _last(self, sale: Sale) -> _Pause:
        none = _Pause(sale.image_urls)
        last = self._pauses.get(sale.sale_id, none)
        return last if last.image_urls == sale.image_urls else none


class Backlog:
    """What is still to be labelled, and what was labelled and is no more."""

    def __init__(self, kafka: Kafka, topics: TopicSet) -> None:
        self.sales = PublishedSales(kafka, topics.sales)
        self.labelled = LabelledSales(kafka, topics.sale_labels)
        self.retries = Retries()

    def use(self, version: str) -> None:
        """Ask for the labels of this version from now on: whatever it has not labelled is to be labelled."""
        self.labelled.version = version
        self.retries = Retries()
        self.sales.changed.set()

    async def build(self) -> None:
        """Read both topics, the labels first: each is of a sale that was there before it."""
        await self.labelled.build()
        await self.sales.build()

    def lacking(self, reached: Mapping[int, int], at: int, clock: float) -> list[Sale]:
        """The sales that may be labelled now: those that are open, the newest first, then those to come.

        Of these, the next to open is the first; those that have closed come last of all. Sales whose images
        could not be had come after others, so that a server that is down does not hold up those of the rest.

        Args:
            reached: the partitions to look at, and up to which offset; what is beyond are new sales.
            at: the present, ms since the epoch, UTC.
            clock: the same, monotonic s.
        """

        def urgency(sale: Sale) -> tuple[bool, float, bool, int, str]:
            closed = sale.closes_at is not None and sale.closes_at <= at
            pause = self.retries.pause(sale)
            return closed, pause, sale.opens_at > at, abs(at - sale.opens_at), sale.sale_id

        lacking = (
            sale
            for sale, record in self.sales.by_id.values()
            if record.offset < reached.get(record.partition, 0)
            and self.labelled.lacks(sale)
            and self.retries.may_ask(sale, clock)
        )
        return sorted(lacking, key=urgency)

    def withdrawn(self, partitions: Container[int]) -> list[str]:
        """The sales with labels in these partitions that are no more."""
        labelled = self.labelled.by_id.items()
        return [
            sale_id
            for sale_id, last in labelled
            if last.partition in partitions and sale_id not in self.sales.by_id
        ]


def groups(sales: Iterable[Sale], images: int) -> Iterator[list[Sale]]:
    """The sales in their order, cut so that each group has at most so many images, or is a single sale."""
    held: list[Sale] = []
    for sale in sales:
        if held and sum(len(one.image_urls) for one in held) + len(sale.image_urls) > images:
            yield held
            held = []
        held.append(sale)
    if held:
        yield held
