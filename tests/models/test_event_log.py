"""Event logs in files: every format and compression gives the same rows, numbered, in constant memory."""

import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from models.event_log import EventLog, Repetitions, Row, Unreadable, digest, find_log
from reco.errors import EventLogError

ROWS = [
    {"visitor_id": "v1", "item_id": "11", "ts": "1506826828020", "device": "phone"},
    {"visitor_id": "v2", "item_id": "12", "ts": "1506826829020", "device": ""},
    {"visitor_id": "é,\n", "item_id": "13", "ts": "1506826830020", "device": "desk"},
]
CSV = (
    "visitor_id,item_id,ts,device\n"
    'v1,11,1506826828020,phone\nv2,12,1506826829020,\n\n"é,\n",13,1506826830020,desk\n'
).encode()
TSV = (
    "visitor_id\titem_id\tts\tdevice\n"
    'v1\t11\t1506826828020\tphone\nv2\t12\t1506826829020\t\n\n"é,\n"\t13\t1506826830020\tdesk\n'
).encode()
JSON_LINES = b"\n\n".join(msgspec.json.encode(row) for row in ROWS) + b"\n"


def parquet(path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def zstd_frames(content: bytes) -> bytes:
    half = len(content) // 2
    return b"".join(zstandard.compress(part) for part in (content[:half], content[half:]))


@pytest.mark.parametrize(
    ("name", "content"),
    [("log.csv", CSV), ("log.tsv", TSV), ("log.jsonl", JSON_LINES), ("log.ndjson", JSON_LINES)],
)
@pytest.mark.parametrize(("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".zst", zstd_frames)])
def test_text_gives_the_same_rows_however_it_is_compressed(
    tmp_path: Path, name: str, content: bytes, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / (name + suffix)
    path.write_bytes(compress(content))
    log = EventLog(path)
    assert log.columns == ("visitor_id", "item_id", "ts", "device")
    assert list(log.rows()) == ROWS
    assert log.fraction_read == 1.0


def test_rows_that_repeat_one_before_them_are_found() -> None:
    repetitions = Repetitions()
    first: Row = {"visitor_id": "v", "item_id": "i", "device": None}
    turned: Row = {name: first[name] for name in reversed(first)}
    rows: list[Row] = [{**first, "device": "phone"}, first, {**first, "device": ""}, turned, first]
    for number, row in enumerate(rows, start=10):
        repetitions.add(number, row)
    assert repetitions.rows().tolist() == [13, 14]
    assert Repetitions().rows().tolist() == []


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    log = EventLog(parquet(tmp_path / "log.parquet"))
    assert log.columns == ("visitor_id", "item_id", "ts", "device")
    assert list(log.rows()) == ROWS
    assert log.fraction_read == 1.0


def test_values_of_json_become_the_texts_that_csv_would_hold(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"int": 7, "float": 7.0, "half": 0.5, "none": null, "flag": true, "list": ["a", 1]}\n')
    assert list(EventLog(path).rows()) == [
        {"int": "7", "float": "7", "half": "0.5", "none": None, "flag": "true", "list": '["a",1]'}
    ]


@pytest.mark.parametrize("write", ["csv", "jsonl", "parquet"])
def test_columns_are_renamed_and_left_out_as_told(tmp_path: Path, write: str) -> None:
    path = tmp_path / f"log.{write}"
    if write == "parquet":
        parquet(path)
    else:
        path.write_bytes(CSV if write == "csv" else JSON_LINES)
    log = EventLog(path, {"visitor_id": "user", "device": ""})
    assert log.columns == ("user", "item_id", "ts")
    assert next(log.rows()) == {"user": "v1", "item_id": "11", "ts": "1506826828020"}


def test_a_csv_row_with_too_few_or_too_many_values_is_unreadable_and_its_neighbours_are_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n3\n4,5,6\n7,8\n")
    first, short, long, last = EventLog(path).rows()
    assert (first, last) == ({"a": "1", "b": "2"}, {"a": "7", "b": "8"})
    assert short == Unreadable("wrong-columns", "1 values, the header has 2, at line 3", "3")
    assert long == Unreadable("wrong-columns", "3 values, the header has 2, at line 4", "4,5,6")


@pytest.mark.parametrize(
    ("rows", "reason", "where"),
    [
        (1, "wrong-columns", "1 values, the header has 2, at lines 3 to 4: is a quote not closed?"),
        (150, "not-csv", "one row, at lines 3 to 153: is a quote not closed?"),
        (
            90_000,
            "not-csv",
            "field larger than field limit (131072), at lines 3 to 32771: is a quote not closed?",
        ),
    ],
)
def test_a_quote_that_is_not_closed_is_said_with_the_lines_that_it_takes(
    tmp_path: Path, rows: int, reason: str, where: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text('a,b\n1,2\n"3,4\n' + "5,6\n" * rows)
    first, taken, *_ = EventLog(path).rows()
    assert first == {"a": "1", "b": "2"}
    assert isinstance(taken, Unreadable)
    assert taken[:2] == (reason, where)


def test_a_quote_that_only_another_row_closes_is_said_with_the_lines_that_would_be_lost(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.tsv"
    path.write_text('a\tb\n1\t"Heroes" (live)\n2\t"One\n3\tTwo\n4\t"Three"\n5\tFour\n')
    first, taken, last = EventLog(path).rows()
    assert (first, last) == ({"a": "1", "b": "Heroes (live)"}, {"a": "5", "b": "Four"})
    where = "at lines 3 to 5: is a quote not closed?"
    assert isinstance(taken, Unreadable)
    assert taken[:2] == ("not-csv", f"a value in quotes goes on beyond its row, {where}")
    assert "Two" in taken.text


def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"a,{'b' * 200_000}\n1,2\n")
    with pytest.raises(EventLogError, match="first line is no header: field larger than field limit"):
        EventLog(path)


@pytest.mark.parametrize(
    ("separator", "called", "otherwise"),
    [(";", "';'", ""), ("|", "'|'", ""), ("\t", "tabs", ", or have its name end in .tsv")],
)
def test_csv_whose_values_are_separated_by_something_else_than_commas_is_refused(
    tmp_path: Path, separator: str, called: str, otherwise: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(separator.join(("user", "product", "ts")) + "\n")
    with pytest.raises(EventLogError) as error:
        EventLog(path)
    assert str(error.value) == f"{path}: values are separated by {called}; save it with commas{otherwise}"


def test_values_that_are_separated_by_commas_are_refused_where_the_name_says_tabs(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    path.write_bytes(CSV)
    with pytest.raises(EventLogError, match="values are separated by commas; save it with tabs"):
        EventLog(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "compress"), [("log.csv", bytes), ("log.csv.gz", gzip.compress), ("log.jsonl", bytes)]
)
def test_text_in_utf_16_is_refused_with_what_to_save_it_as(
    tmp_path: Path, encoding: str, name: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(compress("\ufeffuser,product,ts\n".encode(encoding)))
    with pytest.raises(EventLogError) as error:
        EventLog(path)
    assert str(error.value) == f"{path}: is UTF-16 text; save it as UTF-8"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(b"user,product,ts\n"), "is compressed; have its name end in .gz"),
        (zstandard.compress(b"user,product,ts\n"), "is compressed; have its name end in .zst"),
        (b"PAR1", "is Parquet; have its name end in .parquet"),
        (b"PK\x03\x04", "is a spreadsheet or a ZIP file; save it as CSV, or unpack it"),
    ],
    ids=["gzip", "zstd", "parquet", "zip"],
)
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_a_file_that_is_no_text_is_refused_by_what_it_is(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EventLogError) as error:
        EventLog(path)
    assert str(error.value) == f"{path}: {what}"


def test_a_csv_value_may_have_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n" + "1,2\n" * 300 + '1,"2\n3"\n')
    assert list(EventLog(path).rows()) == [{"a": "1", "b": "2"}] * 300 + [{"a": "1", "b": "2\n3"}]


def test_a_csv_value_larger_than_the_parser_takes_is_one_unreadable_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"a,b\n{'x' * 200_000},2\n3,4\n")
    huge, last = EventLog(path).rows()
    assert isinstance(huge, Unreadable)
    assert huge.reason == "not-csv"
    assert last == {"a": "3", "b": "4"}


@pytest.mark.parametrize("line", [b"{", b"[1]", b"nothing", b'{"a": "\xff"}', b"[" * 100_000])
def test_a_line_that_is_no_json_object_is_unreadable_and_its_neighbours_are_not(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    log = EventLog(path)
    first, broken, last = log.rows()
    assert (log.columns, first, last) == (("a",), {"a": "1"}, {"a": "2"})
    assert isinstance(broken, Unreadable)
    assert broken.reason == "not-json"
    assert "line 2" in broken.detail


def test_a_line_of_json_in_which_two_names_become_one_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"visitor": "a", "x": 1, "y": 2}\n{"visitor": "a", "user": "b"}\n')
    first, second = EventLog(path, {"user": "visitor", "x": "", "y": ""}).rows()
    assert first == {"visitor": "a"}
    assert isinstance(second, Unreadable)
    assert "two of visitor, user have the same name by --map, at line 2" in second.detail


def test_columns_of_json_lines_are_those_of_all_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\n{"b": 2, "a": 1}\n')
    assert EventLog(path).columns == ("a", "b")


def test_a_json_array_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text('[{"a": 1}]')
    with pytest.raises(EventLogError, match="one JSON object on each line"):
        EventLog(path)


@pytest.mark.parametrize("name", ["log.txt", "log", "log.gz", "log.csv.bz2"])
def test_a_file_of_unknown_format_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(EventLogError, match=r"\.parquet"):
        EventLog(tmp_path / name)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl.gz", "log.csv.zst", "log.parquet"])
def test_a_missing_file_is_named_in_the_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(EventLogError, match=name):
        EventLog(tmp_path / name)


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_compressed_data_that_were_cut_short_are_noticed(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"log.csv{suffix}"
    whole = compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(50_000)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EventLogError, match=str(path)):
        digest(path)
    with pytest.raises(EventLogError, match=str(path)):
        list(EventLog(path).rows())


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(parquet(tmp_path / "whole.parquet").read_bytes()[:-20])
    with pytest.raises(EventLogError, match=str(path)):
        EventLog(path)


@pytest.mark.parametrize("renames", [{}, {"user": "visitor_id"}])
@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("log.csv", "", "is empty, or its first line is; a log has a header and rows"),
        ("log.csv", "\na,b\n1,2\n", "is empty, or its first line is; a log has a header and rows"),
        ("log.jsonl", "", "is empty; a log has a JSON object on each line"),
        ("log.jsonl", "\n \n", "is empty; a log has a JSON object on each line"),
        (
            "log.json",
            '{\n"user": 1,\n"ts": 2\n}\n',
            "Input data was truncated, at line 1; a log has a JSON object on each line",
        ),
    ],
)
def test_a_log_without_anything_in_it_is_said_to_be_empty(
    tmp_path: Path, renames: dict[str, str], name: str, text: str, found: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(EventLogError) as error:
        EventLog(path, renames)
    assert str(error.value) == f"{path}: {found}"


def test_a_column_that_a_renamed_one_would_displace_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("event_type,product_action\npageview,add\n")
    with pytest.raises(EventLogError, match=r"two columns would be event_type; .* --map event_type=$"):
        EventLog(path, {"product_action": "event_type"})
    found = EventLog(path, {"product_action": "event_type", "event_type": ""}).rows()
    assert list(found) == [{"event_type": "add"}]


def test_a_row_of_equal_values_in_place_of_a_header_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("420374,2014-04-06T18:44:58.314Z,214537888,0,0\n")
    with pytest.raises(EventLogError, match=r"distinct names, found 420374, .*is there no header"):
        EventLog(path)


@pytest.mark.parametrize("header", ["a,a\n", "a,b,a\n1,2,3\n"])
def test_columns_without_distinct_names_are_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(header)
    with pytest.raises(EventLogError, match="distinct names"):
        EventLog(path)


def test_renaming_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n")
    with pytest.raises(EventLogError, match=r"no column c to rename; its columns are a, b"):
        EventLog(path, {"c": "item_id"})


def test_the_digest_is_that_of_the_content_however_it_is_compressed(tmp_path: Path) -> None:
    digests = set()
    for suffix, compress in (("", bytes), (".gz", gzip.compress), (".zst", zstd_frames)):
        path = tmp_path / f"log.csv{suffix}"
        path.write_bytes(compress(CSV))
        digests.add(digest(path))
    (tmp_path / "other.csv").write_bytes(CSV + b"v9,9,1506826830020,\n")
    assert len(digests) == 1
    assert digest(tmp_path / "other.csv") not in digests


def test_a_folder_stands_for_its_one_log(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").touch()
    (tmp_path / "sessions.parquet").touch()
    assert find_log(tmp_path) == tmp_path / "sessions.parquet"
    (tmp_path / "events.csv.gz").touch()
    assert find_log(tmp_path) == tmp_path / "events.csv.gz"
    assert find_log(tmp_path / "sessions.parquet") == tmp_path / "sessions.parquet"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("a.txt",), "none"),
        (("b.csv", "a.csv"), "a.csv, b.csv"),
        (("events.csv", "events.parquet", "a.csv"), "events.csv, events.parquet"),
    ],
)
def test_a_folder_without_exactly_one_log_is_refused(
    tmp_path: Path, names: tuple[str, ...], found: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(EventLogError, match=f"one event log, found {found};"):
        find_log(tmp_path)


def test_a_csv_header_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    assert list(EventLog(path).rows()) == [{"a": "1", "b": "2"}]


def test_a_column_without_a_name_such_as_a_data_frame_index_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(",a,b\n0,1,2\n")
    log = EventLog(path)
    assert log.columns == ("a", "b")
    assert list(log.rows()) == [{"a": "1", "b": "2"}]
