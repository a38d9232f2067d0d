"""The scoring desk emits lists when they hold, and again when sales, labels or knowledge overtake them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.partitioner import DefaultPartitioner
from msgspec import structs

from reco.events import Withdrawal
from reco.lists import DEFAULT_VISITOR
from reco.policy import Rules
from reco.sessions import VISIT_SILENCE, Session, Touch
from streams import scoring_desk
from streams.clock import now
from streams.scoring_desk import BEFORE_A_CHANGE, EXPIRE_EVERY
from streams.settings import Topics
from streams.topics import topic_set
from tests.reco.labelled import labels
from tests.streams.scoring_shop import HOUR, SECOND, VISITORS, Shop, session
from tests.streams.world import open_sales


async def test_labels_of_a_live_sale_give_every_active_visitor_a_list_that_names_them() -> None:
    shop = Shop()
    await shop.open()
    shop.book.apply(labels("sale-3"), 0, 6)
    relabelled = {"sale-3"}
    lists = await shop.follow(relabelled)
    assert sorted(top.visitor_id for top in lists) == sorted(f"visitor-{n}" for n in range(VISITORS))
    assert {top.made_from.labels_offsets for top in lists} == {(7,)}
    assert relabelled == set()


async def test_labels_of_other_sales_give_none() -> None:
    shop = Shop()
    await shop.open()
    relabelled = {"not open yet", "withdrawn"}
    assert await shop.follow(relabelled) == []
    assert relabelled == set()


async def test_another_labeller_in_use_gives_every_active_visitor_a_list() -> None:
    shop = Shop()
    shop.book.apply(labels("sale-3"), 0, 6)
    shop.book.apply(labels("sale-4", labeller="v0"), 0, 7)
    await shop.open()
    assert len(await shop.follow(set())) == VISITORS
    shop.desk._labels_due = 0
    assert await shop.follow(set()) == []
    shop.catalogue.apply(Withdrawal("sale-3"), 0, 99)
    assert shop.book.in_use is not None
    assert shop.book.in_use.labeller == "v0"
    lists = await shop.follow(set())
    assert sorted(top.visitor_id for top in lists) == sorted(f"visitor-{n}" for n in range(VISITORS))


async def test_many_labels_in_a_short_time_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_desk, "LABELS_EVERY", HOUR)
    shop = Shop()
    await shop.open()
    assert len(await shop.follow({"sale-3"})) == VISITORS
    relabelled = {"sale-4", "sale-5"}
    assert await shop.follow(relabelled) == []
    assert relabelled == {"sale-4", "sale-5"}
    shop.desk._labels_due = 0
    assert len(await shop.follow(relabelled)) == VISITORS


async def test_a_sale_that_is_withdrawn_meanwhile_does_not_wait_for_labels() -> None:
    shop, relabelled = Shop(), {"sale-3"}
    await shop.open()
    following = asyncio.create_task(shop.follow(relabelled))
    while not shop.sent.lists:
        await asyncio.sleep(0)
    shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
    assert 0 < len(await following) < VISITORS
    assert relabelled == {"sale-3"}


@asynccontextmanager
async def emitting_again(shop: Shop) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Lists are being emitted again, since a sale has opened; see `Shop.following`."""
    await shop.open()
    async with shop.following() as look:
        shop.catalogue.apply(structs.replace(open_sales(1)[0], sale_id="new"), 0, 97)
        await look()
        while not shop.sent.lists:
            await asyncio.sleep(0)
        yield look


async def test_a_sale_that_is_withdrawn_does_not_wait_until_one_that_opened_is_in_all_lists() -> None:
    shop = Shop()
    async with emitting_again(shop) as look:
        holder, early = min(shop.desk.active.holding("sale-5")), len(shop.sent.lists)
        assert early < VISITORS
        assert holder != list(shop.desk.active.visitors())[early], "it is not that visitor's turn anyway"
        shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
        await look()
        async with asyncio.timeout(10):
            while (
                shop.desk.active.holding("sale-5")
                or len({top.visitor_id for top in shop.sent.lists}) < VISITORS
            ):
                await asyncio.sleep(0.01)
    assert shop.sent.lists[early].visitor_id == holder, "who waited for the sale that opened went first"
    newest = {top.visitor_id: top for top in shop.sent.lists}
    assert all("sale-5" not in {one.sale_id for one in top.sales} for top in newest.values())


