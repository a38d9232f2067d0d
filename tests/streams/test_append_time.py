"""Time in a partition never goes back, for workers and for training, and a second is over a little later."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from aiokafka import TopicPartition

from reco.events import Click, Event
from reco.knowledge import Knowledge
from streams.codecs import encode
from streams.feeds import CLOCK_GRACE, KnowledgeFeed
from streams.history import _Appends, _event_in
from streams.settings import Kafka, Topics
from streams.topics import topic_set

START = 1_700_000_000
EVENTS = topic_set(Topics(partitions=1)).events


class Record(NamedTuple):
    """An event as it was appended, `timestamp` in ms."""

    offset: int
    timestamp: int
    event: Event

    @property
    def key(self) -> bytes:
        return self.event.visitor_id.encode()

    @property
    def value(self) -> bytes:
        return encode(self.event)


class Consumer:
    """Brings all records at the first poll, and has polled last at `polled` (ms)."""

    def __init__(self, records: Sequence[Record], polled: int | None = None) -> None:
        self._records = records
        self.polled = polled

    async def getmany(self, **_: int) -> dict[TopicPartition, Sequence[Record]]:
        return {TopicPartition(EVENTS.name, 0): self._records}

    async def position(self, _: TopicPartition) -> int:
        return len(self._records)

    def last_poll_timestamp(self, _: TopicPartition) -> int | None:
        return self.polled

    def highwater(self, _: TopicPartition) -> int:
        return len(self._records)


class Learner(Knowledge):
    """Knowledge that notes which offsets it learned in which second."""

    def __init__(self) -> None:
        super().__init__()
        self.learned: list[tuple[int, list[int]]] = []

    def advance(self, second: int, appended: Sequence[tuple[int, int, Event]]) -> None:
        super().advance(second, appended)
        self.learned.append((second - START, [offset for _, offset, _ in appended]))


def appended(*seconds: int) -> list[Record]:
    """Clicks that a broker appended in these seconds after the start, by its clock."""
    return [
        Record(offset, (START + second) * 1000, Click(f"e{offset}", "ann", "rome", START * 1000 + offset))
        for offset, second in enumerate(seconds)
    ]


async def test_workers_learn_an_append_after_a_brokers_clock_went_back_in_the_second_before_it() -> None:
    knowledge, records = Learner(), appended(5, 3, 4, 7)
    feed = KnowledgeFeed(Kafka(), EVENTS, knowledge)
    feed.take(0, records[:2])
    feed.take(0, records[2:])
    feed.settle(Consumer(records))
    assert knowledge.learned == [(5, [0, 1, 2])]


def test_training_learns_an_append_after_a_brokers_clock_went_back_in_the_same_second_as_workers() -> None:
    history = _Appends()
    for record in appended(5, 3, 4, 7):
        history.add(record.event, 0, record.offset, record.timestamp)
    history.add(Click("elsewhere", "bob", "rome", START * 1000), 1, 0, (START + 2) * 1000)
    assert [at // 1000 - START for at in history.table().appended] == [2, 5, 5, 5, 7]


class NoEvent(Record):
    """A record that cannot be read."""

    @property
    def value(self) -> bytes:
        return b"{"


async def test_the_time_of_a_record_that_cannot_be_read_counts_for_workers_and_for_training() -> None:
    knowledge, history, records = Learner(), _Appends(), appended(3, 5, 4, 9)
    records[1] = NoEvent(*records[1])
    feed = KnowledgeFeed(Kafka(), EVENTS, knowledge)
    feed.take(0, records)
    feed.settle(Consumer(records))
    for record in records:
        history.add(_event_in(record), 0, record.offset, record.timestamp)
    assert knowledge.learned == [(3, [0]), (5, [2])]
    assert [at // 1000 - START for at in history.table().appended] == [3, 5, 9]


@pytest.mark.parametrize(("after", "learned"), [(1, []), (CLOCK_GRACE - 1, []), (CLOCK_GRACE, [(0, [0])])])
async def test_a_second_is_over_once_a_poll_asked_for_a_grace_of_clocks_after_it_brought_nothing_more(
    after: int, learned: list[tuple[int, list[int]]]
) -> None:
    knowledge, consumer = Learner(), Consumer(appended(0), polled=(START + 1) * 1000 + after)
    feed = KnowledgeFeed(Kafka(), EVENTS, knowledge)
    await feed._read(consumer)
    assert knowledge.learned == [], "the answer may be older than its time"
    consumer.polled = (START + 100) * 1000
    feed.settle(consumer)
    assert knowledge.learned == learned
