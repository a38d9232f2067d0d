"""The website of the demo: publishes its sales, shows lists to its visitors, and produces what they do."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from aiokafka import AIOKafkaProducer

from demo.catalogue import DemoSale, illustrated, travel_catalogue
from demo.kinds import KINDS, Kind
from demo.observer import Observer
from demo.plan import Plan
from demo.visitors import Crowd
from reco.errors import BrokerError
from reco.events import Click, Event, Impression, Millis
from streams.clock import now
from streams.codecs import encode
from streams.topics import TopicSet

THINKING = 4.0
"""Mean time between two actions of one visitor, s; with the rate it says how many are on the site at once."""


class Site:
    """The site; what it shows comes from `observer`, which reads the topics.

    Args:
        producer, topics, observer, plan, clock: what it works with.
        images: URLs by kind, for the images of its sales; None for sales without.
        kinds: what its sales are about.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topics: TopicSet,
        observer: Observer,
        plan: Plan,
        *,
        images: Mapping[str, Sequence[str]] | None = None,
        kinds: Sequence[Kind] = KINDS,
        clock: Callable[[], Millis] = now,
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._observer = observer
        self._rate = plan.rate
        self._clock = clock
        plain = travel_catalogue(plan.seed, clock(), kinds=kinds)
        self._sales = illustrated(plain, images) if images else plain
        self.kinds: Mapping[str, str] = {one.sale.sale_id: one.kind for one in plain}
        """What each sale is about, which only the simulation knows."""
        active = round(plan.rate * THINKING)
        self._crowd = Crowd(self._sales, plan.visitors, active, plan.seed, kinds=kinds)
        self._failure: BaseException | None = None
        self.stop = asyncio.Event()
        """Set it to send the visitors home."""
        self.events: Counter[str] = Counter()
        """Events that the broker acknowledged, by type."""
        self.clicked: dict[str, str] = {}
        """The sale that each visitor clicked last."""
        self.visitors: set[str] = set()
        """Visitors who clicked, put into the basket or bought, as the broker acknowledged."""

    async def publish(self) -> None:
        """Publish all sales, open ones and those to come."""
        await self._send_sales([(one, encode(one.sale)) for one in self._sales])

    async def withdraw(self) -> None:
        """Withdraw the sales that are to be withdrawn, each at its time."""
        for one in sorted(self._sales, key=lambda one: one.withdrawn_at or 0):
            if one.withdrawn_at is not None:
                await asyncio.sleep((one.withdrawn_at - self._clock()) / 1000)
                await self._send_sales([(one, None)])

    async def open(self) -> None:
        """Let visitors act, `rate` events per second, until `stop` is set; then wait for the last delivery.

        Raises:
            BrokerError: an event could not be delivered.
        """
        began = time.monotonic()
        for number in count():
            await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
            if self.stop.is_set():
                break
            await self._send(self._crowd.next_event(self._clock(), self._observer.shown_to))
        await self._producer.flush()
        if self._failure is not None:
            raise BrokerError(f"An event could not be delivered: {self._failure}") from self._failure

    async def _send_sales(self, records: Sequence[tuple[DemoSale, bytes | None]]) -> None:
        topic = self._topics.sales.name
        sent = [
            await self._producer.send(topic, value, key=one.sale.sale_id.encode()) for one, value in records
        ]
        await asyncio.gather(*sent)

    async def _send(self, event: Event) -> None:
        sent_at = time.perf_counter()
        delivery = await self._producer.send(
            self._topics.events.name, encode(event), key=event.visitor_id.encode()
        )
        delivery.add_done_callback(partial(self._delivered, event, sent_at))

    def _delivered(self, event: Event, sent_at: float, delivery: asyncio.Future[Any]) -> None:
        if failure := delivery.exception():
            self._failure = failure
            self.stop.set()
            return
        self.events[type(event).__name__.lower()] += 1
        if not isinstance(event, Impression):
            self.visitors.add(event.visitor_id)
        if isinstance(event, Click):
            self.clicked[event.visitor_id] = event.sale_id
            self._observer.click_to_list.clicked(event.visitor_id, delivery.result().offset, sent_at)
