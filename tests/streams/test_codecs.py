"""Records to facts and back: what is read, what is refused and why, and that nothing else ever happens."""

import base64
import json
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import (
    LATEST_TIME,
    MAX_ID_LENGTH,
    Click,
    Erasure,
    Event,
    Impression,
    Sale,
    Shown,
    Withdrawal,
)
from reco.labels import SaleLabels, Scored, Unlabelled
from reco.lists import DEFAULT_VISITOR, TopTen
from reco.sessions import Session
from streams.codecs import (
    MAX_EVENT_BYTES,
    MAX_FUTURE,
    MAX_LABELS_BYTES,
    MAX_SALE_BYTES,
    TABLE_OFFSET,
    check_sale,
    decode_event,
    decode_labels,
    decode_list,
    decode_sale,
    decode_session,
    encode,
)
from tests import facts
from tests.broken_events import SENT_AT, BrokenRecord, broken_events, broken_records, honest_event

KINDS = ("click", "cart", "purchase", "impression")
CLICK = Click(event_id="e1", visitor_id="ada", sale_id="beach", ts=SENT_AT)
BEACH = Sale(sale_id="beach", title="Ten days of sand", opens_at=SENT_AT)


def click_with(**fields: Any) -> bytes:
    return json.dumps(json.loads(encode(CLICK)) | fields).encode()


def refused(key: bytes | None, value: bytes | None, at: int = SENT_AT) -> tuple[str, str]:
    """The reason and the detail with which an event is refused."""
    with pytest.raises(RefusedRecordError) as caught:
        decode_event(key, value, at)
    return caught.value.reason, caught.value.detail


def sale_refused(key: bytes | None, value: bytes | None) -> tuple[str, str]:
    with pytest.raises(RefusedRecordError) as caught:
        decode_sale(key, value)
    return caught.value.reason, caught.value.detail


@given(facts.events)
def test_every_event_that_is_written_is_read_back_the_same(event: Event) -> None:
    assert decode_event(event.visitor_id.encode(), encode(event), LATEST_TIME) == event


@given(facts.sales())
def test_every_sale_that_is_written_is_read_back_the_same(sale: Sale) -> None:
    assert decode_sale(sale.sale_id.encode(), encode(sale)) == sale


@given(facts.sessions)
def test_every_session_that_is_written_is_read_back_the_same(session: Session) -> None:
    assert decode_session(encode(session)) == session


@given(facts.lists)
def test_every_list_that_is_written_is_read_back_the_same(top_ten: TopTen) -> None:
    assert decode_list(encode(top_ten)) == top_ten


def test_a_sale_without_a_value_is_a_withdrawal() -> None:
    assert decode_sale(b"beach", None) == Withdrawal(sale_id="beach")


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_as_a_website_sends_it_is_read(kind: str) -> None:
    fields = honest_event(kind, Random(1))
    event = decode_event(fields["visitor_id"].encode(), json.dumps(fields).encode(), SENT_AT)
    assert json.loads(encode(event)) == fields


def test_unknown_fields_are_ignored() -> None:
    assert decode_event(b"ada", click_with(colour="blue", nested={"a": [1, {}]}), SENT_AT) == CLICK


def wrongly_refused(record: BrokenRecord) -> str:
    """How the refusal of `record` differs from what it should be; empty if it does not."""
    try:
        event = decode_event(record.key, record.value, SENT_AT)
    except RefusedRecordError as refusal:
        right = refusal.reason in record.reasons and record.field in refusal.detail
        return (
            ""
            if right
            else f"{refusal}, not {set(record.reasons)} naming {record.field!r}: {record.value!r:.300}"
        )
    return f"{event} was read, from {record.value!r:.300}"


def test_a_thousand_kinds_of_broken_records_are_refused_with_the_right_reason_and_the_field() -> None:
    wrong = [wrongly_refused(record) for record in broken_records(seed=20, n=2500)]
    assert list(filter(None, wrong)) == []


def test_broken_records_are_the_same_for_the_same_seed_and_no_two_are_alike() -> None:
    records = broken_events(seed=3, n=1000)
    assert records == broken_events(seed=3, n=1000)
    assert len({(key, value) for key, value, _ in records}) == 1000


@settings(max_examples=300)
@given(st.binary(max_size=200), st.none() | st.binary(max_size=20))
def test_random_bytes_are_refused_and_nothing_else(value: bytes, key: bytes | None) -> None:
    with pytest.raises(RefusedRecordError):
        decode_event(key, value, SENT_AT)
    with pytest.raises(RefusedRecordError):
        decode_sale(key, value)
    with pytest.raises(RefusedRecordError):
        decode_session(value)
    with pytest.raises(RefusedRecordError):
        decode_list(value)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@settings(max_examples=200)
