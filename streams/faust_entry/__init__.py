"""Entry points for Faust's own command: `faust -A streams.faust_entry.sessions worker`."""
