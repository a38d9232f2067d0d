"""The sentinel of a worker process: health over HTTP, and the watchdog that ends a worker that stands still.

It lives in a thread of its own with its own event loop and its own Kafka clients, so that it sees what a
blocked worker cannot say. The watchdog compares the ends of the topics with how far the worker is; while
work waits and nothing moves for `worker.stall_seconds`, it ends the process, and the restart loop starts it
again. A broker that cannot be reached is no verdict, and a pause of the whole process is none. A topic with
other partitions than the worker reads ends it at once.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from reco.errors import BrokerError, SettingsError
from streams import clients
from streams.groups import members
from streams.settings import Settings
from streams.vitals import Vitals, Work

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at the worker's progress."""
LONGEST_LOOK = 5.0
"""Time between two looks that counts, s, at most: while the whole process is paused, nothing can move."""
STALLED = 70
"""Exit status of a worker that the watchdog ended."""
UNWATCHED = 71
"""Exit status of a worker whose watchdog or health server failed."""
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
"""The format of metrics: without types in it, some collectors leave all of them out."""
PATIENCE = 5.0
"""Longest wait for the thread to end, s; a broker that does not answer may hold it up."""


@dataclass
class Progress:
    """What the watchdog knows of one piece of work."""

    work: Work
    seen: dict[tuple[str, int], int] = field(default_factory=dict)
    moved_at: float = 0.0
    looked_at: float = field(init=False)
    lag: int = 0

    def __post_init__(self) -> None:
        self.looked_at = self.moved_at

    def look(
        self, reached: dict[tuple[str, int], int], ends: dict[tuple[str, int], int], now: float
    ) -> float:
        """How long, in s, work has waited at time `now` (monotonic, s) without anything having moved."""
        # An end before what was reached: the topic was made anew, and a worker that goes on reads none of it.
        left = (abs(end - reached.get(tp, end)) for tp, end in ends.items())
        self.lag = sum(left) + self.work.waiting()
        self.moved_at += max(0.0, now - self.looked_at - LONGEST_LOOK)
        self.looked_at = now
        if not self.lag or reached != self.seen or not self.work.under_way():
            self.seen, self.moved_at = reached, now
        return now - self.moved_at

    def forgive(self, now: float) -> None:
        """Start the count anew: the broker could not be asked."""
        self.moved_at = self.looked_at = now


class Running(NamedTuple):
    """The event loop of the thread, and the task that is its work."""

    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[Any]


