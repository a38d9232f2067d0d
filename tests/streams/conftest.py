"""What tests of the stream share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import tenfold
from streams.settings import Settings
from streams.topics import TopicSet
from tests.streams.command_line import Command, use
from tests.streams.world import World, world_of


@pytest.fixture
async def world(settings: Settings, topics: TopicSet, tmp_path: Path) -> AsyncIterator[World]:
    """A world of its own for each test, on the broker that all share."""
    async with world_of(settings, topics, tmp_path) as made:
        yield made


@pytest.fixture
def command(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`tenfold` with the settings of the test, on a wide terminal."""
    use(settings, tmp_path, monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(tenfold, arguments)
