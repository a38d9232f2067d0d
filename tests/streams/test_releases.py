"""Releases go live under load, nothing by halves; what is broken is refused; one command goes back."""

import asyncio
import shutil
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from models.release_promotion import promote
from reco.lists import DEFAULT_VISITOR
from reco.parameters import DAY, Parameters, PopularityParameters
from streams.clock import now
from streams.codecs import LIVE_LABELLER, LIVE_RELEASE, encode
from streams.promotions import announce
from streams.releases import BLEND, RANKERS, Basis, Served, chosen, load
from tests.models.small_models import release
from tests.streams.recomputation import all_of, computed_again
from tests.streams.serving import (
    clicks_under_way,
    lists_in,
    make_live,
    start,
    until,
    until_all_name,
    until_served,
)
from tests.streams.world import World, clicks, expect_lists_after_the_last_event

pytestmark = pytest.mark.broker

PATIENT = Parameters(popularity=PopularityParameters(now=DAY, recent=DAY, today=DAY))


async def test_under_load_every_event_has_its_list_and_every_list_is_whole_of_one_release(
    world: World, tmp_path: Path
) -> None:
    folder = release(tmp_path, seed=1)
    worker = await start(world)
    ended = asyncio.Event()
    clicking = asyncio.create_task(clicks_under_way(world, 300, ended))
    await until(worker, lambda health: health["counts"].get("lists", 0) >= 500)

    promotion = await make_live(world, folder)

    await until_served(worker, promotion.name)
    health = await worker.health()
    assert health is not None
    so_far = health["counts"]["lists"]
    await until(worker, lambda health: health["counts"]["lists"] >= so_far + 500)
    ended.set()
    await clicking

    newest = await expect_lists_after_the_last_event(world)
    assert {top.made_from.release for top in newest.values()} == {promotion.name}
    records = await until_all_name(world, {DEFAULT_VISITOR, *newest}, promotion.name)
    for partition in {record.partition for record in records}:
        names = [top.made_from.release for top in lists_in([r for r in records if r.partition == partition])]
        assert names == sorted(names, key=[BLEND.ranker.release, promotion.name].index)
    lists = lists_in(records)
    served = {BLEND.ranker.release: BLEND, promotion.name: load(promotion.promoted)}
    assert await computed_again(world, lists, served) == lists
    for mistaken in ({BLEND.ranker.release: load(promotion.promoted)}, {promotion.name: BLEND}):
        other = await computed_again(world, lists, served | mistaken)
        assert sum(one.sales != top.sales for one, top in zip(other, lists, strict=True)) > 100


async def test_a_release_with_other_parameters_is_served_with_knowledge_of_those(
    world: World, tmp_path: Path
) -> None:
    worker = await start(world)
    three_hours = [replace(one, ts=one.ts - (600 - n) * 18_000) for n, one in enumerate(clicks(30, 600, 40))]
    await world.send(*three_hours)
    appended = max(record.timestamp for record in await all_of(world, world.topics.events)) // 1000
    await until(worker, lambda health: health["gauges"]["knowledge_second"] == appended)
    ended = asyncio.Event()
    clicking = asyncio.create_task(clicks_under_way(world, 100, ended))

    promotion = await make_live(world, release(tmp_path, seed=1, parameters=PATIENT))

    await until_served(worker, promotion.name)
    ended.set()
    await clicking
    newest = await expect_lists_after_the_last_event(world)
    lists = lists_in(await until_all_name(world, set(newest), promotion.name))
    of_it = [top for top in lists if top.made_from.release == promotion.name]
    assert min(top.made_from.knowledge_second for top in of_it) >= appended
    served = {BLEND.ranker.release: BLEND, promotion.name: load(promotion.promoted)}
    assert load(promotion.promoted).basis.parameters == PATIENT
    assert await computed_again(world, lists, served) == lists
    served[promotion.name] = Served(load(promotion.promoted).ranker, Basis())
    assert await computed_again(world, lists, served) != lists


async def test_visitors_who_do_not_click_get_lists_of_the_new_release_too(
    world: World, tmp_path: Path
) -> None:
    await start(world)
    await world.send(*clicks(20, 20))
    visitors = {DEFAULT_VISITOR, *await expect_lists_after_the_last_event(world)}

    promotion = await make_live(world, release(tmp_path, seed=1), "visits")

    await until_all_name(world, visitors, f"{promotion.promoted.release_id}/visits")


async def test_a_broken_release_is_refused_labellers_are_no_matter_and_the_old_one_serves_on(
    world: World, tmp_path: Path
) -> None:
    worker = await start(world)
    first = await make_live(world, release(tmp_path, seed=1))
    await until_served(worker, first.name)
    broken = promote(chosen(release(tmp_path, seed=2), "mix"), first, now())
    with (Path(broken.promoted.path) / "mix.lgb.txt").open("ab") as model:
        model.write(b" ")

    await world.send_raw(world.topics.releases, LIVE_LABELLER, b"{")
    await world.send_raw(world.topics.releases, LIVE_RELEASE, encode(broken))
    await world.send_raw(world.topics.releases, LIVE_RELEASE, b"{")
    await world.send_raw(world.topics.releases, b"life", encode(broken))

    await until(worker, lambda health: health["counts"].get("releases_refused") == 3)
    await world.send(*clicks(5, 50))
    newest = await expect_lists_after_the_last_event(world)
    assert {top.made_from.release for top in newest.values()} == {first.name}
    told = worker.log.read_text()
    assert told.count(f"release {broken.name} is refused, {first.name} goes on serving") == 1
    assert "mix.lgb.txt: its" in told
    assert told.count("is no promotion") == 2

    third = await make_live(world, release(tmp_path, seed=3), live=broken)
    await until_served(worker, third.name)


async def test_a_worker_begins_with_the_newest_release_that_loads_and_emits_again_what_it_overtakes(
    world: World, tmp_path: Path
) -> None:
    worker = await start(world)
    await world.send(*clicks(5, 5))
    visitors = {DEFAULT_VISITOR, *await expect_lists_after_the_last_event(world)}
    await worker.end(signal.SIGKILL)
    first = await make_live(world, release(tmp_path, seed=1, parameters=PATIENT))
    gone = await make_live(world, release(tmp_path, seed=2), live=first)
    shutil.rmtree(gone.promoted.path)

    worker = await world.start("sessions", "scoring").ready()

    await until_served(worker, first.name)
    lists = lists_in(await until_all_name(world, visitors, first.name))
    served = {BLEND.ranker.release: BLEND, first.name: load(first.promoted)}
    assert await computed_again(world, lists, served) == lists


async def test_a_tombstone_brings_the_built_in_blend_back(world: World, tmp_path: Path) -> None:
    worker = await start(world)
    promotion = await make_live(world, release(tmp_path, seed=1, parameters=PATIENT))
    await until_served(worker, promotion.name)

    await announce(world.settings.kafka, world.topics.releases.name, RANKERS, None)

    await until_served(worker, BLEND.ranker.release)
    await world.send(*clicks(5, 50))
    newest = await expect_lists_after_the_last_event(world)
    assert {top.made_from.release for top in newest.values()} == {BLEND.ranker.release}
