"""Published sales are labelled by real workers: at once, once, by whichever labeller is in use, none lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
from msgspec.structs import replace

from models.labelling.labeller import load_labeller
from models.labelling.pictures import decode
from reco.errors import SettingsError
from reco.events import Sale
from reco.labels import SaleLabels
from streams.agents.labelling import labelling_app
from streams.clients import create_topics
from streams.clock import now
from streams.codecs import decode_labels, encode
from streams.images.fetching import PER_HOST
from streams.images.settings import Images
from streams.settings import Kafka, Labelling, Settings, Topics, Worker
from streams.topics import topic_set
from streams.vitals import Vitals
from tests.streams.labellers import KINDS, write
from tests.streams.postcard_site import HOST, PostcardSite, jpeg, postcard_site
from tests.streams.world import PATIENCE, Running, View, World, world_of

pytestmark = pytest.mark.broker
SHARED = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_SECONDS, STALL_SECONDS = 1.5, 4.0
"""For an image, and for a worker, where the second is put to the test."""
HOUR = 3_600_000
CITY, SLOPE, _ = KINDS
UNSEEN = SaleLabels("unseen", "none", (), 0, (), (), b"", 0)


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

    async def all_before_is_done(self) -> None:
        """Publish a sale in each partition, with an image of another host, and wait for their labels."""
        image = self.site.postcard(CITY, 1).replace(HOST, "localhost")
        sales = [sale(f"fence-{now()}-{n}", image) for n in range(20)]
        topic = self.world.topics.sales
        sent = [await self.world.send_raw(topic, one.sale_id.encode(), encode(one)) for one in sales]
        assert {one.partition for one in sent} == set(range(topic.partitions))
        await self.all_labelled(sales)


def sale(sale_id: str, *urls: str, opened: int = 1, closes: int = 24) -> Sale:
    """A sale that opened and closes so many hours ago and from now."""
    return Sale(sale_id, f"Sale {sale_id}", now() - opened * HOUR, now() + closes * HOUR, image_urls=urls)


def with_labeller(settings: Settings, labeller: Path) -> Settings:
    return replace(settings, images=Images(allow_private=True), labelling=Labelling(labeller=str(labeller)))


def impatient(settings: Settings) -> Settings:
    worker = replace(settings.worker, stall_seconds=STALL_SECONDS)
    return replace(settings, worker=worker, images=replace(settings.images, timeout_seconds=TIMEOUT_SECONDS))


@pytest.fixture(scope="module")
def labellers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two labellers."""
    folder = tmp_path_factory.mktemp("labellers")
    return write(folder, 1), write(folder, 2)


@asynccontextmanager
async def place_in(world: World) -> AsyncIterator[Place]:
    async with postcard_site() as site:
        labels = await world.view(world.topics.sale_labels)
        letters = await world.view(world.topics.dead_letters)
        yield Place(world, site, labels, letters)


