"""An import that is interrupted, repeated or begun anew sends each row once, and says what it did."""

import asyncio
import dataclasses
import gzip
import json
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from models.log_columns import Meaning
from reco.errors import BrokerError, EventLogError
from reco.events import Click
from reco.recommenders.protocol import CLICK
from streams.bulk import bulk
from streams.clients import create_topics
from streams.codecs import encode
from streams.history import read_history
from streams.import_progress import Ledger, Progress
from streams.import_rows import CHUNK, Refusal
from streams.importing import Options
from streams.settings import Settings
from streams.topics import TopicSet, topic_set
from tests.streams.imports import (
    START,
    Note,
    events,
    row_numbers,
    run_import,
    tenfold,
    write_log,
)
from tests.streams.test_transactions import transactional

pytestmark = pytest.mark.broker


def note_file(settings: Settings) -> Path:
    """The note of the one import's progress."""
    (note,) = (settings.data_dir() / "imports").glob("*.json")
    return note


async def test_importing_again_changes_nothing_also_when_the_log_is_now_compressed(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 30)
    first = await run_import(settings, path)
    compressed = tmp_path / "log.csv.gz"
    compressed.write_bytes(gzip.compress(path.read_bytes()))
    note = Note()
    again = await run_import(settings, compressed, note=note)
    assert "is imported already" in note.said[-1]
    assert again.progress == first.progress
    assert again.rows_before == 30
    assert row_numbers(await events(settings, topics)) == list(range(1, 31))


async def test_restart_sends_the_same_events_again(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 30)
    await run_import(settings, path)
    again = await run_import(settings, path, Options(restart=True))
    assert (again.progress.rows, again.rows_before) == (30, 0)
    found = await events(settings, topics)
    assert set(Counter(event.event_id for event in found).values()) == {2}
    assert len(found) == 60


async def test_what_arrived_after_the_last_note_is_not_sent_twice(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 3 * CHUNK)

    class Keeper(Note):
        """Keeps the note of the first chunk, to bring it back as a crash would."""

        def progress(self, stage: str, fraction: float, rows: int) -> None:
            super().progress(stage, fraction, rows)
            if rows == CHUNK:
                shutil.copy(note_file(settings), tmp_path / "kept.json")

    await run_import(settings, path, note=Keeper())
    shutil.copy(tmp_path / "kept.json", note_file(settings))
    note = Note()
    again = await run_import(settings, path, note=note)
    assert f"goes on after row {CHUNK:,}; {2 * CHUNK:,} more had arrived" in note.said[-1]
    assert (again.progress.sent, again.progress.finished) == (3 * CHUNK, True)
    assert row_numbers(await events(settings, topics)) == list(range(1, 3 * CHUNK + 1))


async def test_an_open_transaction_hides_no_rows_from_the_import_that_sent_them(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 30)
    await run_import(settings, path, Options(limit=10))
    early, note, again = note_file(settings).read_bytes(), Note(), Note()
    async with transactional(settings) as producer, producer.transaction():
        for visitor in (f"visitor-{n}" for n in range(20)):
            live = Click("live", visitor, "sale-1", START)
            await producer.send(topics.events.name, encode(live), visitor.encode())
        await producer.flush()
        await run_import(settings, path)
        await run_import(settings, path, note=again)
        note_file(settings).write_bytes(early)
        await run_import(settings, path, note=note)
    assert "is imported already" in again.said[-1]
    assert "goes on after row 10; 20 more had arrived" in note.said[-1]
    imported = [event for event in await events(settings, topics) if event.event_id != "live"]
    assert row_numbers(imported) == list(range(1, 31))


async def test_rows_found_ahead_are_remembered_through_a_second_interruption(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 30)
    await run_import(settings, path, Options(limit=1))
    elsewhere = replace(settings, topics=replace(settings.topics, prefix=f"{settings.topics.prefix}other-"))
    other = topic_set(elsewhere.topics)
    await create_topics(settings.kafka, other)
    await run_import(elsewhere, path)
    ahead = [event for event in await events(elsewhere, other) if int(event.event_id.rpartition("-")[2]) > 20]
    async with bulk(settings.kafka, topics.events.name) as sender:
        await sender.deliver((event.visitor_id.encode(), encode(event)) for event in ahead)
    await run_import(settings, path, Options(limit=10))
    await run_import(settings, path)
    assert row_numbers(await events(settings, topics)) == list(range(1, 31))


async def test_what_the_broker_does_not_take_is_not_noted_as_done(settings: Settings, tmp_path: Path) -> None:
    topics = topic_set(settings.topics)
    narrow = {**topics.events.config, "max.message.bytes": "100"}
    narrow_events = dataclasses.replace(topics.events, config=narrow)
    await create_topics(settings.kafka, [narrow_events, topics.sessions])
    with pytest.raises(BrokerError, match="run the same command again"):
        await run_import(settings, write_log(tmp_path / "log.csv", 30))
    noted = msgspec.json.decode(note_file(settings).read_bytes(), type=Progress)
    assert (noted.rows, noted.sent) == (0, 0)


