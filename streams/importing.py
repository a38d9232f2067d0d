"""Importing an event log into the topic `events`: every row once, however often the import is interrupted.

An event's id is made of the log's checksum and the row's number, so the same row is the same event for ever.
The progress is noted down after every chunk that the broker has acknowledged; what was sent after the last
note is found in the topic itself when the import goes on.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from infra.file_lock import locked
from models.event_log import EventLog, digest, find_log
from models.log_columns import EventReader, Meaning
from reco.errors import BrokerError, EventLogError
from reco.events import Sale
from streams import clients, publishing, reading
from streams.bulk import Bulk, bulk
from streams.following import Followed, followed
from streams.history import read_sales
from streams.import_progress import Ledger, Progress
from streams.import_rows import Outcome, Record, TimeOrder, chunks, outcomes, paced_chunks
from streams.settings import Kafka, Settings
from streams.topics import topic_set

FOLLOWED = (
    "workers are running; so that live visitors do not wait for their lists, events are sent no faster than "
    "these follow. Stop them, or give --at-once, to send at full speed"
)
"""What is said of an import that waits for workers."""
READ_OTHERWISE = (
    "was imported before, read in another way. Events that were sent then stay what they were, for one that "
    "comes again changes nothing; to have them read anew, import into new topics (topics.prefix)"
)
"""What is said of an import that corrects another one, or would."""
ID_DIGITS = 16
"""Hexadecimal digits of a log's checksum in its event ids: 64 bits."""


class Watcher(Protocol):
    """Whoever watches an import."""

    def say(self, text: str) -> None:
        """Take note of something worth knowing."""

    def progress(self, stage: str, fraction: float, rows: int) -> None:
        """Take note that `stage` is at `fraction` (0 to 1), after `rows` rows."""


class Options(msgspec.Struct, frozen=True):
    """How to import.

    Attributes:
        limit: only the first so many rows of the log; None for all.
        speed: so many times as fast as it happened, in order of event time; None: as fast as possible.
        publish_items: publish a sale for each item of the log first.
        restart: forget earlier progress.
        at_once: do not wait for running workers.
    """

    limit: int | None = None
    speed: float | None = None
    publish_items: bool = False
    restart: bool = False
    at_once: bool = False


@dataclass(frozen=True)
class Imported:
    """What has been imported from a log, its file of refused rows, and the rows earlier runs had done."""

    log: Path
    progress: Progress
    rejects: Path
    rows_before: int


async def import_log(
    settings: Settings, path: Path, meaning: Meaning, options: Options, *, now: int, watcher: Watcher
) -> Imported:
    """Import what is missing of the log at `path`; `now` in ms since the epoch, UTC.

    Raises:
        EventLogError: the log cannot be read, its columns do not suffice, or it is being imported already.
        BrokerError: the broker cannot be reached, or does not take the events.
    """
    log = EventLog(find_log(path), meaning.renames)
    log_id = digest(log.path)[:ID_DIGITS]
    rows = EventReader(log, log_id, meaning)
    for assumption in rows.assumptions:
        watcher.say(f"{log.path}: {assumption}")
    order = ("by time", options.limit) if options.speed else ("as in the file",)
    topic = topic_set(settings.topics).events.name
    try:
        cluster = await _cluster_id(settings.kafka)
        ledger = Ledger(settings.data_dir() / "imports", _import_id(log_id, cluster, topic, meaning, order))
        with locked(ledger.lock, wait=False) as lock:
            if lock is None:
                remedy = "wait until it has ended, or stop it and run the same command again"
                raise EventLogError(f"{log.path}: is being imported already, by another process; {remedy}")
            fresh = Progress(log=_import_id(log_id, cluster, topic), meaning=_import_id(meaning))
            run = _Import(settings, log, rows, log_id, options, now, watcher, ledger, fresh)
            return await run.run()
    except KafkaError as error:
        remedy = "run the same command again to go on"
        raise BrokerError(f"{log.path}: the broker did not take all events: {error!r}; {remedy}") from error


async def _cluster_id(kafka: Kafka) -> str:
    """The id of the Kafka cluster, which an import's progress belongs to."""
    async with clients.admin(kafka) as client:
        return str((await client.describe_cluster())["cluster_id"])