@pytest.fixture
async def place(world: World, labellers: tuple[Path, Path]) -> AsyncIterator[Place]:
    """A place of its own, without workers."""
    world.settings = with_labeller(world.settings, labellers[0])
    async with place_in(world) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy_place(
    kafka: Kafka, labellers: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """A place with one worker, which several tests share, for it takes long to start."""
    name, folder = f"test-{uuid4().hex[:12]}", tmp_path_factory.mktemp("busy-place")
    settings = Settings(
        kafka=kafka,
        topics=Topics(prefix=f"{name}-"),
        worker=Worker(application=name, data_dir=str(folder / "data")),
    )
    topics = topic_set(settings.topics)
    await create_topics(kafka, topics)
    async with world_of(impatient(with_labeller(settings, labellers[0])), topics, folder) as world:
        await world.start("labelling").ready()
        async with place_in(world) as made:
            yield made


async def counted(worker: Running, what: str) -> int:
    health = await worker.health()
    assert health is not None
    return int(health["counts"].get(what, 0))


@SHARED
async def test_a_sale_is_labelled_when_it_is_published_or_has_other_images_and_no_more_when_withdrawn(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    seeds = range(900, 904)
    images = tuple(site.postcard(SLOPE, seed) for seed in seeds)

    first = await place.labels_of(sale("alps", *images))

    labeller = load_labeller(Path(world.settings.labelling.labeller))
    pictures = np.stack([decode(jpeg(SLOPE, seed), labeller.size) for seed in seeds])
    scores, shares, embeddings = (one.mean(axis=0) for one in labeller.label(pictures))
    assert (first.labeller, first.image_urls, first.images) == (labeller.version, images, 4)
    assert [one.name for one in first.labels] == [KINDS[at] for at in np.argsort(-scores)]
    assert [one.share for one in first.topics] == pytest.approx(shares.tolist(), abs=1e-4)
    direction = first.vector()
    assert direction is not None
    np.testing.assert_allclose(direction, embeddings / np.linalg.norm(embeddings), atol=1e-4)

    await world.publish(replace(sale("alps", *images), title="Another title"))
    await place.all_before_is_done()
    assert len(place.history("alps")) == 1

    await world.publish(sale("alps", site.postcard(CITY, 905)))
    await place.until(lambda found: found["alps"].image_urls == (site.postcard(CITY, 905),))

    await world.withdraw("alps")
    await place.until(lambda found: "alps" not in found)
    assert [one.value is None for one in place.history("alps")] == [False, False, True]


@SHARED
async def test_images_that_are_refused_are_dead_lettered_and_those_that_were_busy_asked_for_again(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    good, busy = site.postcard(SLOPE, 910), site.busy(SLOPE, 911)
    some = sale("some", site.broken(), good, site.missing(), busy)

    found = await place.labels_of(some)
    none = await place.labels_of(sale("none", site.broken()))

    assert (found.images, found.image_urls) == (1, some.image_urls[:3])
    assert (none.images, none.labels, none.vector()) == (0, (), None)
    letters = await place.letters.until(lambda letters: len(letters) >= 3)
    assert sorted((one.key, dict(one.headers)["tenfold.reason"]) for one in letters) == [
        (b"none", b"image-not-an-image"),
        (b"some", b"image-http-404"),
        (b"some", b"image-not-an-image"),
    ]
    assert encode(some) in {one.value for one in letters}

    site.works.set()
    again = (await place.until(lambda found: found["some"].images == 2))["some"]

    assert again.image_urls == some.image_urls
    await place.all_before_is_done()
    assert await world.size(world.topics.dead_letters) == 3


@SHARED
async def test_images_that_do_not_come_neither_hold_up_other_sales_nor_look_like_a_worker_that_stands_still(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    # Asked for four at a time, and given up one by one, they take three times what a worker may stand still.
    slow = [sale(f"slow-{n}", *(site.held(SLOPE, 16 * n + image) for image in range(16))) for n in range(2)]
    assert 32 / PER_HOST * TIMEOUT_SECONDS >= 3 * STALL_SECONDS

    await world.publish(*slow)
    await place.all_before_is_done()
    assert not any(one.sale_id in place.newest() for one in slow)
    site.gate.set()

    found = await place.all_labelled(slow)
    assert [(found[one.sale_id].image_urls, found[one.sale_id].images) for one in slow] == [
        (one.image_urls, 16) for one in slow
    ]


async def test_workers_share_the_load_and_one_that_is_killed_in_the_middle_of_it_loses_no_sale(
    place: Place,
) -> None:
    world, site = place.world, place.site
    one, other = world.start("labelling"), world.start("labelling")
    await asyncio.gather(one.ready(), other.ready())
    sent: list[Sale] = []
    async with asyncio.timeout(PATIENCE):
        while not all([await counted(worker, "labelled_sales") for worker in (one, other)]):
            some = [sale(f"sale-{len(sent) + n}", site.postcard(CITY, n)) for n in range(8)]
            sent += some
            await world.publish(*some)
            await place.all_labelled(sent)

    held = [sale(f"held-{n}", site.held(SLOPE, n)) for n in range(24)]
    await world.publish(*held)
    async with asyncio.timeout(PATIENCE):
        while site.holding <= PER_HOST:  # both wait for images then
            await asyncio.sleep(0.01)
    await one.end(signal.SIGKILL)
    site.gate.set()

    found = await place.all_labelled(held)
    assert all(found[one.sale_id].images == 1 for one in held)


async def publish_steadily(place: Place, sent: list[Sale], enough: asyncio.Event) -> None:
    """Publish ten sales a second until `enough`."""
    while not enough.is_set():
        sent.append(sale(f"arriving-{len(sent)}", place.site.postcard(CITY, len(sent) % 9)))
        await place.world.publish(sent[-1])
        await asyncio.sleep(0.1)


async def test_another_labeller_labels_all_again_live_and_newest_first_and_neither_loses_nor_delays_new_sales(
    place: Place, labellers: tuple[Path, Path]
) -> None:
    world, site = place.world, place.site
    site.gate.set()
    live = [sale(f"live-{n}", site.held(SLOPE, n), opened=n) for n in range(20)]
    closed = [sale(f"closed-{n}", site.held(CITY, n), opened=90, closes=-40) for n in range(20)]
    await world.publish(*closed, *live)
    old = await world.start("labelling").ready()
    await place.until(lambda found: len(found) == 40)
    arriving: list[Sale] = []
    enough = asyncio.Event()
    publishing = asyncio.create_task(publish_steadily(place, arriving, enough))
    await place.until(lambda found: "arriving-0" in found)

    site.gate.clear()
    site.asked.clear()
    assert await old.end(signal.SIGTERM) == 0, old.log.read_text()
    await world.start("labelling", settings=with_labeller(world.settings, labellers[1])).ready()
    async with asyncio.timeout(PATIENCE):
        while not site.holding:  # the backlog waits for images then
            await asyncio.sleep(0.01)
    urgent = await place.labels_of(sale("urgent", site.postcard(SLOPE, 950)))
    assert urgent.labeller == labellers[1].name
    assert {place.newest()[one.sale_id].labeller for one in [*live, *closed]} == {labellers[0].name}

    enough.set()
    await publishing
    site.gate.set()
    everything = [*live, *closed, *arriving]
    await place.until(
        lambda found: all(found.get(one.sale_id, UNSEEN).labeller == urgent.labeller for one in everything)
    )
    order = {path: number for number, path in enumerate(site.asked)}
    when = {one.sale_id: order[urlsplit(one.image_urls[0]).path] for one in live + closed}
    assert max(when[one.sale_id] for one in live[:5]) < min(when[one.sale_id] for one in live[-5:])
    assert max(when[one.sale_id] for one in live[:15]) < min(when[one.sale_id] for one in closed)


def test_a_worker_without_a_labeller_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"\[labelling\] labeller: none is set; name the folder"):
        labelling_app(settings, Vitals())
