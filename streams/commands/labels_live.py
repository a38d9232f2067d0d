"""`tenfold labels promote` and `rollback`: another labeller goes live while sales arrive; and back."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.release_promotion import Live, PromotedLabeller
from streams.commands.promoting import go_back, make_live
from streams.settings import load
from streams.terminal import say


def promote(
    labeller: Annotated[Path, typer.Argument(metavar="LABELLER", help="The folder of a labeller.")],
) -> None:
    """Make a labeller live: running labelling workers load it, change over, and label all sales again.

    Every byte of it is verified here first. It must be at the same place for all workers, and wins over the
    one in their settings; a worker that cannot load it says so, and goes on with the one before.
    """
    from streams.labellers import LABELLERS, chosen

    before = make_live(LABELLERS, chosen(labeller))
    start = "start one with `tenfold worker labelling`, or `tenfold up` again"
    _tell_if_none(before, f"if no labelling worker runs, {start}")


def rollback() -> None:
    """Go back to the labeller that was live before.

    Each rollback goes one step further back, and what it leaves is forgotten; before the first promotion it
    was the labeller of the settings. One that is not whole any more is left out.
    """
    from streams.labellers import LABELLERS

    _tell_if_none(go_back(LABELLERS), "with them, no labelling worker starts any more")


def _tell_if_none(live: Live[PromotedLabeller] | None, meaning: str) -> None:
    """Say what it means if nothing is promoted (`live`), and the settings name no labeller either."""
    if live is None and not load().labelling.labeller:
        say(Console(), f"These settings name none: {meaning}.", "yellow")