@given(st.sampled_from(KINDS), st.data())
def test_an_event_with_anything_for_a_field_is_read_or_refused_and_nothing_else(
    kind: str, data: st.DataObject
) -> None:
    fields = honest_event(kind, Random(2))
    key = fields["visitor_id"].encode()
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(any_json)
    read_or_refused(key, json.dumps(fields).encode())


@settings(max_examples=500)
@given(st.sampled_from(KINDS), st.data())
def test_an_event_with_any_bytes_changed_is_read_or_refused_and_nothing_else(
    kind: str, data: st.DataObject
) -> None:
    fields = honest_event(kind, Random(3))
    value = json.dumps(fields).encode()
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(start + 8, len(value))))
    changed = value[:start] + data.draw(st.binary(max_size=8)) + value[end:]
    read_or_refused(fields["visitor_id"].encode(), changed)


def read_or_refused(key: bytes, value: bytes) -> None:
    """What is read can be written and read again; no other error than ours comes out."""
    try:
        event = decode_event(key, value, SENT_AT)
    except (RefusedRecordError, UnknownTypeError):
        return
    assert decode_event(key, encode(event), SENT_AT) == event


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"ts": "now"}, "ts: Expected `int`, got `str`"),
        ({"sale_id": ""}, "sale_id: Expected `str` of length >= 1"),
        ({"context": {"": "x"}}, "context: Expected `str` of length >= 1"),
        ({"context": {"device": 5}}, "context[...]: Expected `str`, got `int`"),
        ({"type": None}, "type: Expected `str`"),
    ],
)
def test_a_refusal_says_where_and_what_is_wrong(fields: dict[str, Any], detail: str) -> None:
    assert refused(b"ada", click_with(**fields))[1] == detail


@pytest.mark.parametrize("name", ["wishlist", "Click", "", "é" * 500, "missing required field"])
def test_an_event_of_an_unknown_type_is_told_from_a_broken_one(name: str) -> None:
    with pytest.raises(UnknownTypeError) as caught:
        decode_event(b"ada", click_with(type=name), SENT_AT)
    assert caught.value.name == name


@pytest.mark.parametrize("rest", [b', "x": nothing}', b', "visitor_id": "x', b', "x": ' + b"[" * 20_000, b""])
def test_an_unknown_type_does_not_excuse_what_is_not_json(rest: bytes) -> None:
    assert refused(b"ada", b'{"type": "wishlist"' + rest)[0] == "not-json"


def test_a_type_that_stands_there_twice_is_refused() -> None:
    value = b'{"type": "wishlist", "type": "click"}'
    assert refused(b"ada", value) == ("bad-value", "type: it stands there more than once")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (DEFAULT_VISITOR, "'default' is the key of the default list"),
        (TABLE_OFFSET, r"'__faust\x00offset__' is the key of the offset of a table"),
    ],
)
def test_nobody_is_called_what_something_else_stands_under(name: str, told: str) -> None:
    """The list or the state of a visitor of that name would replace it."""
    reason, detail = refused(name.encode(), click_with(visitor_id=name))
    assert (reason, detail) == ("bad-id", f"visitor_id: {told}")


def test_an_event_may_be_a_little_ahead_of_the_brokers_clock_and_no_more() -> None:
    assert decode_event(b"ada", encode(CLICK), SENT_AT - MAX_FUTURE) == CLICK
    reason, detail = refused(b"ada", encode(CLICK), SENT_AT - MAX_FUTURE - 1000)
    assert reason == "in-the-future"
    assert detail == f"ts: {SENT_AT} is {MAX_FUTURE // 1000 + 1} s ahead of the broker's clock"


def test_who_is_to_be_forgotten_is_forgotten_whatever_the_clock_of_who_asks_says() -> None:
    erasure = Erasure("e2", "ada", SENT_AT)
    assert decode_event(b"ada", encode(erasure), SENT_AT - 2 * MAX_FUTURE) == erasure


def test_an_event_is_read_up_to_the_largest_size_and_not_beyond() -> None:
    padding = "x" * (MAX_EVENT_BYTES - len(click_with(padding="")))
    assert decode_event(b"ada", click_with(padding=padding), SENT_AT) == CLICK
    assert refused(b"ada", click_with(padding=padding + "x"))[0] == "too-large"


def test_an_impression_of_a_thousand_sales_with_the_longest_ids_is_read() -> None:
    longest = "x" * MAX_ID_LENGTH
    shown = tuple(Shown(longest, position) for position in range(1, 1001))
    context = {f"{number:064}": "x" * 256 for number in range(16)}
    impression = Impression(longest, longest, longest, SENT_AT, shown, longest, context)
    assert decode_event(longest.encode(), encode(impression), SENT_AT) == impression


