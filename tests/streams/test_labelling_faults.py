"""Labelling workers are killed, and another labeller is promoted, while sales arrive: none is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from reco.events import Sale
from streams.images.fetching import PER_HOST
from streams.images.settings import Images
from streams.labellers import chosen
from streams.settings import Labelling
from tests.streams.labellers import KINDS, write
from tests.streams.labelling_place import Place, place_in, sale, with_labeller
from tests.streams.world import PATIENCE, Running, World

pytestmark = [pytest.mark.broker, pytest.mark.faults]

CITY, SLOPE, _ = KINDS


@pytest.fixture(scope="module")
def labellers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two labellers."""
    folder = tmp_path_factory.mktemp("labellers")
    return write(folder, 1), write(folder, 2)


@pytest.fixture
async def place(world: World, labellers: tuple[Path, Path]) -> AsyncIterator[Place]:
    """A place of its own, without workers."""
    world.settings = with_labeller(world.settings, labellers[0])
    async with place_in(world) as made:
        yield made


async def counted(worker: Running, what: str) -> int:
    health = await worker.health()
    assert health is not None
    return int(health["counts"].get(what, 0))


async def test_workers_with_a_promoted_labeller_share_the_load_and_one_that_is_killed_in_it_loses_no_sale(
    place: Place, labellers: tuple[Path, Path]
) -> None:
    world, site = place.world, place.site
    world.settings = replace(world.settings, labelling=Labelling())
    await place.promote(chosen(labellers[0]))
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
        while site.holding <= PER_HOST:  # more than one worker asks for
            await asyncio.sleep(0.01)
    await one.end(signal.SIGKILL)
    site.gate.set()

    found = await place.all_labelled(held)
    assert all(found[one.sale_id].images == 1 for one in held)


async def test_a_worker_asks_no_private_address_unless_it_is_allowed_to(place: Place) -> None:
    world, site = place.world, place.site
    world.settings = replace(world.settings, images=Images())
    await world.start("labelling").ready()
    found = await place.labels_of(sale("inside", site.postcard(CITY, 1)))
    assert (found.images, found.vector()) == (0, None)
    (letter,) = await place.letters.until(bool)
    assert dict(letter.headers)["tenfold.reason"] == b"image-private-address"
    assert not site.asked


@pytest.mark.slow
async def test_a_promoted_labeller_labels_all_again_live_and_newest_first_and_neither_loses_nor_delays_others(
    place: Place, labellers: tuple[Path, Path]
) -> None:
    world, site = place.world, place.site
    site.gate.set()
    live = [sale(f"live-{n}", site.held(SLOPE, n), opened=n) for n in range(20)]
    closed = [sale(f"closed-{n}", site.held(CITY, n), opened=90, closes=-40) for n in range(20)]
    await world.publish(*closed, *live)
    await world.start("labelling").ready()
    await place.until(lambda found: len(found) == 40)
    async with place.sales_arriving(CITY) as arriving:
        site.gate.clear()
        site.asked.clear()
        await place.promote(chosen(labellers[1]))
        async with asyncio.timeout(PATIENCE):
            while not site.holding:  # the backlog waits for images then
                await asyncio.sleep(0.01)
        urgent = await place.labels_of(sale("urgent", site.postcard(SLOPE, 950)))
        assert urgent.labeller == labellers[1].name
        assert {place.newest()[one.sale_id].labeller for one in [*live, *closed]} == {labellers[0].name}
    site.gate.set()
    await place.all_labelled_by(urgent.labeller, [*live, *closed, *arriving])
    order = {path: number for number, path in enumerate(site.asked)}
    when = {one.sale_id: order[urlsplit(one.image_urls[0]).path] for one in live + closed}
    assert max(when[one.sale_id] for one in live[:5]) < min(when[one.sale_id] for one in live[-5:])
    assert max(when[one.sale_id] for one in live[:15]) < min(when[one.sale_id] for one in closed)