async def test_a_sale_that_opens_and_is_withdrawn_while_lists_are_emitted_again_stays_in_none() -> None:
    shop = Shop()
    async with emitting_again(shop) as look:
        shop.catalogue.apply(structs.replace(open_sales(1)[0], sale_id="second"), 0, 98)
        click = Session("visitor-19", 99, recent=(Touch(now(), "e", "second", "click"),))
        await shop.desk.refresh([(0, click)])
        assert shop.desk.active.holding("second") == {"visitor-19"}
        assert len(shop.sent.lists) < VISITORS
        shop.catalogue.apply(Withdrawal("second"), 0, 99)
        await look()
        async with asyncio.timeout(10):
            while shop.desk.active.holding("second"):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def first_list_on_its_way(shop: Shop, visitor: str) -> AsyncIterator[None]:
    """The first list of this visitor waits for room at the producer; when it ends, it has arrived."""
    send, waits, room = shop.sent.send, asyncio.Event(), asyncio.Event()

    async def send_when_there_is_room(topic: str, key: bytes, value: bytes | None, partition: int) -> None:
        waits.set()
        await room.wait()
        await send(topic, key, value, partition)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shop.sent, "send", send_when_there_is_room)
        emitting = asyncio.create_task(shop.desk.refresh([(0, session(visitor, 99, now()))]))
        await waits.wait()
        yield
        room.set()
        await emitting


async def test_a_list_on_its_way_when_one_of_its_sales_is_withdrawn_is_emitted_again() -> None:
    shop = Shop()
    await shop.open()
    async with shop.following() as look:
        async with first_list_on_its_way(shop, "late"):
            shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
            await look()
        assert "late" in {top.visitor_id for top in shop.sent.lists}
        async with asyncio.timeout(10):
            while shop.desk.active.holding("sale-5"):
                await asyncio.sleep(0.01)


async def test_a_list_on_its_way_when_a_sale_of_it_is_labelled_is_emitted_again() -> None:
    shop = Shop()
    await shop.open()
    async with first_list_on_its_way(shop, "late"):
        shop.book.apply(labels("sale-3"), 0, 6)
        following = asyncio.create_task(shop.follow({"sale-3"}))
        await asyncio.sleep(0)
    newest = {top.visitor_id: top.made_from.labels_offsets for top in await following}
    assert newest["late"] == (7,)


async def test_partitions_whose_visitors_are_not_known_here_or_moved_on_elsewhere_are_restored() -> None:
    shop = Shop()
    await shop.open()
    shop.desk.own_nothing()
    await shop.desk.refresh([(1, session("early", 99, now()))])
    assert shop.desk.own({0, 1}) == {1}
    assert "early" in shop.desk.active.visitors()
    assert len(shop.desk.active) == VISITORS + 1
    shop.desk.own_nothing()
    assert shop.desk.own({0, 1}, moved={0}) == {0, 1}, "what was begun to be restored is not known yet"
    assert list(shop.desk.active.visitors()) == ["early"]
    shop.desk.restored()
    shop.desk.own_nothing()
    assert shop.desk.own({0, 1}) == frozenset()


async def test_who_is_erased_while_active_visitors_are_restored_is_not_among_them() -> None:
    shop = Shop()
    await shop.open()
    await shop.desk.forget(0, b"visitor-1")
    assert not shop.desk.forgotten
    shop.desk.own({0, 1})
    await shop.desk.forget(0, b"visitor-2")
    assert shop.desk.forgotten == {(0, b"visitor-2")}
    shop.desk.restored()
    assert not shop.desk.forgotten


async def test_an_erasure_in_another_partition_leaves_who_came_back_active() -> None:
    shop = Shop()
    await shop.open()
    for visitor in (b"visitor-1", b"nobody"):
        await shop.desk.forget(1, visitor)
    assert shop.desk.active.get("visitor-1") is not None
    await shop.desk.forget(0, b"visitor-1")
    assert shop.desk.active.get("visitor-1") is None
    assert shop.sent.arrived


