"""`tenfold labels show`: what was found in the images of a sale, or of every live sale on a page."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reco.events import Sale
from reco.labels import SaleLabels, Scored
from streams.clock import in_utc, now
from streams.commands.loading import loading
from streams.commands.logs import progress
from streams.commands.options import check_ids, in_a_folder
from streams.embedded import reachable
from streams.settings import load
from streams.terminal import plain_text, say

if TYPE_CHECKING:
    from streams.label_gallery import LabelledCatalogue

SHOWN = 8
"""Labels, topics and sales that look alike on the terminal, at most."""
BAR = 32
"""Columns of a bar of 100 %."""
NAME = 48
"""Columns of a name, at most."""

_console = Console(highlight=False)


def show(
    sale_id: Annotated[str | None, typer.Argument(metavar="SALE", help="A sale, by its id.")] = None,
    *,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            callback=in_a_folder,
            help="Write an HTML page of every live sale.",
        ),
    ] = None,
) -> None:
    """Show what was found in the images of a sale, and which live sales look alike.

    The page has every live sale with its first image, fetched as the settings of images allow.

    \b
    tenfold labels show sale-17
    tenfold labels show --page gallery.html
    """  # noqa: D301 - \b keeps the lines of the examples apart
    if sale_id is None and page is None:
        raise typer.BadParameter("name a sale, or a file with --page", param_hint="SALE")
    check_ids([sale_id or ""])
    with loading(_console):
        from streams.label_gallery import read_labelled_catalogue, write_label_gallery

    settings = reachable(load())
    sales = asyncio.run(read_labelled_catalogue(settings, now()))
    if sale_id is not None:
        _show(sales, sale_id)
    if page is not None:
        with progress(_console, f"{len(sales.live.ids):,} live sales") as told:
            asyncio.run(write_label_gallery(sales, settings.images, page, told))
        say(_console, f"page: {page}")


def _show(sales: "LabelledCatalogue", sale_id: str) -> None:
    sale = sales.catalogue.sale(sale_id)
    if sale is None:
        raise typer.BadParameter(f"no sale {sale_id} is published", param_hint="SALE")
    labels = sales.labels.get(sale_id)
    live = "live" if sale_id in sales.live.position else "not live now"
    _console.print(plain_text(sale.title, "bold"), plain_text(f"{sale_id}, {live}"), sep="\n", soft_wrap=True)
    if labels is not None:
        _console.print(plain_text(_about(sale, labels)), soft_wrap=True)
    if remark := sales.remark(sale):
        _console.print(plain_text(remark, "yellow"), soft_wrap=True)
    if labels is not None:
        bars(_console, "labels", labels.labels, "blue")
        bars(_console, "topics", labels.topics, "green")
    _nearest(sales, sale_id)


def _about(sale: Sale, labels: SaleLabels) -> str:
    """The version, when, and how many images; whether others are to be looked at, or more."""
    at = in_utc(labels.labelled_at)
    settled, wanted = set(labels.image_urls), set(sale.image_urls)
    said = [f"labelled by {labels.labeller}, {at}, {labels.images} of {len(settled)} images"]
    if settled - wanted:
        said.append("it has others by now")
    elif left := len(wanted - settled):
        said.append(f"{left} more to be fetched")
    return "; ".join(said)


def bars(console: Console, kind: str, shares: Iterable[Scored], colour: str) -> None:
    """Print shares as bars, the largest first; nothing if there are none."""
    from models.labelling.gallery import largest

    found = largest(shares)
    if not found:
        return
    table = _grid(kind)
    for name, share in _first(found):
        table.add_row(plain_text(name), Bar(1.0, 0.0, share, width=BAR, color=colour), f"{100 * share:.1f} %")
    console.print(table)


def _first(found: list[Scored]) -> Iterator[tuple[str, float]]:
    """The largest shares, and one line for all others."""
    yield from ((one.name, one.share) for one in found[:SHOWN])
    if others := found[SHOWN:]:
        yield f"{len(others)} more", min(sum(one.share for one in others), 1.0)


def _nearest(sales: "LabelledCatalogue", sale_id: str) -> None:
    table = _grid("live sales that look alike")
    nearest = sales.nearest(sale_id, SHOWN)
    for one, cosine in nearest:
        sale = sales.catalogue.sale(one)
        table.add_row(plain_text(sale.title if sale else one), plain_text(one, "dim"), f"{cosine:.3f}")
    if nearest:
        _console.print(table)


def _grid(title: str) -> Table:
    table = Table(
        title=Text.assemble("\n", plain_text(title, "dim")),
        title_justify="left",
        box=None,
        show_header=False,
        padding=(0, 1),
    )
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=NAME)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=NAME)
    table.add_column(justify="right", no_wrap=True)
    return table
