"""What `train`, `tune` and `evaluate` have in common: the log that they read, parameters, and progress."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeVar, cast

import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from reco.errors import EventLogError
from reco.events import EARLIEST_TIME, Event
from reco.parameters import Parameters
from streams.clock import now
from streams.commands.log_options import in_words
from streams.commands.options import pairs
from streams.terminal import done_of, say, told_seldom

if TYPE_CHECKING:
    from models.evaluation.tasks import Task
    from models.event_table import EventTable
    from models.log_columns import Meaning
    from models.progress import Progress as Report
    from models.sale_file import SaleRow
    from models.segment_choice import Fit
    from models.training import Boosting
    from reco.catalogue import Catalogue

BOOSTING: Final = "boosting"
"""Where a file of parameters has the numbers of LightGBM."""
REPEATED = "they count as well; take them out of the file if they were only sent again"
"""What is said of rows that are the same as others: two looks within a second may be, and so may retries."""
GRANTED: Final = {"opens_at": "sales are open all along", "title": "ids stand for titles"}
"""What is taken for granted of the sales of a log that do not say it."""
Filled = TypeVar("Filled", bound=msgspec.Struct)

ParametersFile = Annotated[
    Path | None,
    typer.Option("--parameters", metavar="FILE", help="Parameters and trees, as `tenfold tune` writes them."),
]

SalesFile = Annotated[
    Path | None,
    typer.Option(
        "--sales",
        metavar="FILE",
        help="The sales of the log (.jsonl, .csv, .tsv): what they say of themselves, and when they were "
        "open.",
    ),
]

SaleRenames = Annotated[
    list[str] | None,
    typer.Option("--map-sale", metavar="THEIRS=OURS", help="Rename a field of --sales, as --map does."),
]

Protocol = Annotated[
    Literal["hourly", "next-click", "purchase"],
    typer.Option(
        metavar="PROTOCOL",
        help="What is to be found. hourly: the last click of each session; next-click: each next click of a "
        "session; purchase: what the visitor buys next, after each event.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A number of the task (first_day and last_day of hourly; test and train of the others; window "
        "of purchase; share, seed), or one of LightGBM as by `tenfold train`. Repeatable.",
    ),
]


def asked_for(
    protocol: Protocol,
    frozen: bool,  # noqa: FBT001 - as given
    sets: list[str] | None,
    tuned: Mapping[str, Any],
    sought: Collection[str] = (),
) -> "tuple[Task, Boosting]":
    """The task, and how forests are grown, with the numbers that were given; else those that were `tuned`.

    What is `sought` cannot be given.

    Raises:
        typer.BadParameter: the protocol has no such number, nor LightGBM; or it is not published.
    """
    from models.training import Boosting

    growing = [name for name in Boosting.__struct_fields__ if name not in sought]
    numbers = _numbers(sets, (*_numbers_of(protocol), *growing))
    return _task(protocol, frozen, numbers), _filled(Boosting, {**tuned, **numbers})


def _numbers_of(protocol: Protocol) -> tuple[str, ...]:
    from models.evaluation.tasks import NUMBERS

    return (*NUMBERS[protocol], "seed")


def _task(protocol: Protocol, frozen: bool, numbers: Mapping[str, Any]) -> "Task":  # noqa: FBT001 - as given
    from models.evaluation.tasks import Task

    if frozen and protocol == "purchase":
        raise typer.BadParameter("the protocol purchase always streams", param_hint="--frozen")
    return _filled(Task, {**numbers, "protocol": protocol, "frozen": frozen})


def boosting_of(sets: list[str] | None, tuned: Mapping[str, Any]) -> "Boosting":
    """How forests are grown, with the numbers that were given; else those that were `tuned`.

    Raises:
        typer.BadParameter: there is no such number.
    """
    from models.training import Boosting

    return _filled(Boosting, {**tuned, **_numbers(sets, Boosting.__struct_fields__)})


def _numbers(sets: list[str] | None, known: Iterable[str]) -> dict[str, Any]:
    """The values of `--set`, as text."""
    given, names = pairs("--set", sets), dict.fromkeys(known)
    for name in given:
        if name not in names:
            raise typer.BadParameter(f"{name}: must be one of {', '.join(names)}", param_hint="--set")
    return dict(given)


def _filled(kind: type[Filled], values: Mapping[str, Any]) -> Filled:
    """A struct of this kind; values that it does not have are another's."""
    try:
        own = {name: value for name, value in values.items() if name in kind.__struct_fields__}
        return msgspec.convert(own, kind, strict=False)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None


