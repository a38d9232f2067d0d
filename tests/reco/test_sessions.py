"""The fold of a visitor's events into a session state: what it keeps, whatever the order and the retries."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reco.events import MAX_ID_LENGTH, Action, Cart, Click, Purchase
from reco.sessions import MAX_MEMORY, MAX_RECENT, VISIT_SILENCE, Remembered, Session, Touch, fold

NOON = 1_700_000_000_000
SECOND, MINUTE, DAY = 1000, 60_000, 86_400_000
GAPS = (0, 1, SECOND, 5 * MINUTE, VISIT_SILENCE, VISIT_SILENCE + 1, 2 * DAY)
KIND_NAMES = {Click: "click", Cart: "cart", Purchase: "purchase"}


def click(event_id: str, sale_id: str = "beach", at: int = NOON, **context: str) -> Click:
    return Click(event_id=event_id, visitor_id="ada", sale_id=sale_id, ts=at, context=context)


def folded(events: Iterable[Action], onto: Session | None = None) -> Session:
    """The state after `events`, each appended right behind the one before."""
    session = onto
    for event in events:
        session = fold(session, event, 0 if session is None else session.offset + 1)
    assert session is not None
    return session


class History(NamedTuple):
    """All events of one visitor by event time, and a source of chance to shuffle them with."""

    events: list[Action]
    chance: Random


@st.composite
def histories(draw: st.DrawFn, max_size: int = 400) -> History:
    size = draw(st.integers(1, max_size))
    sales = draw(st.sampled_from((1, 10, 500)))
    chance = Random(draw(st.integers(0, 2**32)))
    gaps = chance.sample(GAPS, k=chance.randint(1, len(GAPS)))
    events: list[Action] = []
    at = NOON
    for number in range(size):
        at += chance.choice(gaps)
        kind = chance.choice((Click, Click, Cart, Purchase))
        context = {"device": chance.choice(("phone", "desk"))} if chance.random() < 0.2 else {}
        sale = f"s{chance.randrange(sales)}"
        events.append(kind(event_id=f"e{number:04}", visitor_id="ada", sale_id=sale, ts=at, context=context))
    return History(events, chance)


def shuffled(history: History) -> list[Action]:
    return history.chance.sample(history.events, k=len(history.events))


def hardly_late(history: History) -> list[Action]:
    """The events in an order of arrival in which each comes before `MAX_RECENT` newer ones are there."""
    lateness = [history.chance.uniform(0, MAX_RECENT) for _ in history.events]
    arrival = sorted(range(len(history.events)), key=lambda place: place + lateness[place])
    return [history.events[place] for place in arrival]


def with_retries(events: Sequence[Action], chance: Random) -> list[Action]:
    """`events`, and some of them again at any later place."""
    arrivals = [(float(place), event) for place, event in enumerate(events)]
    half = [arrival for arrival in arrivals if chance.random() < 0.5]
    again = [(chance.uniform(place, len(events)), event) for place, event in half]
    return [event for _, event in sorted(arrivals + again, key=lambda arrival: arrival[0])]


def touches(events: Iterable[Action]) -> list[Touch]:
    return sorted(Touch(one.ts, one.event_id, one.sale_id, KIND_NAMES[type(one)]) for one in events)  # type: ignore[arg-type]


def reference(events: Sequence[Action]) -> Session:
    """The state computed plainly from the sorted set of all events of a visitor."""
    every = touches(events)
    older, recent = every[:-MAX_RECENT], every[-MAX_RECENT:]
    memory: dict[str, Remembered] = {}
    for touch in older:
        known = memory.get(touch.sale_id, Remembered(touch.sale_id, touch.ts))
        one_more = {touch.kind + "s": getattr(known, touch.kind + "s") + 1}
        memory[touch.sale_id] = replace(known, last_ts=touch.ts, **one_more)
        if len(memory) > MAX_MEMORY:
            del memory[max(memory.values(), key=longest_ago).sale_id]
    speaking = max((one for one in events if one.context), key=by_event_time, default=None)
    return Session(
        visitor_id="ada",
        offset=len(events) - 1,
        recent=tuple(recent),
        memory=tuple(sorted(memory.values(), key=longest_ago)),
        earlier_visits=sum(
            later.ts - earlier.ts > VISIT_SILENCE for earlier, later in zip(older, every[1:], strict=False)
        ),
        context=speaking.context if speaking else {},
        context_at=(speaking.ts, speaking.event_id) if speaking else (0, ""),
    )


def by_event_time(event: Action) -> tuple[int, str]:
    return (event.ts, event.event_id)


def longest_ago(one: Remembered) -> tuple[int, str]:
    return (-one.last_ts, one.sale_id)


def last_touches(session: Session) -> list[tuple[str, int]]:
    return [(one.sale_id, one.last_ts) for one in session.memory]


@given(histories())
def test_the_state_is_that_of_a_plain_reference_over_all_events(history: History) -> None:
    assert folded(history.events) == reference(history.events)


@given(histories())
def test_the_order_of_arrival_changes_nothing_while_no_event_is_too_late_for_recent(history: History) -> None:
    assert folded(hardly_late(history)) == reference(history.events)


@given(histories(max_size=MAX_RECENT))
def test_any_order_of_arrival_gives_the_same_state_while_all_fits_into_recent(history: History) -> None:
    assert folded(shuffled(history)) == reference(history.events)


@given(histories())
def test_however_late_events_come_all_but_the_sums_is_exact(history: History) -> None:
    got = folded(shuffled(history))
    older = touches(history.events)[:-MAX_RECENT]
    truth = reference(history.events)
    last = {touch.sale_id: touch.ts for touch in older}
    assert (got.recent, got.context, got.context_at) == (truth.recent, truth.context, truth.context_at)
    assert last_touches(got) == sorted(last.items(), key=lambda one: (-one[1], one[0]))[:MAX_MEMORY]


@given(histories())
def test_however_late_events_come_none_is_counted_twice(history: History) -> None:
    older = touches(history.events)[:-MAX_RECENT]
    for one in folded(shuffled(history)).memory:
        kinds = [touch.kind for touch in older if touch.sale_id == one.sale_id]
        assert one.clicks <= kinds.count("click")
        assert one.carts <= kinds.count("cart")
        assert one.purchases <= kinds.count("purchase")
        assert one.clicks + one.carts + one.purchases >= 1


@given(histories())
def test_a_redelivery_from_any_earlier_offset_changes_nothing(history: History) -> None:
    session = folded(history.events)
    assert all(fold(session, event, offset) is session for offset, event in enumerate(history.events))


@given(histories())
def test_a_retry_changes_nothing_but_the_offset_however_long_ago_the_event_fell_out(history: History) -> None:
    arrivals = shuffled(history)
    again = with_retries(arrivals, history.chance)
    assert folded(again) == replace(folded(arrivals), offset=len(again) - 1)


@given(histories(max_size=30), st.data())
def test_a_crash_between_two_events_is_not_seen_in_the_state(history: History, data: st.DataObject) -> None:
    crash = data.draw(st.integers(1, len(history.events)))
    replayed_from = data.draw(st.integers(0, crash))
    session: Session | None = folded(history.events[:crash])
    for offset, event in list(enumerate(history.events))[replayed_from:]:
        session = fold(session, event, offset)
    assert session == folded(history.events)


NULL_ESCAPES = 6
"""Bytes of the longest JSON escape of one character, \\u0000; a character of UTF-8 has at most 4."""


def largest_encoded_session() -> int:
    """Bytes that no encoded session can exceed, from the limits on its parts."""

    def text(characters: int) -> int:
        return NULL_ESCAPES * characters + len('""')

    touch = len('[4102444800000,,,"purchase"],') + 2 * text(MAX_ID_LENGTH)
    count = len(str(2**63))
    remembered = len("[,4102444800000,,,],") + text(MAX_ID_LENGTH) + 3 * count
    context = 16 * (text(64) + text(256) + len(":,"))
    names = len(msgspec.json.encode(Session(visitor_id="", offset=0)))
    rest = names + 2 * text(MAX_ID_LENGTH) + 3 * count
    return MAX_RECENT * touch + MAX_MEMORY * remembered + context + rest


@settings(max_examples=5)
@given(st.integers(1, 3000), st.sampled_from(("x", "\0", "é", "𝄞")), st.randoms(use_true_random=False))
def test_a_crawler_cannot_make_the_state_grow(size: int, letter: str, chance: Random) -> None:
    session: Session | None = None
    for number in range(size):
        event = Click(
            event_id=str(number).rjust(MAX_ID_LENGTH, letter),
            visitor_id=letter * MAX_ID_LENGTH,
            sale_id=str(chance.randrange(size)).rjust(MAX_ID_LENGTH, letter),
            ts=NOON + chance.randrange(size) * MINUTE,
            context={f"{place:02}".rjust(64, letter): letter * 256 for place in range(16)},
        )
        session = fold(session, event, number)
    assert len(msgspec.json.encode(session)) <= largest_encoded_session()


def test_the_largest_state_fits_into_a_record_of_an_unchanged_broker() -> None:
    default_max_message_bytes = 1_048_588
    assert largest_encoded_session() < default_max_message_bytes / 2


def test_a_visit_goes_on_through_exactly_thirty_minutes_of_silence() -> None:
    session = folded([click("a"), click("b", at=NOON + VISIT_SILENCE)])
    assert [touch.event_id for touch in session.visit()] == ["a", "b"]


def test_a_visit_ends_with_more_than_thirty_minutes_of_silence() -> None:
    session = folded([click("a"), click("b", at=NOON + VISIT_SILENCE + 1)])
    assert [touch.event_id for touch in session.visit()] == ["b"]


def test_a_late_event_lands_in_its_place_by_event_time() -> None:
    session = folded([click("a"), click("c", at=NOON + 2 * MINUTE), click("b", at=NOON + MINUTE)])
    assert [touch.event_id for touch in session.visit()] == ["a", "b", "c"]
    assert session.last_ts == NOON + 2 * MINUTE


def test_a_late_event_between_two_visits_joins_them() -> None:
    apart = folded([click("a"), click("c", at=NOON + 50 * MINUTE)])
    joined = folded([click("b", at=NOON + 25 * MINUTE)], onto=apart)
    assert [touch.event_id for touch in apart.visit()] == ["c"]
    assert [touch.event_id for touch in joined.visit()] == ["a", "b", "c"]


def test_a_visitor_without_touches_has_an_empty_visit_and_no_last_time() -> None:
    nobody = Session(visitor_id="ada", offset=-1)
    assert nobody.visit() == ()
    assert nobody.last_ts == 0


def test_a_purchase_is_remembered_with_its_sale_after_it_fell_out_of_recent() -> None:
    bought = Purchase(event_id="bought", visitor_id="ada", sale_id="alps", ts=NOON)
    put_in = Cart(event_id="basket", visitor_id="ada", sale_id="alps", ts=NOON - MINUTE)
    later = [click(f"c{number}", at=NOON + (number + 1) * SECOND) for number in range(MAX_RECENT)]
    assert folded([put_in, bought, *later]).memory == (Remembered("alps", NOON, carts=1, purchases=1),)


def test_beyond_the_memory_the_sale_touched_longest_ago_is_forgotten() -> None:
    events = [click(f"{n:04}", f"s{n}", NOON + n * SECOND) for n in range(MAX_RECENT + MAX_MEMORY + 1)]
    remembered = [one.sale_id for one in folded(events).memory]
    assert remembered == [f"s{n}" for n in range(MAX_MEMORY, 0, -1)]


def test_visits_are_counted_as_earlier_once_their_last_touch_fell_out_of_recent() -> None:
    days = [click(f"d{day:03}", at=NOON + day * DAY) for day in range(MAX_RECENT + 3)]
    assert folded(days[:MAX_RECENT]).earlier_visits == 0
    assert folded(days).earlier_visits == 3


def test_a_visit_that_reaches_into_recent_is_not_counted_as_earlier() -> None:
    one_visit = [click(f"{n:03}", at=NOON + n * SECOND) for n in range(MAX_RECENT + 10)]
    assert folded(one_visit).earlier_visits == 0


def test_the_context_is_that_of_the_newest_event_that_has_one() -> None:
    newest = click("b", at=NOON + MINUTE, device="phone")
    session = folded([newest, click("a", at=NOON, device="desk"), click("c", at=NOON + 2 * MINUTE)])
    assert session.context == {"device": "phone"}
    assert session.context_at == (newest.ts, "b")


@pytest.mark.parametrize("offset", [0, 7])
def test_the_first_event_of_a_visitor_makes_a_session_at_its_offset(offset: int) -> None:
    session = fold(None, click("a"), offset)
    assert session == Session(visitor_id="ada", offset=offset, recent=(Touch(NOON, "a", "beach", "click"),))


def test_visits_are_counted_whether_they_are_still_remembered_touch_by_touch_or_not() -> None:
    day = 24 * 60 * 60 * 1000
    several = [click(f"e{number}", at=NOON + number * day // 2) for number in range(MAX_RECENT + 5)]
    for count in (1, 2, MAX_RECENT, MAX_RECENT + 5):
        assert folded(several[:count]).visits() == count
