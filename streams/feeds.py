"""Feeds: topics that a worker reads whole, such as `events` for knowledge and `sales` for the catalogue.

Each is built up to the end of its topic before the worker takes part in its group, then followed.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from reco.catalogue import Catalogue
from reco.errors import DeliveryError, RefusedRecordError, UnknownTypeError
from reco.events import Erasure, Event, SaleFact
from streams import clients
from streams.codecs import decode_event, decode_sale
from streams.settings import Kafka
from streams.topics import Topic
from streams.vitals import Positions, Work

if TYPE_CHECKING:  # labelling workers have feeds too, and load no kernels for them
    from models.sale_content import SaleContent
    from reco.knowledge import Knowledge

log = logging.getLogger(__name__)

CLOCK_GRACE = 250
"""How far, in ms, the clocks of brokers and workers may be apart before an append is learned late."""
FETCH_WAIT = 100
"""How long the broker may hold back an empty fetch, ms; a second is over only once an empty fetch says so."""
READ_AT_ONCE = 1000
"""Records taken per turn of the event loop; more would delay lists."""
SALES_AT_ONCE = 16
"""The same for sales, whose texts take longer."""
FETCH_BYTES = 256 * 1024
"""What is fetched of a partition at once; what one is read ahead of the others waits in memory."""
Second = list[tuple[int, int, Event]]
"""What was appended in one second: (partition, offset, event)."""


async def rest(began: float, share: float) -> None:
    """Give others their turn: what `began` (monotonic, s) and ends now takes this share of the time."""
    await asyncio.sleep((time.monotonic() - began) * (1 / share - 1))


class Feed:
    """Reads a topic whole and in all partitions; subclasses say what a record means."""

    at_once = READ_AT_ONCE

    def __init__(self, kafka: Kafka, topic: Topic) -> None:
        self._kafka = kafka
        self._topic = topic
        self._partitions = clients.partitions(topic)
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[tuple[str, int], int] = {}
        self.reading = False
        """Whether the topic is being read; between `build` and `follow`, others may be built for long."""

    @property
    def work(self) -> Work:
        """This feed as work to be watched."""
        name = f"feed of {self._topic.name}"
        return Work(name, self.positions, (self._topic,), under_way=lambda: self.reading)

    def positions(self) -> Positions:
        """Next offset of each partition."""
        return dict(self._next)

    async def build(self, share: float = 1.0) -> None:
        """Read to the present end of the topic, in at most this share of the time."""
        self.reading = True
        # A position that is gone is no reason to begin anew: what was read stays in what is built from it.
        self._consumer = clients.consumer(
            self._kafka,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        for tp in self._partitions:
            self._next[tp.topic, tp.partition] = await self._consumer.position(tp)
        while await clients.behind(self._consumer, ends):
            began = time.monotonic()
            await self._read(self._consumer)
            await rest(began, share)
        self.reading = False

    async def read_until(self, reached: Callable[[], bool]) -> None:
        """Read on, once it is built, until this is so."""
        while not reached():
            await self._read(self._consumer)

    async def follow(self) -> None:
        """Read on for ever, once it is built; what goes wrong ends the worker."""
        self.reading = True
        while True:
            await self._read(self._consumer)

    async def close(self) -> None:
        """Stop reading."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def _read(self, consumer: Any) -> None:
        try:
            fetched = await consumer.getmany(timeout_ms=FETCH_WAIT, max_records=self.at_once)
        except OffsetOutOfRangeError as error:
            raise DeliveryError(
                f"{self._topic.name} ends before what was read of it: it was made anew, or has lost records. "
                "The worker ends; started again, it reads the topic whole"
            ) from error
        for tp, records in fetched.items():
            self.take(tp.partition, records)
        for tp in self._partitions:  # not the offset of the last record: what ends a transaction is none
            self._next[tp.topic, tp.partition] = await consumer.position(tp)
        self.settle(consumer)
        await asyncio.sleep(0)

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Take over the next records of a partition."""
        raise NotImplementedError

    def settle(self, consumer: Any) -> None:
        """Called after every read, also one that brought nothing."""


class CatalogueFeed(Feed):
    """Keeps the catalogue at the end of `sales`, contents in step with it, and says when it changed.

    Between two turns of the event loop the contents are those of exactly the sales in the catalogue, so a
    list that names the state of the catalogue names theirs.

    Attributes:
        catalogue: the sales.
        changed: set with every record of a sale.
    """

    at_once = SALES_AT_ONCE

    def __init__(self, kafka: Kafka, topic: Topic, catalogue: Catalogue) -> None:
        super().__init__(kafka, topic)
        self.catalogue = catalogue
        self._contents: list[SaleContent] = []
        self._places: dict[str, int] = {}
        self._has_told = False
        self.changed = asyncio.Event()

    @property
    def contents(self) -> "Sequence[SaleContent]":
        """What follows the catalogue."""
        return self._contents

    def keep(self, content: "SaleContent") -> None:
        """Have `content` follow the catalogue from now on; what is in it already is left to `fill`."""
        self._contents.append(content)

    async def fill(self, content: "SaleContent", share: float = 1.0) -> None:
        """Put all sales into `content`, which follows already, in at most this share of the time."""
        sale_ids = [sale.sale_id for sale in self.catalogue.sales()]
        for start in range(0, len(sale_ids), SALES_AT_ONCE):
            began = time.monotonic()
            for sale_id in sale_ids[start : start + SALES_AT_ONCE]:
                content.take(sale_id, self.catalogue.sale(sale_id))
            await rest(began, share)

    def let_go(self, content: "SaleContent") -> None:
        """Have `content` follow no more."""
        self._contents.remove(content)

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Apply what can be read; the rest is dead-lettered by the agent that checks sales."""
        for record in records:
            try:
                fact = decode_sale(record.key, record.value)
            except RefusedRecordError:
                continue
            self._check_place(fact.sale_id, partition)
            self._apply(fact, partition, record.offset)
            self.changed.set()

    def _check_place(self, sale_id: str, partition: int) -> None:
        """Say, once, that a sale stands in two partitions, as it does where producers choose differently."""
        other = self._places.setdefault(sale_id, partition)
        if other != partition and not self._has_told:
            self._has_told = True
            log.warning(
                "sale %r stands in partitions %s and %s of %s: which record is the newer one cannot be told, "
                "so a sale that was withdrawn may come back. Publish with the partitioner of Kafka's own "
                "clients (murmur2), and this sale under another id",
                *(sale_id, other, partition, self._topic.name),
            )

    def _apply(self, fact: SaleFact, partition: int, offset: int) -> None:
        before = self.catalogue.sale(fact.sale_id)
        self.catalogue.apply(fact, partition, offset)
        sale = self.catalogue.sale(fact.sale_id)
        if sale is not before:
            for content in self._contents:
                content.take(fact.sale_id, sale)


