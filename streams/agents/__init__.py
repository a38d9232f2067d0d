"""The Faust agents, one application each."""
