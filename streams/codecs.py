"""Bytes to typed facts and back: every record is decoded and checked once, here.

A record that cannot be read raises `RefusedRecordError`, whose reason goes to dead-letters with it.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import msgspec

from models.release_promotion import LabellerPromotion, Live, Promotion
from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import (
    MAX_ID_LENGTH,
    Erasure,
    EventFact,
    Sale,
    SaleFact,
    Withdrawal,
)
from reco.labels import LabelsFact, SaleLabels, Unlabelled
from reco.lists import DEFAULT_VISITOR, TopTen
from reco.sessions import Session

MAX_EVENT_BYTES = 256 * 1024
"""Largest accepted event; the largest honest one, an impression of 1,000 sales with long ids, is smaller."""
MAX_SALE_BYTES = 512 * 1024
"""Largest accepted sale."""
MAX_LABELS_BYTES = 512 * 1024
"""Largest accepted labels of a sale; a hundred times those of an embedding of 1,280 dimensions."""
MAX_PROMOTION_BYTES = 256 * 1024
"""Largest accepted promotion."""
LIVE_RELEASE = b"live"
"""Key of the promotions of rankers on `releases`."""
LIVE_LABELLER = b"live-labeller"
"""Key of the promotions of labellers there."""
PROMOTION_KEYS = frozenset((LIVE_RELEASE, LIVE_LABELLER))
TABLE_OFFSET = "__faust\0offset__"
"""Key under which Faust's RocksDB store keeps the changelog offset that it includes, among the states."""
RESERVED: Mapping[str, str] = {
    DEFAULT_VISITOR: "is the key of the default list",
    TABLE_OFFSET: "is the key of the offset of a table",
}
"""What no visitor can be called, and why."""
MAX_FUTURE = 5 * 60 * 1000
"""How far an event time may be ahead of the broker's append time, ms."""

T = TypeVar("T")

KNOWN_TYPES = frozenset(one.__struct_config__.tag for one in get_args(EventFact))


class _TypeOnly(msgspec.Struct):
    type: str


_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(EventFact)
_type_decoder = msgspec.json.Decoder(_TypeOnly)
_sale_decoder = msgspec.json.Decoder(Sale)
_labels_decoder = msgspec.json.Decoder(SaleLabels)
_session_decoder = msgspec.json.Decoder(Session)
_list_decoder = msgspec.json.Decoder(TopTen)
_promotion_decoder = msgspec.json.Decoder(Promotion)
_labeller_promotion_decoder = msgspec.json.Decoder(LabellerPromotion)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_WHERE = re.compile(r" - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`$")
_REASONS = (
    # How msgspec words a failed check, and the reason that it is filed under; the first match counts.
    (re.compile(r"Object missing required field"), "missing-field"),
    (re.compile(r"Expected `[^`]*`(, got| - at)"), "wrong-type"),
    (re.compile(r"Expected `str` of length .*_id`$"), "bad-id"),
    (re.compile(r"Expected `int` >= \d+ - at `\$\.ts`$"), "too-old"),
    (re.compile(r"Expected `int` <= \d+ - at `\$\.ts`$"), "in-the-future"),
    (re.compile(r""), "bad-value"),
)


def encode(fact: EventFact | Sale | SaleLabels | Session | TopTen | Live[Any]) -> bytes:
    """The JSON bytes of a fact."""
    return _encoder.encode(fact)


def decode_event(key: bytes | None, value: bytes | None, appended_at: int) -> EventFact:
    """What a record of `events` says that the broker appended at `appended_at`, ms since the epoch, UTC.

    Raises:
        RefusedRecordError: the record cannot be read or obeyed.
        UnknownTypeError: the event is of a type that this version does not know.
    """
    event: EventFact = _decode_json(_event_decoder, value, MAX_EVENT_BYTES)
    if key != event.visitor_id.encode():
        raise RefusedRecordError("wrong-key", "the record's key must be the bytes of visitor_id")
    if event.visitor_id in RESERVED:
        reason = RESERVED[event.visitor_id]
        raise RefusedRecordError("bad-id", f"visitor_id: {event.visitor_id!r} {reason}")
    # An erasure holds for what stands before it, whatever a clock says.
    if event.ts > appended_at + MAX_FUTURE and not isinstance(event, Erasure):
        ahead = (event.ts - appended_at) // 1000
        raise RefusedRecordError("in-the-future", f"ts: {event.ts} is {ahead} s ahead of the broker's clock")
    return event


def decode_sale(key: bytes | None, value: bytes | None) -> SaleFact:
    """The sale, or its withdrawal, in a record of `sales`.

    Raises:
        RefusedRecordError: the record cannot be read or obeyed.
    """
    if value == b"":
        remedy = "to withdraw a sale, send a record without a value (null)"
        raise RefusedRecordError("empty", f"the value is empty; {remedy}")
    fact: SaleFact = _of_a_sale(key, value, _sale_decoder, MAX_SALE_BYTES, Withdrawal)
    if isinstance(fact, Sale):
        check_sale(fact)
    return fact


