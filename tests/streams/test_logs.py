"""A worker logs a kind of message once in a while, and nothing of what always passes."""

import logging

import pytest

from streams.logs import HARMLESS, NoRepeats


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("aiokafka", logging.ERROR, "conn.py", 1, message, (), None)


def test_the_same_kind_of_message_passes_once() -> None:
    quiet = NoRepeats()
    assert quiet.filter(record("Unable connect to node with id %s"))
    assert not quiet.filter(record("Unable connect to node with id %s"))
    assert quiet.filter(record("Failed fetch messages from %s"))


@pytest.mark.parametrize("start", HARMLESS)
def test_what_always_passes_is_left_out(start: str) -> None:
    assert not NoRepeats().filter(record(f"{start}, for now"))
