"""The observer: reads the topics as a CMS would, and holds every list against the rules of a list."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from demo.latency import ClickToList
from demo.list_rules import broken_rules
from demo.report import Latency
from demo.sales_log import SalesLog
from reco.catalogue import Catalogue
from reco.errors import RefusedRecordError
from reco.labels import SaleLabels
from reco.lists import DEFAULT_VISITOR, TopTen
from reco.policy import UNRESTRICTED, Rules
from streams.codecs import decode_labels, decode_list, decode_sale
from streams.topics import TopicSet

EXAMPLES = 5
"""Wrong lists that the report quotes."""

Record: TypeAlias = ConsumerRecord[bytes, bytes]


@dataclass(frozen=True)
class _Emitted:
    """A list, and when the broker appended it, ms since the epoch, UTC."""

    newest: TopTen
    appended_at: int


class Observer:
    """Counts, measures and judges what stands on the topics; knows nothing from the workers but their rules.

    A list is judged by the sales as they were on the topic up to the list's own `sales_offsets`, because
    nothing orders the topics among each other; it waits until these records are here.
    """

    def __init__(self, topics: TopicSet, rules: Rules = UNRESTRICTED) -> None:
        self._rules = rules
        self.sales = SalesLog(topics.sales.partitions)
        self.click_to_list = ClickToList()
        self.newest: dict[str, TopTen] = {}
        """The newest list of each visitor."""
        self.latest: TopTen | None = None
        """The list that came last, of a visitor that is known."""
        self.visitors_with_session: set[bytes] = set()
        self.labels: dict[str, SaleLabels] = {}
        """What was found in the images of each sale, in the order in which it came."""
        self.lists = 0
        self.lists_by_ranker: Counter[str] = Counter()
        """How many each ranker has made, in the order in which they went live."""
        self.lists_invalid = 0
        self.invalid_examples: list[str] = []
        self.dead_letters = 0
        self._unjudged: deque[_Emitted] = deque()
        self._taken = asyncio.Event()
        self.reads = (
            topics.sales,
            topics.sale_labels,
            topics.sessions,
            topics.recommendations,
            topics.dead_letters,
        )
        """The topics whose records it takes."""
        takes = (self._sale, self._labels, self._session, self._list, self._dead_letter)
        self._readers: Mapping[str, Callable[[Record, float], None]] = {
            topic.name: take for topic, take in zip(self.reads, takes, strict=True)
        }

    async def follow(self, consumer: AIOKafkaConsumer, clock: Callable[[], float]) -> None:
        """Take every record of the consumer, for ever; `clock` is monotonic, s."""
        async for record in consumer:
            self.take(record, clock())
            self._taken.set()

    async def settle(self) -> None:
        """Wait until every click is answered and every list judged."""
        await self.until(lambda: not (self.click_to_list.unanswered or self._unjudged))

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until this is so, for something that only changes with records."""
        while not reached():
            self._taken.clear()
            await self._taken.wait()

    def take(self, record: Record, received_at: float) -> None:
        """Take one record, received at `received_at` by the clock that latencies are measured with, s."""
        self._readers[record.topic](record, received_at)

    def shown_to(self, visitor_id: str) -> TopTen | None:
        """The list that a site shows to a visitor: the newest one, or that for unknown visitors."""
        return self.newest.get(visitor_id) or self.newest.get(DEFAULT_VISITOR)

    @property
    def lists_unjudged(self) -> int:
        """Lists that wait for records of `sales`."""
        return len(self._unjudged)

    def latency(self) -> Latency:
        """The click-to-list latency so far."""
        measured = self.click_to_list
        p50, p90, p99, longest = (measured.percentile(percent) for percent in (50, 90, 99, 100))
        return Latency(p50, p90, p99, longest, measured.answered, measured.unanswered)

    def _sale(self, record: Record, _: float) -> None:
        self.sales.take(decode_sale(record.key, record.value), record.partition, record.offset)
        self._judge()

    def _labels(self, record: Record, _: float) -> None:
        fact = decode_labels(record.key, record.value)
        self.labels.pop(fact.sale_id, None)
        if isinstance(fact, SaleLabels):
            self.labels[fact.sale_id] = fact

    def _session(self, record: Record, _: float) -> None:
        self.visitors_with_session.add(record.key or b"")

    def _dead_letter(self, _: Record, __: float) -> None:
        self.dead_letters += 1

    def _list(self, record: Record, received_at: float) -> None:
        self.lists += 1
        try:
            newest = decode_list(record.value or b"")
        except RefusedRecordError as refusal:
            self._wrong(f"{record.topic}[{record.partition}]@{record.offset}", [str(refusal)])
            return
        if record.key != newest.visitor_id.encode():
            self._wrong(newest.list_id, [f"its key is {record.key!r}, not the visitor"])
            return
        self.newest[newest.visitor_id] = newest
        self.lists_by_ranker[newest.made_from.release] += 1
        if newest.visitor_id != DEFAULT_VISITOR:
            self.latest = newest
        self.click_to_list.listed(newest.visitor_id, newest.made_from.session_offset, received_at)
        self._unjudged.append(_Emitted(newest, record.timestamp))
        self._judge()

    def _judge(self) -> None:
        """Judge the lists whose sales are known, in the order in which they came."""
        while self._unjudged and self.sales.reaches(self._unjudged[0].newest.made_from.sales_offsets):
            emitted = self._unjudged.popleft()
            catalogue = self.sales.as_of(emitted.newest.made_from.sales_offsets)
            reasons = [*broken_rules(emitted.newest, catalogue, self._rules), *_closed(emitted, catalogue)]
            if reasons:
                self._wrong(emitted.newest.list_id, reasons)

    def _wrong(self, name: str, reasons: list[str]) -> None:
        self.lists_invalid += 1
        if len(self.invalid_examples) < EXAMPLES:
            self.invalid_examples.append(f"{name}: {'; '.join(reasons)}")


def _closed(emitted: _Emitted, catalogue: Catalogue) -> list[str]:
    """What is wrong if a sale that was open at the moment of the list was not when the list was emitted."""
    newest = emitted.newest
    before, after = catalogue.live(newest.at).position, catalogue.live(emitted.appended_at).position
    late = emitted.appended_at - newest.at
    return [
        f"{one.sale_id} was closed when it was emitted, {late} ms after its moment"
        for one in newest.sales
        if one.sale_id in before and one.sale_id not in after
    ]
