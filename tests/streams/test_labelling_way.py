"""What was found in images is sent once, while it is of the sale; what may be had later is left out."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reco.errors import ImageRefusedError
from reco.events import Sale
from reco.labels import SaleLabels
from streams.codecs import decode_labels, encode
from streams.delivery.outbox import Outbox
from streams.labelling_backlog import LONGEST_PAUSE, Backlog
from streams.labelling_desk import Found, LabellingDesk
from streams.labelling_way import LabellingWay
from streams.settings import Kafka, Topics
from streams.topics import topic_set
from tests.reco.worlds import NOON

TOPICS = topic_set(Topics(partitions=1))
LABELS, LETTERS = TOPICS.sale_labels.name, TOPICS.dead_letters.name


class Sent:
    """An outbox that keeps what is sent; the backlog reads it some time after it has arrived."""

    def __init__(self, backlog: Backlog) -> None:
        self.records: list[Any] = []
        self._backlog = backlog
        self._settled = 0
        self._reading = set[asyncio.Task[None]]()

    async def send(self, topic: str, key: bytes, value: bytes | None, *placed: Any) -> None:
        headers = dict(placed[1]) if placed else {}
        offset = len(self.records)
        self.records.append(
            SimpleNamespace(
                topic=topic, partition=0, offset=offset, key=key, value=value, headers=headers, timestamp=NOON
            )
        )
        await asyncio.sleep(0)

    async def settle(self) -> list[Any]:
        arrived, self._settled = self.records[self._settled :], len(self.records)
        self._reading.add(asyncio.create_task(self._read(arrived, self._settled)))
        return arrived

    async def _read(self, arrived: Sequence[Any], end: int) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        feed = self._backlog.labelled
        feed.take(0, [one for one in arrived if one.topic == LABELS])
        feed._next[LABELS, 0] = end
        feed.settle(None)

    def letters(self) -> list[tuple[bytes, bytes]]:
        """Keys and reasons of the dead letters."""
        return [(one.key, one.headers["tenfold.reason"]) for one in self.records if one.topic == LETTERS]

    def labels(self) -> list[tuple[str, tuple[str, ...], int] | None]:
        """Sale, settled images, and how many were looked at, of each record; None for a tombstone."""
        facts = [decode_labels(one.key, one.value) for one in self.records if one.topic == LABELS]
        return [
            (one.sale_id, one.image_urls, one.images) if isinstance(one, SaleLabels) else None
            for one in facts
        ]


class Desk:
    """A desk that sees every image but those that it is told to refuse, once it may look."""

    def __init__(self) -> None:
        self.refusals: dict[str, str] = {}
        self.asked: list[str] = []
        self.may_look = asyncio.Event()
        self.may_look.set()

    async def label(self, sales: Sequence[Sale]) -> list[Found]:
        self.asked += [one.sale_id for one in sales]
        await self.may_look.wait()
        return [self._found(one) for one in sales]

    def _found(self, sale: Sale) -> Found:
        refused = {
            url: ImageRefusedError(self.refusals[url], f"{url} it is")
            for url in sale.image_urls
            if url in self.refusals
        }
        images = len(sale.image_urls) - len(refused)
        return Found(
            sale, SaleLabels(sale.sale_id, "v1", sale.image_urls, images, (), (), b"", NOON), refused
        )


class Place:
    """A way with a backlog, a desk, and what is sent."""

    def __init__(self) -> None:
        self.backlog = Backlog(Kafka(), TOPICS)
        self.backlog.use("v1")
        self.backlog.labelled._next[LABELS, 0] = 0
        self.desk, self.sent, self.counts = Desk(), Sent(self.backlog), Counter[str]()
        desk, sent = cast("LabellingDesk", self.desk), cast("Outbox", self.sent)
        self.way = LabellingWay(desk, sent, self.backlog, TOPICS, self.counts)

    def publish(self, sale_id: str, *urls: str, title: str = "A sale") -> Sale:
        sale = Sale(sale_id, title, NOON, image_urls=urls)
        self._take(sale_id, encode(sale))
        return sale

    def withdraw(self, sale_id: str) -> None:
        self._take(sale_id, None)

    def _take(self, sale_id: str, value: bytes | None) -> None:
        record = SimpleNamespace(
            topic=TOPICS.sales.name, partition=0, offset=7, key=sale_id.encode(), value=value, timestamp=NOON
        )
        self.backlog.sales.take(0, [record])


@pytest.fixture
async def place() -> Place:
    return Place()


async def test_what_is_labelled_is_known_once_it_is_done(place: Place) -> None:
    rome, oslo = place.publish("rome", "a", "b"), place.publish("oslo", "c")
    await place.way.label([rome, oslo])
    assert not place.backlog.labelled.lacks(rome)
    assert place.sent.labels() == [("rome", ("a", "b"), 2), ("oslo", ("c",), 1)]
    assert place.counts == {"labelled_sales": 2, "labelled_images": 3}


async def test_of_two_batches_at_the_same_time_neither_is_done_before_its_own_labels_have_arrived(
    place: Place,
) -> None:
    async def label(sale: Sale) -> bool:
        await place.way.label([sale])
        return place.backlog.labelled.lacks(sale)

    assert not any(await asyncio.gather(*(label(place.publish(one, one)) for one in ("rome", "oslo"))))


async def test_nothing_is_sent_of_a_sale_that_is_withdrawn_or_has_other_images_by_now(place: Place) -> None:
    rome, oslo, bari = (place.publish(one, "a") for one in ("rome", "oslo", "bari"))
    place.desk.may_look.clear()
    under_way = asyncio.create_task(place.way.label([rome, oslo, bari]))
    await asyncio.sleep(0)
    place.withdraw("rome")
    place.publish("oslo", "b")
    place.publish("bari", "a", title="Another title")
    place.desk.may_look.set()
    await under_way
    assert place.sent.labels() == [("bari", ("a",), 1)]
    assert place.counts == {"labelled_sales": 1, "labelled_images": 1}


async def test_a_sale_whose_same_images_are_being_looked_at_is_left_to_that_and_with_others_is_not(
    place: Place,
) -> None:
    rome = place.publish("rome", "a")
    place.desk.may_look.clear()
    async with asyncio.TaskGroup() as tasks:
        for sale in (rome, rome, place.publish("rome", "b")):
            tasks.create_task(place.way.label([sale]))
            await asyncio.sleep(0)
        assert place.desk.asked == ["rome", "rome"]
        place.desk.may_look.set()
    assert place.sent.labels() == [("rome", ("b",), 1)]
    await place.way.label([place.publish("rome", "a")])
    assert place.sent.labels()[1:] == [("rome", ("a",), 1)]


async def test_images_that_are_refused_for_good_are_dead_lettered_once_with_the_record_of_the_sale(
    place: Place,
) -> None:
    place.desk.refusals = {"b": "http-404", "c": "not-an-image"}
    rome = place.publish("rome", "a", "b", "c")
    await place.way.label([rome])
    place.backlog.use("v2")
    await place.way.label([rome])
    assert place.sent.letters() == [(b"rome", b"image-http-404"), (b"rome", b"image-not-an-image")]
    letter = place.sent.records[0]
    assert letter.value == encode(rome)
    assert letter.headers["tenfold.topic"] == TOPICS.sales.name.encode()
    assert letter.headers["tenfold.offset"] == b"7"
    assert letter.headers["tenfold.detail"] == b"b it is"
    assert place.sent.labels() == [("rome", ("a", "b", "c"), 1)] * 2
    assert place.counts["dead_letters"] == 2


async def test_images_that_may_be_had_later_are_left_out_and_asked_for_again(place: Place) -> None:
    place.desk.refusals = {"b": "http-503", "c": "http-404"}
    rome = place.publish("rome", "a", "b", "c")
    for _ in range(2):
        await place.way.label([rome])
    assert place.sent.labels() == [("rome", ("a", "c"), 1)]  # sent once
    assert place.sent.letters() == [(b"rome", b"image-http-404")]
    assert place.backlog.labelled.lacks(rome)
    assert place.backlog.retries.pause(rome) > 0
    del place.desk.refusals["b"]
    await place.way.label([rome])
    assert place.sent.labels()[1:] == [("rome", ("a", "b", "c"), 2)]
    assert not place.backlog.labelled.lacks(rome)
    assert place.backlog.retries.pause(rome) == 0
    assert len(place.sent.letters()) == 1


async def test_labels_stay_while_no_image_can_be_had_until_these_are_given_up(place: Place) -> None:
    rome = place.publish("rome", "a")
    await place.way.label([rome])
    place.desk.refusals = {"b": "too-slow", "c": "http-404"}
    moved = place.publish("rome", "b", "c")
    await place.way.label([moved])
    assert place.sent.labels() == [("rome", ("a",), 1)]
    assert place.sent.letters() == []
    while 2 * place.backlog.retries.pause(moved) <= LONGEST_PAUSE:
        await place.way.label([moved])
    assert place.sent.letters() == []
    await place.way.label([moved])
    assert place.sent.labels() == [("rome", ("a",), 1), ("rome", ("b", "c"), 0)]
    assert place.sent.letters() == [(b"rome", b"image-too-slow"), (b"rome", b"image-http-404")]
    assert not place.backlog.labelled.lacks(moved)


async def test_labels_that_are_taken_back_are_known_to_be_no_more(place: Place) -> None:
    await place.way.label([place.publish("rome", "a"), place.publish("oslo", "b")])
    place.withdraw("rome")
    assert place.backlog.withdrawn({0}) == ["rome"]
    await place.way.take_back(["rome"])
    assert place.backlog.withdrawn({0}) == []
    assert place.sent.labels()[2:] == [None]
    assert place.sent.records[-1].key == b"rome"
