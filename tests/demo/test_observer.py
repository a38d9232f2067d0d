"""The observer judges every list by the facts that the list itself names."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from demo.observer import EXAMPLES, Observer, Record
from reco.labels import SaleLabels, Scored
from reco.lists import DEFAULT_VISITOR, Provenance, Recommendation
from reco.policy import Rules
from streams.codecs import encode
from tests.demo.lists import AT, SALES, TOPICS, list_record, record, right_list, sale_record

CLOSES_FIRST = SALES[0].closes_at or 0


@pytest.fixture
def observer() -> Observer:
    """An observer that has read all sales."""
    observer = Observer(TOPICS)
    for offset, sale in enumerate(SALES):
        observer.take(sale_record(sale, offset), received_at=0.0)
    return observer


def judged(observer: Observer, one: Record) -> tuple[int, int]:
    """Lists so far, and wrong ones among them, after one more record."""
    observer.take(one, received_at=1.0)
    return observer.lists, observer.lists_invalid


def test_a_right_list_is_counted_and_not_complained_about(observer: Observer) -> None:
    assert judged(observer, list_record(right_list())) == (1, 0)
    assert observer.invalid_examples == []
    assert observer.newest["ann"] == right_list()


@pytest.mark.parametrize(
    "changes",
    [
        {"sales": right_list().sales[:9]},
        {"sales": (*right_list().sales[:9], Recommendation("past", 0.0))},
        {"sales": right_list().sales[::-1]},
        {"holds_until": None},
        {"list_id": "another"},
    ],
)
def test_a_wrong_list_is_counted_with_its_reason(observer: Observer, changes: dict[str, Any]) -> None:
    wrong = right_list(**changes)
    assert judged(observer, list_record(wrong)) == (1, 1)
    assert observer.invalid_examples[0].startswith(wrong.list_id)


def test_a_score_that_is_not_finite_is_not_even_a_list(observer: Observer) -> None:
    wrong = right_list(sales=(Recommendation("open-00", float("nan")), *right_list().sales[1:]))
    assert judged(observer, list_record(wrong)) == (1, 1)


def test_what_is_no_list_is_a_wrong_list(observer: Observer) -> None:
    assert judged(observer, record(TOPICS.recommendations.name, "ann", b"{}")) == (1, 1)


def test_a_list_under_the_key_of_another_visitor_is_wrong(observer: Observer) -> None:
    assert judged(observer, record(TOPICS.recommendations.name, "bob", encode(right_list()))) == (1, 1)
    assert "bob" not in observer.newest


def test_a_sale_that_closed_before_the_list_was_emitted_makes_it_wrong(observer: Observer) -> None:
    assert judged(observer, list_record(right_list(), appended_at=CLOSES_FIRST - 1)) == (1, 0)
    assert judged(observer, list_record(right_list(), appended_at=CLOSES_FIRST)) == (2, 1)
    assert "was closed when it was emitted" in observer.invalid_examples[0]


def test_a_list_waits_for_the_sales_that_it_was_made_from() -> None:
    observer = Observer(TOPICS)
    assert judged(observer, list_record(right_list())) == (1, 0)
    assert observer.lists_unjudged == 1
    for offset, sale in enumerate(SALES):
        observer.take(sale_record(sale, offset), received_at=2.0)
    assert (observer.lists_unjudged, observer.lists_invalid) == (0, 0)


def test_a_list_is_judged_by_the_sales_as_they_were_for_it(observer: Observer) -> None:
    withdrawal = record(TOPICS.sales.name, "open-00", None, offset=14)
    observer.take(withdrawal, received_at=1.0)
    before, after = right_list(), right_list(made_from=replace(right_list().made_from, sales_offsets=(15,)))
    assert judged(observer, list_record(before)) == (1, 0)
    assert judged(observer, list_record(after)) == (2, 1)


def test_only_the_first_wrong_lists_are_quoted(observer: Observer) -> None:
    for _ in range(EXAMPLES + 3):
        observer.take(list_record(right_list(list_id="wrong")), received_at=1.0)
    assert observer.lists_invalid == EXAMPLES + 3
    assert len(observer.invalid_examples) == EXAMPLES


def test_a_visitor_without_a_list_is_shown_that_for_unknown_visitors(observer: Observer) -> None:
    assert observer.shown_to("ann") is None
    unknown = right_list(visitor_id=DEFAULT_VISITOR, made_from=Provenance(-1, -1, AT // 1000, (14,), "r"))
    observer.take(list_record(right_list()), received_at=1.0)
    observer.take(list_record(unknown), received_at=1.0)
    assert observer.shown_to("bob") == unknown
    assert observer.shown_to("ann") == right_list()
    assert observer.latest == right_list()


def test_latency_runs_to_the_list_that_includes_the_click(observer: Observer) -> None:
    observer.click_to_list.clicked("ann", offset=5, sent_at=0.75)
    observer.take(list_record(right_list()), received_at=1.0)
    latency = observer.latency()
    assert (latency.p50, latency.p99, latency.answered, latency.unanswered) == (250.0, 250.0, 1, 0)


def test_each_percentile_is_named_as_it_is(observer: Observer) -> None:
    for offset in range(100):
        observer.click_to_list.clicked("ann", offset, sent_at=0.0)
        observer.click_to_list.listed("ann", offset, received_at=(1 + offset) / 1000)
    latency = observer.latency()
    assert (latency.p50, latency.p90, latency.p99, latency.max) == (50, 90, 99, 100)


def test_lists_are_counted_by_their_ranker(observer: Observer) -> None:
    for release in ("r", "s", "s"):
        newest = right_list(made_from=replace(right_list().made_from, release=release))
        observer.take(list_record(newest), received_at=1.0)
    assert observer.lists_by_ranker == {"r": 1, "s": 2}


def test_lists_are_held_against_the_rules_of_the_shop() -> None:
    observer = Observer(TOPICS, Rules(excluded_sales=("open-03",)))
    for offset, sale in enumerate(SALES):
        observer.take(sale_record(sale, offset), received_at=0.0)
    assert judged(observer, list_record(right_list())) == (1, 1)
    assert "open-03 is excluded" in observer.invalid_examples[0]


def test_sessions_are_counted_by_visitor_and_dead_letters_by_record(observer: Observer) -> None:
    for visitor in ("ann", "bob", "ann"):
        observer.take(record(TOPICS.sessions.name, visitor, b"{}"), received_at=1.0)
        observer.take(record(TOPICS.dead_letters.name, visitor, b"?"), received_at=1.0)
    assert observer.visitors_with_session == {b"ann", b"bob"}
    assert observer.dead_letters == 3


def test_the_labels_of_a_sale_are_the_newest_until_they_are_taken_back(observer: Observer) -> None:
    def labelled(sale_id: str, labeller: str) -> SaleLabels:
        return SaleLabels(sale_id, labeller, ("http://a/1.jpg",), 1, (Scored("beach", 1.0),), (), b"", AT)

    newest = [labelled("open-01", "second"), labelled("open-00", "second")]
    for one in (labelled("open-00", "first"), *newest):
        observer.take(record(TOPICS.sale_labels.name, one.sale_id, encode(one)), received_at=1.0)
    assert list(observer.labels.values()) == newest
    observer.take(record(TOPICS.sale_labels.name, "open-01", None), received_at=1.0)
    assert list(observer.labels.values()) == newest[1:]


async def fed(*records: Record) -> AsyncIterator[Record]:
    """A consumer that yields `records`, and lets others work before each."""
    for one in records:
        await asyncio.sleep(0)
        yield one


async def test_the_observer_settles_when_the_last_click_is_answered(observer: Observer) -> None:
    observer.click_to_list.clicked("ann", offset=5, sent_at=0.0)
    settling = asyncio.create_task(observer.settle())
    visitors = ("bob", "ann", *(f"visitor-{number}" for number in range(50)))
    answers = (list_record(right_list(visitor_id=visitor)) for visitor in visitors)
    following = asyncio.create_task(observer.follow(fed(*answers), lambda: 1.0))
    await asyncio.wait_for(settling, timeout=5)
    assert 2 <= observer.lists < len(visitors)
    await following


async def test_the_observer_settles_when_the_last_list_is_judged() -> None:
    observer = Observer(TOPICS)
    observer.take(list_record(right_list()), received_at=1.0)
    settling = asyncio.create_task(observer.settle())
    sales = [sale_record(sale, offset) for offset, sale in enumerate(SALES)]
    following = asyncio.create_task(observer.follow(fed(*sales), lambda: 1.0))
    await asyncio.wait_for(settling, timeout=5)
    assert observer.lists_unjudged == 0
    await following
