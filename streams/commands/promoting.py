"""What the commands do that make a ranker or a labeller live, say which one is, and go back."""

import asyncio

from rich.console import Console

from models.release_promotion import Live, P, promote
from reco.errors import ReleaseError
from streams.clients import create_topics
from streams.clock import now
from streams.commands.loading import starting_one
from streams.embedded import broker_for, reachable
from streams.promotions import Kind, announce, live_promotion, roll_back
from streams.settings import Settings, load
from streams.terminal import say
from streams.topics import topic_set

_console = Console()


def make_live(kind: Kind[P], chosen: P) -> Live[P] | None:
    """Promote it, and say so; starts a broker if none is configured. What was live before."""
    with broker_for(load(), starting=starting_one) as settings:
        before = asyncio.run(_promote(settings, kind, chosen))
    say(
        _console,
        f"{chosen.name} is live; before, it was {kind.name(before)}. `{kind.command} rollback` goes back.",
    )
    return before


def go_back(kind: Kind[P]) -> Live[P] | None:
    """Go back to what was live before, and say what is left out and what is live; None is no promotion.

    Raises:
        BrokerError: no broker runs.
        ReleaseError: nothing is promoted.
    """
    return asyncio.run(_roll_back(reachable(load()), kind))


def live_of(settings: Settings, kind: Kind[P]) -> Live[P] | None:
    """What is live, of this kind.

    Raises:
        BrokerError: the broker cannot be reached, or does not have the topic.
    """
    return asyncio.run(live_promotion(settings.kafka, topic_set(settings.topics).releases.name, kind))


async def _promote(settings: Settings, kind: Kind[P], chosen: P) -> Live[P] | None:
    """Promote it; what was live before."""
    topics = topic_set(settings.topics)
    await create_topics(settings.kafka, topics)
    live = await live_promotion(settings.kafka, topics.releases.name, kind)
    await announce(settings.kafka, topics.releases.name, kind, promote(chosen, live, now()))
    return live


async def _roll_back(settings: Settings, kind: Kind[P]) -> Live[P] | None:
    topic = topic_set(settings.topics).releases.name
    live = await live_promotion(settings.kafka, topic, kind)
    if live is None:
        raise ReleaseError(
            f"{kind.otherwise} is live; there is nothing before it to go back to.".capitalize()
        )
    back = roll_back(kind, live, now())
    for earlier, error in back.broken:
        say(_console, f"- {earlier.name} is left out: {error}", "yellow")
    await announce(settings.kafka, topic, kind, back.promotion)
    say(_console, f"{kind.name(back.promotion)} is live again; before, it was {live.name}.")
    return back.promotion
