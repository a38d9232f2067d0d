"""A place for tests of labelling: a world, a site of postcards, and what is seen of labels."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from models.release_promotion import Live, PromotedLabeller, promote
from reco.events import Sale
from reco.labels import SaleLabels
from streams.clock import now
from streams.codecs import decode_labels, encode
from streams.images.settings import Images
from streams.labellers import LABELLERS
from streams.promotions import announce
from streams.settings import Labelling, Settings
from tests.streams.images.image_site import HOST
from tests.streams.postcard_site import PostcardSite, postcard_site
from tests.streams.world import View, World

HOUR = 3_600_000


class Place:
    """A world in which sales are labelled, and what is seen of it."""

    def __init__(self, world: World, site: PostcardSite, labels: View, letters: View) -> None:
        self.world = world
        self.site = site
        self.labels = labels
        self.letters = letters

    def newest(self) -> dict[str, SaleLabels]:
        """The labels of each sale that has some."""
        facts = {one.key.decode(): decode_labels(one.key, one.value) for one in self.labels.records}
        return {sale_id: fact for sale_id, fact in facts.items() if isinstance(fact, SaleLabels)}

    def history(self, sale_id: str) -> list[Any]:
        return [one for one in self.labels.records if one.key == sale_id.encode()]

    async def until(self, enough: Callable[[dict[str, SaleLabels]], bool]) -> dict[str, SaleLabels]:
        await self.labels.until(lambda _: enough(self.newest()))
        return self.newest()

    async def labels_of(self, sale: Sale) -> SaleLabels:
        """Publish a sale and wait for its labels."""
        await self.world.publish(sale)
        return (await self.until(lambda found: sale.sale_id in found))[sale.sale_id]

    async def all_labelled(self, sales: Sequence[Sale]) -> dict[str, SaleLabels]:
        return await self.until(lambda found: all(one.sale_id in found for one in sales))

    async def all_labelled_by(self, version: str, sales: Iterable[Sale]) -> dict[str, SaleLabels]:
        """Wait until this version of the labeller has the last word on all of them."""
        versions = {version}
        ids = [one.sale_id for one in sales]
        return await self.until(
            lambda found: {found[one].labeller if one in found else "" for one in ids} == versions
        )

    async def promote(
        self, labeller: PromotedLabeller, live: Live[PromotedLabeller] | None = None
    ) -> Live[PromotedLabeller]:
        """Make a labeller live."""
        promotion = promote(labeller, live, now())
        await self.announce(promotion)
        return promotion

    async def announce(self, promotion: Live[PromotedLabeller] | None) -> None:
        await announce(self.world.settings.kafka, self.world.topics.releases.name, LABELLERS, promotion)

    @asynccontextmanager
    async def sales_arriving(self, kind: str) -> AsyncIterator[list[Sale]]:
        """Publish ten sales a second for the length of the block, each with a postcard; those so far."""
        sent: list[Sale] = []
        ended = asyncio.Event()

        async def publish() -> None:
            while not ended.is_set():
                sent.append(sale(f"arriving-{len(sent)}", self.site.postcard(kind, len(sent) % 9)))
                await self.world.publish(sent[-1])
                await asyncio.sleep(0.1)

        publishing = asyncio.create_task(publish())
        await self.until(lambda found: "arriving-0" in found)
        try:
            yield sent
        finally:
            ended.set()
            await publishing

    async def all_before_is_done(self) -> None:
        """Publish a sale in each partition, with an image of another host, and wait for their labels."""
        image = self.site.postcard("skyline", 1).replace(HOST, "localhost")
        topic, sales, reached = self.world.topics.sales, list[Sale](), set[int]()
        while len(reached) < topic.partitions:
            sales.append(sale(f"fence-{now()}-{len(sales)}", image))
            sent = await self.world.send_raw(topic, sales[-1].sale_id.encode(), encode(sales[-1]))
            reached.add(sent.partition)
        await self.all_labelled(sales)


def sale(sale_id: str, *urls: str, opened: int = 1, closes: int = 24) -> Sale:
    """A sale that opened and closes so many hours ago and from now."""
    return Sale(sale_id, f"Sale {sale_id}", now() - opened * HOUR, now() + closes * HOUR, image_urls=urls)


def with_labeller(settings: Settings, labeller: Path) -> Settings:
    return replace(settings, images=Images(allow_private=True), labelling=Labelling(labeller=str(labeller)))


@asynccontextmanager
async def place_in(world: World) -> AsyncIterator[Place]:
    async with postcard_site() as site:
        labels = await world.view(world.topics.sale_labels)
        letters = await world.view(world.topics.dead_letters)
        yield Place(world, site, labels, letters)
