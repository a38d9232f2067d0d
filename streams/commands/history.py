"""The history that `train`, `tune` and `evaluate` replay: a log, or the topics of this installation."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console

from streams.commands.logs import SaleFile, progress, read_catalogue, read_log
from streams.embedded import reachable
from streams.settings import load
from streams.terminal import plain, say

if TYPE_CHECKING:
    from models.event_table import EventTable
    from models.log_columns import Meaning
    from models.progress import Progress
    from reco.catalogue import Catalogue
    from reco.labels import SaleLabels

LogOrTopics = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="A log (.csv, .tsv, .jsonl, .parquet), or its folder; without one, the topics of this "
        "installation.",
    ),
]


MANY, MUCH = 1_000, 0.1
"""Of so many events, one visitor does no such share."""


class History(NamedTuple):
    """What happened, the sales that it happened to, if that is known, and what their images show."""

    table: "EventTable"
    catalogue: "Catalogue | None"
    labels: "list[SaleLabels]"


def name_of(path: Path | None) -> str:
    """What people call the history at `path`."""
    return "the topics" if path is None else str(path)


def read_history(path: Path | None, sales: SaleFile, meaning: "Meaning", console: Console) -> History:
    """The history at `path`, with `sales`; without a path, that of the topics, with their own.

    How far it is, what is left out of the context, and which sessions and clicks are missing, is said.

    Raises:
        EventLogError: a file cannot be read.
        BrokerError: the broker cannot be reached, or the topics are not there.
        typer.BadParameter: something is said about the topics that only a log needs.
    """
    from models.event_table import MAX_VALUES

    with progress(console, f"reading {name_of(path)}") as told:
        found = _read(path, sales, meaning, told, console)
    for name in found.table.left_out:
        say(console, f"{name}: left out; with more than {MAX_VALUES:,} values it is no segment of visitors")
    for text in (*_lacking(found.table), *_unknown_sales(found)):
        say(console, f"{name_of(path)}: {text}")
    return found


def _lacking(table: "EventTable") -> Iterator[str]:
    """What to say of a history in which sessions or clicks are missing, or visitors or sales are odd."""
    from models.event_table import NO_SESSION
    from reco.recommenders.protocol import CLICK
    from reco.sale_index import MAX_SALES

    without = (table.sessions == NO_SESSION).nonzero()[0]
    if 0 < len(without) < len(table):
        one = table.event(without[0], int(table.ts[without[0]]))
        which = f"such as that of visitor {plain(one.visitor_id)} at {one.ts}"
        instead = "so that all sessions are told apart by 30 minutes of silence"
        yield f"{len(without):,} of {len(table):,} events have no session_id, {which}, {instead}"
    yield from _of_one(table)
    yield from _of_several_visits(table)
    if len(table.sale_ids) > MAX_SALES:
        forgotten = "each time that there are more, the quarter that nobody touched for longest is forgotten"
        yield f"{len(table.sale_ids):,} sales, of which {MAX_SALES:,} are known at a time: {forgotten}"
    if len(table) and not (table.kinds == CLICK).any():
        yield "no clicks: the fixed blend, which goes by them, has little or nothing to rank by"


def _of_one(table: "EventTable") -> Iterator[str]:
    """What to say of a visitor who did so much that it may be the name of all whom nobody knows."""
    import numpy as np

    if len(table) < MANY:
        return
    counts = np.bincount(table.visitors)
    visitor = int(counts.argmax())
    if counts[visitor] > MUCH * len(table):
        who = f"are of one visitor, {plain(table.visitor_ids[visitor])}"
        yield f"{counts[visitor]:,} of {len(table):,} events {who}: leave them out if it is nobody's id"


def _of_several_visits(table: "EventTable") -> Iterator[str]:
    """What to say of sessions that are longer than visits, as of trips whose events are days apart."""
    import numpy as np

    from models.targets import sessions_of
    from reco.sessions import VISIT_SILENCE

    order, starts, lengths = sessions_of(table)
    silent = np.diff(table.ts[order], prepend=0) > VISIT_SILENCE
    silent[starts] = False
    several = int(np.add.reduceat(silent, starts).astype(np.bool_).sum()) if len(starts) else 0
    if several > MUCH * int((lengths > 1).sum()):
        which = f"{several:,} of {len(starts):,} sessions go on after 30 minutes of silence"
        remedy = "if only their order counts, leave times out and have them made up, with --times-from"
        yield f"{which}, as another visit for all that recommends: {remedy}"


def _unknown_sales(found: History) -> Iterator[str]:
    """What to say of events whose sales are in no catalogue."""
    import numpy as np

    table, catalogue = found.table, found.catalogue
    if catalogue is None:
        return
    unknown = np.array([catalogue.sale(sale_id) is None for sale_id in table.sale_ids], np.bool_)
    if count := int(unknown[table.sales].sum()):
        first = plain(table.sale_ids[int(unknown.argmax())])
        which = f"{count:,} of {len(table):,} events are of sales that are not known, such as {first}"
        yield f"{which}: what is not among the sales is in no list"


def _read(
    path: Path | None, sales: SaleFile, meaning: "Meaning", told: "Progress", console: Console
) -> History:
    from models.log_columns import Meaning
    from streams import history

    if path is not None:
        return History(read_log(path, meaning, told, console), read_catalogue(sales, console), [])
    if sales.path is not None or meaning != Meaning():
        belongs = "--sales, --map, --map-type, --seconds and --times-from belong to a log; name one"
        raise typer.BadParameter(f"{belongs}: the topics have their own sales, and say what they hold")
    settings = reachable(load())

    async def read() -> History:
        return History(*await history.read_history(settings, told), await history.read_labels(settings))

    return asyncio.run(read())
