"""`tenfold topics`: what stands on the topics, how they are kept, and what to do where that is wrong."""

import asyncio
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reco.parameters import DAY
from streams.clients import create_topics
from streams.commands.loading import starting_one
from streams.embedded import broker_for, reachable
from streams.settings import Settings, load
from streams.terminal import borderless, say
from streams.topic_check import SHOWN, TopicState, differences, inspect, unequal
from streams.topics import topic_set


def topics(
    *, create: Annotated[bool, typer.Option("--create", help="Create the topics that are missing.")] = False
) -> None:
    """List the topics with their sizes and how they are kept; --create creates the missing ones."""
    console = Console()
    found = broker_for(load(), starting=starting_one) if create else nullcontext(reachable(load()))
    with found as settings:
        asyncio.run(_topics(settings, console, create=create))


async def _topics(settings: Settings, console: Console, *, create: bool) -> None:
    wanted = topic_set(settings.topics)
    if create:
        created = await create_topics(settings.kafka, wanted)
        told = f"Created {', '.join(created)}." if created else "All topics were there already."
        console.print(told, soft_wrap=True)
    states = await inspect(settings.kafka, wanted)
    console.print(table(states))
    unequal_partitions = unequal(states, wanted)
    for difference in [*(line for state in states for line in differences(state)), unequal_partitions]:
        if difference:
            say(console, f"- {difference}", "yellow")


def table(states: Iterable[TopicState]) -> Table:
    """The topics, one a row."""
    shown = borderless()
    shown.add_column("topic", no_wrap=True, overflow="fold")
    for name in ("partitions", "messages"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("cleanup", "kept", "times"):
        shown.add_column(name, overflow="fold")
    for state in states:
        shown.add_row(state.wanted.name, *_cells(state), style="red" if state.missing else None)
    return shown


def _cells(state: TopicState) -> tuple[str, ...]:
    if state.missing:
        return ("missing",)
    cleanup, retention, times = (state.config.get(key, "") for key in SHOWN)
    kept = _duration(retention) if "delete" in cleanup else "newest" if cleanup else ""
    return (str(state.partitions), f"{state.messages:,}", cleanup.replace(",", ", "), kept, times)


def _duration(retention: str) -> str:
    """How long records are kept, for a person; `retention` in ms, below 0 for ever."""
    return "for ever" if int(retention) < 0 else f"{int(retention) / DAY:g} days"
