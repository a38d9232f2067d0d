"""The labelling application as `faust -A streams.faust_entry.labelling worker` finds it."""

from streams.faust_entry import entry

app = entry("labelling")
