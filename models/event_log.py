"""Event logs in files (CSV, JSON Lines, Parquet), read row by row in constant memory.

A row is a dict of texts by column name, whatever the format. Values are separated by commas, in a file whose
name ends in `.tsv` by tabs. CSV and JSON Lines may be compressed
with gzip (`.gz`) or zstd (`.zst`). Blank lines are no rows; a column without a name is left out.
"""

import codecs
import hashlib
import io
import shlex
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.csv_rows import CsvRow, csv_header, csv_rows
from models.file_values import listed
from reco.errors import EventLogError

Row: TypeAlias = dict[str, str | None]
"""The values of one row by column name; None where the file has none."""

FORMATS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}
BATCH_ROWS = 10_000
"""Rows of a Parquet file in memory at a time."""
FIRST_ROWS = 1_000
"""Rows of JSON Lines that say which columns there are."""
LONGEST_ROW = 100
"""Lines of a row of CSV, at most; in more, a quote was not closed, and its last value is all that follows."""
NO_TEXT: Mapping[bytes, str] = {
    codecs.BOM_UTF16_LE: "is UTF-16 text; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "is compressed; have its name end in .gz",
    b"\x28\xb5\x2f\xfd": "is compressed; have its name end in .zst",
    b"PAR1": "is Parquet; have its name end in .parquet",
    b"PK\x03\x04": "is a spreadsheet or a ZIP file; save it as CSV, or unpack it",
}
"""How files begin that are no UTF-8 text, and what to say of them."""
BUFFER_BYTES = 1 << 20
"""Bytes that are decompressed at a time."""


class Unreadable(NamedTuple):
    """A row that is no row: a stable reason, what is wrong with it, and its text."""

    reason: str
    detail: str
    text: str


class Repetitions:
    """Which rows say in every column what one before them says, known by hashes of 64 bits."""

    def __init__(self) -> None:
        self._numbers, self._hashes = array("q"), array("q")

    def add(self, number: int, row: Row) -> None:
        """Take note of the row of this number, from 1."""
        self._numbers.append(number)
        self._hashes.append(hash(frozenset(row.items())))

    def rows(self) -> NDArray[np.int64]:
        """int64[n]: the numbers of the rows that repeat another, rising."""
        _, first = np.unique(np.array(self._hashes, np.int64), return_index=True)
        return np.delete(np.array(self._numbers, np.int64), first)


def find_log(path: Path) -> Path:
    """The log that `path` names: the file itself, or a folder's one log (`events.*` if there are several).

    Raises:
        EventLogError: there is no such file, or the folder holds no log, or several.
    """
    if not path.is_dir():
        return path
    logs = sorted(file for file in path.iterdir() if file.is_file() and format_of(file))
    named = [file for file in logs if file.name.startswith("events.")]
    if len(named or logs) != 1:
        found = ", ".join(file.name for file in named or logs) or "none"
        remedy = "name the file itself, or write all rows into one, the older first"
        raise EventLogError(f"{path}: a folder must hold one event log, found {found}; {remedy}")
    return (named or logs)[0]


def format_of(path: Path) -> str:
    """`csv`, `json` or `parquet`, by the name of the file; empty if it is none of them."""
    return FORMATS.get(_suffix(path), "")


