"""A table is restored to the newest states, whoever wrote last, and the changelog ends with them."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias, cast

import pytest
import rocksdict
from aiokafka.structs import RecordMetadata
from faust.types import TP, EventT
from hypothesis import given
from hypothesis import strategies as st

from reco.errors import DeliveryError
from reco.events import Click
from reco.sessions import Session
from streams.agents.sessions import SessionKeeper, sessions_app
from streams.clients import producer, started
from streams.clock import now
from streams.codecs import decode_session, encode
from streams.delivery import recovery
from streams.delivery.outbox import Outbox
from streams.delivery.recovery import (
    ERASED_AT,
    OFFSET_KEY,
    StateTable,
    grave,
    is_newer,
    newer_record,
    restore,
    send_state,
    state_in,
)
from streams.reading import newest_of, partitions_of, reader
from streams.restoring import newest_since
from streams.settings import Settings, Topics
from streams.topics import Topic, TopicSet, topic_set
from streams.vitals import Vitals
from tests.streams.world import make_anew

ANN, BOB, CEM = b"ann", b"bob", b"cem"
FOREIGN = b'{"offset":999999}'
SOURCE_END = 10
"""Events that there are."""

Tables: TypeAlias = Callable[[], StateTable]
Record: TypeAlias = tuple[bytes, bytes | None]


def state(offset: int, visitor: bytes = ANN) -> bytes:
    return encode(Session(visitor.decode(), offset))


def record(offset: int, visitor: bytes = ANN) -> Record:
    return visitor, state(offset, visitor)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    """Makes state tables, each on a disk of its own, of one partition."""
    databases: list[rocksdict.Rdict] = []

    def table() -> StateTable:
        database = rocksdict.Rdict(str(tmp_path / str(len(databases))), rocksdict.Options(raw_mode=True))
        databases.append(database)
        return StateTable(SimpleNamespace(data=SimpleNamespace(_db_for_partition=lambda _: database)))

    yield table
    for database in databases:
        database.close()


class Changelog:
    """The first partition of `sessions`, and as many events as states may include."""

    def __init__(self, settings: Settings, topics: TopicSet) -> None:
        self._kafka = settings.kafka
        self._topics = topics

    async def append(self, *records: Record) -> list[int]:
        """Write records, whoever they are from; their offsets."""
        return await self._send(self._topics.sessions, *records)

    async def erase(self, key: bytes, offset: int) -> list[int]:
        """Write an erasure as a worker does."""
        outbox = Outbox(self._kafka)
        await outbox.start()
        await send_state(outbox, self._topics.sessions.name, key, grave(offset), 0)
        sent = await outbox.settle()
        await outbox.close()
        return [one.offset for one in sent]

    async def fill_source(self) -> None:
        await self._send(self._topics.events, *[(ANN, b"event")] * SOURCE_END)

    async def restore(self, table: StateTable, since: int = 0) -> None:
        partition = TP(self._topics.sessions.name, 0)
        await restore(table, [partition], self._topics.events.name, self._kafka, since)

    async def last(self, key: bytes) -> bytes | None:
        """The last state of `key`, which compaction would keep."""
        name = self._topics.sessions.name
        partitions = (await partitions_of(self._kafka, name))[name]
        async with reader(self._kafka) as consumer:
            found = await newest_of(consumer, await consumer.end_offsets(partitions), key)
        return None if found is None else found.value

    async def read(self) -> dict[bytes, bytes | None]:
        """The newest states, as a reader of the topic finds them."""
        async with reader(self._kafka) as consumer:
            found = await newest_since(consumer, self._topics.sessions.name, [0], 0, newer_record)
        return {key: one.value for (_, key), one in found.items()}

    async def make_anew(self) -> None:
        """Remove the topic, and create it again."""
        await make_anew(self._kafka, self._topics.sessions)

    async def _send(self, topic: Topic, *records: Record) -> list[int]:
        async with started(producer(self._kafka)) as sender:
            return [
                (await sender.send_and_wait(topic.name, value, key, partition=0)).offset
                for key, value in records
            ]


@pytest.fixture
async def changelog(settings: Settings, topics: TopicSet) -> Changelog:
    made = Changelog(settings, topics)
    await made.fill_source()
    return made


@pytest.mark.broker
async def test_a_state_that_is_older_than_one_before_it_is_left_out_and_the_newer_is_sent_again(
    changelog: Changelog, tables: Tables
) -> None:
    await changelog.append(record(5), record(6, BOB), record(3))
    table = tables()
    await changelog.restore(table)

    assert table.get(0, ANN) == state(5)
    assert await changelog.last(ANN) == state(5)
    assert table.changelog_offset(0) == 3
    await changelog.restore(table)
    assert await changelog.append(record(7)) == [4]


@pytest.mark.broker
async def test_what_another_wrote_between_a_workers_own_states_is_restored(
    changelog: Changelog, tables: Tables
) -> None:
    table = tables()
    table.add(0, dict([record(1)]), await changelog.append(record(1)))
    await changelog.append(record(5))
    table.add(0, dict([record(3)]), await changelog.append(record(3)))
    assert table.changelog_offset(0) == 0

    await changelog.restore(table)

    assert table.get(0, ANN) == state(5)
    assert await changelog.last(ANN) == state(5)


@pytest.mark.broker
async def test_foreign_records_are_no_states_and_told_once(
    changelog: Changelog, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    await changelog.append(record(5), (ANN, FOREIGN), (ANN, b"?"), (BOB, FOREIGN))
    table = tables()
    logger = "streams.delivery.recovery"
    with caplog.at_level(logging.WARNING, logger):
        await changelog.restore(table)

    assert (table.get(0, ANN), table.get(0, BOB)) == (state(5), None)
    assert await changelog.last(ANN) == state(5)
    (told,) = (one.getMessage() for one in caplog.records if one.name == logger)
    assert "[0] offset 1 is no session state and is left out: missing-field: " in told


@pytest.mark.broker
async def test_an_erasure_that_is_read_once_more_after_newer_states_is_nothing_foreign(
    changelog: Changelog, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    await changelog.erase(ANN, 5)
    await changelog.append(record(7))
    table = tables()
    with caplog.at_level(logging.WARNING, "streams.delivery.recovery"):
        for _ in range(2):
            await changelog.restore(table)
    assert table.get(0, ANN) == state(7)
    assert [one for one in caplog.records if one.name == "streams.delivery.recovery"] == []


def test_a_state_under_the_key_of_the_tables_offset_is_none(tables: Tables) -> None:
    table = tables()
    table.write(0, {OFFSET_KEY: state(5)}, 7)
    assert (table.get(0, OFFSET_KEY), table.changelog_offset(0)) == (None, 7)


@pytest.mark.broker
async def test_what_was_erased_stays_erased_and_may_begin_anew(changelog: Changelog, tables: Tables) -> None:
    await changelog.append(record(5), (ANN, None), record(6, BOB), (BOB, None), record(2, BOB))
    table = tables()
    for _ in range(2):
        await changelog.restore(table)
        assert (table.get(0, ANN), table.get(0, BOB)) == (None, state(2, BOB))
    assert table.changelog_offset(0) == 4


@pytest.mark.broker
@pytest.mark.parametrize("knows", [False, True])
async def test_an_older_state_after_an_erasure_does_not_bring_it_back_and_the_erasure_is_sent_again(
    changelog: Changelog,
    tables: Tables,
    knows: bool,  # noqa: FBT001 - whether the worker erased it itself
) -> None:
    table = tables()
    await changelog.append(record(3), record(1, BOB))
    erased = await changelog.erase(ANN, 5)
    if knows:
        await changelog.restore(table)
    older = await changelog.append(record(4))

    await changelog.restore(table)

    assert table.get(0, ANN) == grave(5)
    assert await changelog.last(ANN) is None
    assert (await changelog.read())[ANN] is None
    assert erased < older
    await changelog.append(record(7))
    await changelog.restore(table)
    assert table.get(0, ANN) == state(7)


@pytest.mark.broker
async def test_an_erasure_that_was_compacted_away_is_not_missed_by_a_table_that_is_older(
    changelog: Changelog, tables: Tables
) -> None:
    table, current = tables(), tables()
    await changelog.append(record(0, CEM), *(record(offset, BOB) for offset in (1, 2)))
    for one, reached in ((table, 0), (current, 2)):
        one.write(0, dict([record(5)]), reached)

    for since, kept in ((0, state(5)), (now() + 1, None)):
        await changelog.restore(table, since)
        assert (table.get(0, ANN), table.get(0, BOB), table.changelog_offset(0)) == (kept, state(2, BOB), 2)
        assert table.get(0, CEM) == state(0, CEM)
        table.write(0, {}, 0)
    await changelog.restore(current, now() + 1)
    assert current.get(0, ANN) == state(5), "it has missed nothing"


@pytest.mark.broker
async def test_a_state_that_includes_more_than_there_is_stops_the_worker_also_when_the_table_has_it_already(
    changelog: Changelog, tables: Tables
) -> None:
    await changelog.append(record(SOURCE_END), record(SOURCE_END + 2, CEM))
    table = tables()
    for _ in range(2):
        with pytest.raises(
            DeliveryError, match=rf"ends at {SOURCE_END}, and .* includes offset {SOURCE_END + 2} "
        ):
            await changelog.restore(table)

    await changelog.append((CEM, None))
    with pytest.raises(DeliveryError, match=f"includes offset {SOURCE_END} "):
        await changelog.restore(table)
    await changelog.append((ANN, None), record(SOURCE_END - 1, BOB))
    await changelog.restore(table)
    assert table.get(0, BOB) == state(SOURCE_END - 1, BOB)


@pytest.mark.broker
async def test_readers_of_the_newest_states_keep_those_that_include_most(changelog: Changelog) -> None:
    await changelog.append((BOB, FOREIGN), record(5), record(3), (ANN, FOREIGN), record(4, BOB))
    assert await changelog.read() == dict([record(5), record(4, BOB)])


class Unsent:
    """An outbox that sends nothing."""

    async def send(self, *_: object) -> None:
        """It is not sent."""

    async def settle(self) -> list[RecordMetadata]:
        """Nothing has arrived."""
        return []


async def test_a_click_from_before_an_erasure_that_comes_again_brings_nobody_back(tables: Tables) -> None:
    table = tables()
    table.write(0, {ANN: grave(5)}, 0)
    keeper = SessionKeeper(topic_set(Topics()), table, cast("Outbox", Unsent()), Vitals())

    async def click(offset: int) -> bytes | None:
        value = encode(Click("e", "ann", "rome", now()))
        message = SimpleNamespace(key=ANN, value=value, timestamp=now() / 1000, partition=0, offset=offset)
        await keeper.take([cast("EventT", SimpleNamespace(message=message))])
        return table.get(0, ANN)

    assert await click(4) == grave(5)
    anew = await click(6)
    assert anew is not None
    assert decode_session(anew).offset == 6


def written(value: bytes | None, erased_at: int | None = None) -> SimpleNamespace:
    """A record of the changelog."""
    headers = () if erased_at is None else ((ERASED_AT, str(erased_at).encode()),)
    return SimpleNamespace(value=value, headers=headers)


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_the_state_that_includes_more_is_newer(one: int, other: int) -> None:
    for known in (state(other), grave(other)):
        assert is_newer(written(state(one)), known) == (one >= other)
        assert is_newer(written(None, one), known) == (one >= other)
        assert is_newer(written(None), known)
    assert is_newer(written(state(one)), None)
    assert is_newer(written(None, one), None)


@pytest.mark.parametrize("offset", [None, b"", b"-1", b"1.5", b"9" * 5000])
def test_an_erasure_whose_offset_cannot_be_read_names_none(offset: bytes | None) -> None:
    foreign = SimpleNamespace(value=None, headers=((ERASED_AT, offset),))
    assert state_in(foreign) is None
    assert is_newer(foreign, state(5))


@given(st.binary() | st.just(FOREIGN))
def test_what_is_no_state_is_never_newer(value: bytes) -> None:
    assert not is_newer(written(value), None)
    assert not is_newer(written(value), state(0))


async def test_a_worker_that_restores_its_table_does_not_stand_still(
    settings: Settings, topics: TopicSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    vitals = Vitals()
    app = sessions_app(settings, vitals)
    (work,), app.begun, seen = vitals.works, True, list[bool]()

    async def restored(*_: object) -> None:
        seen.append(work.under_way())

    monkeypatch.setattr(recovery, "restore", restored)
    app.tables.recovery.actives_for_table["a table"].add(TP(topics.sessions.name, 0))
    assert work.under_way()
    await app.tables.recovery._restore_tables(app.rebalancing_count)
    assert seen == [False]
    assert work.under_way()


class RemovingTable(StateTable):
    """It makes the topic anew while the first of its states is looked up, as somebody else may do."""

    changelog: Changelog
    is_anew = False

    def get(self, partition: int, key: bytes) -> bytes | None:
        if not self.is_anew:
            self.is_anew = True
            with ThreadPoolExecutor() as elsewhere:
                elsewhere.submit(asyncio.run, self.changelog.make_anew()).result()
        return super().get(partition, key)


@pytest.mark.broker
async def test_states_of_a_topic_that_is_made_anew_while_they_are_read_are_not_waited_for(
    changelog: Changelog, tables: Tables
) -> None:
    long = random.Random(0).randbytes(400_000).hex().encode()  # of which one answer holds five
    await changelog.append(*[(ANN, b'{"offset":1,"long":"%s"}' % long)] * 12)
    table = RemovingTable(tables().table)
    table.changelog = changelog
    with pytest.raises(DeliveryError, match="while it was read: the topic was made anew"):
        await changelog.restore(table)
