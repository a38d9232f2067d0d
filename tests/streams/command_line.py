"""The command line as a test uses it: settings in the environment, a folder without a settings file."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner, Result

from streams.cli import tenfold
from streams.settings import PREFIX, Settings
from streams.supervisor import environment_of

TENFOLD = (sys.executable, "-c", "from streams.entry import main; main()")
"""`tenfold` as a process."""
Command: TypeAlias = Callable[..., Result]
"""`tenfold` in the process of the test: its arguments, and what came of them."""


def use(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `settings.load()` in this process give `settings`."""
    monkeypatch.chdir(folder)
    for name, value in environment_of(settings).items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Result:
    """`tenfold` in the process of the test, also as reports name its arguments; what it raises is raised."""
    given = [str(one) for one in arguments]
    monkeypatch.setattr(sys, "argv", ["tenfold", *given])
    result = CliRunner().invoke(tenfold, given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
