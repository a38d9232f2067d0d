"""Labels on the wire are in the content of sales: of one labeller at a time, and the same in every worker."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from models.sale_content import SaleContent
from reco.catalogue import Catalogue
from reco.events import Sale
from reco.labels import SaleLabels
from streams.codecs import encode
from streams.feeds import CatalogueFeed
from streams.label_feed import LabelFeed
from streams.settings import Kafka, Topics
from streams.topics import topic_set
from streams.vitals import Vitals
from tests.reco.labelled import labels
from tests.reco.worlds import NOON
from tests.streams.world import PATIENCE, World, open_sales

TOPICS = topic_set(Topics(partitions=1))


class Desk:
    """A catalogue and labels with their feeds, without a broker: records are handed to them."""

    def __init__(self) -> None:
        self.sales = CatalogueFeed(Kafka(), TOPICS.sales, Catalogue(partitions=1))
        self.vitals = Vitals()
        self.labels = LabelFeed(Kafka(), TOPICS.sale_labels, self.sales, self.vitals)
        self.content = SaleContent(labels=self.labels.book)
        self.sales.keep(self.content)
        self._offset = 0

    def publish(self, *sale_ids: str) -> None:
        for one in sale_ids:
            self.sales.take(0, [self._record(one, encode(Sale(one, one, NOON)))])

    def withdraw(self, sale_id: str) -> None:
        self.sales.take(0, [self._record(sale_id, None)])

    def label(self, *given: SaleLabels | str | bytes) -> set[str]:
        """Labels as they come, at once; an id takes them back. What changed by it."""
        self.labels.changed.clear()
        self.labels.take(0, [self._labels(one) for one in given])
        return self.labels.changed

    def _labels(self, given: SaleLabels | str | bytes) -> SimpleNamespace:
        if isinstance(given, SaleLabels):
            return self._record(given.sale_id, encode(given))
        return self._record(given, None) if isinstance(given, str) else self._record("rome", given)

    def _record(self, sale_id: str, value: bytes | None) -> SimpleNamespace:
        self._offset += 1
        return SimpleNamespace(topic="t", partition=0, key=sale_id.encode(), value=value, offset=self._offset)


def images(content: SaleContent, *sale_ids: str) -> dict[str, list[float]]:
    """The vectors of the images of these sales, of those that have one."""
    vectors = content.content.vectors("image")
    rows = dict(zip(sale_ids, content.content.rows_of(sale_ids).tolist(), strict=True))
    if vectors is None:
        return {}
    return {
        one: vectors[row].tolist()
        for one, row in rows.items()
        if row >= 0 and vectors[row, 0] == vectors[row, 0]
    }


def test_labels_reach_the_content_whether_they_come_before_the_sale_or_after_it() -> None:
    desk = Desk()
    desk.label(labels("rome", [0.0, 1.0], [0.5, 0.5]))
    desk.publish("rome", "oslo")
    desk.label(labels("oslo", [1.0, 0.0], [0.25, 0.75]))
    assert images(desk.content, "rome", "oslo") == {"rome": [0.0, 1.0], "oslo": [1.0, 0.0]}
    desk.withdraw("rome")
    desk.label("oslo")
    assert images(desk.content, "rome", "oslo") == {}
    desk.publish("rome")
    assert images(desk.content, "rome", "oslo") == {"rome": [0.0, 1.0]}


def test_it_says_whose_labels_in_use_have_changed() -> None:
    desk = Desk()
    desk.publish("oslo", "rome", "bari", "new")
    assert desk.label(labels("oslo"), labels("rome")) == {"oslo", "rome"}
    assert desk.label(labels("sark"), "sark") == set()
    assert desk.label("never labelled", labels("sark", [], labeller="v2")) == set()
    assert desk.label(labels("bari")) == {"bari"}
    assert desk.label(labels("new", [1.0, 0.0], labeller="v2", at=NOON + 1)) == set()
    assert desk.label(labels("bari", [1.0, 0.0], labeller="v2", at=NOON + 2)) == {"bari"}


def test_what_has_changed_piles_up_for_whoever_looks_at_it() -> None:
    desk = Desk()
    desk.publish("oslo", "rome")
    seen = desk.labels.changed
    for one in (labels("oslo"), labels("rome")):
        desk.labels.take(0, [desk._labels(one)])
    assert seen == {"oslo", "rome"}


def test_a_version_that_comes_into_use_because_a_sale_is_withdrawn_is_in_the_content() -> None:
    desk = Desk()
    desk.publish("oslo", "rome", "bari")
    desk.label(labels("oslo"), labels("rome"), labels("bari", [1.0, 0.0], labeller="v2", at=NOON + 1))
    assert images(desk.content, "oslo", "bari") == {"oslo": [1.0]}
    desk.withdraw("rome")
    assert images(desk.content, "oslo", "bari") == {"bari": [1.0, 0.0]}


def test_what_cannot_be_read_is_told_and_counted_and_leaves_all_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.publish("rome")
    desk.label(labels("rome", [0.0, 1.0]), b"{", b"", b'{"sale_id": "rome"}')
    assert desk.vitals.counts["labels_refused"] == 3
    assert caplog.messages[0].startswith("t, partition 0, offset 3 are no labels of a sale: not-json: ")
    assert len(caplog.messages) == 3
    assert images(desk.content, "rome") == {"rome": [0.0, 1.0]}


def test_content_that_is_filled_while_labels_change_has_those_of_the_book_in_the_end() -> None:
    ids = [f"sale-{number}" for number in range(200)]

    async def filled() -> tuple[Desk, SaleContent]:
        desk = Desk()
        desk.publish(*ids)
        desk.label(*(labels(one, [1.0, float(number)]) for number, one in enumerate(ids)))
        content = SaleContent(labels=desk.labels.book)
        desk.sales.keep(content)
        filling = asyncio.create_task(desk.sales.fill(content))
        for number, one in enumerate(ids):
            await asyncio.sleep(0)
            desk.label(labels(one, [1.0, 0.0, float(number)], labeller="v2", at=NOON + number))
            desk.label(f"sale-{number // 3}")
        await filling
        return desk, content

    desk, content = asyncio.run(filled())
    assert images(content, *ids) == images(desk.content, *ids)
    assert {len(vector) for vector in images(content, *ids).values()} == {3}
    assert 100 < len(images(content, *ids)) < 200


async def built(world: World) -> LabelFeed:
    """A feed of labels, beside a catalogue with a content, read to the present end."""
    kafka, partitions = world.settings.kafka, world.topics.sales.partitions
    sales = CatalogueFeed(kafka, world.topics.sales, Catalogue(partitions))
    feed = LabelFeed(kafka, world.topics.sale_labels, sales, Vitals())
    sales.keep(SaleContent(labels=feed.book))
    await sales.build()
    await sales.close()
    await feed.build()
    return feed


async def test_followed_and_built_afterwards_all_partitions_give_the_same_content(world: World) -> None:
    sales = open_sales(30)
    ids = [sale.sale_id for sale in sales]
    await world.publish(*sales)
    followed = await built(world)
    following = asyncio.create_task(followed.follow())
    for version, dimensions in (("v1", 3), ("v2", 5)):
        for number, one in enumerate(ids):
            embedding = np.random.default_rng(number).normal(size=dimensions).tolist()
            await world.label(labels(one, embedding, labeller=version, at=NOON + dimensions))
        await world.send_raw(world.topics.sale_labels, ids[dimensions].encode(), None)
    await world.send_raw(world.topics.sale_labels, b"sale-1", b"{")
    await world.label(labels("sale-2", [], labeller="v2"))
    afterwards = await built(world)
    assert afterwards.changed == set()
    async with asyncio.timeout(PATIENCE):
        while followed.book.offsets != afterwards.book.offsets:
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await followed.close()
    await afterwards.close()
    first, second = (images(feed._catalogue.contents[0], *ids) for feed in (followed, afterwards))
    assert first == second
    assert first.keys() == set(ids) - {"sale-2", "sale-5"}
