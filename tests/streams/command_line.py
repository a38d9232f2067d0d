"""The command line as a test uses it: settings in the environment, a folder without a settings file."""

import sys
from pathlib import Path

import pytest

from streams.settings import PREFIX, Settings
from streams.supervisor import environment_of

TENFOLD = (sys.executable, "-c", "from streams.entry import main; main()")
"""`tenfold` as a process."""


def use(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `settings.load()` in this process give `settings`."""
    monkeypatch.chdir(folder)
    for name, value in environment_of(settings).items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
