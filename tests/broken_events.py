"""Records that no honest website sends to `events`, each with the reasons for which it may be refused."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import cycle, islice
from random import Random
from typing import Any, NamedTuple, TypeAlias

from reco.events import MAX_ID_LENGTH
from streams.codecs import MAX_EVENT_BYTES

SENT_AT = 1_700_000_000_000
"""Event time of the records before they were broken, ms since the epoch, UTC (14 November 2023)."""


class BrokenRecord(NamedTuple):
    """A broken record, the reasons that fit it, and the field that the refusal must name (empty: none)."""

    key: bytes | None
    value: bytes | None
    reasons: frozenset[str]
    field: str = ""


Fields: TypeAlias = dict[str, Any]
Damage: TypeAlias = Callable[[Fields, Random], BrokenRecord]


def broken_events(seed: int, n: int) -> list[tuple[bytes | None, bytes | None, frozenset[str]]]:
    """`n` broken records as (key, value, admissible reasons): the same for the same seed, no two alike.

    Every kind of damage is there once before any comes again; there are about 1,000 kinds.
    """
    return [(one.key, one.value, one.reasons) for one in broken_records(seed, n)]


def broken_records(seed: int, n: int) -> list[BrokenRecord]:
    """As `broken_events`, with the field that each refusal must name."""
    chance = Random(seed)
    damages = [(kind, damage) for kind in _KINDS for damage in _damages(kind)]
    chance.shuffle(damages)
    return [damage(honest_event(kind, chance), chance) for kind, damage in islice(cycle(damages), n)]


def honest_event(kind: str, chance: Random) -> Fields:
    """The fields of an event of `kind` as an honest website sends it."""
    event: Fields = {
        "type": kind,
        "event_id": f"{chance.getrandbits(64):016x}",
        "visitor_id": f"visitor-{chance.randrange(1000)}",
        "ts": SENT_AT - chance.randrange(1_000_000),
        "session_id": f"visit-{chance.randrange(1000)}",
        "context": {"device": chance.choice(("phone", "desk")), "country": "FR"},
    }
    return event | _KINDS[kind](chance)


def _sale(chance: Random) -> Fields:
    return {"sale_id": f"sale-{chance.randrange(300)}"}


def _purchase(chance: Random) -> Fields:
    return {**_sale(chance), "quantity": chance.randint(1, 4), "price": 99.5, "currency": "EUR"}


def _impression(chance: Random) -> Fields:
    shown = [{**_sale(chance), "position": position} for position in range(1, 11)]
    return {"list_id": f"list-{chance.randrange(1000)}", "shown": shown}


_KINDS: dict[str, Callable[[Random], Fields]] = {
    "click": _sale,
    "cart": _sale,
    "purchase": _purchase,
    "impression": _impression,
}


def _damages(kind: str) -> Iterator[Damage]:
    """Every kind of damage that an event of `kind` can take."""
    subject = "list_id" if kind == "impression" else "sale_id"
    required = ("event_id", "visitor_id", subject, "ts", *(("shown",) if kind == "impression" else ()))
    yield from (partial(_without, name) for name in ("type", *required))
    yield from (partial(_with, name, None, "wrong-type") for name in required if name != "ts")
    yield from _wrong_fields(("event_id", "visitor_id", subject, "session_id"))
    if kind == "purchase":
        yield from (partial(_with, *wrong) for wrong in _WRONG_IN_PURCHASES)
    if kind == "impression":
        yield from (partial(_with, "shown", value, reason) for value, reason in _WRONG_SHOWN)
        yield from (partial(_shown, *wrong) for wrong in _WRONG_IN_SHOWN)
    yield from (partial(_keyed, change) for change in _WRONG_KEYS)
    yield from (partial(_valued, value, reason) for value, reason in _NO_EVENTS)
    yield from (partial(_rewritten, rewrite) for rewrite in _NO_JSON)
    for name in ("ts", "context", "unknown"):
        yield from (partial(_literal, name, text, "not-json", "") for text in _NO_NUMBERS)
    yield from (partial(_literal, "unknown", text, "not-json", "") for text in _NO_TOKENS)
    yield partial(_literal, "ts", "1e999", "bad-value", "ts")
    yield from (partial(_twice, *wrong) for wrong in _WRONG_AGAIN)
    yield from (partial(_twice, "type", other, "bad-value") for other in _KINDS if other != kind)
    yield from [_truncated] * 30
    yield from (_without_utf8, _oversized)


def _wrong_fields(ids: tuple[str, ...]) -> Iterator[Damage]:
    for name in ids:
        yield from (partial(_with, name, value, "wrong-type") for value in _NO_TEXT)
        yield from (partial(_with, name, value, "bad-id") for value in _NO_IDS)
    yield from (partial(_with, "type", value, "wrong-type") for value in (None, *_NO_TEXT))
    yield from (partial(_with, "ts", value, reason) for value, reason in _WRONG_TIMES)
    yield from (partial(_with, "context", value, reason) for value, reason in _WRONG_CONTEXTS)


def _each(reason: str, values: Iterable[Any]) -> list[tuple[Any, str]]:
    return [(value, reason) for value in values]


def _each_in(field: str, reason: str, values: Iterable[Any]) -> list[tuple[str, Any, str]]:
    return [(field, value, reason) for value in values]


_NO_TEXT: list[Any] = [7, -1, 2.5, True, False, [], ["x"], {}, {"id": "x"}, 10**30]
_NO_INTEGER: list[Any] = [None, "1", "", 1.5, True, [], [1], {}]
_NO_IDS = ["", "x" * (MAX_ID_LENGTH + 1), "é" * (MAX_ID_LENGTH + 1), "x" * 10_000]
_WRONG_TIMES = [
    *_each("wrong-type", [*_NO_INTEGER, str(SENT_AT), SENT_AT + 0.5, 1.7e12, "yesterday", "2023-11-14"]),
    *_each("too-old", [SENT_AT // 1000, 946_684_799_999, 1, 0, -1, -SENT_AT, -(10**30)]),
    *_each("in-the-future", [4_090_000_000_000, 4_102_444_800_000, 4_102_444_800_001, SENT_AT * 1000]),
    *_each("in-the-future", [2**53, 2**63, 2**64, 10**30]),
]
_WRONG_CONTEXTS = [
    *_each("wrong-type", [None, 7, 1.5, True, "phone", [], [["device", "phone"]]]),
    *_each("wrong-type", [{"device": value} for value in [None, *_NO_TEXT]]),
    *_each("bad-value", [{"": "phone"}, {"x" * 65: "phone"}, {"é" * 65: "phone"}, {"device": "x" * 257}]),
    *_each("bad-value", [{f"name-{number}": "x" for number in range(size)} for size in (17, 2000)]),
]
_WRONG_IN_PURCHASES = [
    *_each_in("quantity", "wrong-type", _NO_INTEGER),
    *_each_in("quantity", "bad-value", [0, -1, 10_001, 2**40]),
    *_each_in("price", "wrong-type", ["99.50", True, [], {}, [99]]),
    *_each_in("price", "bad-value", [-1, -0.01, 10**400]),
    *_each_in("currency", "wrong-type", _NO_TEXT),
    *_each_in("currency", "bad-value", ["", "EU", "Euro", "€"]),
]
_WRONG_SHOWN = [
    *_each("wrong-type", [7, "sale-1", True, {}, {"sale_id": "s", "position": 1}]),
    *_each("wrong-type", [[value] for value in (None, 7, "sale-1", True, [], ["sale-1", 1])]),
    *_each("missing-field", [[{}], [{"position": 1}], [{"sale_id": "s"}]]),
    *_each("bad-value", [[], [{"sale_id": "s", "position": 1}] * 1001]),
]
_WRONG_IN_SHOWN = [
    *_each_in("sale_id", "wrong-type", [None, *_NO_TEXT]),
    *_each_in("sale_id", "bad-id", _NO_IDS[:3]),
    *_each_in("position", "wrong-type", _NO_INTEGER),
    *_each_in("position", "bad-value", [0, -1, 1001, 2**40]),
]
_WRONG_KEYS: tuple[Callable[[bytes], bytes | None], ...] = (
    lambda _: None,
    lambda _: b"",
    lambda key: key.upper(),
    lambda key: key + b" ",
    lambda key: key + b"\0",
    lambda key: key[:-1],
    lambda key: b'"' + key + b'"',
    lambda key: key + b"\xff",
    lambda key: key.decode().encode("utf-16"),
    lambda key: key * 1000,
)
_WRONG_AGAIN = [
    *_each_in("visitor_id", "wrong-key", ["somebody else"]),
    *_each_in("event_id", "bad-id", [""]),
    *_each_in("ts", "too-old", [0]),
]
_NO_EVENTS = [
    *_each("empty", [None, b""]),
    *_each(
        "not-json", [b" ", b"\n", b"\0", b"{", b'{"type"', b"nul", b"click", b"click,ada,beach", b"<click/>"]
    ),
    *_each(
        "wrong-type", [b"null", b"true", b"7", b"-1.5", b'"click"', b"[]", b"[[]]", b" [{}] ", b"[" * 5000]
    ),
    *_each("missing-field", [b"{}"]),
]
_NO_JSON: tuple[Callable[[bytes], bytes], ...] = (
    lambda value: b"\xef\xbb\xbf" + value,
    lambda value: value.decode().encode("utf-16"),
    lambda value: value.decode().encode("utf-32"),
    lambda value: value.replace(b'"', b"'"),
    lambda value: value.replace(b":", b"="),
    lambda value: value.replace(b'"type"', b"type"),
    lambda value: value[:-1] + b",}",
    lambda value: value[:-1] + b"]",
    lambda value: value[2:],
    lambda value: value + b"}",
    lambda value: value + value,
    lambda value: value + b"\0",
    lambda value: b"// an event\n" + value,
    lambda value: value[::-1],
)
_NO_NUMBERS = ["NaN", "-NaN", "Infinity", "-Infinity", "undefined", "None", "True", "01", "+1", ".5", ""]
_NO_TOKENS = [
    "0x1F",
    "1_000",
    "[" * 20_000,
    '"',
    '"\n"',
    '"\t"',
    '"\\x41"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u12"',
]


def _record(event: Fields, key: bytes | None, reason: str, field: str = "") -> BrokenRecord:
    value = json.dumps(event, ensure_ascii=False).encode()
    return BrokenRecord(key, value, frozenset((reason,)), field)


def _with(field: str, value: Any, reason: str, event: Fields, _: Random) -> BrokenRecord:
    """`event` with a wrong `value` in `field`."""
    return _record(event | {field: value}, event["visitor_id"].encode(), reason, field)


def _without(field: str, event: Fields, _: Random) -> BrokenRecord:
    """`event` without its `field`."""
    rest = {name: value for name, value in event.items() if name != field}
    return _record(rest, event["visitor_id"].encode(), "missing-field", field)


def _shown(field: str, value: Any, reason: str, event: Fields, chance: Random) -> BrokenRecord:
    """The impression `event` with a wrong `value` in `field` of one of the sales that it shows."""
    place = chance.randrange(len(event["shown"]))
    event["shown"][place][field] = value
    return _record(event, event["visitor_id"].encode(), reason, f"shown[{place}].{field}")


def _keyed(change: Callable[[bytes], bytes | None], event: Fields, _: Random) -> BrokenRecord:
    """`event` under a key that is not its visitor."""
    return _record(event, change(event["visitor_id"].encode()), "wrong-key", "visitor_id")


def _valued(value: bytes | None, reason: str, event: Fields, _: Random) -> BrokenRecord:
    """No event at all; the key keeps two such records apart."""
    return BrokenRecord(f"{event['visitor_id']}-{event['event_id']}".encode(), value, frozenset((reason,)))


def _rewritten(rewrite: Callable[[bytes], bytes], event: Fields, _: Random) -> BrokenRecord:
    """The bytes of `event`, made unreadable as a whole."""
    intact = _record(event, event["visitor_id"].encode(), "not-json")
    return intact._replace(value=rewrite(intact.value or b""))


def _literal(field: str, text: str, reason: str, named: str, event: Fields, _: Random) -> BrokenRecord:
    """`event` with `text`, as it stands, for the value of `field`."""
    record = _record(event | {field: "holds a place"}, event["visitor_id"].encode(), reason, named)
    return record._replace(value=(record.value or b"").replace(b'"holds a place"', text.encode()))


def _truncated(event: Fields, chance: Random) -> BrokenRecord:
    """The first bytes of `event`; what a cut leaves of its time may be read as a time long ago."""
    intact = _record(event, event["visitor_id"].encode(), "not-json")
    value = intact.value or b""
    cut = chance.randrange(value.index(b'"visitor_id"'), len(value))
    return intact._replace(value=value[:cut], reasons=frozenset(("not-json", "too-old")))


def _without_utf8(event: Fields, chance: Random) -> BrokenRecord:
    """`event` with bytes in its visit that are not UTF-8: overlong, cut off, a surrogate, or from Latin-1."""
    bad = chance.choice((b"\xc0\x80", b"\xe2\x82", b"\xed\xa0\x80", b"\xe9", b"\xff"))
    return _rewritten(lambda value: value.replace(b"visit-", b"visit-" + bad), event, chance)


def _oversized(event: Fields, chance: Random) -> BrokenRecord:
    """`event` with an unknown field that makes it larger than what is read."""
    padding = "x" * (MAX_EVENT_BYTES + chance.randrange(1000))
    return _record(event | {"unknown": padding}, event["visitor_id"].encode(), "too-large")


def _twice(field: str, again: Any, reason: str, event: Fields, _: Random) -> BrokenRecord:
    """`event` in which `field` stands twice; the second time it is wrong."""
    intact = _record(event, event["visitor_id"].encode(), reason, field)
    return intact._replace(value=(intact.value or b"")[:-1] + f', "{field}": {json.dumps(again)}}}'.encode())
