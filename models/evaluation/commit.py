"""The commit that figures are made with."""

import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
"""The folder of tenfold's source; a checkout if that is where it was installed from."""


def commit() -> str:
    """The checked-out commit of tenfold, marked if files differ from it.

    It is `unknown` where there is no checkout of tenfold, as in a container, or no git; that of the folder
    where a command runs would be of something else.
    """
    if not (CHECKOUT / ".git").exists() or shutil.which("git") is None:
        return "unknown"
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    described = subprocess.run(  # noqa: S603 - fixed words
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"
