"""Workers that serve releases, in tests: started, told what is live, and waited for."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.release_promotion import Live, Promoted, RankerName, promote
from reco.lists import TopTen
from streams.clock import now
from streams.promotions import announce
from streams.releases import RANKERS, chosen
from tests.streams.world import PATIENCE, Running, World, clicks, list_in, newest_lists, open_sales


async def start(world: World, sales: int = 40) -> Running:
    await world.publish(*open_sales(sales))
    return await world.start("sessions", "scoring").ready()


async def make_live(
    world: World, folder: Path, ranker: RankerName = "mix", live: Live[Promoted] | None = None
) -> Live[Promoted]:
    promotion = promote(chosen(folder, ranker), live, now())
    await announce(world.settings.kafka, world.topics.releases.name, RANKERS, promotion)
    return promotion


async def until_served(worker: Running, name: str) -> None:
    await until(worker, lambda health: health["names"]["release"] == name)


async def until(worker: Running, enough: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while (health := await worker.health()) is None or not enough(health):
            assert worker.process.poll() is None, worker.log.read_text()
            await asyncio.sleep(0.02)


async def until_all_name(world: World, visitors: set[str], name: str) -> list[Any]:
    """All records of lists, once the newest list of each of these visitors names this release."""
    view = await world.view(world.topics.recommendations)

    def all_name_it(found: list[Any]) -> bool:
        newest = newest_lists(found)
        return visitors <= newest.keys() and {newest[one].made_from.release for one in visitors} == {name}

    return await view.until(all_name_it)


def lists_in(records: list[Any]) -> list[TopTen]:
    return [list_in(record.value) for record in records]


async def clicks_under_way(world: World, per_second: int, ended: asyncio.Event) -> None:
    """Visitors click, until told to end and no longer than anybody would wait."""
    step = per_second // 10
    for start in range(0, int(PATIENCE) * per_second, step):
        await world.send(*clicks(50, step, sales=40, start=start))
        await asyncio.sleep(0.1)
        if ended.is_set():
            return
