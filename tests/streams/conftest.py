"""What tests of the stream share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.settings import Settings
from streams.topics import TopicSet
from tests.streams.world import World, world_of


@pytest.fixture
async def world(settings: Settings, topics: TopicSet, tmp_path: Path) -> AsyncIterator[World]:
    """A world of its own for each test, on the broker that all share."""
    async with world_of(settings, topics, tmp_path) as made:
        yield made
