"""Knowledge is a function of the log alone: followed as it grows or built afterwards, it is the same."""

import asyncio
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from models.blend import Blend
from reco.catalogue import Catalogue
from reco.errors import DeliveryError
from reco.events import Click
from reco.knowledge import Knowledge
from reco.policy import UNRESTRICTED
from reco.rules import rules_in_force
from reco.sessions import Session, fold
from reco.top_ten import Serving, top_ten
from streams.clock import now
from streams.codecs import encode
from streams.feeds import CatalogueFeed, KnowledgeFeed
from streams.settings import Kafka, Settings, Topics
from streams.topics import topic_set
from tests.streams.world import PATIENCE, World, clicks, make_anew, open_sales

pytestmark = pytest.mark.broker


def session_of(events: list[Click]) -> Session:
    session = None
    for offset, event in enumerate(events):
        session = fold(session, event, offset)
    assert session is not None
    return session


async def until_second(feed: KnowledgeFeed, knowledge: Knowledge, second: int) -> None:
    """Build, and follow until knowledge includes `second`."""
    await feed.build()
    following = asyncio.create_task(feed.follow())
    async with asyncio.timeout(PATIENCE):
        while knowledge.second < second:
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await feed.close()


async def test_the_same_list_comes_of_knowledge_followed_and_of_knowledge_built_afterwards(
    world: World,
) -> None:
    await world.publish(*open_sales(40))
    catalogue = Catalogue(world.topics.sales.partitions)
    sales = CatalogueFeed(world.settings.kafka, world.topics.sales, catalogue)
    await sales.build()
    await sales.close()
    followed, built = Knowledge(), Knowledge()
    follower = KnowledgeFeed(world.settings.kafka, world.topics.events, followed)
    await follower.build()
    following = asyncio.create_task(follower.follow())
    sent: list[Click] = []
    for start in range(0, 900, 100):
        batch = clicks(30, 100, sales=40, start=start)
        await world.send(*batch)
        sent.extend(batch)
        await asyncio.sleep(0.3)
    view = await world.view(world.topics.events)
    last = max(one.timestamp // 1000 for one in await view.until(lambda found: len(found) == len(sent)))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await until_second(follower, followed, last)
    await until_second(KnowledgeFeed(world.settings.kafka, world.topics.events, built), built, last)

    visitor, at = session_of(sent[:6]), now()
    in_force = rules_in_force(UNRESTRICTED, catalogue.live(at), catalogue)
    servings = Serving(followed, Blend()), Serving(built, Blend())
    lists = [top_ten(visitor, 0, serving, catalogue, in_force, at) for serving in servings]
    assert encode(lists[0]) == encode(lists[1])
    assert lists[0].made_from.knowledge_second == last
    assert any(one.score > 0 for one in lists[0].sales)


async def test_a_second_is_learned_once_it_is_over_and_not_before(world: World) -> None:
    knowledge = Knowledge()
    feed = KnowledgeFeed(world.settings.kafka, world.topics.events, knowledge)
    await feed.build()
    await world.send(*clicks(1, 1))
    (record,) = await (await world.view(world.topics.events)).until(bool)

    await until_second(feed, knowledge, record.timestamp // 1000)

    assert knowledge.second == record.timestamp // 1000
    assert now() // 1000 > knowledge.second
    assert feed.late == 0


async def test_a_feed_that_is_built_and_not_followed_yet_does_not_stand_still(world: World) -> None:
    feed = CatalogueFeed(world.settings.kafka, world.topics.sales, Catalogue(world.topics.sales.partitions))
    assert not feed.work.under_way()
    await feed.build()
    assert not feed.work.under_way()
    following = asyncio.create_task(feed.follow())
    async with asyncio.timeout(PATIENCE):
        while not feed.work.under_way():
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await feed.close()


async def test_what_cannot_be_read_does_not_stop_the_feeds(world: World) -> None:
    await world.send_raw(world.topics.events, b"ann", b"{not json")
    await world.send_raw(world.topics.sales, b"rome", b"{not json")
    await world.publish(*open_sales(2))
    await world.send(replace(clicks(1, 1)[0], visitor_id="ann"))
    catalogue, knowledge = Catalogue(world.topics.sales.partitions), Knowledge()
    sales = CatalogueFeed(world.settings.kafka, world.topics.sales, catalogue)
    await sales.build()
    await sales.close()

    await until_second(KnowledgeFeed(world.settings.kafka, world.topics.events, knowledge), knowledge, 1)

    assert len(catalogue) == 2
    assert sum(catalogue.offsets) >= 2


def test_a_sale_in_two_partitions_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    topic = topic_set(Topics()).sales
    feed = CatalogueFeed(Kafka(), topic, Catalogue(topic.partitions))
    for partition, sale_id in enumerate(("rome", "oslo", "rome", "oslo")):
        feed.take(partition, [SimpleNamespace(key=sale_id.encode(), value=None, offset=0)])
        feed.take(partition, [SimpleNamespace(key=sale_id.encode(), value=None, offset=1)])
    (told,) = caplog.messages
    assert told.startswith("sale 'rome' stands in partitions 0 and 2 of sales: which record is the newer")


async def test_a_topic_that_is_made_anew_ends_its_feed_instead_of_being_ignored(world: World) -> None:
    await world.publish(*open_sales(20))
    feed = CatalogueFeed(world.settings.kafka, world.topics.sales, Catalogue(world.topics.sales.partitions))
    await feed.build()
    await make_anew(world.settings.kafka, world.topics.sales)
    with pytest.raises(DeliveryError, match="made anew"):
        await asyncio.wait_for(feed.follow(), PATIENCE)
    await feed.close()


def test_a_second_is_over_only_once_a_poll_was_asked_for_after_it(settings: Settings) -> None:
    """An answer that waited in a process that stood still says nothing of the time until it was looked at."""
    topic = topic_set(Topics(partitions=1)).events
    feed, polls = KnowledgeFeed(settings.kafka, topic, Knowledge()), [10_000]
    consumer = SimpleNamespace(last_poll_timestamp=lambda _: polls[-1], highwater=lambda _: 0)
    feed._next[topic.name, 0] = 0
    over = []
    for polled in (10_000, 10_000, 14_000, 14_100):
        polls.append(polled)
        feed.settle(consumer)
        over.append(feed.over)
    assert over == [-1, -1, 8, 12]


def test_appends_that_are_learned_late_are_told_of_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    at, knowledge = 1_600_000_000_000, Knowledge()
    knowledge.advance(at // 1000 + 5, [])
    feed = KnowledgeFeed(settings.kafka, topic_set(Topics(partitions=1)).events, knowledge)
    late = [
        SimpleNamespace(key=b"v", value=encode(Click(f"e{n}", "v", "s", at)), timestamp=at, offset=n)
        for n in range(3)
    ]
    feed.take(0, late)
    assert feed.late == 3
    assert [one.getMessage()[:9] for one in caplog.records] == ["3 appends"]
