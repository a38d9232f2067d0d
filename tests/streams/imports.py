"""Imports of small logs, and what then stands in the topics."""

import subprocess
from pathlib import Path

from models.log_columns import Meaning
from reco.events import Erasure, Event
from streams.codecs import decode_event
from streams.importing import Imported, Options, import_log
from streams.reading import read_whole
from streams.settings import Settings
from streams.supervisor import environment_of
from streams.topics import TopicSet
from tests.streams.command_line import TENFOLD

ROOT = Path(__file__).parents[2]
START = 1_700_000_000_000
"""Time of the first event of the logs, ms."""
NOW = START + 365 * 24 * 3600 * 1000
"""When they are imported, ms."""


class Note:
    """Watches an import and remembers what it heard."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, float, int]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, stage: str, fraction: float, rows: int) -> None:
        self.stages.append((stage, fraction, rows))


def write_log(path: Path, rows: int, apart: int = 1000) -> Path:
    """A log of clicks, `apart` ms apart."""
    lines = (f"v{n % 97},i{n % 13},view,{START + n * apart}\n" for n in range(rows))
    path.write_text("visitor_id,item_id,event_type,ts\n" + "".join(lines))
    return path


async def run_import(
    settings: Settings,
    path: Path,
    options: Options | None = None,
    meaning: Meaning | None = None,
    note: Note | None = None,
) -> Imported:
    """Import the log at `path` into the topics of `settings`, which exist."""
    return await import_log(
        settings, path, meaning or Meaning(), options or Options(), now=NOW, watcher=note or Note()
    )


async def records(settings: Settings, topic: str) -> list[tuple[int, bytes | None, bytes | None]]:
    """Partition, key and value of everything in `topic`, in its order."""
    return [(one.partition, one.key, one.value) async for one in read_whole(settings.kafka, topic)]


async def events(settings: Settings, topics: TopicSet) -> list[Event]:
    """Everything in `events`, in the order of each partition."""
    facts = [decode_event(key, value, NOW) for _, key, value in await records(settings, topics.events.name)]
    events = [fact for fact in facts if not isinstance(fact, Erasure)]
    assert len(events) == len(facts)
    return events


def row_numbers(imported: list[Event]) -> list[int]:
    """The rows that the events were made of, sorted."""
    return sorted(int(event.event_id.rpartition("-")[2]) for event in imported)


def tenfold(settings: Settings, *arguments: object) -> subprocess.Popen[str]:
    """`tenfold` with these arguments, in a process of its own."""
    return subprocess.Popen(
        [*TENFOLD, *map(str, arguments)],
        cwd=ROOT,
        env=environment_of(settings),
        stdout=subprocess.PIPE,
        text=True,
    )
