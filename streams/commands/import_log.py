"""`tenfold import`: an event log from a file into Kafka."""

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from streams.clients import create_topics
from streams.clock import now
from streams.commands.loading import starting_one
from streams.commands.log_options import Renames, Seconds, TimesFrom, Types, in_words, meaning_of
from streams.commands.options import in_a_folder
from streams.embedded import broker_for
from streams.settings import Settings, load
from streams.terminal import done_of, say, told_seldom
from streams.topics import topic_set

if TYPE_CHECKING:
    from models.log_columns import Meaning
    from streams.importing import Imported, Options

INTERRUPTED = 130
"""Exit code after Ctrl-C, by the convention of shells."""


Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Logs (.csv, .tsv, .jsonl, .parquet), or folders that hold one."),
]
Speed = Annotated[
    float | None,
    typer.Option(
        min=1e-3,
        help="So many times as fast as it happened, in order of time; else as fast as workers follow.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many rows of each log.")]
PublishItems = Annotated[
    bool,
    typer.Option("--publish-items", help="First publish a sale for each item, open from its first event on."),
]
AtOnce = Annotated[
    bool,
    typer.Option(
        "--at-once",
        help="At full speed also while workers run: live visitors wait behind it for their lists.",
    ),
]
Restart = Annotated[bool, typer.Option("--restart", help="Begin with the first row again.")]
ReportFile = Annotated[
    Path | None, typer.Option(callback=in_a_folder, help="Write the counts to this file, as JSON.")
]


def import_log(
    paths: Paths,
    *,
    renames: Renames = None,
    types: Types = None,
    seconds: Seconds = False,
    times_from: TimesFrom = None,
    speed: Speed = None,
    limit: Limit = None,
    publish_items: PublishItems = False,
    restart: Restart = False,
    at_once: AtOnce = False,
    report: ReportFile = None,
) -> None:
    """Import event logs into Kafka, every row once.

    Columns: visitor_id, item_id, event_type, ts (ms since the epoch, or ISO 8601) and, if you like,
    session_id. quantity, price and currency belong to purchases, list_id and position to impressions, one
    row for each sale shown; every further column becomes context. Without visitor_id each session counts as
    a visitor, without event_type each row as a click (by --map-type =purchase, as a purchase). CSV is UTF-8
    with a header, separated by commas, in a file .tsv by tabs.

    An interrupted import goes on when the same command runs again. Events keep their times and get ids
    made of the log's checksum and the row's number: a log that has changed is another log, and a row that
    repeats one before it is another event. Refused rows are counted, and written to a file.

    \b
    tenfold import data/retailrocket_buyers
    tenfold import data/slantour --publish-items
    tenfold import data/globo --speed 60
    tenfold import data/diginetica --times-from 2016-01-01
    """  # noqa: D301 - \b keeps the lines of the examples apart
    meaning = meaning_of(renames, types, seconds, times_from)
    from streams.importing import Options

    reports = _import_all(paths, meaning, Options(limit, speed, publish_items, restart, at_once))
    if report is not None:
        report.write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    if any(one["refused"] and not one["sent"] for one in reports):
        raise typer.Exit(1)


def _import_all(paths: list[Path], meaning: "Meaning", options: "Options") -> list[dict[str, Any]]:
    """Import one log after the other; the reports on them."""
    console = Console()
    _check(paths, meaning)
    try:
        with broker_for(load(), starting=starting_one) as settings:
            return [_import(settings, path, meaning, options, console) for path in paths]
    except KeyboardInterrupt:
        console.print("Stopped. The same command goes on where it stopped.")
        raise typer.Exit(INTERRUPTED) from None


def _check(paths: list[Path], meaning: "Meaning") -> None:
    """Look at every log, before a broker is started for them or the first one is sent.

    Raises:
        EventLogError: one cannot be read, or its columns do not suffice.
    """
    from models.event_log import EventLog, find_log
    from models.log_columns import EventReader

    for path in paths:
        EventReader(EventLog(find_log(path), meaning.renames), "log", meaning)


def _import(
    settings: Settings, path: Path, meaning: "Meaning", options: "Options", console: Console
) -> dict[str, Any]:
    """Import one log and say how it went; the report on it."""
    started = time.monotonic()
    terminal = _Terminal(_bar(console))
    with terminal.bar, told_seldom(console, lambda: f"{path}: {terminal.state}"):
        imported = asyncio.run(_run(settings, path, meaning, options, terminal))
    outcome = _report(imported, time.monotonic() - started)
    _show(outcome, imported, console)
    return outcome


async def _run(
    settings: Settings, path: Path, meaning: "Meaning", options: "Options", terminal: "_Terminal"
) -> "Imported":
    from streams import importing

    await create_topics(settings.kafka, topic_set(settings.topics))
    return await importing.import_log(settings, path, meaning, options, now=now(), watcher=terminal)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class _Terminal:
    """Watches an import with a progress bar."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self._stage = ""
        self._task = bar.add_task("reading", total=1.0, rows=0, rate=0.0)
        self._since = (time.monotonic(), 0)

    def say(self, text: str) -> None:
        say(self.bar.console, text)

    @property
    def state(self) -> str:
        """What the bar shows, in words."""
        (task,) = self.bar.tasks
        return f"{task.description}, {task.fields['rows']:,} rows, {done_of(self.bar)}"

    def progress(self, stage: str, fraction: float, rows: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._since = stage, (now, rows)
            self.bar.reset(self._task, description=stage, rows=rows, rate=0.0)
        seconds, done = now - self._since[0], rows - self._since[1]
        rate = done / seconds if seconds else 0.0
        self.bar.update(self._task, completed=fraction, rows=rows, rate=rate)


def _report(imported: "Imported", seconds: float) -> dict[str, Any]:
    progress = imported.progress
    refused = {
        reason: {"rows": one.count, "first": [{"row": row, "detail": detail} for row, detail in one.examples]}
        for reason, one in progress.refused.items()
    }
    return {
        "log": str(imported.log),
        "read": progress.rows,
        "sent": progress.sent,
        "refused": progress.refused_rows,
        "refused_by_reason": refused,
        "rejects": str(imported.rejects) if progress.refused_rows else None,
        "items_published": progress.items,
        "finished": progress.finished,
        "read_in_this_run": progress.rows - imported.rows_before,
        "seconds": round(seconds, 3),
    }


def _show(report: dict[str, Any], imported: "Imported", console: Console) -> None:
    now, seconds = report["read_in_this_run"], report["seconds"]
    pace = f"{now:,} rows now, in {seconds:.1f} s, {now / seconds:,.0f}/s"
    rest = "" if report["finished"] else ", the log goes on"
    console.print(
        f"[bold]{escape(report['log'])}[/]: {report['read']:,} rows read = {report['sent']:,} sent"
        f" + {report['refused']:,} refused{rest} ({pace})",
        highlight=False,
        soft_wrap=True,
    )
    for line in in_words(imported.progress.refused):
        say(console, f"  {line}")
    if report["rejects"]:
        say(console, f"  all refused rows: {report['rejects']}")