def _import_id(*parts: Any) -> str:
    """What tells imports apart by these parts of log, cluster, topic, meaning of the columns, and order."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True)
class _Import:
    settings: Settings
    log: EventLog
    reader: EventReader
    log_id: str
    options: Options
    now: int
    watcher: Watcher
    ledger: Ledger
    fresh: Progress

    async def run(self) -> Imported:
        before, known = await self._resume()
        progress = before
        if self.options.publish_items and not (progress.finished and progress.items):
            progress = await self._publish_items(progress)
        if progress.finished or progress.rows == self.options.limit:
            self._say("is imported already; --restart sends it again")
        else:
            progress = await self._send(progress, known)
        return Imported(self.log.path, progress, self.ledger.rejects, before.rows)

    async def _resume(self) -> tuple[Progress, set[int]]:
        """The progress noted last, and the rows beyond it that stand in the topic all the same."""
        topic = topic_set(self.settings.topics).events.name
        partitions = (await reading.partitions_of(self.settings.kafka, topic))[topic]
        # Of an open transaction too: behind its beginning own rows may stand, which need no commit.
        async with reading.reader(self.settings.kafka, isolation_level="read_uncommitted") as consumer:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            held = {one.partition: end for one, end in ends.items()}
            noted = self._noted(held)
            if noted is None:
                if any(one.sent and one.is_of(held) for one in self.ledger.others(self.fresh)):
                    self._say(READ_OTHERWISE)
                fresh = msgspec.structs.replace(self.fresh, offsets=held)
                self.ledger.start(fresh)
                return fresh, set()
            if noted.finished:
                return noted, set()
            start = {one: noted.offsets.get(one.partition, 0) for one in partitions}
            known = await self._rows_between(consumer, start, ends)
        self._say(f"goes on after row {noted.rows:,}; {len(known):,} more had arrived")
        return noted, known

    def _noted(self, held: Mapping[int, int]) -> Progress | None:
        """The progress noted last, if it still holds for a topic whose partitions end there."""
        noted = None if self.options.restart else self.ledger.load()
        if noted and not noted.is_of(held):
            self._say("the topic was made anew since the last import; begins with the first row")
            return None
        return noted

    async def _rows_between(
        self, consumer: AIOKafkaConsumer, start: dict[TopicPartition, int], end: dict[TopicPartition, int]
    ) -> set[int]:
        """The rows of this log whose events stand in the topic from `start` up to, not including, `end`."""
        own = re.compile(rb'"event_id":"%s-(\d+)"' % self.log_id.encode())
        rows = set()
        async for record in reading.read_between(consumer, start, end):
            found = own.search(record.value or b"")
            if found:
                rows.add(int(found[1]))
        return rows

    async def _publish_items(self, progress: Progress) -> Progress:
        """Publish a sale for each item, titled with its id, open from the item's first event on.

        What was published under that id with a title of its own stays as it is.
        """
        opens_at: dict[str, int] = {}
        rows = 0
        async for chunk in chunks(self._outcomes(skip=0)):
            for row in chunk:
                if isinstance(row, Record):
                    opens_at[row.sale_id] = min(row.ts, opens_at.get(row.sale_id, row.ts))
            rows += len(chunk)
            self.watcher.progress("finding items", self._fraction(rows, None), rows)
        there = {
            sale.sale_id for sale in (await read_sales(self.settings)).sales() if sale.title != sale.sale_id
        }
        items = [Sale(item, title=item, opens_at=at) for item, at in opens_at.items() if item not in there]
        records = [publishing.record(item) for item in items]
        await publishing.send(self.settings.kafka, topic_set(self.settings.topics).sales.name, records)
        published = msgspec.structs.replace(progress, items=len(records))
        self.ledger.save(published)
        kept = len(opens_at) - len(records)
        self._say(f"{len(records):,} items published as sales" + (f", {kept:,} were there" if kept else ""))
        return published

    async def _send(self, progress: Progress, known: set[int]) -> Progress:
        """Send the rows after `progress`, except those that are `known` to stand in the topic."""
        async with self._sequence(progress.rows) as (rows, total), self._events() as events:
            async for chunk in rows:
                missing = [row for row in chunk if isinstance(row, Record) and row.row not in known]
                ends = await events.deliver((row.key, row.value) for row in missing)
                known.difference_update(row.row for row in chunk)
                # While known rows lie ahead, an offset beyond them would hide them from the next run.
                progress = progress.after(chunk, {} if known else ends, self.ledger.reject(chunk))
                self.ledger.save(progress)
                self.watcher.progress("importing", self._fraction(progress.rows, total), progress.rows)
        if self.options.limit is None or progress.rows < self.options.limit:
            progress = msgspec.structs.replace(progress, finished=True)
            self.ledger.save(progress)
        return progress

    def _events(self) -> AbstractAsyncContextManager[Bulk | Followed]:
        """A sender to `events`."""
        if self.options.at_once or self.options.speed:
            return bulk(self.settings.kafka, topic_set(self.settings.topics).events.name)
        return followed(self.settings, lambda: self._say(FOLLOWED))

    @asynccontextmanager
    async def _sequence(self, skip: int) -> AsyncIterator[tuple[AsyncIterator[list[Outcome]], int | None]]:
        """The rows to import in chunks, without the first `skip`, and how many there are in all, if known."""
        if self.options.speed is None:
            yield chunks(self._outcomes(skip)), None
            return
        with closing(TimeOrder()) as order:
            async for chunk in chunks(self._outcomes(skip=0)):
                order.add(chunk)
                self.watcher.progress("sorting by time", self._fraction(order.total, None), order.total)
            yield paced_chunks(order.rows(skip), self.options.speed), order.total

    def _outcomes(self, skip: int) -> Iterator[Outcome]:
        return outcomes(self.log, self.reader, self.now, slice(skip, self.options.limit))

    def _fraction(self, rows: int, total: int | None) -> float:
        """Which fraction of the log has been worked on."""
        if total:
            return rows / total
        return max(self.log.fraction_read, rows / self.options.limit if self.options.limit else 0.0)

    def _say(self, text: str) -> None:
        self.watcher.say(f"{self.log.path}: {text}")
