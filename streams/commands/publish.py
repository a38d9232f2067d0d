"""`tenfold publish`: sales from a file into Kafka, or withdrawn."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from reco.errors import RefusedRecordError
from streams.clients import create_topics
from streams.commands.loading import starting_one
from streams.commands.options import check_ids, pairs
from streams.embedded import broker_for
from streams.settings import load
from streams.terminal import say
from streams.topics import topic_set

if TYPE_CHECKING:
    from streams.publishing import Checked, SaleRecord

SHOWN_MISTAKES = 50
"""Wrong rows that are shown one by one."""


What = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE", help="Files of sales (.jsonl, .csv, .tsv), or - for JSON Lines from stdin."
    ),
]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="The arguments are ids of sales to withdraw.")]
Renames = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="THEIRS=OURS", help="Rename a field; THEIRS= leaves it out. Repeatable."),
]
SkipWrong = Annotated[bool, typer.Option("--skip-wrong", help="Publish the other rows if some are wrong.")]


def publish(
    what: What, *, withdraw: Withdraw = False, renames: Renames = None, skip_wrong: SkipWrong = False
) -> None:
    """Publish sales, or withdraw them. Publishing an id again changes that sale.

    Fields: sale_id (or id), title, opens_at; and, if you like, closes_at, description, image_urls (or
    image_url, images), price, currency, country, tags. Times are ms since the epoch or ISO 8601 (UTC if
    there is no offset). CSV is UTF-8 with a header, separated by commas, in a file .tsv by tabs; the
    entries of a list are separated by |.

    Every row is checked before the first one is sent. If one is wrong, nothing is published.

    \b
    tenfold publish sales.jsonl
    tenfold publish sales.csv.gz --map name=title
    tenfold publish --withdraw spring-sale summer-sale
    """  # noqa: D301 - \b keeps the lines of the examples apart
    console = Console()
    if withdraw:
        _withdraw(what, console)
        return
    checked = _check(what, pairs("--map", renames))
    _show(checked, console)
    if checked.wrong and not (skip_wrong and checked.records):
        otherwise = "" if skip_wrong else ", or leave them out with --skip-wrong"
        say(console, f"Nothing is published. Correct the rows{otherwise}.")
        raise typer.Exit(1)
    if not checked.records:
        say(console, f"No sale in {', '.join(what)}: nothing is published.")
        raise typer.Exit(1)
    _send(checked.records)
    say(console, f"{len(checked.records):,} published, {len(checked.wrong):,} wrong")


def _withdraw(sale_ids: list[str], console: Console) -> None:
    """Withdraw sales, and say which of them were not there."""
    from streams.history import read_sales
    from streams.publishing import send

    records = _withdrawals(sale_ids)

    async def deliver() -> list[str]:
        topics = topic_set(settings.topics)
        await create_topics(settings.kafka, topics)
        sales = await read_sales(settings)
        await send(settings.kafka, topics.sales.name, records)
        return [sale_id for sale_id in sale_ids if sales.sale(sale_id) is None]

    with broker_for(load(), starting=starting_one) as settings:
        unknown = asyncio.run(deliver())
    if unknown:
        say(console, f"Not among the sales that are published: {', '.join(unknown)}")
    say(console, f"{len(sale_ids) - len(unknown):,} withdrawn, 0 wrong")


def _withdrawals(sale_ids: list[str]) -> "list[SaleRecord]":
    # Arrow, which reads files, takes half a second to import; no other command should wait for it.
    from streams.publishing import withdrawal

    check_ids(sale_ids)
    for sale_id in sale_ids:
        if Path(sale_id).is_file():
            raise typer.BadParameter(f"{sale_id} is a file; name the ids of the sales to withdraw")
    try:
        return [withdrawal(sale_id) for sale_id in sale_ids]
    except RefusedRecordError as error:
        raise typer.BadParameter(error.detail) from None


def _check(files: list[str], renames: dict[str, str]) -> "Checked":
    from models.sale_file import json_sales, read_sales
    from streams.publishing import check

    return check(
        row
        for file in files
        for row in (
            json_sales(sys.stdin, "stdin", renames) if file == "-" else read_sales(Path(file), renames)
        )
    )


def _send(records: "list[SaleRecord]") -> None:
    from streams.publishing import send

    async def deliver() -> None:
        topics = topic_set(settings.topics)
        await create_topics(settings.kafka, topics)
        await send(settings.kafka, topics.sales.name, records)

    with broker_for(load(), starting=starting_one) as settings:
        asyncio.run(deliver())


def _show(checked: "Checked", console: Console) -> None:
    for name, rows in checked.ignored.items():
        say(console, f"Ignored: a sale has no field {name} (rows: {rows:,})")
    for one in checked.wrong[:SHOWN_MISTAKES]:
        say(console, str(one))
    if len(checked.wrong) > SHOWN_MISTAKES:
        say(console, f"... and {len(checked.wrong) - SHOWN_MISTAKES:,} more wrong rows")
