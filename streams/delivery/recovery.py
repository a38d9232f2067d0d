"""Recovery of a state table from its changelog, by position.

Faust's own recovery waits for the record just before the end offset and hangs where that one was compacted
away; this one reads until its position is at the end. It also keeps the state with the highest source
offset rather than the last one written, so that a worker that lost its partition without noticing cannot
make a newer state older, nor bring an erased one back; where such a worker wrote last, the newer state,
or the erasure, is sent again.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import rocksdict
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from faust.tables.recovery import Recovery
from faust.types import TP
from mode import Service

from reco.errors import DeliveryError, RefusedRecordError
from streams import clients
from streams.clock import now
from streams.codecs import TABLE_OFFSET, decode_session
from streams.delivery.consumer import MADE_ANEW
from streams.delivery.outbox import Outbox
from streams.reading import first_since, reader
from streams.settings import Kafka
from streams.topics import ERASURES_KEPT

log = logging.getLogger(__name__)

READ_TIMEOUT = 500
"""How long one read of the changelog waits for records, ms."""
READ_AGAIN = 256
"""Records before the end of a changelog partition that are read though the table includes them.

As many as a worker sends at once, so that the newest source offsets are among them.
"""
GRAVE = b'{"offset":'
"""How what is left of an erased state begins; no state does."""
ERASED_AT = "tenfold.offset"
"""Header of an erasure, a record without a value: the source offset that asked for it."""
MAX_DIGITS = 19
"""No offset has more."""
OFFSET_KEY = TABLE_OFFSET.encode()
"""What is sent under this key is no state: it stands for the changelog offset in the table."""


class _SourceOffset(msgspec.Struct):
    offset: int


_source_offset = msgspec.json.Decoder(_SourceOffset)


class StateTable:
    """A Faust table of bytes in RocksDB, one database per partition, read and written by partition.

    Its changelog is a topic that others read too, so what is stored is exactly what was sent; but for an
    erasure, a record without a value, its `grave`.
    """

    def __init__(self, table: Any) -> None:
        self.table = table

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The state of `key`, the `grave` of one that was erased, or None."""
        value: bytes | None = None if key == OFFSET_KEY else self._database(partition).get(key)
        return value

    def write(self, partition: int, states: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Write `states` (None erases) and the changelog offset that they reach, atomically."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in states.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(OFFSET_KEY, str(changelog_offset).encode())
        self._database(partition).write(batch)

    def add(self, partition: int, states: Mapping[bytes, bytes | None], sent_to: Iterable[int]) -> None:
        """Write states that this worker has just sent to these offsets of the changelog.

        A record between them that another wrote is not included, so the changelog is read again from there.
        """
        reached = self.changelog_offset(partition)
        for offset in sorted(sent_to):
            reached += offset == reached + 1
        self.write(partition, states, reached)

    def changelog_offset(self, partition: int) -> int:
        """Offset up to which all changelog records are included, -1 for none."""
        stored = self._database(partition).get(OFFSET_KEY)
        return -1 if stored is None else int(stored)

    def clear(self, partition: int) -> None:
        """Forget the local copy of a partition."""
        database = self._database(partition)
        for key in list(database.keys()):
            database.delete(key)

    def _database(self, partition: int) -> Any:
        return self.table.data._db_for_partition(partition)  # noqa: SLF001 - Faust finds it by the event only


class PositionRecovery(Recovery):  # type: ignore[misc]
    """Faust's recovery service with the reading replaced; see the top of this file."""

    kafka: Kafka
    source: str
    """The topic whose offsets the states name."""
    restoring = False
    """Whether states are being read; the work on events begins afterwards."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _restart_recovery(self) -> None:
        while not await self.wait_for_stopped(self.signal_recovery_start):
            self.signal_recovery_start.clear()
            rebalance = self.app.rebalancing_count
            try:
                await self._restore_tables(rebalance)
                if rebalance == self.app.rebalancing_count:
                    await self._start_flow(rebalance)
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker must not go on without its state
                if rebalance != self.app.rebalancing_count:
                    self.log.info("recovery overtaken by another rebalance: %r", error)
                    continue
                await self.crash(error)
                return

    async def _restore_tables(self, rebalance: int) -> None:
        self.restoring = True
        try:
            for table, tps in list(self.actives_for_table.items()):
                if rebalance == self.app.rebalancing_count and tps:
                    await restore(StateTable(table), tps, self.source, self.kafka, now() - ERASURES_KEPT)
        finally:
            self.restoring = False

    async def _start_flow(self, rebalance: int) -> None:
        consumer = self.app.consumer
        await self.app.on_rebalance_complete.send()
        await asyncio.wait_for(consumer.perform_seek(), self.app.conf.broker_request_timeout)
        if rebalance != self.app.rebalancing_count:
            return
        consumer.resume_partitions({tp for tp in consumer.assignment() if not self._is_changelog_tp(tp)})
        self.completed.set()
        self.app.flow_control.resume()
        consumer.resume_flow()
        await self.app._fetcher.maybe_start()  # noqa: SLF001 - as Faust's own recovery does
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        self.app.on_rebalance_end()


async def restore(table: StateTable, changelog: Iterable[TP], source: str, kafka: Kafka, since: int) -> None:
    """Read each partition of the changelog from where the table's copy ends to its end.

    The changelog has all erasures since `since` (ms since the epoch, UTC). A copy that ends before that may
    have missed one: it is thrown away, and the partition read whole.

    Where the last state of a key in the changelog is not the newest, the newest is sent again: others read
    the changelog too, and compaction keeps the last one.

    Raises:
        DeliveryError: a state includes more of `source`, or the table more of the changelog, than there is.
    """
    partitions = [TopicPartition(tp.topic, tp.partition) for tp in changelog]
    of_source = [TopicPartition(source, tp.partition) for tp in partitions]
    async with reader(kafka, auto_offset_reset="none") as consumer:
        consumer.assign(partitions)
        source_ends = await consumer.end_offsets(of_source)
        firsts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        complete = await first_since(consumer, ends, since)
        readings = {
            tp: _Reading(table, tp, source_ends[one]) for tp, one in zip(partitions, of_source, strict=True)
        }
        for tp in partitions:
            consumer.seek(tp, max(firsts[tp], readings[tp].start(ends[tp], complete[tp])))
        await _read(consumer, readings, ends)
        source_ends = await consumer.end_offsets(of_source)
    for reading, one in zip(readings.values(), of_source, strict=True):
        reading.finish(ends[reading.tp])
        reading.check(one, source_ends[one])
    if any(reading.overtaken for reading in readings.values()):
        await _send_again(table, readings.values(), kafka)


async def _read(
    consumer: AIOKafkaConsumer,
    readings: Mapping[TopicPartition, "_Reading"],
    ends: Mapping[TopicPartition, int],
) -> None:
    """Read each partition up to its end.

    Raises:
        DeliveryError: what is read next is not there any more.
    """
    try:
        while waiting := await clients.behind(consumer, ends):
            fetched = await consumer.getmany(*waiting, timeout_ms=READ_TIMEOUT, max_records=2000)
            for tp, records in fetched.items():
                readings[tp].take(records)
                await asyncio.sleep(0)
    except OffsetOutOfRangeError as error:
        (tp, offset), *_ = error.args[0].items()
        raise DeliveryError(
            f"{tp.topic}[{tp.partition}] lost offset {offset} while it was read: {MADE_ANEW}"
        ) from error


class _Reading:
    """What is read of one partition of a changelog into a table."""

    def __init__(self, table: StateTable, tp: TopicPartition, source_end: int) -> None:
        self.tp = tp
        self.overtaken: set[bytes] = set()
        """Keys whose last record in the changelog is not their newest state."""
        self._table = table
        self._source_end = source_end
        self._beyond_source: set[bytes] = set()
        self._foreign_seen = False

    def start(self, end: int, complete: int) -> int:
        """Where to begin, in a partition that ends at `end`, and has all erasures from `complete` on.

        Raises:
            DeliveryError: the table includes more, so states of events that the group has read are gone.
        """
        reached = self._table.changelog_offset(self.tp.partition)
        if reached >= end:
            raise DeliveryError(
                f"{self.tp.topic}[{self.tp.partition}] ends at {end}, and the table of this worker includes "
                f"offset {reached} of it: {MADE_ANEW}"
            )
        if reached + 1 < complete:
            self._table.clear(self.tp.partition)
            return 0
        return max(0, min(reached + 1, end - READ_AGAIN))

    def take(self, records: Iterable[Any]) -> None:
        """Write the states of the next records, as far as they are newer than the table's."""
        newest: dict[bytes, bytes | None] = {}
        for record in records:
            key, state = record.key, state_in(record)
            known = newest[key] if key in newest else self._table.get(self.tp.partition, key)
            if not is_newer(record, known):
                self.overtaken.add(key)
                self._report_if_foreign(record)
                continue
            newest[key] = state
            self.overtaken.discard(key)
            if state is not None and _offset_of(state) >= self._source_end:
                self._beyond_source.add(key)
        self._table.write(self.tp.partition, newest, record.offset)

    def finish(self, end: int) -> None:
        """All before `end` was read, whether records still stand there or not."""
        reached = max(end - 1, self._table.changelog_offset(self.tp.partition))
        self._table.write(self.tp.partition, {}, reached)

    def check(self, source: TopicPartition, source_end: int) -> None:
        """Compare the states with their source, which ends at `source_end` now.

        Raises:
            DeliveryError: one includes more: new events would be taken for such as it includes already.
        """
        states = self.newest(self._beyond_source).values()
        highest = max((_offset_of(state) for state in states), default=-1)
        if highest >= source_end:
            raise DeliveryError(
                f"{source.topic}[{source.partition}] ends at {source_end}, and a state on "
                f"{self.tp.topic}[{self.tp.partition}] includes offset {highest} of it: {MADE_ANEW}"
            )

    def newest(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The states of those of `keys` that have one."""
        states = ((key, self._table.get(self.tp.partition, key)) for key in keys)
        return {key: state for key, state in states if state is not None}

    def _report_if_foreign(self, record: Any) -> None:
        if record.value is None:  # an erasure
            return
        try:
            decode_session(record.value)
        except RefusedRecordError as refusal:
            if not self._foreign_seen:
                place = (record.topic, record.partition, record.offset)
                log.warning("%s[%s] offset %s is no session state and is left out: %s", *place, refusal)
            self._foreign_seen = True


async def _send_again(table: StateTable, readings: Iterable[_Reading], kafka: Kafka) -> None:
    """Make the newest states the last ones in the changelog where they are not."""
    outbox = Outbox(kafka)
    await outbox.start()
    try:
        for reading in readings:
            topic, partition = reading.tp
            states = reading.newest(reading.overtaken)
            for key, state in states.items():
                await send_state(outbox, topic, key, state, partition)
            table.add(partition, states, [at.offset for at in await outbox.settle()])
    finally:
        await outbox.close()


def grave(offset: int) -> bytes:
    """What is left of a state that was erased at this source offset."""
    return GRAVE + b"%d}" % offset


def erased_at(state: bytes | None) -> int | None:
    """The source offset that erased it, if `state` is a grave."""
    return _offset_of(state) if state is not None and state.startswith(GRAVE) else None


def state_in(record: Any) -> bytes | None:
    """The state in a record of the changelog; a grave for an erasure, None for one that names no offset."""
    if record.value is not None:
        return record.value  # type: ignore[no-any-return]
    offset = dict(record.headers).get(ERASED_AT) or b""
    return grave(int(offset)) if offset.isdigit() and len(offset) <= MAX_DIGITS else None


async def send_state(outbox: Outbox, topic: str, key: bytes, state: bytes, partition: int) -> None:
    """Send a state, or an erasure if it is a grave."""
    offset = erased_at(state)
    if offset is None:
        await outbox.send(topic, key, state, partition)
    else:
        await outbox.send(topic, key, None, partition, [(ERASED_AT, str(offset).encode())])


def newer_record(record: Any, known: Any) -> bool:
    """Whether a record of the changelog has a newer state than the one that is known of its key, or None."""
    return is_newer(record, None if known is None else state_in(known))


def is_newer(record: Any, known: bytes | None) -> bool:
    """Whether a record of the changelog includes as much of its source as `known`, a state or a grave.

    What somebody else wrote, and is no session state, is never newer. An erasure that names no offset is.
    """
    state = state_in(record)
    if state is None:
        return True
    try:
        offset = _offset_of(state) if record.value is None else decode_session(state).offset
    except RefusedRecordError:
        return False
    return known is None or offset >= _offset_of(known)


def _offset_of(state: bytes) -> int:
    """The source offset in the bytes of a session state, whatever else they hold."""
    return _source_offset.decode(state).offset