def _suffix(path: Path) -> str:
    """How the name ends, but for the compression; empty if it does not say it."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def separator_of(path: Path) -> str:
    """What is between the values of CSV, by the name of the file."""
    return "\t" if _suffix(path) == ".tsv" else ","


def digest(path: Path) -> str:
    """SHA-256 of the log, decompressed, in hexadecimal: the same whether and however it is compressed.

    Raises:
        EventLogError: the file cannot be read to its end.
    """
    with _readable(path), path.open("rb") as raw, _decompressed(raw, path) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def open_text(path: Path) -> Iterator[tuple[TextIO, Callable[[], float]]]:
    """The text of a file that may be compressed, and a function that says which fraction of it has been read.

    Bytes that are not UTF-8 become lone surrogates, so that only their row is refused.

    Raises:
        EventLogError: it cannot be opened, its compressed data are broken or cut short, or it is no UTF-8.
    """
    with _readable(path), path.open("rb") as raw:
        size = max(1, path.stat().st_size)
        content = _decompressed(raw, path)
        for beginning, what in NO_TEXT.items():
            if content.peek(len(beginning)).startswith(beginning):
                raise EventLogError(f"{path}: {what}")
        with io.TextIOWrapper(content, "utf-8-sig", errors="surrogateescape", newline="") as text:
            yield text, lambda: 1.0 if raw.closed else raw.tell() / size


def check_renames(names: Sequence[str], renames: Iterable[str], file: str) -> None:
    """Check that each column to rename is among the `names` of the columns of the file.

    Raises:
        EventLogError: one is not there.
    """
    missing = [name for name in renames if name not in names]
    if missing:
        raise EventLogError(
            f"{file}: no column {', '.join(missing)} to rename; its columns are {listed(names)}. Name one of "
            "them first: --map THEIRS=OURS"
        )


def _decompressed(raw: io.BufferedReader, path: Path) -> io.BufferedReader:
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        return raw
    # Unlike the zstandard package, Arrow reports data that were cut short.
    return io.BufferedReader(pa.input_stream(raw, compression=compression), BUFFER_BYTES)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the operating system and the decompressors raise into an error that names the file."""
    try:
        yield
    except OSError as error:  # Arrow's errors of input and output are OSErrors too.
        raise EventLogError(
            f"{path}: cannot be read: {error.strerror or error}; check the path, or fetch the file again"
        ) from error


class EventLog:
    """One log in a file.

    Attributes:
        path: the file.
        columns: its columns under their new names, in order; for JSON Lines those of the first rows.

    Raises:
        EventLogError: the file cannot be read at all.
    """

    def __init__(self, path: Path, renames: Mapping[str, str] | None = None) -> None:
        """`renames` gives columns of the file other names; an empty name leaves the column out."""
        self.path = path
        self._renames = renames or {}
        self._fraction: Callable[[], float] = float
        readers = {"csv": self._csv_rows, "json": self._json_rows, "parquet": self._parquet_rows}
        if format_of(path) not in readers:
            known = ", ".join(FORMATS)
            raise EventLogError(
                f"{path}: the name must end in one of {known}, then .gz or .zst if compressed"
            )
        self._read = readers[format_of(path)]
        self.columns = self._columns()

    @property
    def fraction_read(self) -> float:
        """Which fraction of the file `rows` has read, 0 to 1."""
        return self._fraction()

    def rows(self) -> Iterator[Row | Unreadable]:
        """Every row of the file, in its order.

        Raises:
            EventLogError: the file cannot be read on; the rows before that have been given.
        """
        return self._read()

    def _columns(self) -> tuple[str, ...]:
        if format_of(self.path) == "json":
            first = list(islice(self.rows(), FIRST_ROWS))
            read = [row for row in first if not isinstance(row, Unreadable)]
            if not read:
                what = next((one.detail for one in first if isinstance(one, Unreadable)), "is empty")
                raise EventLogError(f"{self.path}: {what}; a log has a JSON object on each line")
            return tuple(dict.fromkeys(name for row in read for name in row))
        if format_of(self.path) == "csv":
            with open_text(self.path) as (text, _):
                separator = separator_of(self.path)
                return self._named(csv_header(csv_rows(text, separator), self.path, separator))
        with _readable(self.path), _parquet_errors(self.path), pq.ParquetFile(self.path) as file:
            return self._named(file.schema_arrow.names)

    def _named(self, own: list[str]) -> tuple[str, ...]:
        """The new names of the file's own columns.

        Raises:
            EventLogError: there is none, a renamed one is not there, or two have the same name.
        """
        if not own:
            raise EventLogError(f"{self.path}: is empty, or its first line is; a log has a header and rows")
        check_renames(own, self._renames, str(self.path))
        names = [name for name in (self._renames.get(name, name) for name in own) if name]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice and all(own.count(name) == 1 for name in twice):
            remedy = f"leave out the column that is called so with --map {shlex.quote(twice[0])}="
            raise EventLogError(f"{self.path}: two columns would be {twice[0]}; {remedy}")
        if not names or twice:
            raise EventLogError(
                f"{self.path}: the columns need distinct names, found {listed(own)}; see --map"
            )
        return tuple(names)

    def _csv_rows(self) -> Iterator[Row | Unreadable]:
        separator = separator_of(self.path)
        with open_text(self.path) as (text, self._fraction):
            rows = csv_rows(text, separator)
            names = [self._renames.get(name, name) for name in csv_header(rows, self.path, separator)]
            for row in rows:
                whole = not row.fault and row.last - row.first < LONGEST_ROW
                if whole and len(row.values) == len(names):
                    named: Row = dict(zip(names, row.values, strict=True))
                    named.pop("", None)
                    yield named
                elif row.values or row.fault:
                    yield _no_row(row, len(names), separator)

    def _json_rows(self) -> Iterator[Row | Unreadable]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        rename = self._renames.get
        with open_text(self.path) as (text, self._fraction):
            for number, line in enumerate(text, 1):
                if number == 1 and line.lstrip().startswith("["):
                    raise EventLogError(f"{self.path}: a JSON array; write one JSON object on each line")
                if line.isspace():
                    continue
                try:
                    values = decode(line)
                except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                    yield Unreadable("not-json", f"{error}, at line {number}", line.rstrip())
                    continue
                named = [(rename(name, name), value) for name, value in values.items()]
                kept = [(name, value) for name, value in named if name]
                row = {name: _json_text(value) for name, value in kept}
                if len(row) < len(kept):
                    what = f"two of {', '.join(values)} have the same name by --map, at line {number}"
                    yield Unreadable("wrong-columns", what, line.rstrip())
                    continue
                yield row

    def _parquet_rows(self) -> Iterator[Row | Unreadable]:
        with _readable(self.path), _parquet_errors(self.path), pq.ParquetFile(self.path) as file:
            named = {name: self._renames.get(name, name) for name in file.schema_arrow.names}
            kept = {own: name for own, name in named.items() if name}
            read, total = 0, max(1, file.metadata.num_rows)
            self._fraction = lambda: read / total
            for batch in file.iter_batches(BATCH_ROWS, columns=list(kept)):
                read += batch.num_rows
                texts = map(self._arrow_texts, batch.schema.names, batch.columns)
                for values in zip(*texts, strict=True):
                    yield dict(zip(kept.values(), values, strict=True))

    def _arrow_texts(self, name: str, column: Any) -> list[str | None]:
        """A column of a Parquet file as texts; raises EventLogError if its values are none."""
        try:
            return _arrow_texts(column)
        except ValueError as error:  # pa.ArrowInvalid is one, too.
            remedy = f"write it as text, or leave it out with --map {shlex.quote(name)}="
            raise EventLogError(f"{self.path}: column {name} is no text: {error}; {remedy}") from error


