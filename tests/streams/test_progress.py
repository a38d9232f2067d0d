"""A bar for work names what it is about as it is, be it a file whose name looks like markup."""

from io import StringIO

import pytest
from rich.console import Console

from streams.commands.logs import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_names_of_files_are_shown_as_they_are(terminal: bool) -> None:  # noqa: FBT001 - a parameter
    said = StringIO()
    with progress(Console(file=said, force_terminal=terminal, width=80), "reading a[/b].csv") as told:
        told(0.5)
    assert "reading a[/b].csv" in said.getvalue()
