"""The scoring agent: a fresh top 10 for every visitor whose session changed."""

import asyncio
import gc
from collections.abc import Iterable
from typing import Any

from faust.types import TP, EventT

from reco.catalogue import Catalogue
from reco.errors import RefusedRecordError
from reco.sessions import VISIT_SILENCE, Session
from reco.top_ten import Serving
from streams.allocation import return_large_arrays
from streams.clock import now
from streams.codecs import decode_session
from streams.dead_letters import bury
from streams.delivery.batches import micro_batches
from streams.delivery.consumer import LosslessApp
from streams.delivery.outbox import Outbox
from streams.faust_app import new_app, raw_topic, watch
from streams.feeds import CatalogueFeed
from streams.label_feed import LabelFeed
from streams.learning import Learning
from streams.release_feed import Promotions, ReleaseFeed
from streams.releases import BLEND, RANKERS, Served, load
from streams.restoring import restore_active
from streams.scoring_desk import ScoringDesk
from streams.settings import Settings
from streams.topics import TopicSet, topic_set
from streams.vitals import Vitals

BATCH = 256
"""Sessions scored before their lists are awaited, at most."""
COUNTED = ("lists", "lists_again", "dead_letters", "labels_refused", "releases_refused")
"""What is counted, from 0 on."""


class ScoringApp:
    """The Faust application of the scoring agent, with the feeds and the desk that it stands on."""

    def __init__(self, settings: Settings, vitals: Vitals) -> None:
        return_large_arrays()
        self.settings = settings
        self.topics: TopicSet = topic_set(settings.topics)
        self.vitals = vitals
        self.app = new_app(settings, "scoring")
        catalogue = Catalogue(self.topics.sales.partitions)
        self.catalogue = CatalogueFeed(settings.kafka, self.topics.sales, catalogue)
        self.labels = LabelFeed(settings.kafka, self.topics.sale_labels, self.catalogue, vitals)
        book = self.labels.book
        self.learning = Learning(settings.kafka, self.topics.events, self.catalogue, book)
        self.letters: Outbox = self.app.outbox(settings.kafka)
        self.refreshing: asyncio.Future[None] | None = None
        """Lists of active visitors that are emitted again after the newest promotion."""
        self.taking_over: asyncio.Future[None] | None = None
        """Of the newest assignment; what it restores is of no use once partitions are revoked again."""
        self.desk = ScoringDesk(
            self.topics.recommendations,
            self.app.outbox(settings.kafka),
            serving=Serving(self.learning.knowledge, BLEND.ranker),
            catalogue=catalogue,
            labels=book,
            rules=settings.rules,
            vitals=vitals,
        )
        releases = ReleaseFeed(settings.kafka, self.topics.releases, RANKERS, vitals)
        self.promotions = Promotions(releases, load, lambda: BLEND, lambda: self.desk.release)
        vitals.gauges |= {
            "knowledge_second": lambda: self.desk.knowledge.second,
            "live_sales": lambda: self.desk.live_sales,
            "labelled_sales": lambda: len(book),
            "active_visitors": lambda: len(self.desk.active),
        }
        vitals.count(*COUNTED)
        vitals.names["release"] = lambda: self.desk.release
        vitals.works += [self.catalogue.work, self.labels.work, self.learning.work, releases.work]

    async def build(self) -> None:
        """Build what every list needs, before the worker takes part in scoring."""
        # What is built lives as long as the process: looking at it in every collection delays the start,
        # and later the lists.
        gc.disable()
        await self.catalogue.build()
        await self.labels.build()
        served = await self.promotions.first()
        await self.learning.begin_with(served.basis)
        await self.desk.serve(Serving(self.learning.knowledge, served.ranker))
        await self.learning.build()
        gc.freeze()
        gc.enable()

    async def serve(self, served: Served) -> None:
        """Swap ranker and knowledge as one; then begin to emit the lists of active visitors again.

        The next promotion, which may be a rollback, does not wait until all have theirs. Cancelled before the
        swap, it changes nothing.
        """
        async with self.learning.successor(served.basis) as learner:
            await self.desk.serve(Serving(learner.knowledge, served.ranker))
        if self.refreshing is not None:
            self.refreshing.cancel()
        self.refreshing = self.app.add_future(self.desk.refresh_overtaken())

    async def take_over(self) -> None:
        """Own what was assigned, and emit again what the catalogue has overtaken meanwhile."""
        name, moved = self.topics.sessions.name, await self.app.consumer.moved()
        done = {tp.partition: offset for tp, offset in self.app.positions().items() if tp.topic == name}
        unknown = self.desk.own(done, {tp.partition for tp in moved if tp.topic == name})
        if unknown:
            since, unread = now() - VISIT_SILENCE, {partition: done[partition] for partition in unknown}
            erased = await restore_active(
                self.desk.active,
                self.settings.kafka,
                self.topics,
                unread,
                since,
                forgotten=self.desk.forgotten,
            )
            for partition, visitor in erased:
                await self.desk.forget(partition, visitor)
        self.desk.restored()
        await self.desk.refresh_overtaken()

    async def score(self, batch: Iterable[EventT]) -> None:
        """Emit a list for the newest session of each visitor in the batch."""
        newest: dict[tuple[int, bytes], Session] = {}
        for event in batch:
            message = event.message
            if message.value is None:
                newest.pop((message.partition, message.key), None)
                await self.desk.forget(message.partition, message.key)
                continue
            try:
                newest[message.partition, message.key] = decode_session(message.value)
            except RefusedRecordError as refusal:
                self.vitals.counts["dead_letters"] += 1
                await bury(self.letters, self.topics.dead_letters, message, refusal)
        await self.letters.settle()
        await self.desk.refresh((partition, session) for (partition, _), session in newest.items())


def scoring_app(settings: Settings, vitals: Vitals) -> LosslessApp:
    """The Faust application of the scoring agent."""
    scoring = ScoringApp(settings, vitals)
    app, desk = scoring.app, scoring.desk
    watch(app, settings.group("scoring"), vitals, scoring.topics.sessions)
    app.before_start(scoring.build)
    app.alongside(scoring.catalogue.follow)
    app.alongside(scoring.labels.follow)
    app.alongside(scoring.learning.follow)
    app.alongside(scoring.promotions.feed.follow)
    app.alongside(lambda: scoring.promotions.follow(scoring.serve))
    app.alongside(lambda: desk.follow(scoring.catalogue.changed, scoring.labels.changed))

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def release(_: Any, revoked: set[TP], **__: Any) -> None:  # noqa: ARG001
        desk.own_nothing()
        if scoring.taking_over is not None:
            scoring.taking_over.cancel()

    @app.on_rebalance_complete.connect  # type: ignore[untyped-decorator]
    async def take_over(*_: Any, **__: Any) -> None:
        scoring.taking_over = app.add_future(scoring.take_over())

    @app.agent(raw_topic(app, scoring.topics.sessions.name), concurrency=1)  # type: ignore[untyped-decorator]
    async def score(sessions: Any) -> None:
        """Emit a fresh top 10 for every visitor whose session changed."""
        async for batch in micro_batches(sessions, BATCH):
            await scoring.score(batch)
            app.consumer.acknowledge(batch)

    return app
