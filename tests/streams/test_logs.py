"""A worker logs a kind of message once in a while, and nothing of what always passes."""

import inspect
import logging

import mode.timers
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotEnoughReplicasError, NotLeaderForPartitionError
from aiokafka.producer import sender

from streams.logs import CHATTY, HARMLESS, NoRepeats


def record(message: str, logger: str = "aiokafka", *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, "conn.py", 1, message, arguments, None)


def test_the_same_kind_of_message_passes_once() -> None:
    quiet = NoRepeats()
    assert quiet.filter(record("Unable connect to node with id %s"))
    assert not quiet.filter(record("Unable connect to node with id %s"))
    assert quiet.filter(record("Failed fetch messages from %s"))


@pytest.mark.parametrize("start", HARMLESS)
def test_what_always_passes_is_left_out(start: str) -> None:
    assert not NoRepeats().filter(record(f"{start}, for now"))


def test_a_topic_that_was_just_created_is_no_error_of_its_first_record() -> None:
    begins, ends = "Got error produce response on topic-partition", " %s, retrying. Error: %s"
    assert begins in inspect.getsource(sender)
    assert ends in inspect.getsource(sender)
    said = begins + ends
    partition = TopicPartition("sales", 3)
    assert not NoRepeats().filter(record(said, "aiokafka", partition, NotLeaderForPartitionError))
    assert NoRepeats().filter(record(said, "aiokafka", partition, NotEnoughReplicasError))


def test_a_slow_commit_is_left_out_as_faust_says_it() -> None:
    said, logger = "Timer %s is overlapping (interval=%r runtime=%r)", mode.timers.logger.name
    assert said in inspect.getsource(mode.timers.Timer.tick)
    assert logger in CHATTY
    assert not NoRepeats().filter(record(said, logger))
    assert NoRepeats().filter(record("Timer %s is broken", logger))
