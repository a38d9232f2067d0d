"""Knowledge of the texts of sales: followed, built beside the work, or built afterwards, it is the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.sale_content import SaleContent
from reco.catalogue import Catalogue
from reco.events import Sale
from reco.label_book import LabelBook
from reco.parameters import HOUR, MINUTE, Parameters, PopularityParameters
from reco.policy import UNRESTRICTED
from reco.ranker import Ranker
from reco.rules import rules_in_force
from reco.sessions import Session, fold
from reco.top_ten import Serving, top_ten
from streams.clock import now
from streams.codecs import encode
from streams.feeds import SALES_AT_ONCE, CatalogueFeed
from streams.learning import Learning
from streams.releases import Basis, chosen, load
from streams.settings import Kafka, Topics
from streams.topics import topic_set
from tests.models.described_sales import UNKNOWN, reading_release, renamed, seen, text_model, titled
from tests.streams.world import PATIENCE, World, clicks, open_sales

MANY = 500
TOPIC = topic_set(Topics(partitions=1)).sales


def described(count: int) -> list[Sale]:
    return [renamed(sale, titled(number)) for number, sale in enumerate(open_sales(count))]


# -- content beside the catalogue


class Shop:
    """A catalogue with a feed, without a broker: records are handed to it."""

    def __init__(self) -> None:
        self.catalogue = Catalogue(partitions=1)
        self.feed = CatalogueFeed(Kafka(), TOPIC, self.catalogue)
        self._offset = 0

    def publish(self, *sales: Sale | str) -> None:
        """Sales as they are now; an id withdraws one."""
        for one in sales:
            key, value = (one.sale_id, encode(one)) if isinstance(one, Sale) else (one, None)
            self.feed.take(0, [SimpleNamespace(key=key.encode(), value=value, offset=self._offset)])
            self._offset += 1

    def built_afterwards(self) -> SaleContent:
        content = SaleContent(text_model())
        for sale in self.catalogue.sales():
            content.take(sale.sale_id, sale)
        return content


async def test_content_that_is_filled_while_sales_change_is_that_of_the_catalogue_in_the_end() -> None:
    shop, content, sales = Shop(), SaleContent(text_model()), described(MANY)
    shop.publish(*sales)
    shop.feed.keep(content)
    filling = asyncio.create_task(shop.feed.fill(content))
    for number in range(0, MANY, 20):
        await asyncio.sleep(0)
        shop.publish(
            renamed(sales[number], titled(number + 1)),
            renamed(sales[-1 - number], UNKNOWN),
            f"sale-{number + 5}",
            Sale(f"new-{number}", titled(number), now()),
        )
    assert not filling.done()
    await filling
    ids = [f"sale-{number}" for number in range(MANY)] + [f"new-{number}" for number in range(0, MANY, 20)]
    assert seen(content.content, ids) == seen(shop.built_afterwards().content, ids)
    assert seen(content.content, ids) != seen(SaleContent().content, ids)


async def test_others_get_their_turn_while_thousands_of_sales_are_filled_in() -> None:
    shop, content, turns = Shop(), SaleContent(text_model()), 0
    shop.publish(*described(MANY))
    shop.feed.keep(content)
    filling = asyncio.create_task(shop.feed.fill(content))
    while not filling.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= MANY / SALES_AT_ONCE


async def test_content_that_was_let_go_follows_no_more() -> None:
    shop, content = Shop(), SaleContent()
    shop.feed.keep(content)
    shop.publish(*described(2))
    shop.feed.let_go(content)
    shop.publish("sale-0", Sale("sale-2", "Another", now()))
    assert [row >= 0 for row in content.content.rows_of(["sale-0", "sale-1", "sale-2"])] == [
        True,
        True,
        False,
    ]


# -- knowledge


class Side:
    """What a worker learns from, without a worker."""

    def __init__(self, world: World) -> None:
        self.catalogue = Catalogue(world.topics.sales.partitions)
        self.sales = CatalogueFeed(world.settings.kafka, world.topics.sales, self.catalogue)
        book = LabelBook(world.topics.sale_labels.partitions)
        self.learning = Learning(world.settings.kafka, world.topics.events, self.sales, book)

    async def until(self, second: int, offsets: tuple[int, ...]) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.learning.knowledge.second < second or self.catalogue.offsets != offsets:
                await asyncio.sleep(0.01)

    def listing(self, session: Session, ranker: Ranker, at: int) -> bytes:
        """The list of a visitor, as it would be emitted."""
        serving = Serving(self.learning.knowledge, ranker)
        in_force = rules_in_force(UNRESTRICTED, self.catalogue.live(at), self.catalogue)
        return encode(top_ten(session, 0, serving, self.catalogue, in_force, at))


@asynccontextmanager
async def learning(world: World, basis: Basis) -> AsyncIterator[Side]:
    """A side that is built with this basis, and follows."""
    side = Side(world)
    await side.sales.build()
    await side.learning.begin_with(basis)
    await side.learning.build()
    following = [asyncio.create_task(one) for one in (side.sales.follow(), side.learning.follow())]
    try:
        yield side
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        await side.sales.close()


def forgetting(now: int) -> Basis:
    """A basis with this half-life, ms."""
    return Basis(Parameters(popularity=PopularityParameters(now=now)))


async def go_on(world: World, start: int) -> None:
    """Visitors click, sales get other texts, go and come."""
    sales = described(40)
    for number in range(start, start + 8):
        await world.send(*clicks(10, 40, sales=40, start=number * 40))
        await world.publish(renamed(sales[number], titled(number + 9)), renamed(sales[-number], UNKNOWN))
        await world.withdraw(f"sale-{number + 9}")


@pytest.mark.broker
async def test_the_same_lists_by_texts_come_of_knowledge_followed_built_beside_and_built_afterwards(
    world: World, tmp_path: Path
) -> None:
    served = load(chosen(reading_release(tmp_path), "mix"))
    await world.publish(*described(40))
    async with learning(world, served.basis) as followed, learning(world, Basis()) as swapped:
        await go_on(world, 1)
        succeeding = asyncio.create_task(succeed(swapped, served.basis))
        await go_on(world, 9)
        await succeeding
        await go_on(world, 17)
        events = await (await world.view(world.topics.events)).until(lambda found: len(found) == 24 * 40)
        last = max(record.timestamp for record in events) // 1000
        async with learning(world, served.basis) as built, learning(world, Basis()) as without_texts:
            for side in (followed, swapped, built, without_texts):
                await side.until(last, built.catalogue.offsets)
            at = now()
            first, second, third, other = (
                lists_of(side, served.ranker, at) for side in (followed, swapped, built, without_texts)
            )
    assert first == second == third
    assert sum(one != another for one, another in zip(first, other, strict=True)) > 5


@pytest.mark.broker
async def test_knowledge_that_is_replaced_before_it_was_followed_ends_as_well(world: World) -> None:
    await world.publish(*described(5))
    await world.send(*clicks(10, 40, sales=5))
    async with learning(world, Basis()) as side:
        async with (
            side.learning.successor(forgetting(HOUR)) as second,
            side.learning.successor(forgetting(MINUTE)) as first,
        ):
            pass
        assert first.basis != second.basis
        async with asyncio.timeout(PATIENCE):
            while list(side.sales.contents) != [second.content]:
                await asyncio.sleep(0.01)
        sent = await world.send(*clicks(10, 40, sales=5, start=40))
        assert side.learning.knowledge is second.knowledge
        await side.until(max(one.timestamp for one in sent) // 1000, side.catalogue.offsets)


@pytest.mark.broker
async def test_of_knowledge_whose_building_is_broken_off_nothing_is_left(world: World) -> None:
    await world.publish(*described(5))
    async with learning(world, Basis()) as side:
        (used,) = side.sales.contents
        building = asyncio.create_task(succeed(side, forgetting(MINUTE)))
        while len(side.sales.contents) < 2:
            await asyncio.sleep(0)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        assert list(side.sales.contents) == [used]


@pytest.mark.broker
async def test_knowledge_that_is_built_but_not_swapped_in_is_not_used_and_ends(world: World) -> None:
    await world.publish(*described(5))
    async with learning(world, Basis()) as side:
        before, (used,) = side.learning.knowledge, side.sales.contents
        for basis in (forgetting(MINUTE), Basis()):
            with pytest.raises(ZeroDivisionError):
                async with side.learning.successor(basis):
                    raise ZeroDivisionError
        assert side.learning.knowledge is before
        assert list(side.sales.contents) == [used]
        sent = await world.send(*clicks(10, 40, sales=5))
        await side.until(max(one.timestamp for one in sent) // 1000, side.catalogue.offsets)


async def succeed(side: Side, basis: Basis) -> None:
    """Go over to this basis."""
    async with side.learning.successor(basis):
        pass


def lists_of(side: Side, ranker: Ranker, at: int) -> list[bytes]:
    """The lists of ten visitors, as they would be emitted."""
    return [side.listing(visitor(number), ranker, at) for number in range(10)]


def visitor(number: int) -> Session:
    """What this visitor clicked last."""
    session: Session | None = None
    for offset, event in enumerate(clicks(10, 60, sales=40)[number::10]):
        session = fold(session, event, offset)
    assert session is not None
    return session
