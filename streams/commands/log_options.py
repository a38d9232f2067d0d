"""How a log is to be read, as the commands that read one are told it, and what they say of rows left out."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands.options import pairs

if TYPE_CHECKING:
    from models.log_columns import Meaning
    from streams.import_progress import Refused

TYPES = ("click", "cart", "purchase", "impression")

Renames = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="THEIRS=OURS", help="Rename a column; THEIRS= leaves it out. Repeatable."),
]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--map-type",
        metavar="THEIRS=OURS",
        help=f"Read an event type as {', '.join(TYPES)}; =OURS for rows without one. Repeatable.",
    ),
]
Seconds = Annotated[bool, typer.Option("--seconds", help="Numbers in ts are seconds, not ms.")]
TimesFrom = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The log has no times: make them up, from TIME on, a second per row."),
]


def meaning_of(
    renames: list[str] | None,
    types: list[str] | None,
    seconds: bool,  # noqa: FBT001 - as given
    times_from: str | None,
) -> "Meaning":
    """How to read the columns of a log.

    Raises:
        typer.BadParameter: one of the values cannot be read.
    """
    # Arrow takes half a second to import, which no other command should wait for.
    from models.log_columns import Meaning

    return Meaning(pairs("--map", renames), _types(types), seconds, _moment(times_from))


def _types(given: list[str] | None) -> dict[str, str]:
    types = pairs("--map-type", given, nameless=True)
    for theirs, ours in types.items():
        if ours not in TYPES:
            raise typer.BadParameter(
                f"{theirs}={ours}: must be one of {', '.join(TYPES)}", param_hint="--map-type"
            )
    return types


def _moment(text: str | None) -> int | None:
    from models.file_values import millis

    found = None if text is None else millis(text)
    if text is not None and found is None:
        raise typer.BadParameter(f"{text!r}: write it as 2016-01-01 or in ms", param_hint="--times-from")
    return found


def in_words(refused: "Mapping[str, Refused]") -> Iterator[str]:
    """A line for each reason for which rows were refused: how many, the first ones, what is wrong there."""
    for reason, one in refused.items():
        by_detail: dict[str, list[str]] = {}
        for row, detail in one.examples:
            by_detail.setdefault(detail, []).append(f"{row:,}")
        if one.count > len(one.examples):
            next(reversed(by_detail.values())).append("...")
        first = "; ".join(
            f"row{'s' * (len(rows) > 1)} {', '.join(rows)}: {detail}" for detail, rows in by_detail.items()
        )
        yield f"{one.count:,} {reason}: {first}"
