"""A worker keeps to what is promoted: what it begins with, what it goes over to, and what it refuses."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from models.release_promotion import Live, Promoted, promotion_of
from reco.errors import ReleaseError
from streams.codecs import LIVE_LABELLER, LIVE_RELEASE, encode
from streams.release_feed import Promotions, ReleaseFeed
from streams.releases import RANKERS
from streams.settings import Kafka, Topics
from streams.topics import topic_set
from streams.vitals import Vitals
from tests.reco.worlds import NOON
from tests.streams.world import PATIENCE

BLEND = "the blend"


class Told(ReleaseFeed[Promoted]):
    """A feed without a broker: records are handed to it."""

    def __init__(self) -> None:
        self.vitals = Vitals()
        super().__init__(Kafka(), topic_set(Topics()).releases, RANKERS, self.vitals)

    async def build(self, share: float = 1.0) -> None:
        """All that was handed to it has been read."""

    def tell(self, *told: Live[Promoted] | bytes | None, key: bytes = LIVE_RELEASE) -> None:
        values = [encode(one) if isinstance(one, Live) else one for one in told]
        self.take(
            0, [SimpleNamespace(topic="t", partition=0, offset=7, key=key, value=one) for one in values]
        )


class Worker:
    """One that loads the names of what is promoted, and serves them one after the other."""

    def __init__(self) -> None:
        self.feed = Told()
        self.broken: set[str] = set()
        self.served: list[str] = []
        self.asked: list[str] = []
        self.may_load = threading.Event()
        self.may_load.set()
        self.made_ready: list[str] = []
        self.may_serve = asyncio.Event()
        self.may_serve.set()
        self.promotions = Promotions(self.feed, self._load, lambda: BLEND, lambda: "".join(self.served[-1:]))

    async def begin(self) -> str:
        await self._serve(await self.promotions.first())
        return self.served[-1]

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.promotions.follow(self._serve))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def until_served(self, name: str) -> None:
        await until(lambda: self.served[-1] == name)

    async def _serve(self, name: str) -> None:
        self.made_ready.append(name)
        await self.may_serve.wait()
        self.served.append(name)

    def _load(self, promoted: Promoted) -> str:
        self.asked.append(promoted.path)
        assert self.may_load.wait(PATIENCE)
        if promoted.path in self.broken:
            raise ReleaseError(f"{promoted.path} is broken")
        return promoted.path


def promotion(*names: str) -> Live[Promoted]:
    """The promotion of the first of these, before which the others were live, newest first."""
    first, *before = (Promoted(f"2025-11-24-{ord(one):08x}", one, "0" * 64) for one in names)
    return promotion_of(first, tuple(before), NOON)


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happens():
            await asyncio.sleep(0.001)


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def test_without_a_promotion_it_begins_with_what_is_used_without_one(worker: Worker) -> None:
    assert await worker.begin() == BLEND


async def test_it_begins_with_the_newest_promotion_also_if_something_unreadable_came_after_it(
    worker: Worker,
) -> None:
    worker.feed.tell(promotion("a"), promotion("b", "a"), b"{", b"")
    assert await worker.begin() == "b"
    assert worker.feed.vitals.counts["releases_refused"] == 2


async def test_it_begins_with_what_was_live_before_if_what_is_live_cannot_be_loaded(worker: Worker) -> None:
    worker.feed.tell(promotion("c", "b", "a"))
    worker.broken |= {"c", "b"}
    assert await worker.begin() == "a"
    assert worker.asked == ["c", "b", "a"]
    worker.broken.add("a")
    assert await worker.begin() == BLEND
    assert worker.feed.vitals.counts["releases_refused"] == 5


async def test_what_cannot_be_loaded_while_nothing_serves_yet_is_refused_in_as_many_words(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.feed.tell(promotion("b", "a"))
    worker.broken.add("b")
    await worker.begin()
    (told,) = caplog.messages
    assert told == "release 2025-11-24-00000062/mix is refused, nothing serves yet: b is broken"


async def test_each_promotion_is_served_once_and_a_tombstone_goes_back(worker: Worker) -> None:
    worker.feed.tell(promotion("a"))
    await worker.begin()
    async with worker.following():
        for told, expected in ((promotion("b", "a"), "b"), (promotion("c", "b"), "c"), (None, BLEND)):
            worker.feed.tell(told)
            await worker.until_served(expected)
    assert worker.served == ["a", "b", "c", BLEND]
    assert worker.asked == ["a", "b", "c"]


async def test_what_serves_goes_on_serving_where_what_is_promoted_is_broken_or_no_promotion(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.feed.tell(promotion("a"))
    await worker.begin()
    worker.broken.add("b")
    async with worker.following():
        worker.feed.tell(promotion("b", "a"))
        await until(lambda: worker.feed.vitals.counts["releases_refused"] == 1)
        worker.feed.tell(b"{")
        worker.feed.tell(promotion("d"), key=b"life")
        assert not worker.feed.changed.is_set()
        worker.feed.tell(promotion("c", "a"))
        await worker.until_served("c")
    assert worker.served == ["a", "c"]
    assert worker.feed.vitals.counts["releases_refused"] == 3
    assert "release 2025-11-24-00000062/mix is refused, a goes on serving: b is broken" in caplog.messages
    assert sum("t, partition 0, offset 7 is no promotion" in one for one in caplog.messages) == 2


async def test_promotions_of_another_kind_are_no_matter(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.feed.tell(promotion("a"))
    await worker.begin()
    worker.feed.tell(b"{", None, key=LIVE_LABELLER)
    assert not worker.feed.changed.is_set()
    assert worker.feed.promotion == promotion("a")
    assert worker.feed.vitals.counts["releases_refused"] == 0
    assert caplog.messages == []


async def test_a_promotion_that_comes_while_another_is_being_loaded_is_served_after_it(
    worker: Worker,
) -> None:
    await worker.begin()
    worker.may_load.clear()
    async with worker.following():
        worker.feed.tell(promotion("a"))
        await until(lambda: worker.asked == ["a"])
        worker.feed.tell(promotion("b", "a"), promotion("c", "b", "a"))
        worker.may_load.set()
        await worker.until_served("c")
    assert worker.served == [BLEND, "a", "c"]


@pytest.mark.parametrize(("rollback", "serves"), [(promotion("a"), "a"), (None, BLEND)])
async def test_what_is_taken_back_while_it_is_made_ready_is_given_up_at_once(
    worker: Worker, rollback: Live[Promoted] | None, serves: str
) -> None:
    worker.feed.tell(promotion("a"))
    await worker.begin()
    async with worker.following():
        worker.may_serve.clear()
        worker.feed.tell(promotion("b", "a"))
        await until(lambda: worker.made_ready[-1] == "b")
        worker.feed.tell(rollback)
        await until(lambda: worker.made_ready[-1] == serves)
        worker.may_serve.set()
        await until(lambda: len(worker.served) == 2)
    assert worker.served == ["a", serves]


async def test_what_is_taken_back_while_it_is_being_loaded_is_not_served(worker: Worker) -> None:
    await worker.begin()
    worker.may_load.clear()
    async with worker.following():
        worker.feed.tell(promotion("a"))
        await until(lambda: worker.asked == ["a"])
        worker.feed.tell(None)
        worker.may_load.set()
        await until(lambda: worker.served == [BLEND, BLEND])
    assert worker.made_ready == [BLEND, BLEND]


async def test_what_was_live_before_a_newer_promotion_is_made_ready_to_its_end(worker: Worker) -> None:
    await worker.begin()
    async with worker.following():
        worker.may_serve.clear()
        worker.feed.tell(promotion("a"))
        await until(lambda: worker.made_ready[-1] == "a")
        worker.broken.add("b")
        worker.feed.tell(promotion("b", "a"))
        worker.may_serve.set()
        await until(lambda: worker.feed.vitals.counts["releases_refused"] == 1)
    assert worker.served == [BLEND, "a"]


async def test_what_goes_wrong_while_a_release_is_made_ready_ends_the_worker(worker: Worker) -> None:
    async def fail(name: str) -> None:
        raise ZeroDivisionError(name)

    worker.feed.tell(promotion("a"))
    with pytest.raises(ZeroDivisionError, match="a"):
        await asyncio.wait_for(worker.promotions.follow(fail), PATIENCE)


async def test_a_worker_that_ends_gives_up_what_it_makes_ready(worker: Worker) -> None:
    await worker.begin()
    async with worker.following():
        worker.may_serve.clear()
        worker.feed.tell(promotion("a"))
        await until(lambda: worker.made_ready[-1] == "a")
    worker.may_serve.set()
    await asyncio.sleep(0)
    assert worker.served == [BLEND]
