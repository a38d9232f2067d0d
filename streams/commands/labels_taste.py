"""`tenfold labels taste`: which topics the images show of what a visitor looked at."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from reco.labels import Scored
from reco.sessions import Session
from streams.codecs import decode_session
from streams.commands.labels_show import bars
from streams.commands.options import check_ids
from streams.embedded import reachable
from streams.reading import newest_of, partitions_of, reader
from streams.settings import Settings, load
from streams.topics import topic_set

if TYPE_CHECKING:
    from reco.label_book import LabelBook


def taste(
    visitor: Annotated[str, typer.Argument(metavar="VISITOR", help="A visitor, by their id.")],
) -> None:
    """Show which topics the images show of the sales that a visitor touched, what is newest weighing most."""
    from reco.topic_profile import topic_profile

    check_ids([visitor])
    settings = reachable(load())
    session, labels = asyncio.run(_read(settings, visitor))
    if session is None:
        raise typer.BadParameter(f"there is no session of {visitor}", param_hint="VISITOR")
    profile = topic_profile(session, labels)
    if not profile:
        raise typer.BadParameter(f"no sale that {visitor} touched has topics", param_hint="VISITOR")
    shares = [Scored(name, share) for name, share in profile]
    bars(Console(highlight=False), f"what {visitor} looked at", shares, "green")


async def _read(settings: Settings, visitor: str) -> tuple[Session | None, "LabelBook"]:
    """The session of a visitor, if there is one, and the labels of all sales."""
    from reco.label_book import book_of
    from streams.history import read_labels, read_sales

    topic = topic_set(settings.topics).sessions.name
    partitions = (await partitions_of(settings.kafka, topic))[topic]
    async with reader(settings.kafka) as consumer:
        newest = await newest_of(consumer, await consumer.end_offsets(partitions), visitor.encode())
    session = decode_session(newest.value) if newest is not None and newest.value else None
    return session, book_of(await read_labels(settings), await read_sales(settings))
