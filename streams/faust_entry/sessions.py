"""The sessions application as `faust -A streams.faust_entry.sessions worker` finds it."""

from streams.faust_entry import entry

app = entry("sessions")
