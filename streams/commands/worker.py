"""`tenfold worker`: chosen agents in this process."""

from typing import Annotated

import typer

from streams.embedded import reachable
from streams.settings import load


def worker(
    agents: Annotated[
        list[str],
        typer.Argument(metavar="AGENT", help="Agents to run in this process: sessions, scoring, labelling."),
    ],
) -> None:
    """Run chosen agents in one process, until stopped; start as many such processes as you like.

    It ends as soon as anything fails, so run it under something that starts it again, as `tenfold up` does.
    """
    from streams.worker import check_names, run

    check_names(agents)
    run(agents, reachable(load()))
