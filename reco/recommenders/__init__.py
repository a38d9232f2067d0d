"""Recommenders, one file each: they learn what all visitors did, and score all candidates at once."""
