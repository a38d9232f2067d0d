"""`tenfold labels topics`: a labeller with topics of what is really sold."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.clock import now
from streams.commands.labels import Output
from streams.embedded import reachable
from streams.settings import load
from streams.terminal import say

if TYPE_CHECKING:
    from models.labelling.catalogue_topics import Refit

Seed = Annotated[
    int, typer.Option(min=0, help="Of the samples of sales that decide how many topics there are.")
]


def topics(
    labeller: Annotated[Path, typer.Argument(metavar="LABELLER", help="The folder of a labeller.")],
    *,
    continued: Annotated[
        Path | None,
        typer.Option(
            "--continue", metavar="LABELLER", help="Another labeller, whose topics go on; else its own do."
        ),
    ] = None,
    output: Output = None,
    seed: Seed = 0,
) -> None:
    """Fit the topics of a labeller again, to the labels of the sales that it has labelled.

    Topics come from the photographs that a labeller was trained on, until there is a catalogue. What comes
    out is a labeller of its own, which sees and embeds as the one before, to be promoted like any other.
    Topics that go on keep their number and place, also those of the labeller before, if it is named.

    \b
    tenfold labels topics .tenfold/labellers/2026-11-24-1a2b3c4d
    tenfold labels topics LABELLER --continue ANOTHER
    """  # noqa: D301 - \b keeps the lines of the examples apart
    from models.labelling.catalogue_topics import refit_topics
    from models.labelling.labeller import Provenance, load_labeller, verify_labeller, write_labeller
    from models.labelling.topics import TopicOptions
    from streams.history import read_labels

    console, settings = Console(highlight=False), reachable(load())
    manifest, _, before = verify_labeller(labeller)  # before the networks, which take seconds
    if continued is not None:
        _, _, before = verify_labeller(continued)
    sales = [one for one in asyncio.run(read_labels(settings)) if one.labeller == manifest.id]
    with console.status(f"Fitting topics to {len(sales):,} sales"):
        refit = refit_topics(sales, manifest.classes, before, TopicOptions(seed=seed))
    _show(console, refit)
    trained_on = manifest.trained_on | {"topics": {"sales": refit.sales, "labelled_by": manifest.id}}
    recognition = replace(load_labeller(labeller).recognition, topics=refit.topics)
    provenance = Provenance(now(), trained_on, manifest.metrics)
    folder = write_labeller(output or settings.data_dir() / "labellers", recognition, provenance)
    say(console, f"labeller: {folder}")


def _show(console: Console, refit: "Refit") -> None:
    """Each topic with its share of the catalogue, and what it was before."""
    table = Table("topic", "share", "before", box=None)
    for number, name, share in zip(refit.topics.ids, refit.topics.names, refit.shares.tolist(), strict=True):
        was = refit.before.get(number, "new")
        table.add_row(Text(name), f"{100 * share:.1f} %", Text("the same" if was == name else was))
    console.print(table)
    for name in refit.gone:
        console.print(Text(f"gone: {name}"))
