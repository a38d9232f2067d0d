"""The stream from event to list, on a real broker with real workers."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from reco.events import Cart, Impression, Purchase, Sale, Shown
from reco.lists import DEFAULT_VISITOR
from streams.clients import admin, producer, started
from streams.clock import now
from streams.codecs import encode
from streams.dead_letters import MAX_KEY_BYTES, MAX_VALUE_BYTES
from tests.broken_events import broken_events
from tests.streams.world import World, clicks, count_of, list_in, newest_lists, newest_sessions, open_sales

pytestmark = pytest.mark.broker


async def test_a_click_becomes_a_session_and_a_list_of_live_sales(world: World) -> None:
    await world.publish(*open_sales(30), Sale("closed", "Closed", now() - 9000, now() - 5000))
    await world.start("sessions", "scoring").ready()
    click = replace(clicks(1, 1)[0], sale_id="closed")

    await world.send(click)

    lists = await (await world.view(world.topics.recommendations)).until(
        lambda found: "visitor-0" in newest_lists(found)
    )
    sessions = await (await world.view(world.topics.sessions)).until(bool)
    top = newest_lists(lists)["visitor-0"]
    assert [touch.event_id for touch in newest_sessions(sessions)["visitor-0"].recent] == [click.event_id]
    assert len({one.sale_id for one in top.sales}) == 10
    assert "closed" not in {one.sale_id for one in top.sales}
    assert top.made_from.session_offset == newest_sessions(sessions)["visitor-0"].offset


async def test_events_sessions_and_lists_of_a_visitor_live_in_the_same_partition(world: World) -> None:
    await world.publish(*open_sales(12))
    await world.start("sessions", "scoring").ready()

    await world.send(*clicks(40, 40))

    lists = await (await world.view(world.topics.recommendations)).until(
        lambda found: len(newest_lists(found)) >= 41
    )
    sessions = await (await world.view(world.topics.sessions)).until(
        lambda found: len(newest_sessions(found)) == 40
    )
    events = await (await world.view(world.topics.events)).until(lambda found: len(found) == 40)
    home = {one.key: one.partition for one in events}
    assert {one.key: one.partition for one in sessions} == home
    assert {one.key: one.partition for one in lists if one.key in home} == home


async def test_visitors_unknown_so_far_have_a_default_list(world: World) -> None:
    await world.publish(*open_sales(15))
    await world.start("scoring").ready()

    lists = await (await world.view(world.topics.recommendations)).until(bool)

    assert set(newest_lists(lists)) == {DEFAULT_VISITOR}
    assert len(newest_lists(lists)[DEFAULT_VISITOR].sales) == 10


async def test_carts_and_purchases_change_the_session_and_impressions_do_not(world: World) -> None:
    await world.publish(*open_sales(12))
    await world.start("sessions", "scoring").ready()
    shown = Impression("i1", "ann", "list-1", now(), (Shown("sale-1", 1),))

    await world.send(shown, Cart("c1", "ann", "sale-1", now()), Purchase("p1", "ann", "sale-1", now()))

    sessions = await (await world.view(world.topics.sessions)).until(
        lambda found: bool(found) and len(newest_sessions(found)["ann"].recent) == 2
    )
    lists = await (await world.view(world.topics.recommendations)).until(
        lambda found: (
            (top := newest_lists(found).get("ann")) is not None and top.made_from.session_offset == 2
        )
    )
    assert [touch.kind for touch in newest_sessions(sessions)["ann"].recent] == ["cart", "purchase"]
    assert "sale-1" not in [one.sale_id for one in newest_lists(lists)["ann"].sales]


async def test_a_producers_retry_is_counted_once(world: World) -> None:
    await world.start("sessions").ready()
    first, second = clicks(1, 2)

    await world.send(first, first, second, first)

    sessions = await (await world.view(world.topics.sessions)).until(
        lambda found: bool(found) and newest_sessions(found)["visitor-0"].offset == 3
    )
    assert count_of(newest_sessions(sessions)["visitor-0"]) == 2


async def test_a_thousand_kinds_of_broken_messages_are_all_dead_lettered_and_stop_nothing(
    world: World,
) -> None:
    await world.publish(*open_sales(12))
    worker = await world.start("sessions", "scoring").ready()
    broken = broken_events(seed=1, n=1000)
    positions = {}
    for key, value, reasons in broken:
        sent = await world.send_raw(world.topics.events, key, value)
        positions[sent.topic, sent.partition, sent.offset] = reasons, key, value

    await world.send(*clicks(5, 5))

    letters = await (await world.view(world.topics.dead_letters)).until(
        lambda found: len(found) >= len(broken)
    )
    lists = await (await world.view(world.topics.recommendations)).until(
        lambda found: len(newest_lists(found)) == 6
    )
    assert len(newest_lists(lists)) == 6
    found = {}
    for letter in letters:
        headers = {name: value.decode() for name, value in letter.headers}
        place = headers["tenfold.topic"], int(headers["tenfold.partition"]), int(headers["tenfold.offset"])
        found[place] = headers["tenfold.reason"], letter.key, letter.value
        assert headers["tenfold.detail"]
    assert found.keys() == positions.keys()
    for place, (reason, key, value) in found.items():
        reasons, sent_key, sent_value = positions[place]
        assert (reason in reasons, key, value) == (True, sent_key, sent_value)
    assert worker.process.poll() is None


@pytest.mark.parametrize("content", [bytes, os.urandom], ids=["packs well", "cannot be packed"])
async def test_a_record_larger_than_a_dead_letter_is_cut_and_stops_nothing(
    world: World, content: Callable[[int], bytes]
) -> None:
    key, value = content(2 * MAX_KEY_BYTES), content(2 * MAX_VALUE_BYTES)
    await admit_large_records(world)
    await world.start("sessions").ready()
    async with started(
        producer(world.settings.kafka, compression_type="gzip", max_request_size=2**24)
    ) as own:
        await own.send_and_wait(world.topics.events.name, value, key)

    await world.send(*clicks(40, 40))

    (letter,) = await (await world.view(world.topics.dead_letters)).until(bool)
    headers = {name: header.decode() for name, header in letter.headers}
    await (await world.view(world.topics.sessions)).until(lambda found: len(newest_sessions(found)) == 40)
    assert (letter.key, letter.value) == (key[:MAX_KEY_BYTES], value[:MAX_VALUE_BYTES])
    assert headers["tenfold.reason"] == "too-large"
    assert headers["tenfold.value-bytes"] == str(len(value))


async def test_a_record_with_neither_key_nor_value_is_dead_lettered_and_stops_nothing(world: World) -> None:
    await world.start("sessions").ready()
    async with started(producer(world.settings.kafka)) as own:
        batch = own.create_batch()
        batch.append(key=None, value=None, timestamp=None)
        await (await own.send_batch(batch, world.topics.events.name, partition=0))

    await world.send(*clicks(40, 40))

    (letter,) = await (await world.view(world.topics.dead_letters)).until(bool)
    await (await world.view(world.topics.sessions)).until(lambda found: len(newest_sessions(found)) == 40)
    assert dict(letter.headers)["tenfold.reason"] == b"empty"
    assert (letter.key, letter.value) == (None, b"")


async def admit_large_records(world: World) -> None:
    """Make the broker take what no client packed small."""
    topic = world.topics.events
    # What is not named here falls back to its default.
    config = dict(topic.config) | {"max.message.bytes": str(2**24)}
    limit = ConfigResource(ConfigResourceType.TOPIC, topic.name, config)
    async with admin(world.settings.kafka) as client:
        await client.alter_configs([limit])


async def test_an_unknown_event_type_is_counted_and_dropped(world: World) -> None:
    worker = await world.start("sessions").ready()
    await world.send_raw(world.topics.events, b"ann", b'{"type":"dance","visitor_id":"ann"}')

    await world.send(replace(clicks(1, 1)[0], visitor_id="ann"))

    await (await world.view(world.topics.sessions)).until(bool)
    health = await worker.health()
    assert health is not None
    assert health["counts"]["unknown_types"] == 1
    assert health["counts"]["dead_letters"] == 0


async def test_sales_that_cannot_be_read_are_dead_lettered_once_and_the_others_are_live(world: World) -> None:
    await world.start("sessions", "scoring").ready()
    await world.send_raw(world.topics.sales, b"bad", b"{not json")
    upside_down = Sale("late", "Late", now(), now() - 1000)
    await world.send_raw(world.topics.sales, b"late", encode(upside_down))
    await world.publish(*open_sales(3))

    letters = await (await world.view(world.topics.dead_letters)).until(lambda found: len(found) >= 2)
    lists = await (await world.view(world.topics.recommendations)).until(
        lambda found: bool(found) and len(newest_lists(found)[DEFAULT_VISITOR].sales) == 3
    )
    reasons = Counter(dict(letter.headers)["tenfold.reason"].decode() for letter in letters)
    assert reasons == {"not-json": 1, "bad-value": 1}
    assert lists


async def test_a_withdrawn_sale_leaves_the_lists_of_active_visitors(world: World) -> None:
    await world.publish(*open_sales(11))
    await world.start("sessions", "scoring").ready()
    await world.send(*clicks(8, 8))
    view = await world.view(world.topics.recommendations)
    visitors = {f"visitor-{n}" for n in range(8)}
    await view.until(lambda found: visitors <= newest_lists(found).keys())
    held = newest_lists(view.records)["visitor-0"].sales[0].sale_id

    await world.withdraw(held)

    def nobody_holds_it(found: list[object]) -> bool:
        return all(held not in {one.sale_id for one in newest_lists(found)[name].sales} for name in visitors)

    await view.until(nobody_holds_it)
    assert all(len(newest_lists(view.records)[name].sales) == 10 for name in visitors)


async def test_a_sale_that_closes_leaves_the_lists_at_its_time_and_one_that_opens_is_considered(
    world: World,
) -> None:
    worker = await world.start("sessions", "scoring").ready()
    soon = now() + 8000
    fading = [replace(sale, closes_at=soon) for sale in open_sales(5)]
    coming = [replace(sale, sale_id=f"new-{sale.sale_id}", opens_at=soon) for sale in open_sales(5)]
    await world.publish(*fading, *coming)
    while (health := await worker.health()) is None or health["gauges"]["live_sales"] < len(fading):
        await asyncio.sleep(0.05)
    await world.send(*clicks(3, 3))
    view = await world.view(world.topics.recommendations)
    visitors = {f"visitor-{n}" for n in range(3)} | {DEFAULT_VISITOR}
    await view.until(lambda found: visitors <= newest_lists(found).keys())
    old = {one.sale_id for one in fading}
    assert {one.sale_id for one in newest_lists(view.records)["visitor-1"].sales} == old
    assert newest_lists(view.records)["visitor-1"].holds_until == soon

    new = {one.sale_id for one in coming}
    await view.until(
        lambda found: all({x.sale_id for x in newest_lists(found)[v].sales} == new for v in visitors)
    )

    for record in view.records:
        top = list_in(record.value)
        assert {one.sale_id for one in top.sales} <= (new if top.at >= soon else old)
        assert top.at >= soon or record.timestamp < soon + 1000


async def test_an_erased_session_erases_its_list(world: World) -> None:
    await world.publish(*open_sales(12))
    await world.start("sessions", "scoring").ready()
    await world.send(*clicks(1, 1))
    sessions = await (await world.view(world.topics.sessions)).until(bool)
    view = await world.view(world.topics.recommendations)
    await view.until(lambda found: "visitor-0" in newest_lists(found))

    await world.erase(sessions[0])

    await view.until(lambda found: any(one.key == b"visitor-0" and one.value is None for one in found))


async def test_a_sale_published_while_no_scoring_worker_runs_is_considered_once_one_runs_again(
    world: World,
) -> None:
    await world.publish(*open_sales(3))
    await world.start("sessions").ready()
    scoring = await world.start("scoring").ready()
    await world.send(*clicks(5, 5))
    view = await world.view(world.topics.recommendations)
    visitors = {f"visitor-{n}" for n in range(5)}
    await view.until(lambda found: visitors <= newest_lists(found).keys())
    await scoring.end(signal.SIGKILL)
    new = replace(open_sales(1)[0], sale_id="new")
    await world.publish(new)

    world.start("scoring")

    await view.until(
        lambda found: all("new" in {one.sale_id for one in newest_lists(found)[v].sales} for v in visitors)
    )
