"""Every list is the same again from the topics: while texts and labels change, and by rules of the shop."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from reco.events import Sale
from reco.labels import Unlabelled
from reco.lists import TopTen
from reco.policy import Rules
from streams.releases import BLEND, Basis, Served, load
from tests.models.described_sales import UNKNOWN, reading_release, renamed, titled
from tests.models.image_ranker import SEA, STONE, looking_release, looks
from tests.reco.worlds import NOON
from tests.streams.recomputation import all_of, computed_again, log_of
from tests.streams.serving import clicks_under_way, lists_in, make_live, until, until_served
from tests.streams.world import World, clicks, expect_lists_after_the_last_event, open_sales

pytestmark = pytest.mark.broker

SALES = 40


def described_sales() -> list[Sale]:
    return [renamed(sale, titled(number)) for number, sale in enumerate(open_sales(SALES))]


async def change_the_catalogue(world: World, start: int) -> None:
    """Some sales get another text, or one that says nothing, and some are withdrawn or come back."""
    sales = described_sales()
    for number in range(start, start + 6):
        await world.publish(renamed(sales[number], titled(number + 3)), renamed(sales[-number], UNKNOWN))
        await world.withdraw(f"sale-{number + 6}")
        await asyncio.sleep(0.1)
        await world.publish(sales[number + 6])


async def lists_of(world: World) -> list[TopTen]:
    """All lists, once every visitor has that of their last event."""
    await expect_lists_after_the_last_event(world)
    return lists_in(await all_of(world, world.topics.recommendations))


async def test_lists_by_the_texts_of_sales_are_the_same_again_while_these_change(
    world: World, tmp_path: Path
) -> None:
    folder = reading_release(tmp_path)
    await world.publish(*described_sales())
    worker = await world.start("sessions", "scoring").ready()
    ended = asyncio.Event()
    clicking = asyncio.create_task(clicks_under_way(world, 100, ended))
    await until(worker, lambda health: health["counts"].get("lists", 0) >= 100)

    promotion = await make_live(world, folder)
    await change_the_catalogue(world, 1)
    await until_served(worker, promotion.name)
    await change_the_catalogue(world, 14)
    ended.set()
    await clicking

    lists = await lists_of(world)
    assert len({top.made_from.sales_offsets for top in lists}) > 10
    live = load(promotion.promoted)
    served = {BLEND.ranker.release: BLEND, promotion.name: live}
    assert await computed_again(world, lists, served) == lists
    served[promotion.name] = Served(live.ranker, Basis())
    assert await computed_again(world, lists, served) != lists


async def label_anew(world: World, labeller: str, kinds: int) -> None:
    """A labeller goes through all sales; some lose their labels, are withdrawn, or come back meanwhile."""
    sales = open_sales(SALES)
    for number, sale in enumerate(sales):
        like = SEA if number % kinds else STONE
        await world.label(looks(sale.sale_id, like, labeller, kinds, NOON + kinds))
        if number % 8 == kinds:
            await world.send_raw(world.topics.sale_labels, b"sale-3", None)
            await world.withdraw(f"sale-{number + 1}")
            await asyncio.sleep(0.2)
            await world.publish(sales[number + 1])


async def test_lists_by_images_are_the_same_again_while_sales_are_labelled_and_labelled_anew(
    world: World, tmp_path: Path
) -> None:
    await world.publish(*open_sales(SALES))
    worker = await world.start("sessions", "scoring").ready()
    promotion = await make_live(world, looking_release(tmp_path))
    await until_served(worker, promotion.name)
    ended = asyncio.Event()
    clicking = asyncio.create_task(clicks_under_way(world, 50, ended))
    await until(worker, lambda health: health["counts"].get("lists", 0) >= 50)

    await label_anew(world, "first", kinds=2)
    await label_anew(world, "second", kinds=3)
    ended.set()
    await clicking

    lists, served = (
        await lists_of(world),
        {promotion.name: load(promotion.promoted), BLEND.ranker.release: BLEND},
    )
    assert not all(top.made_from.labels_offsets for top in lists)
    assert len({top.made_from.labels_offsets for top in lists}) > 20
    assert await computed_again(world, lists, served) == lists
    log = await log_of(world)
    unseen = [(partition, offset, Unlabelled(fact.sale_id)) for partition, offset, fact in log.labels]
    without = await computed_again(world, lists, served, log=log._replace(labels=unseen))
    assert sum(one.sales != top.sales for one, top in zip(without, lists, strict=True)) > 100


async def test_lists_by_the_rules_of_the_shop_name_them_and_are_the_same_again(world: World) -> None:
    rules = Rules(excluded_tags=("secret",), caps={"brand:": 2}, diversity=0.3, exploration=0.2)
    tags = (("brand:a",), ("brand:b", "beach"), ("secret",), ("beach",))
    tagged = [replace(sale, tags=tags[number % 4]) for number, sale in enumerate(open_sales(SALES))]
    await world.publish(*tagged)
    await world.start("sessions", "scoring", settings=replace(world.settings, rules=rules)).ready()

    await world.send(*clicks(50, 300, sales=SALES))
    await world.publish(replace(tagged[3], tags=("secret",)))
    await world.send(*clicks(50, 300, sales=SALES, start=300))

    lists = await lists_of(world)
    assert {top.made_from.rules for top in lists} == {rules.digest()}
    listed = [{one.sale_id for one in top.sales} for top in lists]
    assert not set().union(*listed) & {sale.sale_id for sale in tagged if "secret" in sale.tags}
    assert any(one.propensity < 0.2 for top in lists for one in top.sales)
    assert await computed_again(world, lists, {BLEND.ranker.release: BLEND}, rules) == lists
    assert await computed_again(world, lists, {BLEND.ranker.release: BLEND}) != lists


async def test_lists_of_active_visitors_are_emitted_again_when_a_worker_starts_with_other_rules(
    world: World,
) -> None:
    await world.publish(*open_sales(SALES))
    worker = await world.start("sessions", "scoring").ready()
    await world.send(*clicks(5, 5, sales=SALES))
    before = await expect_lists_after_the_last_event(world)
    worker.process.kill()

    excluded = tuple(sorted({top.sales[0].sale_id for top in before.values()}))
    rules = Rules(excluded_sales=excluded)
    await world.start("sessions", "scoring", settings=replace(world.settings, rules=rules)).ready()

    view = await world.view(world.topics.recommendations)
    records = await view.until(
        lambda found: (
            {top.visitor_id for top in lists_in(found) if top.made_from.rules == rules.digest()}
            >= before.keys()
        )
    )
    by_rules = [top for top in lists_in(records) if top.made_from.rules]
    assert not {one.sale_id for top in by_rules for one in top.sales} & set(excluded)
