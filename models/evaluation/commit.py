"""The commit that figures are made with."""

import subprocess


def commit() -> str:
    """The checked-out commit, marked if files differ from it; `unknown` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    described = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    return described.stdout.strip() or "unknown"
