"""Entry points for Faust's own command: `faust -A streams.faust_entry.sessions worker`."""

import sys

from reco.errors import TenfoldError
from streams.delivery.consumer import LosslessApp
from streams.embedded import reachable
from streams.settings import load
from streams.vitals import Vitals
from streams.worker import AGENTS


def entry(agent: str) -> LosslessApp:
    """The application of an agent; where it cannot be, a message that says why, and exit code 1."""
    try:
        return AGENTS[agent](reachable(load()), Vitals())
    except TenfoldError as error:
        sys.exit(str(error))
