"""Options that several commands read in the same way."""

from collections.abc import Iterable

import typer

BACKBONE = typer.Option(
    "--backbone",
    metavar="NAME|PATH",
    help="A network of Keras, a .keras file, or FILE.py:NAME, built by its load(NAME). Repeatable.",
)
WEIGHTS = typer.Option(
    "--weights",
    metavar="imagenet|random|FILE",
    help="Of the networks of Keras, in their order; else of ImageNet.",
)


def pairs(option: str, given: Iterable[str] | None) -> dict[str, str]:
    """The values of a repeated option THEIRS=OURS.

    Raises:
        typer.BadParameter: one of them is not of that form.
    """
    split = {}
    for text in given or ():
        theirs, equals, ours = text.partition("=")
        if not equals or not theirs:
            raise typer.BadParameter(f"{text!r} is not THEIRS=OURS", param_hint=option)
        split[theirs] = ours
    return split