def check_sale(sale: Sale) -> None:
    """Check what the types of a sale cannot say.

    Raises:
        RefusedRecordError: it closes before it opens, or its price is not finite.
    """
    if sale.closes_at is not None and sale.closes_at <= sale.opens_at:
        raise RefusedRecordError("bad-value", "closes_at: must be after opens_at")
    if sale.price is not None and not math.isfinite(sale.price):
        raise RefusedRecordError("bad-value", "price: must be finite")


def decode_labels(key: bytes | None, value: bytes | None) -> LabelsFact:
    """The labels of a sale, or that they were taken back, in a record of `sale-labels`.

    Raises:
        RefusedRecordError: the record cannot be read or obeyed.
    """
    fact: LabelsFact = _of_a_sale(key, value, _labels_decoder, MAX_LABELS_BYTES, Unlabelled)
    if isinstance(fact, SaleLabels) and fact.embedding and fact.vector() is None:
        raise RefusedRecordError("bad-value", "embedding: must be finite numbers of 4 bytes, not all 0")
    return fact


def decode_session(value: bytes) -> Session:
    """The session in a record of `sessions`.

    Raises:
        RefusedRecordError: the record cannot be read.
    """
    return _decode_json(_session_decoder, value, None)


def decode_list(value: bytes) -> TopTen:
    """The list in a record of `recommendations`.

    Raises:
        RefusedRecordError: the record cannot be read.
    """
    return _decode_json(_list_decoder, value, None)


def decode_promotion(key: bytes | None, value: bytes | None) -> Promotion | None:
    """The promotion of a ranker in a record of `releases`; None goes back to the built-in blend.

    Raises:
        RefusedRecordError: the record cannot be read, or is no such promotion.
    """
    return _under(LIVE_RELEASE, key, value, _promotion_decoder)


def decode_labeller_promotion(key: bytes | None, value: bytes | None) -> LabellerPromotion | None:
    """The promotion of a labeller in a record of `releases`; None goes back to that of the settings.

    Raises:
        RefusedRecordError: the record cannot be read, or is no such promotion.
    """
    return _under(LIVE_LABELLER, key, value, _labeller_promotion_decoder)


def _under(
    wanted: bytes, key: bytes | None, value: bytes | None, decoder: msgspec.json.Decoder[T]
) -> T | None:
    """What is promoted under the key `wanted`; None if nothing is any more."""
    if key != wanted:
        raise RefusedRecordError("wrong-key", f"the record's key must be {wanted.decode()}")
    return None if value is None else _decode_json(decoder, value, MAX_PROMOTION_BYTES)


def _decode_json(decoder: msgspec.json.Decoder[T], value: bytes | None, max_bytes: int | None) -> T:
    if not value:
        raise RefusedRecordError("empty", "the record has no value")
    if max_bytes is not None and len(value) > max_bytes:
        raise RefusedRecordError("too-large", f"the value has {len(value)} bytes, more than {max_bytes}")
    try:
        return decoder.decode(value)
    except _UNREADABLE as error:
        raise _refusal(value, error) from None


def _refusal(value: bytes, error: Exception) -> RefusedRecordError | UnknownTypeError:
    """What it means that `value` could not be decoded: a reason and where, or a type that is not known."""
    message = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return RefusedRecordError("not-json", message)
    where = _WHERE.search(message)
    path = where["path"] if where else ""
    if path == "type" and message.startswith("Invalid value"):
        return _type_refusal(value)
    reason = next(reason for wording, reason in _REASONS if wording.match(message))
    return RefusedRecordError(reason, f"{path or 'value'}: {message[: where.start()] if where else message}")


def _type_refusal(value: bytes) -> RefusedRecordError | UnknownTypeError:
    """An unknown type is no fault, but only if all the rest of the record is JSON."""
    try:
        name = _type_decoder.decode(value).type
    except _UNREADABLE as error:
        return _refusal(value, error)
    if name in KNOWN_TYPES:
        return RefusedRecordError("bad-value", "type: it stands there more than once")
    return UnknownTypeError(name)


def _of_a_sale(
    key: bytes | None,
    value: bytes | None,
    decoder: msgspec.json.Decoder[Any],
    max_bytes: int,
    taken_back: type[Withdrawal | Unlabelled],
) -> Any:
    """What a record under the id of a sale says; a tombstone says `taken_back`."""
    if not key:
        raise RefusedRecordError("wrong-key", "the record's key must be the bytes of sale_id")
    if value is None:
        return taken_back(sale_id=_sale_id(key))
    fact = _decode_json(decoder, value, max_bytes)
    if key != fact.sale_id.encode():
        raise RefusedRecordError("wrong-key", "the record's key must be the bytes of sale_id")
    return fact


def _sale_id(key: bytes) -> str:
    try:
        sale_id = key.decode()
    except UnicodeDecodeError:
        raise RefusedRecordError("wrong-key", "the record's key is not UTF-8 text") from None
    if len(sale_id) > MAX_ID_LENGTH:
        raise RefusedRecordError("wrong-key", f"the record's key has more than {MAX_ID_LENGTH} characters")
    return sale_id
