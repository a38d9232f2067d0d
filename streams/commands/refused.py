"""`tenfold refused`: what stands on dead-letters, in words."""

import asyncio
from codecs import getincrementaldecoder
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from heapq import nlargest
from itertools import chain
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streams.clock import in_utc
from streams.commands.logs import progress
from streams.dead_letters import Letter, letter_of
from streams.embedded import reachable
from streams.reading import read_whole
from streams.settings import Settings, load
from streams.terminal import borderless, plain, plain_text
from streams.topics import topic_set

EXCERPT = 200
"""Bytes of a refused record that are shown."""
UTF_8 = getincrementaldecoder("utf-8")
Last = Annotated[int, typer.Option(min=0, help="How many of them, the newest, are shown one by one.")]


def refused(*, last: Last = 5) -> None:
    """Show what was refused and why, from the topic dead-letters.

    What is there can be repaired and sent again: key and value are as they came.
    """
    settings, console = reachable(load()), Console()
    with progress(console, "reading") as told:
        found = asyncio.run(_read(settings, last, told))
    if not found.counts:
        console.print("Nothing was refused.")
        return
    console.print(_counted(found))
    for letter in found.newest:
        console.print(_title(letter), soft_wrap=True)
        excerpt = _excerpt(letter.value, letter.value_bytes)
        console.print(Padding(Text(excerpt, style="dim", overflow="fold"), (0, 0, 0, 2)))


class Found(NamedTuple):
    """What stands on the topic.

    Attributes:
        counts: how many, by topic and reason.
        latest: when the newest of each came, ms since the epoch, UTC.
        newest: the newest of all, the last one first, with as much of key and value as is shown.
    """

    counts: Counter[tuple[str, str]]
    latest: dict[tuple[str, str], int]
    newest: Sequence[Letter]


async def _read(settings: Settings, last: int, told: Callable[[float], None]) -> Found:
    counts, latest = Counter[tuple[str, str]](), dict[tuple[str, str], int]()
    newest = defaultdict[int, deque[Letter]](lambda: deque(maxlen=last))
    async for record in read_whole(settings.kafka, topic_set(settings.topics).dead_letters.name, told):
        letter = letter_of(record)
        kind = letter.topic, letter.reason
        counts[kind] += 1
        latest[kind] = max(latest.get(kind, 0), letter.at)
        newest[record.partition].append(
            letter._replace(key=letter.key[:EXCERPT], value=letter.value[:EXCERPT])
        )
    # Of letters that came at the same time, as those of a batch do, the later one is the newer one.
    all_newest = chain.from_iterable(reversed(letters) for letters in newest.values())
    return Found(counts, latest, nlargest(last, all_newest, key=lambda one: one.at))


def _counted(found: Found) -> Table:
    table = borderless("topic", "reason")
    table.add_column("refused", justify="right")
    table.add_column("the last one")
    for (topic, reason), count in found.counts.most_common():
        at = in_utc(found.latest[topic, reason], "seconds")
        table.add_row(plain_text(topic), plain_text(reason), f"{count:,}", at)
    return table


def _title(letter: Letter) -> Text:
    place = f"{plain(letter.topic)} {plain(letter.partition)}@{plain(letter.offset)}"
    why = f"{plain(letter.reason)}: {plain(letter.detail)}"
    when, key = in_utc(letter.at, "seconds"), _excerpt(letter.key, letter.key_bytes)
    return Text.assemble("\n", (place, "bold"), f"  {when}  key {key}\n  {why}")


def _excerpt(raw: bytes, length: int) -> str:
    """The beginning of what had so many bytes; a character that is cut there is left out."""
    text = plain(UTF_8("backslashreplace").decode(raw[:EXCERPT], final=length <= EXCERPT))
    return f"{text} ... ({length:,} bytes)" if length > EXCERPT else text
