"""The knowledge in use, kept at the end of `events`; and its successor, if a release is of another basis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from models.sale_content import SaleContent
from reco.knowledge import Knowledge
from reco.label_book import LabelBook
from streams.cancelling import until_ended
from streams.feeds import CatalogueFeed, KnowledgeFeed
from streams.releases import Basis
from streams.settings import Kafka
from streams.topics import Topic
from streams.vitals import Positions, Work

SHARE_BESIDE = 0.5
"""Share of the time that a successor may take to be built, so that lists do not wait for it."""


class Learner(NamedTuple):
    """Knowledge of a basis, with what keeps it up to date: the content of sales, and the feed of events."""

    basis: Basis
    content: SaleContent
    feed: KnowledgeFeed

    @property
    def knowledge(self) -> Knowledge:
        """What it learns."""
        return self.feed.knowledge


class Learning:
    """Knowledge that is followed, and that can be replaced while it is."""

    def __init__(self, kafka: Kafka, events: Topic, catalogue: CatalogueFeed, labels: LabelBook) -> None:
        self._kafka = kafka
        self._events = events
        self._catalogue = catalogue
        self._labels = labels
        self._used = self._new(Basis())
        self._following: asyncio.Future[None] | None = None
        self._replaced: list[Learner] = []
        """Those that were in use and have not ended yet."""

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge in use."""
        return self._used.knowledge

    @property
    def work(self) -> Work:
        """The feed in use, as work to be watched."""
        name = f"feed of {self._events.name}"
        return Work(name, self._positions, (self._events,), under_way=lambda: self._used.feed.reading)

    def _positions(self) -> Positions:
        return self._used.feed.positions()

    def _new(self, basis: Basis) -> Learner:
        """A learner that knows nothing yet, neither of events nor of the sales that are published already."""
        content = SaleContent(basis.text_model, self._labels)
        self._catalogue.keep(content)
        knowledge = Knowledge(basis.parameters, content=content.content)
        return Learner(basis, content, KnowledgeFeed(self._kafka, self._events, knowledge))

    async def _end(self, learner: Learner) -> None:
        self._catalogue.let_go(learner.content)
        await learner.feed.close()

    async def begin_with(self, basis: Basis) -> None:
        """Use this basis; before events are read, once the catalogue is built."""
        if basis != self._used.basis:
            await self._end(self._used)
            self._used = self._new(basis)
            await self._catalogue.fill(self._used.content)

    async def build(self) -> None:
        """Learn up to the present end of `events`."""
        await self._used.feed.build()

    @asynccontextmanager
    async def successor(self, basis: Basis) -> AsyncIterator[Learner]:
        """A learner that is built on this basis beside the one in use, or that one if it has it.

        At the end of the block it is the one in use, and the one before ends. If the block or the building is
        broken off, nothing changes.
        """
        learner = self._used if basis == self._used.basis else self._new(basis)
        try:
            if learner is not self._used:
                await self._build_beside(learner)
            yield learner
        except BaseException:
            if learner is not self._used:
                await self._end(learner)
            raise
        self._switch(learner)

    async def _build_beside(self, learner: Learner) -> None:
        await self._catalogue.fill(learner.content, SHARE_BESIDE)
        await learner.feed.build(SHARE_BESIDE)
        # The newest seconds are not over yet when they have just been read; lists must not lose them.
        await learner.feed.read_until(lambda: learner.feed.over >= self.knowledge.second)

    def _switch(self, learner: Learner) -> None:
        if learner is not self._used:
            self._replaced.append(self._used)
            self._used = learner
            if self._following is not None:
                self._following.cancel()

    async def follow(self) -> None:
        """Follow the learner in use for ever; what goes wrong ends the worker."""
        try:
            while True:
                self._following = asyncio.ensure_future(self._used.feed.follow())
                await until_ended(self._following)
                while self._replaced:
                    await self._end(self._replaced.pop())
        finally:
            for learner in (self._used, *self._replaced):
                await self._end(learner)
