"""The published contract: a JSON Schema of every message and an AsyncAPI document of every topic.

Both are generated from the types and the topics. After a change of either, write them again:

    python -m streams.schemas docs/schemas
"""

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from models.release_promotion import LabellerPromotion, Promotion
from reco.events import EventFact, Sale
from reco.labels import SaleLabels
from reco.lists import DEFAULT_VISITOR, TopTen
from reco.sessions import Session
from streams.codecs import LIVE_LABELLER, LIVE_RELEASE
from streams.settings import Topics
from streams.topics import Topic, topic_set

WIRE_VERSION = "1.0.0"
"""Version of the messages: the first number rises when what was valid before is so no longer."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"

Document: TypeAlias = dict[str, Any]


class Content(NamedTuple):
    """What a topic holds: the key of its records, what they are, and their types if they are JSON of ours."""

    key: str
    summary: str
    types: tuple[Any, ...] = ()
    headers: tuple[str, ...] = ()
    headers_if_cut: tuple[str, ...] = ()


CONTENTS = {
    "events": Content(
        "visitor_id",
        "Clicks, carts, purchases and impressions, in each visitor's order; and that one is to be forgotten.",
        (EventFact,),
    ),
    "sales": Content(
        "sale_id", "A sale as published or changed; without a value, it was withdrawn.", (Sale,)
    ),
    "sale-labels": Content(
        "sale_id",
        "What was recognised in the images of a sale; without a value, it was taken back.",
        (SaleLabels,),
    ),
    "sessions": Content(
        "visitor_id", "The newest session state; without a value, it was erased.", (Session,)
    ),
    "recommendations": Content(
        f"visitor_id, or {DEFAULT_VISITOR} for visitors not known yet",
        "The newest list of ten sales; without a value, it was erased.",
        (TopTen,),
    ),
    "releases": Content(
        f"{LIVE_RELEASE.decode()}: of a ranker; {LIVE_LABELLER.decode()}: of a labeller",
        "Which ranker of which release is live, without a value the built-in blend;"
        " and which labeller is, without a value that of the settings.",
        (Promotion, LabellerPromotion),
    ),
    "dead-letters": Content(
        "as it came",
        "The bytes of a record that was refused, where they came from, and why; with its full length in bytes"
        " where the key or the value was too long for a record and is cut.",
        headers=("tenfold.topic", "tenfold.partition", "tenfold.offset", "tenfold.reason", "tenfold.detail"),
        headers_if_cut=("tenfold.key-bytes", "tenfold.value-bytes"),
    ),
}


def json_schema(*kinds: Any) -> Document:
    """The JSON Schema of the messages of these types."""
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    for component in components.values():
        component["description"] = inspect.cleandoc(component["description"])
    return {"$schema": DIALECT, **schema, "$defs": components}


def asyncapi() -> Document:
    """The AsyncAPI 3.0 document of all topics, as they are by default."""
    topics = list(topic_set(Topics()))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tenfold",
            "version": WIRE_VERSION,
            "description": "The ten live sales each visitor is most likely to buy, on Apache Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, CONTENTS[topic.name]) for topic in topics},
    }


def _channel(topic: Topic, content: Content) -> Document:
    return {
        "address": topic.name,
        "description": content.summary,
        "messages": {topic.name: _message(topic, content)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": {name: _config(name, value) for name, value in topic.config.items()},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic, content: Content) -> Document:
    message: Document = {
        "summary": content.summary,
        "bindings": {
            "kafka": {"key": {"type": "string", "description": content.key}, "bindingVersion": "0.5.0"}
        },
    }
    if content.types:
        message["payload"] = {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": f"./{topic.name}.schema.json"},
        }
    if content.headers:
        message["contentType"] = "application/octet-stream"
        message["headers"] = {
            "type": "object",
            "properties": {name: {"type": "string"} for name in (*content.headers, *content.headers_if_cut)},
            "required": list(content.headers),
        }
    return message


def _config(name: str, value: str) -> str | int | list[str]:
    """A topic setting in the type that AsyncAPI gives it."""
    if name == "cleanup.policy":
        return value.split(",")
    return int(value) if value.lstrip("-").isdecimal() else value


def documents() -> Iterator[tuple[str, str]]:
    """File name and text of every document."""
    for name, content in CONTENTS.items():
        if content.types:
            yield f"{name}.schema.json", _text(json_schema(*content.types))
    yield "asyncapi.json", _text(asyncapi())


def _text(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write all documents into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
