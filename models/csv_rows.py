"""Rows of CSV with the lines that they take, so that none is lost between two quotes without a word."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from reco.errors import EventLogError

SEPARATORS: Mapping[str, str] = {";": "';'", "|": "'|'", "\t": "tabs", ",": "commas"}
"""What programs write between values, and what it is called."""


class CsvRow(NamedTuple):
    """One row.

    Attributes:
        first, last: its lines, from 1.
        values: none in a blank line, and where nothing could be read.
        fault: why they are none of one row; empty if they are.
    """

    first: int
    last: int
    values: list[str]
    fault: str


def csv_rows(text: Iterable[str], separator: str) -> Iterator[CsvRow]:
    r"""All rows of the lines of `text`, the header among them.

    >>> [row.values for row in csv_rows(['id,title\n', '7,"Rome, in\n', 'spring"\n'], ",")]
    [['id', 'title'], ['7', 'Rome, in\nspring']]
    """
    lines = list[str]()
    reader = csv.reader(_noted(text, lines), delimiter=separator)
    while True:
        first, values, fault = reader.line_num + 1, list[str](), ""
        lines.clear()
        try:
            values = next(reader)
            if len(lines) > 1:
                _check_quotes(lines, separator)
        except StopIteration:
            return
        except csv.Error as error:
            fault = str(error)
        yield CsvRow(first, reader.line_num, values, fault)


def csv_header(rows: Iterator[CsvRow], path: Path, wanted: str) -> list[str]:
    """The names in the header, which is taken off the `rows` of the file; none if it is empty.

    Raises:
        EventLogError: it cannot be read, or is one name that holds what other programs write between values.
    """
    header = next(rows, CsvRow(1, 1, [], ""))
    if header.fault:
        raise EventLogError(f"{path}: its first line is no header: {header.fault}; write one above the rows")
    for separator, called in SEPARATORS.items():
        if len(header.values) == 1 and separator != wanted and separator in header.values[0]:
            remedy = f"save it with {SEPARATORS[wanted]}"
            if separator == "\t":
                remedy += ", or have its name end in .tsv"
            raise EventLogError(f"{path}: values are separated by {called}; {remedy}")
    return header.values


def _noted(text: Iterable[str], lines: list[str]) -> Iterator[str]:
    """The lines of `text`, each of which is also added to `lines`; and after the last, a line of nothing."""
    for line in text:
        lines.append(line)
        yield line
    lines.append("")


def _check_quotes(lines: Iterable[str], separator: str) -> None:
    """Raises csv.Error if the quote that makes one row of these lines opens a value that is none of it."""
    try:
        next(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        raise csv.Error("a value in quotes goes on beyond its row") from None
