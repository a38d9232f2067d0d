"""Texts of others on a terminal: whoever wrote them could have it do other things than show them."""

import unicodedata

from rich.text import Text

_JOINERS = "\u200c\u200d"
"""Between letters, and between parts of one picture."""


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
