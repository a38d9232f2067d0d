"""The published schemas: up to date, and true of everything that is written and of much that is refused."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from reco.errors import RefusedRecordError
from reco.events import Event, Sale
from reco.labels import SaleLabels
from reco.lists import TopTen
from reco.sessions import Session
from streams.codecs import encode
from streams.dead_letters import MAX_KEY_BYTES, MAX_VALUE_BYTES, bury
from streams.schemas import CONTENTS, Document, asyncapi, documents, json_schema
from streams.settings import Topics
from streams.topics import topic_set
from tests import facts
from tests.broken_events import broken_records

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schemas"
VALIDATORS = {
    name: Draft202012Validator(json_schema(*content.types))
    for name, content in CONTENTS.items()
    if content.types
}


@pytest.mark.parametrize(("name", "text"), list(documents()))
def test_the_published_schemas_are_those_of_the_code(name: str, text: str) -> None:
    published = (SCHEMAS / name).read_text(encoding="utf-8")
    assert published == text, "write them again: python -m streams.schemas docs/schemas"


def test_nothing_else_is_published() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {name for name, _ in documents()}


def test_one_command_writes_all_schemas(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streams.schemas", str(tmp_path / "schemas")]
    subprocess.run(command, check=True, cwd=ROOT)
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "schemas").iterdir()}
    assert written == dict(documents())


@pytest.mark.parametrize("name", ["events", "sales", "sale-labels", "sessions", "recommendations"])
def test_every_schema_is_a_valid_one(name: str) -> None:
    Draft202012Validator.check_schema(json_schema(*CONTENTS[name].types))


@given(facts.events)
def test_every_event_fits_its_schema(event: Event) -> None:
    VALIDATORS["events"].validate(json.loads(encode(event)))


@given(facts.sales())
def test_every_sale_fits_its_schema(sale: Sale) -> None:
    VALIDATORS["sales"].validate(json.loads(encode(sale)))


@given(facts.labels)
def test_all_labels_of_a_sale_fit_their_schema(labels: SaleLabels) -> None:
    VALIDATORS["sale-labels"].validate(json.loads(encode(labels)))


@given(facts.sessions)
def test_every_session_fits_its_schema(session: Session) -> None:
    VALIDATORS["sessions"].validate(json.loads(encode(session)))


@given(facts.lists)
def test_every_list_fits_its_schema(top_ten: TopTen) -> None:
    VALIDATORS["recommendations"].validate(json.loads(encode(top_ten)))


def test_what_is_refused_for_a_field_does_not_fit_the_schema_either() -> None:
    reasons = {"missing-field", "bad-id", "too-old", "wrong-type"}
    broken = [one.value or b"" for one in broken_records(seed=4, n=1200) if one.reasons <= reasons]
    # An integral float is an integer to JSON Schema, and not to us.
    readable = [json.loads(value) for value in broken if b".0" not in value and not value.startswith(b"[[[")]
    assert len(readable) > 300
    assert [value for value in readable if VALIDATORS["events"].is_valid(value)] == []


def channel(name: str) -> Document:
    found: Document = asyncapi()["channels"][name]
    return found


def message(name: str) -> Document:
    found: Document = channel(name)["messages"][name]
    return found


def test_every_topic_is_a_channel_with_its_key() -> None:
    assert set(asyncapi()["channels"]) == {topic.name for topic in topic_set(Topics())}
    assert message("sales")["bindings"]["kafka"]["key"]["description"] == "sale_id"


def test_how_long_a_topic_is_kept_stands_in_its_channel() -> None:
    config = channel("recommendations")["bindings"]["kafka"]["topicConfiguration"]
    assert config["cleanup.policy"] == ["compact", "delete"]
    assert config["retention.ms"] == 30 * 24 * 60 * 60 * 1000


@pytest.mark.parametrize("name", ["events", "sales", "sale-labels", "sessions", "recommendations"])
def test_a_message_refers_to_its_published_schema(name: str) -> None:
    assert (SCHEMAS / message(name)["payload"]["schema"]["$ref"]).is_file()


async def letter_of(key: bytes, value: bytes) -> tuple[Any, ...]:
    """What is sent to dead-letters for a refused record: key, value and headers."""
    sent: list[Any] = []

    async def send(*record: Any) -> None:
        sent.append(record)

    outbox: Any = SimpleNamespace(send=send)
    refused: Any = SimpleNamespace(topic="events", partition=1, offset=7, key=key, value=value)
    await bury(outbox, topic_set(Topics()).dead_letters, refused, RefusedRecordError("not-json", "at byte 1"))
    ((_, sent_key, sent_value, _, headers),) = sent
    return sent_key, sent_value, dict(headers)


async def test_a_dead_letter_has_the_headers_of_its_channel() -> None:
    key, value, headers = await letter_of(b"k", b"v")
    assert (key, value) == (b"k", b"v")
    assert list(headers) == message("dead-letters")["headers"]["required"]


async def test_a_dead_letter_that_is_cut_says_how_long_the_record_was() -> None:
    key, value, headers = await letter_of(b"k" * (MAX_KEY_BYTES + 1), b"v" * (MAX_VALUE_BYTES + 1))
    assert (key, value) == (b"k" * MAX_KEY_BYTES, b"v" * MAX_VALUE_BYTES)
    assert headers["tenfold.key-bytes"] == str(MAX_KEY_BYTES + 1).encode()
    assert headers["tenfold.value-bytes"] == str(MAX_VALUE_BYTES + 1).encode()
    assert list(headers) == list(message("dead-letters")["headers"]["properties"])


async def test_the_longest_dead_letter_written_whole_has_no_further_header() -> None:
    *_, headers = await letter_of(b"k" * MAX_KEY_BYTES, b"v" * MAX_VALUE_BYTES)
    assert list(headers) == message("dead-letters")["headers"]["required"]
