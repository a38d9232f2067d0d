"""How a worker keeps to what is promoted: it follows `releases`, loads beside its work, and swaps as a whole.

What cannot be read or loaded is refused aloud, and what serves goes on serving.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from models.release_promotion import Live, P
from reco.errors import RefusedRecordError, TenfoldError
from streams.cancelling import until_ended
from streams.codecs import PROMOTION_KEYS
from streams.feeds import Feed
from streams.promotions import Kind
from streams.settings import Kafka
from streams.topics import Topic
from streams.vitals import Vitals

log = logging.getLogger(__name__)

L = TypeVar("L")
"""What is loaded, ready to serve."""


class ReleaseFeed(Feed, Generic[P]):
    """Keeps the newest promotion of one kind that can be read, and says when there is one."""

    def __init__(self, kafka: Kafka, topic: Topic, kind: Kind[P], vitals: Vitals) -> None:
        super().__init__(kafka, topic)
        self.kind = kind
        self.counts = vitals.counts
        self.promotion: Live[P] | None = None
        self.changed = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None
        """Called at once with every change, while what was promoted before may still be made ready."""

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Take over what is of its kind and can be read; the rest is refused aloud, by every worker."""
        for record in records:
            if record.key in PROMOTION_KEYS and record.key != self.kind.key:
                continue
            try:
                self.promotion = self.kind.decode(record.key, record.value)
            except RefusedRecordError as refusal:
                log.warning(
                    "%s, partition %s, offset %s is no promotion: %s; `%s promote` makes one",
                    record.topic,
                    partition,
                    record.offset,
                    refusal,
                    self.kind.command,
                )
                self.counts["releases_refused"] += 1
            else:
                self.changed.set()
                self.on_change()


class Promotions(Generic[P, L]):
    """Loads what is promoted beside the event loop, and hands it over to be served, nothing by halves.

    `load` and `otherwise` (what is used without a promotion) are called in a thread, and raise a
    `TenfoldError` if it cannot be served; `in_use` names what serves, if anything does.
    """

    def __init__(
        self,
        feed: ReleaseFeed[P],
        load: Callable[[P], L],
        otherwise: Callable[[], L],
        in_use: Callable[[], str],
    ) -> None:
        self.feed = feed
        self._load_promoted = load
        self._otherwise = otherwise
        self._in_use = in_use
        self._made_ready: tuple[P | None, asyncio.Future[None]] | None = None
        feed.on_change = self._give_up_what_is_taken_back

    async def first(self) -> L:
        """What is live; what was live before, where that cannot be loaded."""
        await self.feed.build()
        self.feed.changed.clear()
        live = self.feed.promotion
        for promoted in () if live is None else live.steps:
            loaded = await self._load(promoted)
            if loaded is not None:
                return loaded
        return await asyncio.to_thread(self._otherwise)

    async def follow(self, serve: Callable[[L], Awaitable[None]]) -> None:
        """Serve each new promotion once it is loaded, for ever; not one that was taken back by then.

        One that is taken back while `serve` makes it ready is cancelled, so that nothing waits for it.
        """
        while True:
            await self.feed.changed.wait()
            self.feed.changed.clear()
            live = self.feed.promotion
            promoted = None if live is None else live.promoted
            loaded = await self._load(promoted)
            if loaded is not None and not self._taken_back(promoted):
                made_ready = asyncio.ensure_future(serve(loaded))
                self._made_ready = promoted, made_ready
                await until_ended(made_ready)

    def _taken_back(self, promoted: P | None) -> bool:
        """Whether it is neither live any more nor was before what is live, as nothing but a rollback does."""
        live = self.feed.promotion
        return promoted is not None and (live is None or promoted not in live.steps)

    def _give_up_what_is_taken_back(self) -> None:
        if self._made_ready is not None and self._taken_back(self._made_ready[0]):
            self._made_ready[1].cancel()

    async def _load(self, promoted: P | None) -> L | None:
        """What is promoted, or used without a promotion; None if it is refused."""
        try:
            if promoted is None:
                return await asyncio.to_thread(self._otherwise)
            return await asyncio.to_thread(self._load_promoted, promoted)
        except TenfoldError as error:
            self._refuse(promoted, error)
            return None

    def _refuse(self, promoted: P | None, error: TenfoldError) -> None:
        kind = self.feed.kind
        refused = f"{kind.word} {promoted.name}" if promoted else kind.otherwise
        serving = self._in_use()
        meanwhile = f"{serving} goes on serving" if serving else "nothing serves yet"
        log.error("%s is refused, %s: %s", refused, meanwhile, error)
        self.feed.counts["releases_refused"] += 1
