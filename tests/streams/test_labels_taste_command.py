"""`tenfold labels taste` says which topics a visitor looked at, or why that cannot be said."""

import asyncio
import re

import pytest

from reco.events import Click
from streams.clock import now
from tests.reco.labelled import labels
from tests.streams.command_line import Command
from tests.streams.world import World, newest_sessions

pytestmark = pytest.mark.broker


async def test_the_topics_of_what_a_visitor_touched_are_shown_the_largest_first(
    world: World, command: Command
) -> None:
    at = now()
    await world.label(labels("rome", topics=(0.25, 0.75, 0.0)), labels("bari", topics=(0.75, 0.25, 0.0)))
    await world.start("sessions").ready()
    await world.send(Click("1", "ann", "rome", at), Click("2", "bob", "oslo", at))
    view = await world.view(world.topics.sessions)
    await view.until(lambda found: len(newest_sessions(found)) == 2)

    ann, bob, cleo = [
        await asyncio.to_thread(command, "labels", "taste", who) for who in ("ann", "bob", "cleo")
    ]

    assert ann.exit_code == 0
    assert re.findall(r"(\w[\w ]+\w) .*?(\d+\.\d) %", ann.output) == [("Old town", "75.0"), ("Beach", "25.0")]
    assert (bob.exit_code, "no sale that bob touched has topics" in bob.output) == (2, True)
    assert (cleo.exit_code, "there is no session of cleo" in cleo.output) == (2, True)
