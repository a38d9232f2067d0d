"""The site publishes, withdraws and produces, and does not go on when events cannot be delivered."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import RecordMetadata, TopicPartition

from demo.catalogue import SALES, WITHDRAWAL_EVERY, WITHDRAWALS
from demo.observer import Observer
from demo.plan import Plan
from demo.site import Site
from reco.errors import BrokerError
from reco.events import Click, Impression
from streams.codecs import decode_event
from tests.demo.lists import AT, TOPICS

SENDING = 0.001
"""Seconds that it takes to send an event, where time is told to pass."""


class Passing:
    """Time that passes only while the site sleeps and while its events are sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self._pause = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self._sleep)
        clock = SimpleNamespace(monotonic=lambda: self.seconds, perf_counter=lambda: self.seconds)
        monkeypatch.setattr("demo.site.time", clock)

    async def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await self._pause(0)


class Producer:
    """Delivers at once what it is given, and sends the visitors home after `last` events."""

    def __init__(self, last: int = 0, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, bytes | None, bytes]] = []
        self.sent_at: list[float] = []
        self.site: Site | None = None
        self.passing: Passing | None = None
        self._last = last
        self._error = error

    async def send(self, topic: str, value: bytes | None, key: bytes) -> "asyncio.Future[RecordMetadata]":
        self.sent.append((topic, value, key))
        if self.passing is not None:
            self.sent_at.append(self.passing.seconds)
            self.passing.seconds += SENDING
        delivery: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if self._error is not None:
            delivery.set_exception(self._error)
        else:
            place = TopicPartition(topic, 0)
            delivery.set_result(RecordMetadata(topic, 0, place, len(self.sent), AT, 1, 0))
        if self.site is not None and len(self.sent) >= self._last:
            self.site.stop.set()
        return delivery

    async def flush(self) -> None:
        await asyncio.sleep(0)


def site_with(
    producer: Any,
    *,
    rate: float = 100_000.0,
    clock: Callable[[], int] = lambda: AT,
    observer: Observer | None = None,
) -> Site:
    plan = Plan(seconds=None, visitors=20, rate=rate, seed=1)
    producer.site = Site(producer, TOPICS, observer or Observer(TOPICS), plan, clock=clock)
    site: Site = producer.site
    return site


async def test_all_sales_are_published_under_their_ids() -> None:
    producer = Producer()
    await site_with(producer).publish()
    assert len({key for topic, value, key in producer.sent if topic == TOPICS.sales.name and value}) == SALES


async def test_withdrawn_sales_become_tombstones_at_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    producer, passing = Producer(), Passing(monkeypatch)
    site = site_with(producer, clock=lambda: AT + round(passing.seconds * 1000))
    producer.passing = passing
    await site.withdraw()
    assert [value for _, value, _ in producer.sent] == [None] * WITHDRAWALS
    assert producer.sent_at == pytest.approx([n * WITHDRAWAL_EVERY / 1000 for n in range(1, WITHDRAWALS + 1)])


async def test_visitors_act_until_they_are_sent_home_and_every_event_is_counted() -> None:
    producer = Producer(last=300)
    site = site_with(producer)
    await site.open()
    events = [decode_event(key, value, AT + 10**12) for _, value, key in producer.sent]
    assert site.events.total() == len(events) == 300
    assert site.events["click"] == sum(isinstance(one, Click) for one in events)
    assert site.visitors == {one.visitor_id for one in events if not isinstance(one, Impression)}
    assert (
        site.clicked.items()
        == {one.visitor_id: one.sale_id for one in events if isinstance(one, Click)}.items()
    )


async def test_events_come_at_the_rate_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    producer, passing = Producer(last=100), Passing(monkeypatch)
    producer.passing = passing
    await site_with(producer, rate=200.0).open()
    assert producer.sent_at == pytest.approx([n / 200.0 for n in range(100)])


class Slow(Producer):
    """Delivers only when it is told to deliver all."""

    def __init__(self) -> None:
        super().__init__(last=20)
        self._deliveries: list[asyncio.Future[RecordMetadata]] = []

    async def send(self, topic: str, value: bytes | None, key: bytes) -> "asyncio.Future[RecordMetadata]":
        await super().send(topic, value, key)
        self._deliveries.append(asyncio.get_running_loop().create_future())
        return self._deliveries[-1]

    async def flush(self) -> None:
        for offset, delivery in enumerate(self._deliveries):
            delivery.set_result(RecordMetadata("", 0, TopicPartition("", 0), offset, AT, 1, 0))
        await super().flush()


async def test_events_that_are_still_on_their_way_when_visitors_go_are_waited_for() -> None:
    site = site_with(Slow())
    await site.open()
    assert site.events.total() == 20


async def test_click_to_list_is_measured_from_just_before_a_click_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer, passing, observer = Producer(last=100), Passing(monkeypatch), Observer(TOPICS)
    producer.passing = passing
    site = site_with(producer, rate=200.0, observer=observer)
    await site.open()
    events = [decode_event(key, value, AT + 10**12) for _, value, key in producer.sent]
    sent_at = [at for event, at in zip(events, producer.sent_at, strict=True) if isinstance(event, Click)]
    assert observer.click_to_list.unanswered == len(sent_at) > 0
    for visitor in site.visitors:
        observer.click_to_list.listed(visitor, session_offset=100, received_at=1.0)
    latency = observer.latency()
    assert (latency.answered, latency.unanswered) == (len(sent_at), 0)
    assert latency.max == pytest.approx(1000 * (1.0 - min(sent_at)), abs=0.1)
    assert observer.click_to_list.percentile(0) == pytest.approx(1000 * (1.0 - max(sent_at)), abs=0.1)


async def test_an_event_that_cannot_be_delivered_ends_the_demo() -> None:
    site = site_with(Producer(last=10**9, error=KafkaTimeoutError()))
    with pytest.raises(BrokerError, match="could not be delivered"):
        await site.open()