async def test_visitors_that_are_not_known_yet_do_not_wait_until_all_others_have_their_lists() -> None:
    shop = Shop()
    shop.desk.own(range(topic_set(Topics()).recommendations.partitions))
    shop.desk.restored()
    await shop.desk.refresh((0, session(f"visitor-{n}", n, now())) for n in range(VISITORS))
    async with shop.following() as look:
        await look()
        shop.sent.lists.clear()
        shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
        await look()
        async with asyncio.timeout(10):
            while shop.desk.active.holding("sale-5"):
                await asyncio.sleep(0.01)
    assert shop.sent.lists[0].visitor_id == DEFAULT_VISITOR
    assert "sale-5" not in {one.sale_id for one in shop.sent.lists[0].sales}


@pytest.mark.parametrize("change", ["opens_at", "closes_at"])
async def test_lists_that_name_a_change_that_was_put_off_are_emitted_again_when_they_end(change: str) -> None:
    at = [now()]
    shop, end = Shop(clock=lambda: at[0]), at[0] + HOUR // 6
    before, after = (structs.replace(open_sales(1)[0], **{change: end + later}) for later in (0, HOUR))
    shop.catalogue.apply(before, 0, 98)
    await shop.open()
    assert {shop.held_until(visitor) for visitor in shop.desk.active.visitors()} == {end}
    async with shop.following() as look:
        shop.catalogue.apply(after, 0, 99)
        await look()
        at[0] = end
        await look()
        async with asyncio.timeout(10):
            while {shop.held_until(visitor) for visitor in shop.desk.active.visitors()} != {end + HOUR}:
                await asyncio.sleep(0.01)


async def test_a_list_is_not_overtaken_by_the_closing_of_a_sale_that_it_does_not_hold() -> None:
    at = [now()]
    shop, end = Shop(clock=lambda: at[0]), at[0] + HOUR
    await shop.open()
    (unlisted, *_) = {sale.sale_id for sale in open_sales(12)} - set(shop.held("visitor-1"))
    sale = shop.catalogue.sale(unlisted)
    assert sale is not None
    shop.catalogue.apply(structs.replace(sale, closes_at=end), 0, 98)
    await shop.desk.refresh_overtaken()
    holders = shop.desk.active.holding(unlisted)
    assert "visitor-1" not in holders
    assert shop.held_until("visitor-1") != end
    assert {shop.held_until(visitor) for visitor in holders} <= {end}


async def test_a_sale_that_is_now_excluded_leaves_the_lists_of_active_visitors() -> None:
    shop, changed = Shop(Rules(excluded_tags=("adults only",))), asyncio.Event()
    await shop.open()
    following = asyncio.create_task(shop.desk.follow(changed, set()))
    await asyncio.sleep(0)
    sale = shop.catalogue.sale("sale-3")
    assert sale is not None
    assert shop.desk.active.holding("sale-3")
    shop.catalogue.apply(structs.replace(sale, tags=("adults only",)), 0, 98)
    changed.set()
    async with asyncio.timeout(10):
        while shop.desk.active.holding("sale-3"):
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_what_is_labelled_is_in_lists_by_itself() -> None:
    shop, relabelled = Shop(), set[str]()
    await shop.open()
    following = asyncio.create_task(shop.desk.follow(asyncio.Event(), relabelled))
    shop.book.apply(labels("sale-3"), 0, 0)
    relabelled.add("sale-3")
    async with asyncio.timeout(10):
        while {top.visitor_id for top in shop.sent.lists} < {f"visitor-{n}" for n in range(VISITORS)}:
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("early", [1, BEFORE_A_CHANGE])
@pytest.mark.parametrize("change", ["opens_at", "closes_at"])
async def test_a_list_asked_for_just_before_a_sale_opens_or_closes_is_computed_after_that(
    change: str, early: int
) -> None:
    at = [now()]
    shop, moment = Shop(clock=lambda: at[0]), at[0] + HOUR
    shop.catalogue.apply(structs.replace(open_sales(1)[0], **{change: moment}), 0, 98)
    at[0] = moment - early
    asked_for = asyncio.create_task(shop.desk.refresh([(0, session("ann", 5, at[0]))]))
    await asyncio.sleep(0)
    at[0] = moment
    await asked_for
    assert [top.at for top in shop.sent.lists] == [moment]


