"""The scoring application as `faust -A streams.faust_entry.scoring worker` finds it."""

from streams.faust_entry import entry

app = entry("scoring")