@pytest.mark.usefixtures("topics")
async def test_refused_rows_beyond_the_last_note_are_not_written_down_twice(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("visitor_id,item_id,event_type,ts\n" + "v,i,view,1\n" * 7)
    part = await run_import(settings, path, Options(limit=3))
    with part.rejects.open("a") as file:
        file.write('{"row": 4, "reason": "written before the crash"}\n')
    whole = await run_import(settings, path)
    assert [json.loads(line)["row"] for line in whole.rejects.read_text().splitlines()] == list(range(1, 8))
    assert whole.progress.refused["too-old"].count == 7
    assert len(whole.progress.refused["too-old"].examples) == 5


def test_rows_that_were_refused_are_forgotten_where_an_import_begins_anew(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "log")
    ledger.save(Progress(rejects_bytes=ledger.reject([Refusal(1, "too-old", "ts", "1")])))
    ledger.start(Progress())
    assert ledger.reject([]) == 0


async def test_a_limit_stops_early_and_a_later_import_goes_on_from_there(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 20)
    part = await run_import(settings, path, Options(limit=5))
    assert (part.progress.rows, part.progress.finished) == (5, False)
    assert row_numbers(await events(settings, topics)) == [1, 2, 3, 4, 5]
    await run_import(settings, path, Options(limit=5))
    whole = await run_import(settings, path)
    assert (whole.progress.rows, whole.rows_before, whole.progress.finished) == (20, 5, True)
    assert row_numbers(await events(settings, topics)) == list(range(1, 21))


async def test_another_meaning_or_another_topic_is_another_import(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"visitor_id,item_id,event_type,ts\nv,i,view,{START}\nv,i,liked,{START}\n")
    first = await run_import(settings, path)
    told = await run_import(settings, path, meaning=Meaning(types={"liked": "click"}))
    assert (first.progress.sent, told.progress.sent, told.rows_before) == (1, 2, 0)
    assert row_numbers(await events(settings, topics)) == [1, 1, 2]


@pytest.mark.usefixtures("topics")
async def test_events_that_were_read_in_another_way_stay_what_they_were_and_it_is_said(
    settings: Settings, tmp_path: Path
) -> None:
    path, once, again, same = tmp_path / "log.csv", Note(), Note(), Note()
    path.write_text(f"visitor_id,item_id,ts\nv,i,{START}\nv,j,{START}\n")
    await run_import(settings, path, note=once)
    await run_import(settings, path, Options(restart=True), note=same)
    await run_import(settings, path, meaning=Meaning(types={"": "purchase"}), note=again)
    table, _ = await read_history(settings)
    assert table.kinds.tolist() == [CLICK, CLICK]
    assert [any("was imported before" in said for said in one.said) for one in (once, same, again)] == [
        False,
        False,
        True,
    ]


async def test_a_damaged_note_stops_its_own_import_alone_until_that_begins_anew(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 30)
    await run_import(settings, path)
    note_file(settings).write_bytes(b'{"rows": 3')

    await run_import(settings, write_log(tmp_path / "other.csv", 20))
    with pytest.raises(EventLogError, match=r"\.json is damaged, .* with --restart$"):
        await run_import(settings, path)
    again = await run_import(settings, path, Options(restart=True))

    assert again.progress.sent == 30
    assert len(await events(settings, topics)) == 80


@pytest.mark.usefixtures("topics")
async def test_a_topic_made_anew_is_imported_into_again(settings: Settings, tmp_path: Path) -> None:
    path = write_log(tmp_path / "log.csv", 30)
    await run_import(settings, path)
    noted = msgspec.json.decode(note_file(settings).read_bytes(), type=Progress)
    ahead = replace(noted, offsets={partition: end + 1 for partition, end in noted.offsets.items()})
    note_file(settings).write_bytes(msgspec.json.encode(ahead))
    note = Note()
    again = await run_import(settings, path, note=note)
    assert "made anew" in note.said[-1]
    assert (again.progress.rows, again.rows_before) == (30, 0)


async def rows_noted(settings: Settings, process: subprocess.Popen[str]) -> int:
    """The rows that the import in `process` has noted as done, once there are some."""
    while process.poll() is None:
        for note in (settings.data_dir() / "imports").glob("*.json"):
            rows = msgspec.json.decode(note.read_bytes(), type=Progress).rows
            if rows:
                return rows
        await asyncio.sleep(0.01)
    pytest.fail(f"the import ended before it could be interrupted: {process.communicate()[0]}")


async def test_what_is_being_imported_is_not_imported_a_second_time_at_once(
    settings: Settings, topics: TopicSet, tmp_path: Path
) -> None:
    path = write_log(tmp_path / "log.csv", 2_000)
    with tenfold(settings, "import", path, "--speed", 100) as first:
        await rows_noted(settings, first)
        with pytest.raises(EventLogError, match="is being imported already"):
            await run_import(settings, path, Options(speed=1e6))
        first.kill()
    await run_import(settings, path, Options(speed=1e6))
    assert row_numbers(await events(settings, topics)) == list(range(1, 2_001))


@pytest.mark.faults
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_an_import_that_is_killed_goes_on_and_each_row_arrives_once(
    settings: Settings, topics: TopicSet, tmp_path: Path, how: signal.Signals
) -> None:
    path = write_log(tmp_path / "log.csv", 2_000)
    with path.open("a") as file:
        file.write("v,i,view,1\n" * 3)
    with tenfold(settings, "import", path, "--speed", 100) as slow:
        await rows_noted(settings, slow)
        slow.send_signal(how)
        output, _ = slow.communicate(timeout=20)
    assert slow.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), output
    before = row_numbers(await events(settings, topics))
    assert 0 < len(before) < 2_000
    report = tmp_path / "report.json"
    with tenfold(settings, "import", path, "--speed", 1e6, "--report", report) as fast:
        output, _ = fast.communicate(timeout=60)
    assert fast.returncode == 0, output
    (counts,) = json.loads(report.read_text())
    assert (counts["read"], counts["sent"], counts["refused"], counts["finished"]) == (2_003, 2_000, 3, True)
    assert counts["refused_by_reason"]["too-old"]["rows"] == 3
    assert row_numbers(await events(settings, topics)) == list(range(1, 2_001))
    assert "2,003 rows read = 2,000 sent + 3 refused" in output
    assert f"all refused rows: {counts['rejects']}" in output
