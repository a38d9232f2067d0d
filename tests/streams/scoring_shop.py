"""A scoring desk with sales and visitors, whose lists are kept instead of sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from models.blend import Blend
from reco.catalogue import catalogue_of
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
from tests.streams.world import open_sales

VISITORS = 20
HOUR = 3_600_000
SECOND = 1_700_000_000


def session(visitor: str, offset: int, ts: int) -> Session:
    """The session of a visitor who clicked a sale at `ts`."""
    return Session(visitor, offset, recent=(Touch(ts, "e", "sale-1", "click"),))


class Sent:
    """An outbox that keeps what is sent: the lists, where each key was sent, and whether all has arrived."""

    def __init__(self) -> None:
        self.lists: list[TopTen] = []
        self.partitions: dict[bytes, int] = {}
        self.arrived = True

    async def send(self, topic: str, key: bytes, value: bytes | None, partition: int) -> None:  # noqa: ARG002
        self.arrived = False
        self.partitions[key] = partition
        if value is not None:
            self.lists.append(decode_list(value))

    async def settle(self) -> None:
        """It has arrived."""
        self.arrived = True


class Shop:
    """A desk with 12 sales, and `VISITORS` who have their lists."""

    def __init__(self, rules: Rules = UNRESTRICTED, clock: Callable[[], int] = now) -> None:
        self.clock = clock
        self.sent = Sent()
        self.vitals = Vitals()
        self.catalogue = catalogue_of(open_sales(12))
        self.book = LabelBook(1, self.catalogue)
        self.desk = ScoringDesk(
            topic_set(Topics()).recommendations,
            cast("Outbox", self.sent),
            serving=Serving(Knowledge(), Blend()),
            catalogue=self.catalogue,
            labels=self.book,
            rules=rules,
            vitals=self.vitals,
            clock=clock,
        )

    async def open(self) -> None:
        self.desk.own({0})
        self.desk.restored()
        await self.desk.refresh((0, session(f"visitor-{n}", n, self.clock())) for n in range(VISITORS))
        assert self.sent.arrived
        self.sent.lists.clear()

    def held(self, visitor: str) -> tuple[str, ...]:
        """The sales of an active visitor's newest list."""
        known = self.desk.active.get(visitor)
        assert known is not None
        return known.held

    def held_until(self, visitor: str) -> int | None:
        """The moment until which an active visitor's newest list holds."""
        known = self.desk.active.get(visitor)
        assert known is not None
        return known.holds_until

    async def follow(self, relabelled: set[str]) -> list[TopTen]:
        """The lists that are emitted again at one look at what was labelled."""
        self.sent.lists.clear()
        await self.desk._follow_labels(relabelled, self.catalogue.live(now()))
        return list(self.sent.lists)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """While the desk follows changes: has it look at what has changed, to the end."""
        changed = asyncio.Event()
        following = asyncio.create_task(self.desk.follow(changed, set()))

        async def look() -> None:
            changed.set()
            while changed.is_set():
                await asyncio.sleep(0)

        await asyncio.sleep(0)
        yield look
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