def _no_row(row: CsvRow, columns: int, separator: str) -> Unreadable:
    """What is wrong with a row of CSV under a header of so many columns."""
    where, text = _lines(row.first, row.last), separator.join(row.values)
    if row.values and row.last - row.first >= LONGEST_ROW:
        return Unreadable("not-csv", f"one row, {where}", text)
    if row.values and len(row.values) != columns:
        what = f"{len(row.values)} values, the header has {columns}, {where}"
        return Unreadable("wrong-columns", what, text)
    return Unreadable("not-csv", f"{row.fault}, {where}", text)


def _lines(first: int, last: int) -> str:
    """Where a row of CSV stands; a quote that nothing closes makes one of all that follows."""
    return f"at line {last}" if first >= last else f"at lines {first} to {last}: is a quote not closed?"


def _json_text(value: Any) -> str | None:
    """A JSON value as the text that CSV would hold; lists and objects stay JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return msgspec.json.encode(value).decode()


@contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        remedy = "unpack it" if path.suffix.lower() in COMPRESSIONS else "fetch the file again"
        raise EventLogError(f"{path}: no readable Parquet: {error}; {remedy}") from error


def _arrow_texts(column: Any) -> list[str | None]:
    """A column of a Parquet file as texts: times in ms, whole floats without a point, NaN as None."""
    kind = column.type
    if pa.types.is_nested(kind):
        return [_json_text(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    elif pa.types.is_floating(kind):
        # Arrow would write whole floats from 10^10 on as 1e+10.
        return [_json_text(value) for value in pc.if_else(pc.is_nan(column), None, column).to_pylist()]
    texts: list[str | None] = pc.cast(column, pa.string()).to_pylist()
    return texts
