"""`tenfold evaluate`: how good rankings are on a log or the topics, by published protocols, with a report."""

import dataclasses
import os
import platform
import shlex
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace
from rich.console import Console

from streams.commands.history import LogOrTopics, name_of, read_history
from streams.commands.loading import loading
from streams.commands.log_options import Renames, Seconds, TimesFrom, Types, meaning_of
from streams.commands.logs import (
    ParametersFile,
    Protocol,
    SaleRenames,
    SalesFile,
    Sets,
    asked_for,
    progress,
    read_parameters,
    sale_file,
)
from streams.commands.options import HTML_REPORT, in_a_folder
from streams.terminal import say

if TYPE_CHECKING:
    from models.evaluation.results import Results

Frozen = Annotated[
    bool,
    typer.Option(
        "--frozen",
        help="Know what the published protocol knows, of hourly and next-click; else all that came before, "
        "as a stream.",
    ),
]
Tables = Annotated[
    Path | None, typer.Option(metavar="FILE", callback=in_a_folder, help="Write the tables as JSON.")
]
SHORT = 120
"""What took no longer, s, is told in seconds."""
PACKAGES = ("lightgbm", "numpy", "numba", "scikit-learn")


def evaluate(
    path: LogOrTopics = None,
    *,
    protocol: Protocol,
    frozen: Frozen = False,
    parameters: ParametersFile = None,
    sets: Sets = None,
    sales: SalesFile = None,
    sale_renames: SaleRenames = None,
    report: Annotated[Path | None, HTML_REPORT] = None,
    json: Tables = None,
    renames: Renames = None,
    types: Types = None,
    seconds: Seconds = False,
    times_from: TimesFrom = None,
) -> None:
    """Train on the earlier part of history and rank at every moment of the later one.

    All recommenders, hand rules, the fixed blend, challengers and trained rankers get the same candidates.
    Ties count against the scorer; intervals are at 95 %. It takes as much memory as `tenfold train`.

    \b
    tenfold evaluate globo/ --protocol hourly --frozen --report globo.html
    tenfold evaluate diginetica/ --protocol next-click --times-from 2016-01-01
    tenfold evaluate clicks.csv --protocol purchase
    tenfold evaluate --protocol purchase
    """  # noqa: D301 - \b keeps the lines of the examples apart
    console, began = Console(), time.monotonic()
    with loading(console):
        from models.evaluation import tasks

    given, meaning = read_parameters(parameters), meaning_of(renames, types, seconds, times_from)
    task, boosting = asked_for(protocol, frozen, sets, given.boosting)
    table, catalogue, labels = read_history(path, sale_file(sales, sale_renames), meaning, console)
    tell = partial(_tell, console, path)
    run = partial(tasks.evaluate, fit=given.fit(tell), catalogue=catalogue, labels=labels, tell=tell)
    with progress(console, f"{len(table):,} events: learning and asking") as told:
        results = run(table, task, given.recommenders, boosting, progress=told)
    _show(_told(results, path.absolute().name if path else name_of(path), began), report, json, console)


def _tell(console: Console, path: Path | None, text: str) -> None:
    say(console, f"{name_of(path)}: {text}")


def _told(results: "Results", data_set: str, began: float) -> "Results":
    """The results with what they are of, and how they were made, since `began` (monotonic, s)."""
    command = shlex.join(["tenfold", *sys.argv[1:]])
    about = replace(results.about, data_set=data_set, made=_made(began), command=command)
    return dataclasses.replace(results, about=about)


def _show(results: "Results", report: Path | None, json: Path | None, console: Console) -> None:
    from models.evaluation.report import terminal_table, write_report
    from models.evaluation.results import write_json
    from models.targets import REACHED

    console.print(terminal_table(results.summary))
    say(console, f"{REACHED}: {results.about.training[REACHED]} (others are missed by all)")
    if report is not None:
        write_report(results, report)
        say(console, f"report: {report}")
    if json is not None:
        write_json(results, json)


def _made(began: float) -> dict[str, str]:
    """Machine, versions and commit that the figures were made with, and how long it took, since `began`."""
    from models.evaluation.commit import commit

    seconds = time.monotonic() - began
    made = {
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "took": f"{seconds / 60:.0f} minutes" if seconds > SHORT else f"{seconds:.0f} s",
        "python": platform.python_version(),
        "tenfold": version("tenfold"),
        "commit": commit(),
    }
    return made | {package: version(package) for package in PACKAGES}
