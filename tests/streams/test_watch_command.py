"""`tenfold watch` shows lists as a CMS sees them: the newest one at once, then each as it is refreshed."""

import asyncio
import json
import os
import signal
import subprocess
from contextlib import aclosing
from pathlib import Path

import pytest

from infra.broker import Broker
from reco.events import Sale
from reco.lists import DEFAULT_VISITOR, Provenance, Reason, Recommendation, TopTen
from streams.codecs import encode
from streams.commands.watch import lists
from streams.supervisor import environment_of
from tests.streams.command_line import TENFOLD
from tests.streams.world import World, open_sales

pytestmark = pytest.mark.broker

NOTHING = Provenance(0, 0, 0, (), "r")
AT = 1_800_000_000_000
GOES_ON = "Lists come again once one does; Ctrl-C ends it."


async def emit(world: World, visitor: str, name: str, *sale_ids: str) -> TopTen:
    """Put a list onto the topic."""
    sales = tuple(Recommendation(sale_id, 0.5) for sale_id in sale_ids)
    one = TopTen(name, visitor, AT, None, sales, NOTHING)
    await world.send_raw(world.topics.recommendations, visitor.encode(), encode(one))
    return one


def tenfold_watch(world: World, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = environment_of(world.settings) | {"COLUMNS": "140"}
    pythonpath = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [*TENFOLD, "watch", *arguments],
        env=environment | {"PYTHONPATH": pythonpath},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )


async def output_of(process: "subprocess.Popen[str]") -> str:
    output, _ = await asyncio.to_thread(process.communicate, timeout=60)
    return output


async def test_the_newest_list_comes_first_and_then_each_as_it_is_refreshed(world: World) -> None:
    await emit(world, "ann", "older", "sale-1")
    await emit(world, "ann", "newer", "sale-2")
    titles: dict[str, str] = {}
    async with aclosing(lists(world.settings, "ann", titles)) as seen, asyncio.timeout(30):
        assert (await anext(seen)).list_id == "newer"
        await emit(world, "bob", "of another visitor")
        await emit(world, "ann", "newest", "sale-3")
        assert (await anext(seen)).list_id == "newest"


async def test_without_a_visitor_it_begins_with_the_default_list_and_shows_all(
    world: World,
) -> None:
    await emit(world, DEFAULT_VISITOR, "default")
    await emit(world, "ann", "before")
    async with aclosing(lists(world.settings, None, {})) as seen, asyncio.timeout(30):
        assert (await anext(seen)).list_id == "default"
        await emit(world, "ann", "of ann")
        assert (await anext(seen)).list_id == "of ann"
        await emit(world, "bob", "of bob")
        assert (await anext(seen)).list_id == "of bob"


async def test_a_broker_that_is_gone_is_said_once_and_lists_come_again_once_it_is_back(
    world: World, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.commands.watch.SILENCE", 1.0)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with aclosing(lists(world.settings, "ann", {}, told.put_nowait)) as seen, asyncio.timeout(30):
        first = asyncio.create_task(anext(seen))
        await emit(world, "ann", "before")
        assert (await first).list_id == "before"
        again = asyncio.create_task(anext(seen))
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            assert await told.get() == f"No broker at {broker.bootstrap_servers} answers. " + GOES_ON
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert await told.get() == "A broker answers again."
        await emit(world, "ann", "after")
        assert (await again).list_id == "after"


async def test_titles_follow_the_sales_topic(world: World) -> None:
    await world.publish(*open_sales(3))
    await emit(world, "ann", "first", "sale-0")
    titles: dict[str, str] = {}
    async with aclosing(lists(world.settings, "ann", titles)) as seen, asyncio.timeout(30):
        await anext(seen)
        assert titles == {"sale-0": "Sale 0", "sale-1": "Sale 1", "sale-2": "Sale 2"}
        await world.publish(Sale("sale-1", "Renamed", AT))
        while titles["sale-1"] != "Renamed":
            await emit(world, "ann", "again")
            await anext(seen)


async def test_records_that_are_no_lists_and_erased_visitors_are_passed_over(world: World) -> None:
    async with aclosing(lists(world.settings, "ann", {})) as seen, asyncio.timeout(30):
        await world.send_raw(world.topics.recommendations, b"ann", None)
        first = asyncio.create_task(anext(seen))
        await emit(world, "ann", "before")
        while not first.done():
            await world.send_raw(world.topics.recommendations, b"ann", b"?")
            await emit(world, "ann", "a list")
        assert (await first).visitor_id == "ann"


async def test_the_command_prints_titles(world: World, tmp_path: Path) -> None:
    await world.publish(*open_sales(2))
    await emit(world, "[/ann]", "a list", "sale-1", "sale-0", "unknown")
    watch = tenfold_watch(world, tmp_path, "[/ann]", "--count", "1")
    output = await output_of(watch)
    assert watch.returncode == 0
    assert " [/ann] " in output
    assert output.index("Sale 1") < output.index("Sale 0") < output.index("unknown")


async def test_the_command_says_in_words_why_a_sale_is_listed(world: World, tmp_path: Path) -> None:
    await world.publish(*open_sales(2))
    reasons = Reason("image", 0.8, like="sale-0"), Reason("everything else", -4.0)
    sales = Recommendation("sale-1", 0.5, reasons=reasons), Recommendation("sale-0", 0.25)
    one = TopTen("a list", "ann", AT, None, sales, NOTHING)
    await world.send_raw(world.topics.recommendations, b"ann", encode(one))
    watch = tenfold_watch(world, tmp_path, "ann", "--count", "1")
    _, first, second, *_ = (await output_of(watch)).splitlines()
    assert "looks like Sale 0, which you looked at" in first
    assert second.split()[1:-1] == ["2", "Sale", "0", "0.25"]


async def test_json_is_one_list_per_line_as_it_stands_on_the_topic(world: World, tmp_path: Path) -> None:
    emitted = await emit(world, "ann", "a list", "sale-1")
    watch = tenfold_watch(world, tmp_path, "ann", "--json", "--count", "1")
    (line,) = (await output_of(watch)).splitlines()
    assert watch.returncode == 0
    assert json.loads(line) == json.loads(encode(emitted))


async def test_ctrl_c_ends_the_watch_cleanly(world: World, tmp_path: Path) -> None:
    await emit(world, "ann", "a list", "sale-1")
    watch = tenfold_watch(world, tmp_path, "ann", "--json")
    assert watch.stdout is not None
    assert "a list" in await asyncio.to_thread(watch.stdout.readline)
    watch.send_signal(signal.SIGINT)
    await output_of(watch)
    assert watch.returncode == 0
