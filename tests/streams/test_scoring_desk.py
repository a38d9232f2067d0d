"""The scoring desk emits lists again for labels of live sales: in good time, not too often, and not first."""

import asyncio
from typing import cast

from msgspec import structs

from models.blend import Blend
from reco.catalogue import Catalogue
from reco.events import Withdrawal
from reco.knowledge import Knowledge
from reco.label_book import LabelBook
from reco.lists import TopTen
from reco.policy import UNRESTRICTED, Rules
from reco.sessions import Session, Touch
from reco.top_ten import Serving
from streams.clock import now
from streams.codecs import decode_list
from streams.delivery.outbox import Outbox
from streams.scoring_desk import ScoringDesk
from streams.settings import Topics
from streams.topics import topic_set
from streams.vitals import Vitals
from tests.reco.labelled import labels
from tests.streams.world import open_sales

VISITORS = 20


class Sent:
    """An outbox that keeps what is sent."""

    def __init__(self) -> None:
        self.lists: list[TopTen] = []

    async def send(self, topic: str, key: bytes, value: bytes | None, partition: int) -> None:  # noqa: ARG002
        if value is not None:
            self.lists.append(decode_list(value))

    async def settle(self) -> None:
        """It has arrived."""


class Shop:
    """A desk with 12 sales, and `VISITORS` who have their lists."""

    def __init__(self, rules: Rules = UNRESTRICTED) -> None:
        self.sent = Sent()
        self.catalogue = Catalogue(partitions=1)
        self.book = LabelBook(1, self.catalogue)
        for offset, sale in enumerate(open_sales(12)):
            self.catalogue.apply(sale, 0, offset)
        self.desk = ScoringDesk(
            topic_set(Topics()).recommendations,
            cast("Outbox", self.sent),
            serving=Serving(Knowledge(), Blend()),
            catalogue=self.catalogue,
            labels=self.book,
            rules=rules,
            vitals=Vitals(),
        )

    async def open(self) -> None:
        self.desk.own({0})
        self.desk.restored()
        touch = Touch(now(), "e", "sale-1", "click")
        await self.desk.refresh((0, Session(f"visitor-{n}", n, recent=(touch,))) for n in range(VISITORS))
        self.sent.lists.clear()

    async def follow(self, relabelled: set[str]) -> list[TopTen]:
        """The lists that are emitted again at one look at what was labelled."""
        self.sent.lists.clear()
        await self.desk._follow_labels(relabelled, self.catalogue.live(now()))
        return list(self.sent.lists)


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


async def test_many_labels_in_a_second_are_waited_for() -> None:
    shop = Shop()
    await shop.open()
    assert len(await shop.follow({"sale-3"})) == VISITORS
    relabelled = {"sale-4", "sale-5"}
    assert await shop.follow(relabelled) == []
    assert relabelled == {"sale-4", "sale-5"}


async def test_a_sale_that_is_withdrawn_meanwhile_does_not_wait_for_labels() -> None:
    shop, relabelled = Shop(), {"sale-3"}
    await shop.open()
    following = asyncio.create_task(shop.follow(relabelled))
    while not shop.sent.lists:
        await asyncio.sleep(0)
    shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
    assert 0 < len(await following) < VISITORS
    assert relabelled == {"sale-3"}


async def test_a_sale_that_is_withdrawn_does_not_wait_until_one_that_opened_is_in_all_lists() -> None:
    shop, changed = Shop(), asyncio.Event()
    await shop.open()
    following = asyncio.create_task(shop.desk.follow(changed, set()))
    await asyncio.sleep(0)
    shop.catalogue.apply(structs.replace(open_sales(1)[0], sale_id="new"), 0, 98)
    changed.set()
    while not shop.sent.lists:
        await asyncio.sleep(0)
    holder = next(iter(shop.desk.active.holding("sale-5")))
    early = len(shop.sent.lists)
    assert early < VISITORS
    shop.catalogue.apply(Withdrawal("sale-5"), 0, 99)
    changed.set()
    async with asyncio.timeout(10):
        while (
            shop.desk.active.holding("sale-5") or len({top.visitor_id for top in shop.sent.lists}) < VISITORS
        ):
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert holder in {top.visitor_id for top in shop.sent.lists}
    newest = {top.visitor_id: top for top in shop.sent.lists}
    assert all("sale-5" not in {one.sale_id for one in top.sales} for top in newest.values())


async def test_partitions_whose_visitors_are_not_known_here_or_moved_on_elsewhere_are_restored() -> None:
    shop = Shop()
    await shop.open()
    shop.desk.own_nothing()
    touch = Touch(now(), "e", "sale-1", "click")
    await shop.desk.refresh([(1, Session("early", 99, recent=(touch,)))])
    assert shop.desk.own({0, 1}) == {1}
    assert shop.desk.active.partitions == {0, 1}
    shop.desk.own_nothing()
    assert shop.desk.own({0, 1}, moved={0}) == {0, 1}, "what was begun to be restored is not known yet"
    assert shop.desk.active.partitions == {1}
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
    assert shop.desk.forgotten == {"visitor-2"}
    shop.desk.restored()
    assert not shop.desk.forgotten


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