def read_log(path: Path, meaning: "Meaning", report: "Report", console: Console) -> "EventTable":
    """The log as a table; what is assumed, and which rows are no events, or repeat another, is said.

    Raises:
        EventLogError: it cannot be read.
    """
    from models.event_log import EventLog, Repetitions, Row, Unreadable, find_log
    from models.event_table import read_table
    from models.log_columns import EventReader
    from streams.import_progress import Refused, with_refusals
    from streams.import_rows import Refusal, event_of

    log = EventLog(find_log(path), meaning.renames)
    reader = EventReader(log, "log", meaning)
    for assumption in reader.assumptions:
        say(console, f"{log.path}: {assumption}")
    refused: dict[str, Refused] = {}
    repetitions, read_at = Repetitions(), now()

    def known(number: int, row: Row | Unreadable) -> Event | None:
        nonlocal refused
        read = event_of(number, row, reader, read_at)
        if not isinstance(read, Refusal):
            repetitions.add(number, cast("Row", row))
            return read[2]
        refused = with_refusals(refused, [read])
        return None

    table = read_table(log, known, report)
    reasons = "".join(f"\n  {line}" for line in in_words(refused))
    if not len(table):
        raise EventLogError(f"{log.path}: no row of it is an action of a visitor; see --map{reasons}")
    if reasons:
        left_out = sum(one.count for one in refused.values())
        what = "row is no event" if left_out == 1 else "rows are no events"
        say(console, f"{log.path}: {left_out:,} {what}, and left out:{reasons}")
    if meaning.times_from is None and len(again := repetitions.rows()):
        found = f"{len(again):,}, such as row {again[0]:,}"
        say(console, f"{log.path}: rows that repeat one before them in every column: {found}; {REPEATED}")
    return table


class Tuned(NamedTuple):
    """Parameters of the recommenders, numbers of LightGBM, and whether the segments were given."""

    recommenders: Parameters
    boosting: Mapping[str, Any]
    names_segments: bool = True

    def fit(self, tell: Callable[[str], None]) -> "Fit":
        """What fits the parameters to a history: segments are chosen, and told, unless they were given."""
        from models.segment_choice import as_given, with_segments

        return as_given if self.names_segments else partial(with_segments, tell=tell)


def read_parameters(path: Path | None) -> Tuned:
    """The parameters in a file, those that it does not name as they are by default.

    Raises:
        EventLogError: the file cannot be read, or says something else.
    """
    from models.training import Boosting

    if path is None:
        return Tuned(Parameters(), {}, names_segments=False)
    try:
        given = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        boosting = given.pop(BOOSTING, {})
        msgspec.convert(boosting, Boosting)
        return Tuned(msgspec.convert(given, Parameters), boosting, "segments" in given)
    except (OSError, msgspec.MsgspecError) as error:
        raise EventLogError(f"{path}: {error}; `tenfold tune` writes such a file") from error


def write_parameters(path: Path, tuned: Tuned) -> None:
    """Write the file that `read_parameters` reads."""
    given = msgspec.to_builtins(tuned.recommenders) | {BOOSTING: dict(tuned.boosting)}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(given), indent=2) + b"\n")


class SaleFile(NamedTuple):
    """A file of sales, if there is one, and which of its fields have other names than ours."""

    path: Path | None
    renames: Mapping[str, str]


def sale_file(path: Path | None, renames: list[str] | None) -> SaleFile:
    """The file of `--sales`, to be read by `--map-sale`.

    Raises:
        typer.BadParameter: a name is given for nothing.
    """
    if renames and path is None:
        raise typer.BadParameter("there is no file of sales; name one with --sales", param_hint="--map-sale")
    return SaleFile(path, pairs("--map-sale", renames))


def read_catalogue(sales: SaleFile, console: Console) -> "Catalogue | None":
    """The sales in a file, None without one; what is left out, or taken for granted, is said.

    Files of attributes say neither titles nor times: the id of a sale stands for its title, and without
    `opens_at` it is open all along.

    Raises:
        EventLogError: the file cannot be read, or no row of it is a sale.
    """
    if sales.path is None:
        return None
    from models.sale_file import read_sales
    from reco.catalogue import catalogue_of
    from streams.codecs import decode_sale
    from streams.publishing import check

    granted = Counter[str]()
    checked = check(_completed(read_sales(sales.path, sales.renames), granted))
    for name, rows in granted.items():
        say(console, f"{sales.path}: no {name} (rows: {rows:,}), so that {GRANTED[name]}; see --map-sale")
    for name, rows in checked.ignored.items():
        say(console, f"{sales.path}: a sale has no field {name} (rows: {rows:,}); see --map-sale")
    if checked.wrong:
        mistakes = f"{checked.wrong[0]} (wrong rows: {len(checked.wrong):,})"
        if not checked.records:
            raise EventLogError(mistakes)
        say(console, f"left out: {mistakes}")
    return catalogue_of(decode_sale(key, value) for key, value in checked.records)


def _completed(rows: "Iterable[SaleRow]", granted: Counter[str]) -> "Iterator[SaleRow]":
    """The rows with what they do not say and what is `GRANTED` then, which is counted."""
    for row in rows:
        if sale_id := row.document.get("sale_id"):
            usual = {"opens_at": EARLIEST_TIME, "title": sale_id} | row.document
            granted.update(usual.keys() - row.document.keys())
            row = row._replace(document=usual)  # noqa: PLW2901 - the same row
        yield row


@contextmanager
def progress(console: Console, what: str) -> Iterator["Report"]:
    """A bar for work that tells which fraction of it is done; plain lines if this is no terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    if not console.is_terminal:
        say(console, f"{what} ...")
    task = bar.add_task(what, total=1.0)
    with bar, told_seldom(console, lambda: f"{what}: {done_of(bar)}"):
        yield lambda fraction: bar.update(task, completed=fraction)
