"""Options that several commands read in the same way."""

from collections.abc import Iterable
from pathlib import Path

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


def in_a_folder(path: Path | None) -> Path | None:
    """A file to be written, once it is known that it can be: work of hours must not be lost for its name.

    Raises:
        typer.BadParameter: there is no folder for it, it is a folder itself, or it cannot be written.
    """
    if path is None:
        return None
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; name a file")
    if path.is_file() or not path.exists():  # a pipe waits for who reads it
        _try_to_write(path.resolve())
    return path


def _try_to_write(path: Path) -> None:
    is_new = not path.exists()
    try:
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from error


HTML_REPORT = typer.Option("--report", metavar="FILE", callback=in_a_folder, help="Write an HTML report.")


def check_ids(given: Iterable[str]) -> None:
    """Refuse bytes that are no text, which the terminal passes on as they are: no id is like that.

    Raises:
        typer.BadParameter: one of them is not UTF-8.
    """
    for one in given:
        if any("\ud800" <= letter <= "\udfff" for letter in one):
            raise typer.BadParameter(f"{one!r} is not UTF-8 text, as every id is")


def pairs(option: str, given: Iterable[str] | None, *, nameless: bool = False) -> dict[str, str]:
    """The values of a repeated option THEIRS=OURS; if `nameless`, THEIRS may be empty.

    Raises:
        typer.BadParameter: one of them is not of that form.
    """
    split = {}
    for text in given or ():
        theirs, equals, ours = text.partition("=")
        if not equals or not (theirs or nameless):
            raise typer.BadParameter(f"{text!r} is not THEIRS=OURS", param_hint=option)
        split[theirs] = ours
    return split