@pytest.mark.parametrize(
    ("key", "value", "reason", "named"),
    [
        (None, encode(BEACH), "wrong-key", "sale_id"),
        (b"", None, "wrong-key", "sale_id"),
        (b"\xff", None, "wrong-key", "key"),
        (b"x" * (MAX_ID_LENGTH + 1), None, "wrong-key", "key"),
        (b"alps", encode(BEACH), "wrong-key", "sale_id"),
        (b"beach", b"", "empty", "to withdraw a sale, send a record without a value (null)"),
        (b"beach", b"x" * (MAX_SALE_BYTES + 1), "too-large", "value"),
        (b"beach", b'{"sale_id": "beach", "title": "t"', "not-json", ""),
        (b"beach", b'{"sale_id": "beach", "title": "t"}', "missing-field", "opens_at"),
        (b"beach", b'{"sale_id": "beach", "title": 5}', "wrong-type", "title"),
        (b"beach", b'{"sale_id": "beach", "title": ""}', "bad-value", "title"),
        (b"beach", b'{"sale_id": ""}', "bad-id", "sale_id"),
        (b"beach", b'{"opens_at": 1700000000}', "bad-value", "opens_at"),
        (b"beach", b'{"tags": ["sun", 5]}', "wrong-type", "tags[1]"),
        (b"beach", b'{"image_urls": [""]}', "bad-value", "image_urls[0]"),
        (b"beach", b'{"price": 1e999}', "bad-value", "price"),
        (b"beach", b'{"price": NaN}', "not-json", ""),
    ],
)
def test_a_broken_sale_is_refused_with_the_reason_and_the_field(
    key: bytes | None, value: bytes | None, reason: str, named: str
) -> None:
    got, detail = sale_refused(key, value)
    assert got == reason
    assert named in detail


@pytest.mark.parametrize("closes_at", [SENT_AT, SENT_AT - 1])
def test_a_sale_that_closes_before_it_was_ever_open_is_refused(closes_at: int) -> None:
    closed = Sale(sale_id="beach", title="t", opens_at=SENT_AT, closes_at=closes_at)
    assert sale_refused(b"beach", encode(closed)) == ("bad-value", "closes_at: must be after opens_at")


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_a_sale_at_a_price_that_is_no_number_is_not_published(price: float) -> None:
    with pytest.raises(RefusedRecordError, match="price: must be finite"):
        check_sale(Sale(sale_id="beach", title="t", opens_at=SENT_AT, price=price))


@given(facts.labels)
def test_all_labels_that_are_written_are_read_back_the_same(labels: SaleLabels) -> None:
    assert decode_labels(labels.sale_id.encode(), encode(labels)) == labels


def test_an_embedding_is_text_in_base64_and_a_tombstone_takes_labels_back() -> None:
    one = SaleLabels("beach", "v1", ("a.jpg",), 1, (), (), np.array([1.0, 0.5], "<f4").tobytes(), SENT_AT)
    assert json.loads(encode(one))["embedding"] == base64.b64encode(one.embedding).decode()
    assert decode_labels(b"beach", None) == Unlabelled("beach")


def labels_with(**fields: Any) -> bytes:
    honest = SaleLabels("beach", "v1", ("a.jpg",), 1, (), (Scored("Beach", 1.0),), b"\0\0\x80?", SENT_AT)
    return json.dumps(json.loads(encode(honest)) | fields).encode()


@pytest.mark.parametrize(
    ("key", "value", "reason", "named"),
    [
        (None, labels_with(), "wrong-key", "sale_id"),
        (b"\xff", None, "wrong-key", "key"),
        (b"alps", labels_with(), "wrong-key", "sale_id"),
        (b"beach", b"", "empty", "value"),
        (b"beach", b"x" * (MAX_LABELS_BYTES + 1), "too-large", "value"),
        (b"beach", b"{", "not-json", ""),
        (b"beach", b'{"sale_id": "beach"}', "missing-field", "labeller"),
        (b"beach", labels_with(embedding="%%"), "bad-value", "embedding"),
        (b"beach", labels_with(embedding="AAAA"), "bad-value", "embedding"),
        (b"beach", labels_with(embedding="AAAAAA=="), "bad-value", "embedding"),
        (b"beach", labels_with(embedding="AADAfw=="), "bad-value", "embedding"),
        (b"beach", labels_with(embedding="A" * 43696), "bad-value", "embedding"),
        (b"beach", labels_with(topics=[{"name": "Beach", "share": 1.5}]), "bad-value", "topics[0].share"),
        (b"beach", labels_with(images=-1), "bad-value", "images"),
    ],
)
def test_broken_labels_are_refused_with_the_reason_and_the_field(
    key: bytes | None, value: bytes | None, reason: str, named: str
) -> None:
    with pytest.raises(RefusedRecordError) as caught:
        decode_labels(key, value)
    assert caught.value.reason == reason
    assert named in caught.value.detail


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b"nonsense", b'{"visitor_id": 5}'])
def test_a_session_or_list_that_cannot_be_read_is_refused(value: bytes) -> None:
    with pytest.raises(RefusedRecordError):
        decode_session(value)
    with pytest.raises(RefusedRecordError):
        decode_list(value)
