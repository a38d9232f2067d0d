"""What is shown on a terminal: texts and tables, and texts of others, which could have it do other things."""

import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

_JOINERS = "\u200c\u200d"
"""Between letters, and between parts of one picture."""
SELDOM = 60.0
"""Seconds between two lines about work that no terminal shows: few in a file, and none is long in coming."""


def say(console: Console, text: str, style: str = "") -> None:
    """Print a text as it is, on one line however long it is."""
    console.print(Text(text, style=style), soft_wrap=True)


def done_of(bar: Progress) -> str:
    """How far the one task of a bar is, and how long it has taken, in words."""
    (task,) = bar.tasks
    return f"{task.percentage:.0f} % after {timedelta(seconds=int(task.elapsed or 0))}"


@contextmanager
def told_seldom(console: Console, state: Callable[[], str]) -> Iterator[None]:
    """Say the `state` of long work every now and then where no bar moves, since this is no terminal."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(SELDOM):
            say(console, state())

    if console.is_terminal:
        yield
        return
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def borderless(*columns: str) -> Table:
    """A table with room between its columns and no lines, its header dim; names in the first stay whole."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for place, name in enumerate(columns):
        table.add_column(name, no_wrap=place == 0, overflow="fold")
    return table


def plain(text: str) -> str:
    r"""`text`, with what is not to be seen, such as the beginning of a command to the terminal, written out.

    >>> print(plain("Rome\x1b[2J in\tspring"))
    Rome\x1b[2J in\tspring
    """
    return "".join(one if _is_seen(one) else one.encode("unicode_escape").decode() for one in text)


def plain_text(text: str, style: str = "") -> Text:
    """`plain` text for Rich, which finds no markup in it."""
    return Text(plain(text), style=style)


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
