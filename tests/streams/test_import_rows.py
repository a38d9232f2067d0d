"""What becomes of the rows of a log, and what is said of those that are refused."""

import asyncio
import json
from pathlib import Path

import pytest

from models.event_log import EventLog
from models.file_values import HOW_TO_WRITE_TIMES
from models.log_columns import EventReader, Meaning
from streams.import_progress import with_refusals
from streams.import_rows import POSITIONS, Outcome, Record, Refusal, outcomes, paced_chunks
from tests.streams.imports import NOW, START


def read(path: Path, text: str, *, seconds: bool = False, encoding: str = "utf-8") -> list[Outcome]:
    path.write_text(text, encoding)
    log = EventLog(path)
    return list(outcomes(log, EventReader(log, "log", Meaning(seconds=seconds)), NOW, slice(None)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.jsonl", f'{{"session_id": 1, "ts": {START}, "item_id": [{{"aid": 1}}, {{"aid": 2}}]}}\n'),
        ("log.jsonl", f'{{"session_id": 1, "ts": {START}, "item_id": {{"aid": 1}}}}\n'),
        ("log.csv", f"session_id,ts,item_id\n1,{START},['B09' 'B07']\n"),
    ],
)
def test_a_row_that_holds_a_whole_session_is_no_event(tmp_path: Path, name: str, text: str) -> None:
    (refusal,) = read(tmp_path / name, text)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "bad-id"
    assert "write a row for each event" in refusal.detail


def test_a_row_without_an_item_is_refused_and_printed(tmp_path: Path) -> None:
    text = f'{{"session_id": "s", "ts": {START}, "item_id": null}}\n'
    (refusal,) = read(tmp_path / "log.jsonl", text)
    assert isinstance(refusal, Refusal)
    assert refusal.detail.startswith("item_id: ")
    assert '"item_id":""' in refusal.text


def test_a_row_under_a_header_that_is_not_utf_8_is_refused_and_printed(tmp_path: Path) -> None:
    text = f"visitor_id,item_id,ts,catégorie\nann,rome,{START},sea\n"
    (refusal,) = read(tmp_path / "log.csv", text, encoding="latin-1")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "not-utf8"
    assert "save the file as UTF-8" in refusal.detail
    assert json.loads(refusal.text)[r"cat\udce9gorie"] == "sea"


@pytest.mark.parametrize("item", ["[new] rome", "rome [new]", "{6F9619FF-8B86}", "["])
def test_brackets_may_be_in_an_id(tmp_path: Path, item: str) -> None:
    (record,) = read(tmp_path / "log.csv", f"session_id,ts,item_id\n1,{START},{item}\n")
    assert isinstance(record, Record)
    assert record.sale_id == item


def test_an_impression_is_of_the_sale_that_it_shows(tmp_path: Path) -> None:
    head, row = "visitor_id,item_id,event_type,ts,list_id,position", f"ann,rome,impression,{START},top,3"
    (record,) = read(tmp_path / "log.csv", f"{head}\n{row}\n")
    assert isinstance(record, Record)
    assert record.sale_id == "rome"


def test_of_a_visitor_whom_nobody_knows_it_is_said_how_sessions_become_visitors(tmp_path: Path) -> None:
    rows = f"visitor_id,session_id,item_id,ts\nNA,s1,i1,{START}\nann,s2,i1,{START}\nNA,,i1,{START}\n"
    unknown, known, nobody = read(tmp_path / "log.csv", rows)
    assert isinstance(known, Record)
    assert isinstance(unknown, Refusal)
    assert isinstance(nobody, Refusal)
    assert "each session counts as a visitor" in unknown.detail
    assert "session" not in nobody.detail


@pytest.mark.parametrize(
    ("ts", "seconds", "remedy"),
    [
        (START // 1000, False, "; if the times are in seconds, add --seconds"),
        (START / 1000 + 0.755, False, "; if the times are in seconds, add --seconds"),
        (START + 0.5, False, f"; {HOW_TO_WRITE_TIMES}"),
        (START * 1000, False, "; if these are microseconds, write ms; if they are ms, leave out --seconds"),
        (START, True, "; if these are microseconds, write ms; if they are ms, leave out --seconds"),
        (
            874965758,
            True,
            "; no event is from before 2000: move all times of an older log by some years",
        ),
        (20180920, True, f"; {HOW_TO_WRITE_TIMES}"),
        (20180920, False, f"; {HOW_TO_WRITE_TIMES}"),
        (
            20180920103000,
            False,
            "; a number is ms since the epoch (s with --seconds), a time without an offset is UTC",
        ),
    ],
)
def test_a_time_that_no_event_has_is_refused_with_what_makes_it_one(
    tmp_path: Path,
    ts: float,
    seconds: bool,  # noqa: FBT001
    remedy: str,
) -> None:
    (refusal,) = read(tmp_path / "log.csv", f"visitor_id,item_id,ts\nann,rome,{ts}\n", seconds=seconds)
    assert isinstance(refusal, Refusal)
    assert refusal.detail.endswith(remedy)


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        (",rome,1", "type: Expected `str`; say what rows without one are with --map-type =TYPE"),
        ("bought,rome,1", "--map-type bought=TYPE (click, cart, purchase or impression)"),
        ("buy,rome,0", "quantity: Expected `int` >= 1; correct it, or leave quantity out with --map THEIRS="),
        (f"buy,{'r' * 129},1", "item_id: Expected `str` of length <= 128; write a shorter one"),
        (f"impression,{'r' * 129},1", "item_id: Expected `str` of length <= 128; write a shorter one"),
    ],
)
def test_a_row_that_is_refused_says_what_to_do(tmp_path: Path, row: str, remedy: str) -> None:
    text = f"visitor_id,ts,event_type,item_id,quantity\nann,{START},{row}\n"
    (refusal,) = read(tmp_path / "log.csv", text)
    assert isinstance(refusal, Refusal)
    assert remedy in refusal.detail


@pytest.mark.parametrize("position", ["0", ""])
def test_a_position_that_is_none_is_refused_with_those_that_there_are(tmp_path: Path, position: str) -> None:
    text = f"visitor_id,ts,event_type,item_id,list_id,position\nann,{START},impression,rome,l,{position}\n"
    (refusal,) = read(tmp_path / "log.csv", text)
    assert isinstance(refusal, Refusal)
    assert "position" in refusal.detail
    assert refusal.detail.endswith(POSITIONS)


async def test_no_row_is_handed_out_before_it_is_due() -> None:
    rows = [Record(row, START + row * 50_000, "rome", b"ann", b"{}") for row in range(3)]
    loop, given = asyncio.get_running_loop(), list[int]()
    began = loop.time()
    async for chunk in paced_chunks(rows, speed=1000):
        given += [one.row for one in chunk]
        assert loop.time() - began >= given[-1] * 0.05
    assert given == [0, 1, 2]


def test_a_rare_fault_is_among_the_examples_also_where_another_is_frequent() -> None:
    frequent = [Refusal(row, "unknown-type", "type: 'wished'", "") for row in range(1, 9)]
    rare = [Refusal(row, "unknown-type", f"type: {row}", "") for row in (9, 10, 11)]
    found = with_refusals({}, [*frequent, *rare, *frequent])["unknown-type"]
    assert found.count == 19
    assert [row for row, _ in found.examples] == [1, 2, 9, 10, 11]
