"""Recommenders, one file each: they learn from one event at a time and score all candidates at once."""
