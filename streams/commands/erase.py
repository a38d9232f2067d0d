"""`tenfold erase`: visitors that are to be forgotten."""

import asyncio
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console

from reco.errors import RefusedRecordError
from reco.events import Erasure
from streams.clock import now
from streams.codecs import decode_event, encode
from streams.commands.options import check_ids
from streams.delivery.outbox import deliver
from streams.embedded import reachable
from streams.reading import partitions_of
from streams.settings import Settings, load
from streams.terminal import say
from streams.topics import topic_set

Visitors = Annotated[list[str], typer.Argument(metavar="VISITOR", help="Ids of visitors.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def erase(visitors: Visitors, *, yes: Yes = False) -> None:
    """Forget visitors: their sessions and lists go, and training leaves out what they did before.

    What they do from now on begins anew. What they did stays on the topic `events` as long as that keeps it.
    """
    check_ids(visitors)
    records = [_record(visitor) for visitor in visitors]
    settings = reachable(load())
    if not yes:
        typer.confirm(f"Forget {', '.join(visitors)} for good?", abort=True)
    asyncio.run(_send(settings, records))
    say(Console(), f"{len(records):,} to be forgotten; workers do so as soon as they read it.")


def _record(visitor: str) -> tuple[bytes, bytes]:
    """Key and value of an erasure, checked as a worker checks them."""
    key, value = visitor.encode(), encode(Erasure(f"erasure-{uuid4().hex}", visitor, now()))
    try:
        decode_event(key, value, now())
    except RefusedRecordError as error:
        raise typer.BadParameter(f"{visitor!r} is no visitor's id: {error.detail}") from None
    return key, value


async def _send(settings: Settings, records: list[tuple[bytes, bytes]]) -> None:
    """Send them to every partition: a website may have others than Kafka's own clients choose for a key."""
    topic = topic_set(settings.topics).events.name
    partitions = [tp.partition for tp in (await partitions_of(settings.kafka, topic))[topic]]
    await deliver(settings.kafka, topic, records, "Erase the same again; it does no harm.", partitions)
