"""How far work is: a bar on a terminal, lines elsewhere, both about what it is, as that is named."""

from io import StringIO
from threading import Event

import pytest
from rich.console import Console

from streams.commands.logs import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_names_of_files_are_shown_as_they_are(terminal: bool) -> None:  # noqa: FBT001 - a parameter
    said = StringIO()
    with progress(Console(file=said, force_terminal=terminal, width=80), "reading a[/b].csv") as told:
        told(0.5)
    assert "reading a[/b].csv" in said.getvalue()


class Heard(StringIO):
    """A file that tells when something in particular has been written to it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = Event()
        self._text = text

    def write(self, text: str) -> int:
        """Write, and look for the text."""
        written = super().write(text)
        if self._text in self.getvalue():
            self.found.set()
        return written


def test_where_no_bar_is_seen_a_line_says_now_and_then_how_far_work_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.terminal.SELDOM", 0.001)
    said = Heard("replaying: 50 % after 0:")
    with progress(Console(file=said), "replaying") as told:
        told(0.5)
        assert said.found.wait(10), said.getvalue()
    assert said.getvalue().replace("\n", "").isprintable()


def test_a_terminal_with_a_bar_gets_no_further_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.terminal.SELDOM", 0.0)
    said = StringIO()
    with progress(Console(file=said, force_terminal=True), "replaying") as told:
        told(0.5)
    assert "replaying: " not in said.getvalue()
