"""The performance: the site, the observer and the screen at work together in one event loop."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from demo.backstage import Backstage
from demo.labels_seen import LabelsSeen, labels_seen
from demo.observer import Observer
from demo.plan import Plan
from demo.ranking import ENOUGH, State
from demo.report import Figures
from demo.site import Site
from streams import clients
from streams.clock import now
from streams.reading import reader
from streams.settings import Settings
from streams.topics import topic_set

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a demo from outside: Ctrl-C, a supervisor, and a terminal that is closed."""
SETTLING = 15.0
"""Longest time that the last clicks are given to be answered, s."""


class Performance:
    """What is going on: read by the screen while it lasts."""

    def __init__(self, site: Site, observer: Observer, backstage: Backstage) -> None:
        self.site = site
        self.observer = observer
        self._backstage = backstage
        self._opened = time.monotonic()
        self._closed: float | None = None

    def closed(self) -> None:
        """The visitors are gone: time stands still for the figures."""
        self._closed = time.monotonic()

    def figures(self) -> Figures:
        """What has been counted so far."""
        site, observer = self.site, self.observer
        return Figures(
            seconds=(self._closed or time.monotonic()) - self._opened,
            events=dict(site.events),
            visitors=len(site.visitors),
            visitors_without_list=len(site.visitors - observer.newest.keys()),
            sessions=len(observer.visitors_with_session),
            lists=observer.lists,
            lists_invalid=observer.lists_invalid,
            lists_unjudged=observer.lists_unjudged,
            invalid_examples=tuple(observer.invalid_examples),
            dead_letters=observer.dead_letters,
            live_sales=len(observer.sales.newest.live(now()).ids),
            restarts=self._backstage.restarts,
            click_to_list=observer.latency(),
            labels=self.labels(),
            ranking=self.ranking,
            lists_by_ranker=dict(observer.lists_by_ranker),
        )

    @property
    def ranking(self) -> State:
        """What training has come to."""
        return self._backstage.ranking.state

    async def learn(self) -> None:
        """Have rankers trained once visitors have done enough, and again if sales were labelled only then."""
        observer, ranking = self.observer, self._backstage.ranking
        await observer.until(lambda: sum(self.site.events.values()) >= ENOUGH)
        with_labels = self._is_labelled()
        await ranking.train()
        if not with_labels:
            await observer.until(self._is_labelled)
            await ranking.train()

    def _is_labelled(self) -> bool:
        """Whether all that can be said of the images of live sales is said."""
        live = set(self.observer.sales.newest.live(now()).ids)
        return self._backstage.labelling_state in {"off", "failed"} or live <= self.observer.labels.keys()

    def labels(self) -> LabelsSeen:
        """What labelling has come to."""
        stage = self._backstage
        labels = self.observer.labels.values()
        return labels_seen(stage.labelling_state, labels, self.site.kinds, stage.trained)


Draw = Callable[[Performance], Coroutine[Any, Any, None]]
"""Shows a performance for as long as it lasts."""


async def perform(settings: Settings, plan: Plan, backstage: Backstage, draw: Draw) -> Figures:
    """Play `plan` until its time is over, or one of `ENDS` comes; then wait for the last lists.

    Raises:
        BrokerError: the broker cannot be reached, or an event could not be delivered.
    """
    topics = topic_set(settings.topics)
    observer = Observer(topics, settings.rules)
    kafka = settings.kafka
    async with reader(kafka) as consumer, clients.started(clients.producer(kafka)) as producer:
        consumer.assign(clients.partitions(*observer.reads))
        site = Site(producer, topics, observer, plan, images=backstage.images, kinds=backstage.kinds)
        await site.publish()
        performance = Performance(site, observer, backstage)
        watching = observer.follow(consumer, time.perf_counter)
        async with background(watching, site.withdraw(), performance.learn(), draw(performance)):
            send_home(site, plan.seconds)
            await site.open()
            performance.closed()
            with suppress(TimeoutError):
                await asyncio.wait_for(observer.settle(), SETTLING)
        return performance.figures()


def send_home(site: Site, seconds: float | None) -> None:
    """Have the visitors go after `seconds`, or at one of `ENDS`; after `nohup`, SIGHUP stays ignored."""
    loop = asyncio.get_running_loop()
    for one in ENDS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            loop.add_signal_handler(one, site.stop.set)
    if seconds is not None:
        loop.call_later(seconds, site.stop.set)


@asynccontextmanager
async def background(*at_once: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `at_once` beside the block, and end them with it; an error of one of them ends the block."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in at_once]
            yield
            for task in tasks:
                task.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
