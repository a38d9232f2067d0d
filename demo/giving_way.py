"""Giving way: how a process that nobody waits for leaves the processor to those that are measured."""

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 5
"""What is added to the niceness: a third of the share of others, so that it ends on a busy machine too."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux, which else shares the processor evenly between sessions, takes the niceness of a whole one."""


def give_way() -> None:
    """Let this process, the leader of its session, run after those that want the processor more."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with suppress(OSError):
        AUTOGROUP.write_text(str(NICENESS))
