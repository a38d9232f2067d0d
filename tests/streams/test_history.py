"""History read from the topics is what a worker learned: retries once, what came late late."""

import numpy as np
from msgspec.structs import replace

from models.event_table import EventTable
from models.targets import next_clicks
from models.walk import Walk, after_each, questions
from reco.catalogue import Catalogue
from reco.events import Click, Impression, Shown
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.sessions import VISIT_SILENCE
from streams.clock import now
from streams.feeds import KnowledgeFeed
from streams.history import read_history, read_labels, read_sales
from tests.reco.labelled import labels
from tests.streams.recomputation import all_of
from tests.streams.world import World, open_sales

ALL = tuple(FEATURES)
MINUTE = 60_000


def click(number: int, ts: int, visitor: str = "ann", sale: int | None = None) -> Click:
    return Click(
        f"e{number}", visitor, f"sale-{number if sale is None else sale}", ts, context={"device": "pc"}
    )


async def learned(world: World) -> Knowledge:
    """What a worker knows of all that stands on `events`."""
    feed = KnowledgeFeed(world.settings.kafka, world.topics.events, Knowledge())
    await feed.build()
    newest = max(record.timestamp for record in await all_of(world, world.topics.events)) // 1000
    await feed.read_until(lambda: feed.over >= newest)
    await feed.close()
    return feed.knowledge


def replayed(table: EventTable) -> Knowledge:
    """What training knows once it has gone through all of `table`."""
    walk, knowledge = after_each(table, next_clicks(table)), Knowledge()
    end = Walk(
        table,
        steps=np.append(walk.steps[walk.steps >= 0], ~0),
        ts=walk.ts,
        appended=walk.appended,
        targets=walk.targets,
        asked_at=walk.asked_at,
        asked_in=np.full(len(table), walk.appended.max() + 1),
    )
    assert len(list(questions(end, knowledge))) == 1
    return knowledge


def said(knowledge: Knowledge, catalogue: Catalogue, at: int) -> bytes:
    """Every feature of every live sale, for a visitor who is not known."""
    query = knowledge.query(None, knowledge.candidates(catalogue.live(at)), at)
    return knowledge.describe(query, ALL).tobytes()


async def test_training_knows_what_a_worker_knows_bit_for_bit(world: World) -> None:
    sales, at = open_sales(8), now()
    await world.publish(*sales)
    visit = [click(number, at - (9 - number) * MINUTE, f"v{number % 3}", number % 8) for number in range(9)]
    await world.send(*visit, *visit[:4], click(20, at - 30_000, "v1", 3), click(21, at + MINUTE, "v2", 4))
    await world.send(click(22, at - 12 * MINUTE, "v2", 5), visit[8], click(23, at, "v0", 6))
    table, catalogue = await read_history(world.settings)
    assert len(table) == 9 + 4
    asked_at = now()
    assert said(replayed(table), catalogue, asked_at) == said(await learned(world), catalogue, asked_at)


async def test_an_event_that_a_producer_sent_again_stands_there_once(world: World) -> None:
    at = now()
    first, second = click(1, at - MINUTE), click(2, at)
    await world.send(first, second, first, click(1, at - MINUTE, "bob"), second, first)
    table, _ = await read_history(world.settings)
    assert sorted(zip(table.visitors.tolist(), table.ts.tolist(), strict=True)) == [
        (0, at - MINUTE),
        (0, at),
        (1, at - MINUTE),
    ]


async def test_what_was_imported_stands_in_its_own_time_and_what_was_late_where_it_came(world: World) -> None:
    at = now()
    old = [click(number, at - 90 * 24 * 60 * MINUTE + number * MINUTE) for number in (3, 1, 2)]
    late = click(11, at - VISIT_SILENCE + MINUTE, "bob")
    await world.send(*old, late)
    table, _ = await read_history(world.settings)
    assert [table.sale_ids[sale] for sale in table.sales] == ["sale-1", "sale-2", "sale-3", "sale-11"]
    assert table.appended[:3].tolist() == table.ts[:3].tolist()
    assert table.appended[3] >= at > table.ts[3]


async def test_impressions_are_no_rows_and_what_cannot_be_read_is_left_out(world: World) -> None:
    at = now()
    await world.send(
        click(1, at), Impression("i1", "ann", "l1", at, (Shown("sale-1", 1), Shown("sale-9", 2)))
    )
    await world.send_raw(world.topics.events, b"ann", b"{")
    table, _ = await read_history(world.settings)
    assert [table.sale_ids[sale] for sale in table.sales] == ["sale-1"]
    assert [table.sale_ids[sale] for sale in table.shown_to(0)] == ["sale-1", "sale-9"]


async def test_a_sale_that_was_withdrawn_could_be_listed_before_but_not_afterwards(world: World) -> None:
    rome, oslo, later = sales = open_sales(3)
    before = now()
    await world.publish(*sales[:2], replace(later, opens_at=before + 60 * MINUTE))
    for one in (oslo, later):
        await world.withdraw(one.sale_id)
    _, catalogue = await read_history(world.settings)
    assert catalogue.live(before).ids == (rome.sale_id, oslo.sale_id)
    said = [rome.closes_at, oslo.closes_at]
    assert catalogue.live(before).closes_at.tolist() == said, "training knows what nobody knew then"
    assert catalogue.live(now() + 1).ids == (rome.sale_id,)
    assert catalogue.live(before + 61 * MINUTE).ids == (rome.sale_id,)
    assert [one.sale_id for one in (await read_sales(world.settings)).sales()] == [rome.sale_id]


async def test_sales_of_all_partitions_are_read_if_the_settings_say_another_number(world: World) -> None:
    await world.publish(*(sales := open_sales(20)))
    settings = replace(world.settings, topics=replace(world.settings.topics, partitions=1))
    read = await read_sales(settings)
    assert {sale.sale_id for sale in read.sales()} == {sale.sale_id for sale in sales}


async def test_labels_are_the_newest_of_each_sale_without_those_taken_back(world: World) -> None:
    await world.label(labels("rome", [1.0]), labels("oslo"), labels("bari"), labels("rome", [0.6, 0.8]))
    await world.send_raw(world.topics.sale_labels, b"oslo", None)
    await world.send_raw(world.topics.sale_labels, b"bari", b"{")
    found = {one.sale_id: one for one in await read_labels(world.settings)}
    assert found == {"bari": labels("bari"), "rome": labels("rome", [0.6, 0.8])}
