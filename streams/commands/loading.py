"""A word while a command loads what it needs: packages take seconds, and kernels may have to be compiled."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

FIRST_START = "the first start on a machine compiles for a minute"


@contextmanager
def loading(console: Console) -> Iterator[None]:
    """Say that it is loaded, and why that may take long, while what is within imports it.

    Commands import what they need when they run, so that `tenfold --help` answers at once; what ranks is
    compiled when it is imported, see `reco.kernels`.
    """
    with console.status(f"Loading ({FIRST_START})"):
        yield
