"""Files of sales (JSON Lines or CSV), read into documents with the wire's field names, not checked yet.

Fields: those of `reco.events.Sale`, and the names in `ALIASES`. In CSV, which logs have too (see
`models.event_log`), a list is separated by `|`. Times are ms since the epoch or ISO 8601 (UTC if it
has no offset).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypeAlias

import msgspec

from models.csv_rows import CsvRow, csv_header, csv_rows
from models.event_log import check_renames, format_of, open_text, separator_of
from models.file_values import millis, number
from reco.errors import EventLogError
from reco.events import Sale

ALIASES: Mapping[str, str] = {"id": "sale_id", "image_url": "image_urls", "images": "image_urls"}
"""Field names that files use, and ours."""
FIELDS: tuple[str, ...] = Sale.__struct_fields__
"""Every field of a sale."""
LIST_SEPARATOR = "|"
"""Between the entries of a list in CSV."""
FURTHER_URL = re.compile(r"[\s,;](?:https?|file):", re.IGNORECASE)
"""Where another image begins in what should be one; names of files may have blanks and commas."""
ListReader: TypeAlias = Callable[[str, str], list[str] | None]
"""Name and text of a field → the entries of its list; None if the text cannot be understood."""


class SaleRow(NamedTuple):
    """One sale of a file.

    Attributes:
        file, line: where it stands.
        document: its fields by wire name; values that could not be understood as they are in the file.
        ignored: fields of the file that a sale does not have.
        fault: why the row is none; empty if it is one.
    """

    file: str
    line: int
    document: dict[str, Any]
    ignored: tuple[str, ...] = ()
    fault: str = ""


def read_sales(path: Path, renames: Mapping[str, str]) -> Iterator[SaleRow]:
    """The sales of a file; `renames` maps its field names to ours, an empty name leaves a field out.

    Raises:
        EventLogError: the file cannot be read, or is neither CSV nor JSON Lines.
    """
    if format_of(path) not in ("csv", "json"):
        known = "sales are read from .csv, .tsv and .jsonl files, also .gz or .zst compressed"
        raise EventLogError(f"{path}: {known}")
    with open_text(path) as (text, _):
        if format_of(path) == "csv":
            yield from csv_sales(text, path, renames)
        else:
            yield from json_sales(text, str(path), renames)


def csv_sales(text: TextIO, path: Path, renames: Mapping[str, str]) -> Iterator[SaleRow]:
    """The sales of CSV with a header; empty values count as missing, rows of nothing else are none.

    Raises:
        EventLogError: its values are separated by something else than its name says, or a column to rename
            is not there.
    """
    file, separator = str(path), separator_of(path)
    rows = csv_rows(text, separator)
    names = csv_header(rows, path, separator)
    check_renames(names, renames, file)
    for row in rows:
        if fault := _fault(row, len(names)):
            yield SaleRow(file, row.first, {}, fault=fault)
        elif any(row.values):
            given = [(name, value) for name, value in zip(names, row.values, strict=True) if value]
            yield _sale_row(file, row.first, given, renames, _csv_list)


def _fault(row: CsvRow, columns: int) -> str:
    """What is wrong with a row of CSV under a header of so many columns; empty if nothing is."""
    if row.fault:
        return f"{row.fault}; is a quote not closed?" if row.last > row.first else row.fault
    if any(row.values) and len(row.values) != columns:
        return f"{len(row.values)} values, the header has {columns}"
    return ""


def json_sales(text: Iterable[str], file: str, renames: Mapping[str, str]) -> Iterator[SaleRow]:
    """The sales of JSON Lines; null values count as missing."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line, source in enumerate(text, 1):
        if source.isspace():
            continue
        try:
            given = [(name, value) for name, value in decode(source).items() if value is not None]
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            yield SaleRow(file, line, {}, fault=f"no JSON object: {error}")
        else:
            yield _sale_row(file, line, given, renames, lambda _, entry: [entry])


def _sale_row(
    file: str,
    line: int,
    given: Iterable[tuple[str, Any]],
    renames: Mapping[str, str],
    as_list: ListReader,
) -> SaleRow:
    renamed = ((renames.get(name, name), value) for name, value in given)
    ours = [(ALIASES.get(name, name), value) for name, value in renamed if name]
    often = Counter(name for name, _ in ours)
    if twice := [name for name in FIELDS if often[name] > 1]:
        return SaleRow(file, line, {}, fault=f"two fields for {', '.join(twice)}")
    named = dict(ours)
    ignored = tuple(name for name in named if name not in FIELDS)
    document = {name: _value(name, value, as_list) for name, value in named.items() if name in FIELDS}
    return SaleRow(file, line, document, ignored)


def _value(name: str, value: Any, as_list: ListReader) -> Any:
    """`value` as the wire has it, if it can be understood; else as it is."""
    if name == "sale_id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return value
    understood: Any = value
    if name in ("image_urls", "tags"):
        understood = as_list(name, value)
    elif name in ("opens_at", "closes_at"):
        understood = millis(value)
    elif name == "price":
        understood = number(value)
    return value if understood is None else understood


def _csv_list(name: str, value: str) -> list[str] | None:
    entries = [entry.strip() for entry in value.split(LIST_SEPARATOR) if entry.strip()]
    several = name == "image_urls" and any(map(FURTHER_URL.search, entries))
    return None if several else entries
