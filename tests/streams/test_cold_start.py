"""A new sale that looks like what a visitor touched is in their list before anyone clicked it."""

import signal
from pathlib import Path
from typing import Any

import pytest

from reco.events import Click, Sale
from reco.retrieval import MAX_SCORED
from streams.clock import now
from tests.models.image_ranker import SEA, STONE, looking_release, looks
from tests.streams.serving import make_live, until_served
from tests.streams.world import World, expect_lists_after_the_last_event, listed, newest_lists, open_sales

pytestmark = pytest.mark.broker

FEW, MANY = 40, MAX_SCORED + 40
"""Live sales that are all scored, and so many that only candidates are."""
BEACH = tuple(f"sale-{number}" for number in range(5))
SEASIDE = tuple(f"seaside-{number}" for number in range(6))
CITY = tuple(f"city-{number}" for number in range(6))
NEW = Sale("the new one", "Ten days of sand", now())


async def begin(world: World, folder: Path, sales: int) -> None:
    """Labelled sales, a worker with a ranker that looks at images, and visitors of two tastes."""
    await world.publish(*open_sales(sales))
    await world.label(*(looks(f"sale-{n}", SEA if n < len(BEACH) else STONE) for n in range(sales)))
    worker = await world.start("sessions", "scoring").ready()
    promotion = await make_live(world, looking_release(folder))
    await until_served(worker, promotion.name)
    await world.send(*(click(who, BEACH[n % 3]) for n, who in enumerate(SEASIDE)))
    await world.send(*(click(who, f"sale-{20 + n}") for n, who in enumerate(CITY)))
    await expect_lists_after_the_last_event(world)


def click(visitor_id: str, sale_id: str) -> Click:
    return Click(f"{visitor_id}-{sale_id}", visitor_id, sale_id, now())


async def until_lists_know(world: World, sales: int) -> list[Any]:
    """All lists, once the newest one of every visitor was made from so many records of `sales`."""
    view = await world.view(world.topics.recommendations)

    def all_know(found: list[Any]) -> bool:
        newest = newest_lists(found)
        known = {who for who, top in newest.items() if sum(top.made_from.sales_offsets) == sales}
        return known >= {*SEASIDE, *CITY}

    return await view.until(all_know)


async def test_a_new_sale_is_listed_once_it_is_labelled_to_those_whom_it_suits_and_to_nobody_else(
    world: World, tmp_path: Path
) -> None:
    await begin(world, tmp_path, MANY)
    await world.publish(NEW)
    assert listed(await until_lists_know(world, MANY + 1), NEW.sale_id) == set()

    await world.label(looks(NEW.sale_id, SEA))
    view = await world.view(world.topics.recommendations)
    lists = await view.until(lambda found: listed(found, NEW.sale_id) >= {*SEASIDE})

    assert listed(lists, NEW.sale_id) == {*SEASIDE}
    for who in SEASIDE:
        best = newest_lists(lists)[who].sales[: len(BEACH) + 1]
        assert {one.sale_id for one in best} == {*BEACH, NEW.sale_id}
        ((reason, *_),) = (one.reasons for one in best if one.sale_id == NEW.sale_id)
        assert reason.like in BEACH


async def test_what_is_labelled_while_no_worker_scores_is_in_lists_once_one_does(
    world: World, tmp_path: Path
) -> None:
    await begin(world, tmp_path, FEW)
    await world.publish(NEW)
    await until_lists_know(world, FEW + 1)
    await world.workers[0].end(signal.SIGTERM)
    await world.label(looks(NEW.sale_id, SEA))

    await world.start("sessions", "scoring").ready()

    view = await world.view(world.topics.recommendations)
    await view.until(lambda found: listed(found, NEW.sale_id) >= {*SEASIDE})
