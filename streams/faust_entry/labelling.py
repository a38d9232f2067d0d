"""The labelling application as `faust -A streams.faust_entry.labelling worker` finds it."""

from streams.embedded import reachable
from streams.settings import load
from streams.vitals import Vitals
from streams.worker import AGENTS

app = AGENTS["labelling"](reachable(load()), Vitals())
