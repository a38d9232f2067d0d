"""One demo from beginning to end: names of its own on a broker, its workers, its site, and the screen."""

import asyncio
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from demo.backstage import Backstage
from demo.catalogue import images_of_a_kind
from demo.image_process import ImageProcess
from demo.kinds import KINDS, kinds_of
from demo.labeller import Task
from demo.labelling import Labelling
from demo.own_folder import own_folder
from demo.performance import ENDS, perform
from demo.photographs import Photographs, choose
from demo.plan import Plan
from demo.ranking import Ranking
from demo.report import report
from demo.screen import drawn_on, summary, told_on
from streams import clients
from streams.commands.loading import FIRST_START
from streams.embedded import broker_for
from streams.settings import Kafka, Releases, Settings
from streams.supervisor import Supervisor
from streams.topics import topic_set

WORKERS = (("sessions",), ("scoring",))
"""The worker processes of a demo."""
IMAGES = images_of_a_kind(len(KINDS))
"""Postcards of each kind."""
GETTING_READY = 300.0
"""Longest time that workers may take to get ready, s; the first start on a machine compiles."""
LAST_WORDS = 10_000
"""So many bytes of what workers logged are said when the screen is given back."""


def run(settings: Settings, plan: Plan, console: Console, *, headless: bool) -> dict[str, Any]:
    """Play a demo, print its summary, and return its report.

    Raises:
        TenfoldError: the broker or a worker does not start, or an event could not be delivered.
    """
    photographs, drawn = _photographs(plan, console), console.is_terminal and not headless
    with ended_once() as world:
        said = world.enter_context(said_afterwards()) if drawn else None
        server = world.enter_context(ImageProcess(IMAGES, photographs)) if plan.images else None
        with console.status("Starting the broker"):
            own = world.enter_context(broker_for(world.enter_context(own_names(settings))))
            world.callback(remove_topics, settings, own)
            asyncio.run(clients.create_topics(own.kafka, topic_set(own.topics)))
        with console.status(f"Starting the workers ({FIRST_START})"):
            workers = world.enter_context(Supervisor(own, WORKERS, said=said))
            workers.ready(GETTING_READY)
        ranking = Ranking(own)
        backstage = Backstage(workers, ranking)
        if server is not None:
            task = Task(str(settings.data_dir()), plan.networks, photographs)
            labelling = world.enter_context(Labelling(own, task, aside=drawn))
            kinds = kinds_of(photographs.kinds) if photographs else KINDS
            backstage = Backstage(workers, ranking, server.urls(), labelling, kinds)
        draw = drawn_on if drawn else told_on
        figures = asyncio.run(perform(own, plan, backstage, draw(console)))
        world.callback(console.print, summary(figures))  # before all that is still to end
    return report(figures, parameters(settings, plan) | {"kinds": [kind.name for kind in backstage.kinds]})


@contextmanager
def said_afterwards() -> Iterator[IO[bytes]]:
    """A file for what workers log, whose end is said after the block; on the screen it would be lost."""
    with TemporaryFile() as said:
        try:
            yield said
        finally:
            said.seek(max(0, said.seek(0, SEEK_END) - LAST_WORDS))
            sys.stderr.write(said.read().decode(errors="replace"))


@contextmanager
def ended_once() -> Iterator[ExitStack]:
    """What ends with the block, which one of `ENDS` may end; others that come then cut nothing short."""
    handlers = [(one, signal.getsignal(one)) for one in ENDS]
    try:
        with ExitStack() as world:
            try:
                yield world
            finally:
                for one in ENDS:
                    signal.signal(one, lambda *_: None)  # not SIG_IGN, which processes inherit
    finally:
        for one, handler in handlers:
            signal.signal(one, handler)


def _photographs(plan: Plan, console: Console) -> Photographs | None:
    """The photographs that the plan asks for, and what is scarce about them said aloud.

    Raises:
        LabellingError: there are none that a demo can use.
    """
    if plan.photographs is None:
        return None
    with console.status("Choosing photographs"):
        photographs = choose(Path(plan.photographs), plan.seed)
    console.print(
        Text(f"Sales are about {', '.join(photographs.kinds)}."), *map(Text, photographs.remarks), sep="\n"
    )
    return photographs


@contextmanager
def own_names(settings: Settings) -> Iterator[Settings]:
    """Settings with topics, groups, ports and folders of this demo's own: it touches nothing else.

    Raises:
        SettingsError: the data folder cannot be written.
    """
    name = f"demo.{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    with own_folder(settings.data_dir() / "demo", name) as folder:
        yield replace(
            settings,
            topics=replace(settings.topics, prefix=f"{settings.topics.prefix}{name}."),
            worker=replace(
                settings.worker,
                application=f"{settings.worker.application}.{name}",
                data_dir=str(folder),
                health_port=0,
            ),
            releases=Releases(),
        )


def remove_topics(settings: Settings, own: Settings) -> None:
    """Remove what the demo left on a broker that lives on; an embedded one goes with its folder."""
    if settings.kafka.bootstrap_servers:
        asyncio.run(_remove_topics(own.kafka, (own.topics.prefix, own.worker.application)))


async def _remove_topics(kafka: Kafka, beginnings: tuple[str, ...]) -> None:
    async with clients.admin(kafka) as client:
        own = [name for name in await client.list_topics() if name.startswith(beginnings)]
        await client.delete_topics(own)


def parameters(settings: Settings, plan: Plan) -> dict[str, Any]:
    """What the figures of a report depend on."""
    fields: dict[str, Any] = msgspec.to_builtins(plan)
    return fields | {
        "workers": ["+".join(agents) for agents in WORKERS] + ["labelling"] * plan.images,
        "partitions": settings.topics.partitions,
        "broker": settings.kafka.bootstrap_servers or "embedded",
    }
