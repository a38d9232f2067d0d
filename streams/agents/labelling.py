"""The labelling agent: what is in the images of sales, for new sales at once, for a new labeller in time.

It is the only agent that imports TensorFlow. Workers share the partitions of `sales`. Two ways lead to a
sale, side by side, so that neither waits for the other: the group's own reading of `sales` labels what is
published while a worker runs; the backlog is every other sale of the own partitions that the labeller in use
has not labelled with its present images. A record only says which sale to look at. What is to be done is
derived from the newest state of `sales` and `sale-labels`, so that no crash, restart or rebalance loses a
sale; one that two workers label for a moment ends as one of them says.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from faust.types import EventT
from threadpoolctl import threadpool_limits

from models.labelling.labeller import Labeller
from reco.errors import SettingsError
from reco.events import Sale
from streams.clock import now
from streams.delivery.batches import micro_batches, overlapping
from streams.delivery.consumer import LosslessApp
from streams.faust_app import new_app, raw_topic
from streams.images.fetching import PER_HOST, Fetcher
from streams.labellers import LABELLERS, load, of_settings
from streams.labelling_backlog import FIRST_PAUSE, Backlog, groups
from streams.labelling_desk import Fetched, LabellingDesk
from streams.labelling_way import LabellingWay
from streams.release_feed import Promotions, ReleaseFeed
from streams.settings import Settings, late_images
from streams.topics import TopicSet, topic_set
from streams.vitals import Positions, Vitals, Work

NEW_SALES_AT_ONCE = 8
"""New sales that are labelled together, at most; they are acknowledged together."""
OLD_IMAGES_AT_ONCE = 16
"""Images of the backlog that are labelled together, about."""
BATCHES_AT_ONCE = 2
"""While the network looks at the images of one batch, those of the next are fetched and decoded."""
COUNTED = ("labelled_sales", "labelled_images", "dead_letters", "releases_refused")
"""What is counted, from 0 on."""
STEPS, SECONDS = ("images", 0), ("seconds", 0)
"""Stand where topic and partition stand, so that the watchdog sees that a batch is being worked on."""


class LabellingApp:
    """The Faust application of the labelling agent, with what it knows, and the two ways to sales."""

    def __init__(self, settings: Settings, vitals: Vitals) -> None:
        if late := list(late_images(settings)):
            raise SettingsError(late)
        self._settings = settings
        self.topics: TopicSet = topic_set(settings.topics)
        self.app = new_app(settings, "labelling")
        self.backlog = Backlog(settings.kafka, self.topics)
        releases = ReleaseFeed(settings.kafka, self.topics.releases, LABELLERS, vitals)
        self.promotions = Promotions(
            releases,
            lambda promoted: load(promoted, self._labeller),
            lambda: of_settings(settings.labelling),
            lambda: self.version,
        )
        self._counts = vitals.counts
        self._outboxes = self.app.outbox(settings.kafka), self.app.outbox(settings.kafka)
        self._ways: tuple[LabellingWay, ...] = ()
        self._waiting = 0
        name, sales, labelled = settings.group("labelling"), self.backlog.sales, self.backlog.labelled
        vitals.readiness[name] = lambda: self.app.tables.actives_ready
        own = Work(
            name,
            self._positions,
            (self.topics.sales,),
            name,
            self.app.member,
            under_way=lambda: self.app.begun,
        )
        backlog = Work(f"{name} backlog", self._steps_of_backlog, (), waiting=lambda: self._waiting)
        # A scoring agent in the same process has feeds of the same topics.
        feeds = [
            replace(one, name=f"{name} {one.name}") for one in (sales.work, labelled.work, releases.work)
        ]
        vitals.works += [own, backlog, *feeds]
        vitals.count(*COUNTED)
        vitals.gauges["labelling_backlog"] = lambda: self._waiting
        vitals.names["labeller"] = lambda: self.version

    @property
    def version(self) -> str:
        """The labeller in use; empty before the first one is loaded."""
        return self.backlog.labelled.version

    @property
    def _labeller(self) -> Labeller | None:
        """What new sales are labelled with; None before the first one is loaded."""
        return self._ways[0].desk.labeller if self._ways else None

    async def build(self) -> None:
        """Load the labeller, and learn what is there and what is labelled already."""
        images = self._settings.images
        _share_the_machine()
        labeller = await self.promotions.first()
        self.backlog.use(labeller.version)
        await self.backlog.build()
        fetcher: Fetcher = await self.app.add_async_context(Fetcher(images))
        leisurely = _in_turn(fetcher.fetched, max(1, min(images.concurrency, PER_HOST) // 2))
        limits: dict[str, Any] = {"max_pixels": images.max_pixels, "clock": now}
        desks = (
            LabellingDesk(labeller, fetcher.fetched, patience=images.timeout_seconds, **limits),
            LabellingDesk(labeller, leisurely, **limits),
        )
        self._ways = tuple(
            LabellingWay(desk, outbox, self.backlog, self.topics, self._counts)
            for desk, outbox in zip(desks, self._outboxes, strict=True)
        )

    async def use(self, labeller: Labeller) -> None:
        """Label with another labeller from the next batches on; all sales are its backlog."""
        self.backlog.use(labeller.version)
        for way in self._ways:
            way.desk.labeller = labeller

    def _positions(self) -> Positions:
        """How far the worker is: what it has acknowledged, and within that, the images of the present batch.

        Without partitions, the group's progress counts.
        """
        acknowledged = self.app.positions()
        return {**acknowledged, **_steps(self._ways[0])} if acknowledged else {}

    def _steps_of_backlog(self) -> Positions:
        """How far the worker is with the images of the backlog."""
        return _steps(self._ways[1]) if self._ways else {}

    async def take(self, batch: Sequence[EventT]) -> None:
        """Label the sales of a batch that lack labels, but those that were there at the start."""
        sales, way = self.backlog.sales, self._ways[0]
        messages = [event.message for event in batch]
        await sales.reach(messages)
        keys = dict.fromkeys(one.key or b"" for one in messages if one.offset >= sales.found[one.partition])
        published = [sales.by_id.get(key.decode(errors="replace")) for key in keys]
        await way.label([one.sale for one in published if one and self.backlog.labelled.lacks(one.sale)])

    async def work_off(self) -> None:
        """Label the backlog, a few sales at a time, and take labels of withdrawn sales back, for ever."""
        way, changed = self._ways[1], self.backlog.sales.changed
        while True:
            changed.clear()
            await way.take_back(self.backlog.withdrawn(self._reached()))
            await overlapping(self._lacking(), way.label, self._labelled, BATCHES_AT_ONCE)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), FIRST_PAUSE)

    async def _lacking(self) -> AsyncIterator[list[Sale]]:
        """The backlog, in groups, until a sale changes: then it has to be looked at anew."""
        lacking = self.backlog.lacking(self._reached(), now(), time.monotonic())
        self._waiting = len(lacking)
        for some in groups(lacking, OLD_IMAGES_AT_ONCE):
            yield some
            if self.backlog.sales.changed.is_set():
                return

    def _labelled(self, some: Sequence[Sale]) -> None:
        self._waiting -= len(some)

    def _reached(self) -> dict[int, int]:
        """Up to where the backlog goes in each partition of this worker; beyond are new sales."""
        acknowledged, found = self.app.positions(), self.backlog.sales.found
        return {number: max(offset, found[number]) for (_, number), offset in acknowledged.items()}


def _steps(way: LabellingWay) -> Positions:
    return {STEPS: way.desk.steps, SECONDS: way.desk.seconds}


def _share_the_machine() -> None:
    """Leave processors to the network, and a card to other workers too; before TensorFlow is imported."""
    # The threads of NumPy's library spin after each product of the head.
    threadpool_limits(1, user_api="blas")
    # TensorFlow takes all memory of a card by default.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def _in_turn(fetched: Fetched, turns: int) -> Fetched:
    """`fetched`, at most `turns` at a time: new sales find turns left, also at the host of the backlog."""
    turn = asyncio.Semaphore(turns)

    @asynccontextmanager
    async def fetched_in_turn(url: str) -> AsyncIterator[bytes]:
        async with turn, fetched(url) as data:
            yield data

    return fetched_in_turn


def labelling_app(settings: Settings, vitals: Vitals) -> LosslessApp:
    """The Faust application of the labelling agent."""
    labelling = LabellingApp(settings, vitals)
    app, sales = labelling.app, labelling.backlog.sales
    app.before_start(labelling.build)
    app.alongside(sales.follow)
    app.alongside(labelling.backlog.labelled.follow)
    app.alongside(labelling.work_off)
    app.alongside(labelling.promotions.feed.follow)
    app.alongside(lambda: labelling.promotions.follow(labelling.use))

    @app.on_rebalance_complete.connect  # type: ignore[untyped-decorator]
    async def take_over(*_: Any, **__: Any) -> None:
        sales.changed.set()

    @app.agent(raw_topic(app, labelling.topics.sales.name), concurrency=1)  # type: ignore[untyped-decorator]
    async def label(published: Any) -> None:
        """Label every sale that is published, or published with other images."""
        batches = micro_batches(published, NEW_SALES_AT_ONCE)
        await overlapping(batches, labelling.take, app.consumer.acknowledge, BATCHES_AT_ONCE)

    return app
