"""Ctrl-C while `tenfold` is still being imported ends it without a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERRUPTED_IMPORT = """
import signal, sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)
            print("goes on")
            sys.exit(0)
signal.signal(signal.SIGINT, signal.{handler})
sys.meta_path.insert(0, Interrupted())
from streams.entry import main
main()
"""


def interrupted(handler: str) -> "subprocess.CompletedProcess[str]":
    """`tenfold`, started with this handler of SIGINT, which comes while `typer` is imported."""
    program = INTERRUPTED_IMPORT.format(handler=handler)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )


def test_an_interrupt_during_the_import_ends_it_quietly() -> None:
    ended = interrupted("default_int_handler")
    assert ended.returncode == -signal.SIGINT  # 130 in a shell
    assert (ended.stdout, ended.stderr) == ("", "")


def test_interrupts_that_are_ignored_stay_ignored() -> None:
    ended = interrupted("SIG_IGN")
    assert (ended.returncode, ended.stdout) == (0, "goes on\n")
