"""Values as files write them: times as numbers or ISO 8601, and decimal numbers."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

LONGEST_NUMBER = 24
"""A longer run of digits is no time; refusing it here keeps `int` from working on a megabyte of them."""
HOW_TO_WRITE_TIMES = "write ms since the epoch or ISO 8601, such as 2025-06-01T07:00:00Z"
"""What to do about a text that `millis` does not understand."""
UNDERSCORE = "_"
"""Between digits, Python reads over it; in files of others, `1_000` is an id or a mistake."""


def millis(text: str, *, seconds: bool = False) -> int | None:
    """The time that `text` writes, in ms since the epoch, UTC; None if it writes none.

    A number counts ms, or s (decimals allowed) if `seconds`; ISO 8601 without an offset is UTC, and may
    say so as exports of databases do: `2017-10-01 03:00:28 UTC`.

    >>> millis("1506826828020"), millis("1506826828.02", seconds=True), millis("2017-10-01T03:00:28.020Z")
    (1506826828020, 1506826828020, 1506826828020)
    >>> millis("yesterday") is None
    True
    """
    if text.isdecimal():
        return int(text) * (1000 if seconds else 1) if len(text) <= LONGEST_NUMBER else None
    moment = _iso(text)
    return moment if moment is not None else _decimal(text, seconds=seconds)


def _iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _decimal(text: str, *, seconds: bool) -> int | None:
    """Whole milliseconds written with a point: `1506826828020.0`, or `1506826828.02` for seconds.

    None also where digits are missing: of large numbers, spreadsheets save what they show, `1.50683E+12`.
    """
    try:
        last_digit = Decimal(text).as_tuple().exponent
        value = float(text) * (1000 if seconds else 1)
        whole = round(value)
    except (ValueError, OverflowError, InvalidOperation):
        return None
    if not isinstance(last_digit, int) or last_digit > 0 or UNDERSCORE in text:
        return None
    return whole if seconds or whole == value else None


def listed(columns: Sequence[str]) -> str:
    """The names of columns as a person should see them, and a question if they are values.

    >>> print(listed(["user", " product", "ts"]), listed([]))
    user, ' product', ts none
    """
    names = ", ".join(name if name == name.strip() else repr(name) for name in columns) or "none"
    if any(millis(name) is not None for name in columns):
        return f"{names} (which looks like a row: is there no header? Write one above it)"
    return names


def number(text: str) -> float | None:
    """The finite number that `text` writes with a decimal point; None if it writes none.

    >>> number("49.90"), number("49,90"), number("1_000"), number("inf")
    (49.9, None, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and UNDERSCORE not in text else None
