"""Rankers trained beside the demo, on what its visitors did and its images show, and made live while it runs.

`python -m demo.ranking` is `tenfold train --promote` for the impatient: few trees, on one thread that gives
way to those that are measured.
"""

import asyncio
import logging
import subprocess
import sys
from typing import Literal, TypeAlias

from demo.giving_way import give_way
from demo.labelling import LAST_WORDS
from reco.errors import TenfoldError
from streams.settings import Settings
from streams.supervisor import MODULE, environment_of

log = logging.getLogger(__name__)

State: TypeAlias = Literal["waiting", "training", "live", "failed"]
"""There is too little to learn from yet; rankers are trained; they are live; they could not be trained."""

ENOUGH = 4_000
"""Events that are learned from, at least: 40 s of a demo."""
TREES = 60
"""Trees of each ranker: some 10 s of one thread."""


class Ranking:
    """Trains rankers when it is told to, and promotes them.

    Attributes:
        state: what it has come to.
    """

    def __init__(self, settings: Settings) -> None:
        self._environment = environment_of(settings)
        self.state: State = "waiting"

    async def train(self) -> None:
        """Train, and make live what was trained; whoever cancels this ends the training."""
        self.state = "training"
        process = await asyncio.create_subprocess_exec(
            *MODULE,
            "demo.ranking",
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        self.state = "failed" if process.returncode else "live"
        if process.returncode:
            words = said.decode(errors="replace").strip()
            log.warning("No ranker could be trained, what is live stays so:\n%s", words[-LAST_WORDS:])


def _main() -> None:
    from streams.commands.train import train

    give_way()
    try:
        train(sets=[f"trees={TREES}", "threads=1"], promote=True)
    except TenfoldError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
