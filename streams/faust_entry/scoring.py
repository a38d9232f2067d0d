"""The scoring application as `faust -A streams.faust_entry.scoring worker` finds it."""

from streams.embedded import reachable
from streams.settings import load
from streams.vitals import Vitals
from streams.worker import AGENTS

app = AGENTS["scoring"](reachable(load()), Vitals())
