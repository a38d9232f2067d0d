"""Recovery of a state table from its changelog, by position.

Faust's own recovery waits for the record just before the end offset and hangs where that one was compacted
away; this one reads until its position is at the end. It also keeps the state with the highest source
offset rather than the last one written, so that a worker that lost its partition without noticing cannot
make a newer state older.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import rocksdict
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.tables.recovery import Recovery
from faust.types import TP
from mode import Service

from streams import clients
from streams.reading import reader
from streams.settings import Kafka

READ_TIMEOUT = 500
"""How long one read of the changelog waits for records, ms."""
OFFSET_KEY = b"__faust\0offset__"
"""Where Faust's RocksDB store keeps the changelog offset that it includes."""


class _SourceOffset(msgspec.Struct):
    offset: int


_source_offset = msgspec.json.Decoder(_SourceOffset)


class StateTable:
    """A Faust table of bytes in RocksDB, one database per partition, read and written by partition.

    Its changelog is a topic that others read too, so what is stored is exactly what was sent.
    """

    def __init__(self, table: Any) -> None:
        self.table = table

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The state of `key`, or None."""
        value: bytes | None = self._database(partition).get(key)
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

    def changelog_offset(self, partition: int) -> int:
        """Offset of the last changelog record included, -1 for none."""
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
        for table, tps in list(self.actives_for_table.items()):
            if rebalance == self.app.rebalancing_count and tps:
                await restore(StateTable(table), tps, self.kafka)

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


async def restore(table: StateTable, changelog: Iterable[TP], kafka: Kafka) -> None:
    """Read each partition of the changelog from where the table's copy ends to its end."""
    partitions = [TopicPartition(tp.topic, tp.partition) for tp in changelog]
    async with reader(kafka) as consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            if table.changelog_offset(tp.partition) >= ends[tp]:
                table.clear(tp.partition)
            consumer.seek(tp, table.changelog_offset(tp.partition) + 1)
        while waiting := await clients.behind(consumer, ends):
            await _restore_some(table, consumer, waiting)


async def _restore_some(
    table: StateTable, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> None:
    fetched = await consumer.getmany(*partitions, timeout_ms=READ_TIMEOUT, max_records=2000)
    for tp, records in fetched.items():
        newest: dict[bytes, bytes | None] = {}
        for record in records:
            known = newest.get(record.key) or table.get(tp.partition, record.key)
            if is_newer(record.value, known):
                newest[record.key] = record.value
        table.write(tp.partition, newest, records[-1].offset)
        await asyncio.sleep(0)


def is_newer(state: bytes | None, known: bytes | None) -> bool:
    """Whether `state` includes at least as much of its source as `known`; an erasure always does."""
    if state is None or known is None:
        return True
    try:
        return _source_offset.decode(state).offset >= _source_offset.decode(known).offset
    except msgspec.DecodeError:
        # Somebody else wrote to the changelog; what the worker itself wrote is right.
        return False