async def test_a_list_asked_for_longer_before_a_change_does_not_wait_for_it() -> None:
    at = [now()]
    shop, closes = Shop(clock=lambda: at[0]), at[0] + HOUR
    shop.catalogue.apply(structs.replace(open_sales(1)[0], closes_at=closes), 0, 98)
    at[0] = closes - BEFORE_A_CHANGE - 1
    asked_for = asyncio.create_task(shop.desk.refresh([(0, session("ann", 5, at[0]))]))
    await asyncio.sleep(0)
    at[0] = closes
    await asked_for
    assert [top.at for top in shop.sent.lists] == [closes - BEFORE_A_CHANGE - 1]


async def test_a_session_as_new_as_the_newest_list_gives_a_list_again_and_an_older_one_none() -> None:
    shop = Shop()
    await shop.open()
    await shop.desk.refresh([(0, session("visitor-7", 6, now())), (0, session("visitor-8", 8, now()))])
    assert [top.visitor_id for top in shop.sent.lists] == ["visitor-8"]


async def test_a_visitor_is_let_go_once_their_visit_is_over() -> None:
    at = [now()]
    shop = Shop(clock=lambda: at[0])
    await shop.open()
    async with shop.following() as look:
        await look()
        at[0] += VISIT_SILENCE
        await shop.desk.refresh([(0, session("late", 99, at[0]))])
        await look()
        assert len(shop.desk.active) == VISITORS + 1
        at[0] += EXPIRE_EVERY + 1
        await look()
    assert list(shop.desk.active.visitors()) == ["late"]


@pytest.mark.parametrize(("silent", "lists"), [(VISIT_SILENCE, VISITORS), (VISIT_SILENCE + 1, 0)])
async def test_lists_of_visitors_whose_visit_is_over_are_not_emitted_again(silent: int, lists: int) -> None:
    at = [now()]
    shop = Shop(clock=lambda: at[0])
    await shop.open()
    shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
    at[0] += silent
    await shop.desk.refresh_overtaken()
    assert len(shop.sent.lists) == lists
    assert shop.vitals.counts == {"lists": VISITORS + lists} | ({"lists_again": lists} if lists else {})
    assert shop.sent.arrived


async def test_lists_of_partitions_that_are_not_owned_are_left_to_their_owner() -> None:
    shop = Shop()
    await shop.open()
    await shop.desk.refresh([(1, session("elsewhere", 99, now()))])
    shop.sent.lists.clear()
    shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
    await shop.desk.refresh_overtaken()
    assert {top.visitor_id for top in shop.sent.lists} == {f"visitor-{n}" for n in range(VISITORS)}
    shop.desk.own_nothing()
    shop.sent.lists.clear()
    shop.catalogue.apply(Withdrawal("sale-6"), 0, 100)
    await shop.desk.refresh_overtaken()
    assert shop.sent.lists == []


async def test_the_default_list_is_renewed_as_knowledge_advances_but_not_every_second() -> None:
    shop = Shop()
    shop.desk.own(range(topic_set(Topics()).recommendations.partitions))
    async with shop.following() as look:
        for second in (0, 4, 5, 9, 11):
            shop.desk.knowledge.advance(SECOND + second, [])
            await look()
    assert {top.visitor_id for top in shop.sent.lists} == {DEFAULT_VISITOR}
    partitions = list(range(topic_set(Topics()).recommendations.partitions))
    place = DefaultPartitioner()(DEFAULT_VISITOR.encode(), partitions, partitions)
    assert shop.sent.partitions == {DEFAULT_VISITOR.encode(): place}
    assert shop.sent.arrived
    assert [top.made_from.knowledge_second - SECOND for top in shop.sent.lists] == [0, 5, 11]
