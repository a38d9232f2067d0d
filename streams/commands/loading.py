"""A word while a command loads what it needs: packages take seconds, and kernels may have to be compiled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from streams.terminal import say

FIRST_START = "the first start on a machine compiles for a minute"


@contextmanager
def loading(console: Console) -> Iterator[None]:
    """Say that it is loaded, and why that may take long, while what is within imports it.

    Commands import what they need when they run, so that `tenfold --help` answers at once; what ranks is
    compiled when it is imported, see `reco.kernels`.
    """
    with console.status(f"Loading ({FIRST_START})"):
        yield


def starting_one(data_dir: Path) -> None:
    """Say that a broker runs for this command only: who meant another would look for records in vain."""
    text = f"no broker is configured and none runs: one is started in {data_dir}, for this command only"
    say(Console(stderr=True), text)
