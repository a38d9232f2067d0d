"""Columns of event logs in Parquet: each type becomes the text that CSV would hold, or is named."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.event_log import EventLog
from reco.errors import EventLogError


def test_values_of_parquet_become_the_texts_that_csv_would_hold(tmp_path: Path) -> None:
    moment = datetime(2017, 10, 1, 3, 0, 28, 20_000, tzinfo=UTC)
    table: dict[str, list[object]] = {
        "int": [7, None],
        "float": [7.0, float("nan")],
        "product": [4006381333931.0, None],
        "half": [0.5, None],
        "time": [moment, None],
        "flag": [True, None],
        "list": [["a", "b"], None],
    }
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    first, second = EventLog(tmp_path / "log.parquet").rows()
    assert first == {
        "int": "7", "float": "7", "product": "4006381333931", "half": "0.5", "time": "1506826828020",
        "flag": "true", "list": '["a","b"]'
    }  # fmt: skip
    assert second == dict.fromkeys(table)


def test_parquet_that_was_compressed_once_more_is_to_be_unpacked(tmp_path: Path) -> None:
    pq.write_table(pa.table({"visitor_id": ["v"]}), tmp_path / "log.parquet")
    packed = tmp_path / "log.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "log.parquet").read_bytes()))
    with pytest.raises(EventLogError, match=r"log\.parquet\.gz: no readable Parquet: .*; unpack it$"):
        EventLog(packed)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([b"\xff\x00"], pa.binary(2)),
        pa.array([[1_506_826_828_020_000_001]], pa.list_(pa.timestamp("ns"))),
    ],
    ids=["bytes", "ns in a list"],
)
def test_a_column_of_parquet_that_is_no_text_is_named_with_what_to_do(
    tmp_path: Path, values: pa.Array
) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"visitor_id": ["v"], "stamp": values}), path)
    with pytest.raises(EventLogError, match=r"column stamp is no text: .* --map stamp=$"):
        list(EventLog(path).rows())
    assert list(EventLog(path, {"stamp": ""}).rows()) == [{"visitor_id": "v"}]