class KnowledgeFeed(Feed):
    """Advances knowledge, each second of broker append time once it is over in all partitions."""

    def __init__(self, kafka: Kafka, topic: Topic, knowledge: "Knowledge") -> None:
        super().__init__(kafka, topic)
        self.knowledge = knowledge
        self._waiting: defaultdict[int, Second] = defaultdict(list)
        self._newest = [0] * topic.partitions
        self._polled = {tp: deque[int | None]([None, None], maxlen=2) for tp in self._partitions}
        """When the last poll but one and the last poll of each partition were processed, ms."""
        self.over = 0
        """The last second that is over in all partitions, as far as is known, s since the epoch."""
        self.late = 0

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Sort events into the seconds of their append; the sessions agent refuses what cannot be read."""
        newest, late = self._newest[partition], self.late
        for record in records:
            # A broker's clock can go back; the second of an append never does, or replay would differ.
            newest = max(newest, record.timestamp // 1000)
            try:
                event = decode_event(record.key, record.value, record.timestamp)
            except (RefusedRecordError, UnknownTypeError):
                continue
            if not isinstance(event, Erasure):
                self._waiting[self._in_time(newest)].append((partition, record.offset, event))
        self._newest[partition] = newest
        if self.late > late:
            log.warning(
                "%d appends before second %s are learned in it: are the clocks of all machines in step?",
                *(self.late - late, self.knowledge.second + 1),
            )

    def _in_time(self, second: int) -> int:
        if second > self.knowledge.second:
            return second
        self.late += 1
        return self.knowledge.second + 1

    def settle(self, consumer: Any) -> None:
        """Learn the seconds that are over."""
        for tp in self._partitions:
            polled = consumer.last_poll_timestamp(tp)
            if polled != self._polled[tp][-1]:
                self._polled[tp].append(polled)
        self.over = min(self._over(consumer, tp) for tp in self._partitions)
        for second in sorted(second for second in self._waiting if second <= self.over):
            self.knowledge.advance(second, self._waiting.pop(second))

    def _over(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
        """The last second in which nothing more can be appended to a partition, as far as is known.

        A poll has the time at which its answer was processed, which may be long after the broker gave it. But
        it was asked for after the poll before it was processed, so it includes all that was appended by then.
        """
        by_record: int = self._newest[tp.partition] - 1
        polled = self._polled[tp][0]
        end: int | None = consumer.highwater(tp)
        if polled is None or end is None or self._next[tp.topic, tp.partition] < end:
            return by_record
        return max(by_record, (polled - CLOCK_GRACE) // 1000 - 1)
