"""Python processes of their own, as a second terminal would start them."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""Longest wait for what processes do, s."""


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that runs `code`; its output is a pipe."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def output_of(code: str, *arguments: object) -> str:
    """What `code` prints."""
    with run(code, *arguments) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    return output.strip()


def wait_until(happens: Callable[[], bool]) -> bool:
    """Whether it happens in time."""
    deadline = time.monotonic() + SECONDS
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
