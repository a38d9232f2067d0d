"""Python processes of their own, as a second terminal would start them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
