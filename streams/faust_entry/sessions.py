"""The sessions application as `faust -A streams.faust_entry.sessions worker` finds it."""

from streams.embedded import reachable
from streams.settings import load
from streams.vitals import Vitals
from streams.worker import AGENTS

app = AGENTS["sessions"](reachable(load()), Vitals())