class Sentinel(threading.Thread):
    """The thread; starts with the process, and is ended shortly before it.

    An event loop that runs on while the interpreter is taken down can crash it.
    """

    def __init__(self, settings: Settings, vitals: Vitals, end: Callable[[int], None] = os._exit) -> None:
        super().__init__(name="sentinel", daemon=True)
        self._settings = settings
        self._vitals = vitals
        self._end = end
        self._progress = [Progress(work, moved_at=time.monotonic()) for work in vitals.works]
        self._started_at = time.time()
        self._broker_at: float | None = None
        self._running: Future[Running] = Future()

    def start(self) -> None:
        """Start the thread, and wait until it serves health.

        Raises:
            SettingsError: nothing can listen where health is to be served.
        """
        super().start()
        self._running.result()

    def run(self) -> None:
        """Serve health and watch, until told to stop; without its watchdog, the process ends too."""
        try:
            asyncio.run(self._watch_and_serve())
        except asyncio.CancelledError:
            return
        except Exception:
            log.exception("the watchdog failed: the process ends, to be started again")
            self._end(UNWATCHED)

    def stop(self) -> None:
        """Watch no more, and wait until the thread has ended, up to `PATIENCE`."""
        loop, task = self._running.result()
        if self.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        self.join(PATIENCE)

    async def _watch_and_serve(self) -> None:
        runner = web.AppRunner(self._web_app(), access_log=None)
        await runner.setup()
        try:
            if await self._listens(runner) and (task := asyncio.current_task()):
                self._running.set_result(Running(asyncio.get_running_loop(), task))
                await self._watch_again_and_again()
        finally:
            await runner.cleanup()

    async def _listens(self, runner: web.AppRunner) -> bool:
        """Whether health is served; if not, the error is what `start` waits for."""
        host, port = self._settings.worker.health_host, self._settings.worker.health_port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            told = f"worker.health_port: port {port} of {host} cannot be used: {error.strerror or error}"
            self._running.set_exception(SettingsError([f"{told}; set worker.health_port or health_host"]))
            return False
        return True

    async def _watch_again_and_again(self) -> None:
        while True:
            try:
                await self._watch()
            except (BrokerError, KafkaError, OSError, TimeoutError) as error:
                log.warning("the watchdog cannot reach the broker: %r", error)
                for progress in self._progress:
                    progress.forgive(time.monotonic())
                await asyncio.sleep(LOOK_EVERY)

    # -- watchdog

    async def _watch(self) -> None:
        consumers = {
            progress.work.name: clients.consumer(
                self._settings.kafka,
                group_id=progress.work.group,
                metadata_max_age_ms=round(clients.METADATA_AGE * 1000),
            )
            for progress in self._progress
            if progress.work.topics
        }
        try:
            for consumer in consumers.values():
                await consumer.start()
            while True:
                for progress in self._progress:
                    await self._look(progress, consumers.get(progress.work.name))
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for consumer in consumers.values():
                await consumer.stop()

    async def _look(self, progress: Progress, consumer: AIOKafkaConsumer | None) -> None:
        work = progress.work
        reached = dict(work.positions())  # before the ends, which go on
        own = {topic for topic, _ in reached}
        if consumer and work.group is not None:
            # Of a topic of which this worker has no partition, the group's progress is the measure.
            for tp in clients.partitions(*(topic for topic in work.topics if topic.name not in own)):
                reached[tp.topic, tp.partition] = await consumer.committed(tp) or 0
        found = await self._ends(consumer, work) if consumer else {}
        ends = {(tp.topic, tp.partition): end for tp, end in found.items()}
        waited = progress.look(reached, ends, time.monotonic())
        if waited <= self._settings.worker.stall_seconds:
            return
        if not own and await self._is_with_others(work):
            progress.forgive(time.monotonic())
            return
        log.error(
            "%s: %s wait and nothing has moved for %.0f s: the process ends, to be started again",
            work.name,
            progress.lag,
            waited,
        )
        self._end(STALLED)

    async def _is_with_others(self, work: Work) -> bool:
        """Whether others of its group have partitions of this work, and so it is theirs to get on with it.

        They may be restoring their states: who ends meanwhile makes all begin anew with that.
        """
        if work.group is None:
            return False
        topics = {topic.name for topic in work.topics}
        async with clients.admin(self._settings.kafka) as admin:
            others = await members(admin, work.group)
        others.pop(work.member(), None)
        return any(tp.topic in topics for tps in others.values() for tp in tps)

    async def _ends(self, consumer: AIOKafkaConsumer, work: Work) -> dict[TopicPartition, int]:
        """The end of each partition that the work is on."""
        try:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(clients.partitions(*work.topics))
            self._broker_at = time.monotonic()
        finally:  # also where it timed out, as it does if a topic was made anew with fewer partitions
            self._expect_partitions(consumer, work)
        return ends

    def _expect_partitions(self, consumer: AIOKafkaConsumer, work: Work) -> None:
        """End the process if a topic has other partitions: nobody would read what is added.

        Before the work is under way, the worker looks at them itself, and says more.
        """
        for topic in work.topics if work.under_way() else ():
            there = len(consumer.partitions_for_topic(topic.name) or ())
            if there not in (0, topic.partitions):  # 0: it is not known for the moment
                log.error("%s. The process ends, to be started again", topic.otherwise(there))
                self._end(STALLED)

    # -- health

    def _web_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        now = time.monotonic()
        ready = self._vitals.ready()
        works = {
            p.work.name: {"lag": p.lag, "moved_seconds_ago": round(now - p.moved_at, 1)}
            | ({} if p.work.group is None else {"member": p.work.member()})
            for p in self._progress
        }
        body = {
            "status": "ok" if ready else "starting",
            "agents": self._vitals.agents,
            "pid": os.getpid(),
            "up_seconds": round(time.time() - self._started_at, 1),
            "ready": {name: is_ready() for name, is_ready in self._vitals.readiness.items()},
            "broker_seconds_ago": self._broker_seconds_ago(),
            "works": works,
            "counts": dict(self._vitals.counts),
            "gauges": {name: gauge() for name, gauge in self._vitals.gauges.items()},
            "names": {what: name() for what, name in self._vitals.names.items()},
        }
        return web.json_response(body, status=200 if ready else 503)

    def _broker_seconds_ago(self) -> float | None:
        """Since when lags may be out of date; None if the broker was never reached."""
        return None if self._broker_at is None else round(time.monotonic() - self._broker_at, 1)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            text="".join(f"{line}\n" for line in self._families()), headers={"Content-Type": PROMETHEUS}
        )

    def _families(self) -> Iterator[str]:
        """The lines of all metrics, those of a name together, after its type."""
        for name, count in sorted(self._vitals.counts.items()):
            yield f"# TYPE tenfold_{name}_total counter"
            yield f"tenfold_{name}_total {count}"
        for name, gauge in sorted(self._vitals.gauges.items()):
            yield f"# TYPE tenfold_{name} gauge"
            yield f"tenfold_{name} {gauge()}"
        for what, name_of in sorted(self._vitals.names.items()):
            yield f"# TYPE tenfold_{what} gauge"
            yield f'tenfold_{what}{{name="{name_of()}"}} 1'
        if (ago := self._broker_seconds_ago()) is not None:
            yield "# TYPE tenfold_broker_seconds_ago gauge"
            yield f"tenfold_broker_seconds_ago {ago}"
        yield "# TYPE tenfold_lag gauge"
        yield from (f'tenfold_lag{{work="{one.work.name}"}} {one.lag}' for one in self._progress)
