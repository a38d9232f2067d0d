"""How a worker keeps to what is promoted: it follows `releases`, loads beside its work, and swaps as a whole.

What cannot be read or loaded is refused aloud, and what serves goes on serving.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from models.release_promotion import Promoted, Promotion
from reco.errors import RefusedRecordError, ReleaseError
from reco.top_ten import Serving
from streams.codecs import decode_promotion
from streams.feeds import Feed
from streams.learning import Learning
from streams.releases import BLEND, Served, load
from streams.scoring_desk import ScoringDesk
from streams.settings import Kafka
from streams.topics import Topic
from streams.vitals import Vitals

log = logging.getLogger(__name__)


class ReleaseFeed(Feed):
    """Keeps the newest promotion that can be read, and says when there is one."""

    def __init__(self, kafka: Kafka, topic: Topic, vitals: Vitals) -> None:
        super().__init__(kafka, topic)
        self._counts = vitals.counts
        self.promotion: Promotion | None = None
        self.changed = asyncio.Event()

    def take(self, partition: int, records: Iterable[Any]) -> None:
        """Take over what can be read; the rest is refused aloud, by every worker."""
        for record in records:
            try:
                self.promotion = decode_promotion(record.key, record.value)
            except RefusedRecordError as refusal:
                self._counts["releases_refused"] += 1
                log.warning(
                    "%s, partition %s, offset %s is no promotion: %s; `tenfold releases promote` makes one",
                    record.topic,
                    partition,
                    record.offset,
                    refusal,
                )
            else:
                self.changed.set()


class Promotions:
    """Makes the desk serve what is promoted, and nothing by halves."""

    def __init__(self, feed: ReleaseFeed, desk: ScoringDesk, learning: Learning, vitals: Vitals) -> None:
        self.feed = feed
        self._desk = desk
        self._learning = learning
        self._counts = vitals.counts

    async def build(self) -> None:
        """Begin with what is live; with what was live before, where that cannot be loaded."""
        await self.feed.build()
        self.feed.changed.clear()
        served = await self._first_that_loads()
        await self._learning.begin_with(served.basis)
        await self._desk.serve(Serving(self._learning.knowledge, served.ranker))

    async def _first_that_loads(self) -> Served:
        live = self.feed.promotion
        for promoted in () if live is None else (live, *live.before):
            served = await self._load(promoted)
            if served is not None:
                return served
        return BLEND

    async def follow(self) -> None:
        """Serve each new promotion as soon as it is loaded, for ever."""
        while True:
            await self.feed.changed.wait()
            self.feed.changed.clear()
            promotion = self.feed.promotion
            served = BLEND if promotion is None else await self._load(promotion)
            if served is not None:
                await self._serve(served)

    async def _load(self, promoted: Promoted) -> Served | None:
        """What was promoted, loaded beside the event loop; None if it is refused."""
        try:
            return await asyncio.to_thread(load, promoted)
        except ReleaseError as error:
            self._refuse(promoted, error)
            return None

    def _refuse(self, promoted: Promoted, error: ReleaseError) -> None:
        self._counts["releases_refused"] += 1
        log.error("release %s is refused, %s goes on serving: %s", promoted.name, self._desk.release, error)

    async def _serve(self, served: Served) -> None:
        """Swap ranker and knowledge as one; then emit the lists of active visitors again."""
        learner = await self._learning.successor(served.basis)
        await self._desk.serve(Serving(learner.knowledge, served.ranker))
        self._learning.switch(learner)
        await self._desk.refresh_overtaken()
