"""`tenfold up`: everything on one machine, under one restart loop."""

import asyncio
import signal
import threading
import time
from typing import Annotated

import typer
from rich.console import Console

from streams.clients import create_topics
from streams.commands.loading import FIRST_START
from streams.commands.promoting import live_of
from streams.embedded import BrokerKeeper, broker_for
from streams.settings import Settings, load
from streams.supervisor import TICK, Supervisor
from streams.terminal import say
from streams.topic_check import require
from streams.topics import topic_set

TELL_EVERY = 30.0
"""Seconds between two lines that say which workers are waited for; scoring reads the whole history first."""


def up(
    sessions: Annotated[int, typer.Option(min=0, help="Worker processes of the sessions agent.")] = 1,
    scoring: Annotated[int, typer.Option(min=0, help="Worker processes of the scoring agent.")] = 1,
    labelling: Annotated[
        int | None,
        typer.Option(min=0, help="Worker processes of the labelling agent; 1 if a labeller is set or live."),
    ] = None,
) -> None:
    """Start a broker if none is configured, the topics and the workers; start again whatever ends."""
    console = Console(stderr=True)
    told_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: told_to_stop.set())
    asked = load()
    with broker_for(asked) as settings:
        created = asyncio.run(_topics(settings))
        console.print(f"broker  {settings.kafka.bootstrap_servers}")
        console.print(f"topics  {', '.join(created) + ' created' if created else 'all there'}")
        labellers = _labelling_workers(settings, labelling)
        processes = [("sessions",)] * sessions + [("scoring",)] * scoring + [("labelling",)] * labellers
        with Supervisor(settings, processes, BrokerKeeper(asked)) as supervisor:
            with console.status(f"Starting the workers ({FIRST_START})"):
                _ready(supervisor, told_to_stop, console)
            if not told_to_stop.is_set():
                for one in supervisor.workers:
                    console.print(f"worker  {one.name}, health at {one.health_url}")
                console.print("ready; Ctrl-C stops everything")
            told_to_stop.wait()
            console.print("stopping")


async def _topics(settings: Settings) -> list[str]:
    """Create the topics that are missing; their names.

    Raises:
        BrokerError: one of the others is as no worker can do without.
    """
    topics = topic_set(settings.topics)
    created = await create_topics(settings.kafka, topics)
    await require(settings.kafka, topics, created)
    return created


def _ready(supervisor: Supervisor, told_to_stop: threading.Event, console: Console) -> None:
    """Wait, however long it takes, until all workers are ready or it is told to stop."""
    tell_at = time.monotonic() + TELL_EVERY
    while (awaited := supervisor.awaited()) and not told_to_stop.wait(TICK):
        if time.monotonic() >= tell_at:
            say(console, f"waiting for {', '.join(awaited)}")
            tell_at = time.monotonic() + TELL_EVERY


def _labelling_workers(settings: Settings, wanted: int | None) -> int:
    """How many labelling workers to run; without a wish, one if there is a labeller.

    Raises:
        SettingsError: some are wanted, and there is no labeller.
    """
    from streams.labellers import LABELLERS, no_labeller

    there = bool(settings.labelling.labeller) or live_of(settings, LABELLERS) is not None
    if wanted and not there:
        raise no_labeller()
    return int(there) if wanted is None else wanted
