"""A dead letter holds what was refused and why, whatever that was, and is read as it was written."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from reco.errors import RefusedRecordError
from streams.dead_letters import MAX_DETAIL, MAX_KEY_BYTES, MAX_VALUE_BYTES, Letter, bury, letter_of
from streams.settings import Topics
from streams.topics import Topic, topic_set

LETTERS = topic_set(Topics(partitions=4)).dead_letters


async def buried(
    key: bytes | None, value: bytes | None, detail: str = "at byte 1", topic: Topic = LETTERS
) -> tuple[Letter, int]:
    """The letter of a record that stood at offset 7 of partition 2 of `events`, and its partition."""
    sent: list[Any] = []

    async def send(*record: Any) -> None:
        sent.append(record)

    outbox: Any = SimpleNamespace(send=send)
    refused: Any = SimpleNamespace(topic="events", partition=2, offset=7, key=key, value=value)
    await bury(outbox, topic, refused, RefusedRecordError("not-json", detail))
    ((_, sent_key, sent_value, partition, headers),) = sent
    assert sent_key is not None or sent_value is not None  # or no producer would send it
    return letter_of(record(headers, sent_key, sent_value)), partition


def record(headers: Any, key: bytes | None = None, value: bytes | None = b"v") -> Any:
    return ConsumerRecord("dead-letters", 0, 0, 1234, 1, key, value, None, 0, 0, headers)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"k", b"v"),
        (None, b"v"),
        (b"k", None),
        (None, None),
        (b"k", b"v" * (MAX_VALUE_BYTES + 1)),
        (b"k" * (MAX_KEY_BYTES + 1), b""),
    ],
)
async def test_a_letter_is_read_as_it_was_written(key: bytes | None, value: bytes | None) -> None:
    key_bytes, value_bytes = key or b"", value or b""
    expected = Letter(
        *("events", "2", "7", "not-json", "at byte 1", 1234),
        *(key_bytes[:MAX_KEY_BYTES], value_bytes[:MAX_VALUE_BYTES], len(key_bytes), len(value_bytes)),
    )
    assert await buried(key, value) == (expected, 2)


async def test_a_letter_has_a_partition_also_where_there_are_fewer() -> None:
    _, partition = await buried(b"k", b"v", topic=replace(LETTERS, partitions=2))
    assert partition == 0


async def test_a_long_detail_is_cut_and_what_is_no_text_in_it_is_replaced() -> None:
    letter, _ = await buried(b"k", b"v", detail="\ud800" + "x" * MAX_DETAIL)
    assert letter.detail == "?" + "x" * (MAX_DETAIL - 1)


@pytest.mark.parametrize("said", [b"", b"many", b"-5", "²".encode(), b"\xff", b"9" * 5000])
def test_of_a_length_that_is_none_what_is_there_counts(said: bytes) -> None:
    letter = letter_of(record([("tenfold.value-bytes", said), ("tenfold.key-bytes", b"12")]))
    assert (letter.value_bytes, letter.key_bytes) == (1, 12)


def test_what_is_no_text_in_a_header_is_replaced() -> None:
    assert letter_of(record([("tenfold.reason", b"\xff!")])).reason == "�!"
