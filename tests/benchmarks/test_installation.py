"""What benchmarks send, and leave: visitors come again, an event never does, and topics go."""

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.installation import clicks, installation
from streams import clients
from streams.settings import Kafka, Settings
from streams.topics import topic_set
from tests.streams.command_line import use


def test_visitors_come_again_with_other_clicks() -> None:
    fresh = clicks(visitors=3, sales=2)
    rounds = [list(islice(fresh, 6)) for _ in range(2)]
    sent = [event for events in rounds for event in events]
    assert len({event.event_id for event in sent}) == len(sent)
    assert [{event.visitor_id for event in events} for events in rounds] == 2 * [
        {"visitor-0", "visitor-1", "visitor-2"}
    ]


@pytest.mark.broker
def test_a_broker_that_lives_on_is_left_without_the_topics(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, tmp_path, monkeypatch)
    with installation(sales=2) as own:
        used = {topic.name for topic in topic_set(own.topics)}
        asyncio.run(until_there(own.kafka, used, used))
    asyncio.run(until_there(own.kafka, used, set()))


async def until_there(kafka: Kafka, topics: set[str], wanted: set[str]) -> None:
    """Wait until only the `wanted` ones of some topics are there."""
    async with clients.admin(kafka) as client, asyncio.timeout(10):
        while topics.intersection(await client.list_topics()) != wanted:
            await asyncio.sleep(0.05)
