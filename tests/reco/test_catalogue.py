"""The catalogue: which sales are open at a time, whatever was published in between."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.catalogue import OPEN_END, Catalogue, catalogue_of
from reco.events import EARLIEST_TIME, Sale, SaleFact, Withdrawal

START = EARLIEST_TIME
moments = st.integers(START, START + 20)


def sale(sale_id: str, opens: int = 0, closes: int | None = None, title: str = "A journey") -> Sale:
    """A sale that is open from and until so many ms after the start."""
    return Sale(sale_id, title, START + opens, None if closes is None else START + closes)


def holding(*facts: SaleFact) -> Catalogue:
    """A catalogue to which these were published, in this order."""
    return catalogue_of(facts)


@st.composite
def _sales(draw: st.DrawFn) -> Sale:
    opens = draw(st.integers(0, 18))
    return sale(draw(st.sampled_from("abcdef")), opens, draw(st.none() | st.integers(opens + 1, 20)))


facts = _sales() | st.builds(Withdrawal, st.sampled_from("abcdef"))


class Plain(NamedTuple):
    """The open sales, since and until when they are these, and when the next one opens."""

    ids: list[str]
    since: int
    until: int | None
    opening: int | None


def plain_live(published: Sequence[SaleFact], at: int) -> Plain:
    """What is live, by looking at each sale."""
    newest = {fact.sale_id: fact for fact in published}
    sales = [fact for fact in newest.values() if isinstance(fact, Sale)]
    live = [
        one.sale_id for one in sales if one.opens_at <= at and (one.closes_at is None or at < one.closes_at)
    ]
    openings = [one.opens_at for one in sales]
    changes = openings + [one.closes_at for one in sales if one.closes_at is not None]
    return Plain(
        ids=sorted(live),
        since=max((change for change in changes if change <= at), default=0),
        until=min((change for change in changes if change > at), default=None),
        opening=min((opening for opening in openings if opening > at), default=None),
    )


@given(st.lists(st.tuples(facts, st.lists(moments, max_size=3)), max_size=20))
def test_live_sales_are_those_found_by_looking_at_each_sale(story: list[tuple[SaleFact, list[int]]]) -> None:
    catalogue = Catalogue(partitions=1)
    for offset, (fact, asked) in enumerate(story):
        catalogue.apply(fact, 0, offset)
        for at in asked:
            live = catalogue.live(at)
            expected = plain_live([one for one, _ in story[: offset + 1]], at)
            assert Plain(list(live.ids), live.since, live.valid_until, live.next_opening) == expected
            assert [live.position[sale_id] for sale_id in live.ids] == list(range(len(live.ids)))


def test_live_sales_are_the_same_object_until_they_change() -> None:
    catalogue = holding(sale("a", 0, 10), sale("b", 5))
    live = catalogue.live(START)
    assert catalogue.live(START + 4) is live
    assert live.valid_until == START + 5
    assert catalogue.live(START + 5) is not live


def test_a_sale_published_again_unchanged_changes_nothing_but_the_offset() -> None:
    catalogue = holding(sale("a"))
    live = catalogue.live(START)
    catalogue.apply(sale("a"), 0, 1)
    assert catalogue.live(START) is live
    assert catalogue.offsets == (2,)


def test_a_record_that_was_taken_over_before_changes_nothing() -> None:
    catalogue = holding(sale("a", title="old"), sale("a", title="new"))
    catalogue.apply(sale("a", title="old"), 0, 0)
    newest = catalogue.sale("a")
    assert newest is not None
    assert newest.title == "new"
    assert catalogue.offsets == (2,)


def test_each_partition_has_its_next_offset() -> None:
    catalogue = Catalogue(partitions=3)
    catalogue.apply(sale("a"), 2, 7)
    catalogue.apply(sale("b"), 0, 1)
    assert catalogue.offsets == (2, 0, 8)


def test_a_withdrawn_sale_is_gone_and_an_unknown_one_can_be_withdrawn() -> None:
    catalogue = holding(sale("a"), sale("b"), Withdrawal("a"), Withdrawal("never-seen"))
    assert catalogue.sale("a") is None
    assert [one.sale_id for one in catalogue.sales()] == ["b"]
    assert len(catalogue) == 1
    assert catalogue.offsets == (4,)


def test_in_a_replay_a_withdrawn_sale_is_live_until_then_and_says_what_it_said() -> None:
    catalogue = holding(sale("a"), sale("b", 0, 9), sale("c", 0, 5))
    for offset, sale_id in enumerate("abc", 3):
        catalogue.apply(Withdrawal(sale_id), 0, offset, withdrawn_at=START + 7)
    live = catalogue.live(START + 3)
    assert live.ids == ("a", "b", "c")
    assert live.closes_at.tolist() == [OPEN_END, START + 9, START + 5]
    assert [catalogue.live(START + at).ids for at in (5, 6, 7)] == [("a", "b"), ("a", "b"), ()]
    assert (catalogue.live(START + 5).since, catalogue.live(START + 5).valid_until) == (START + 5, START + 7)
    assert catalogue.live(START + 7).valid_until is None


def test_in_a_replay_a_sale_that_was_withdrawn_before_it_opened_never_was() -> None:
    catalogue = holding(sale("a", 7), sale("b"))
    for offset, sale_id in enumerate(("a", "never-seen"), 2):
        catalogue.apply(Withdrawal(sale_id), 0, offset, withdrawn_at=START + 7)
    assert catalogue.live(START + 8).ids == ("b",)
    assert catalogue.sale("a") is None


def test_in_a_replay_a_sale_stays_withdrawn_until_it_is_published_again() -> None:
    catalogue = holding(sale("a"))
    for offset, at in enumerate((5, 9), 1):
        assert catalogue.live(START + 4).ids == ("a",)
        catalogue.apply(Withdrawal("a"), 0, offset, withdrawn_at=START + at)
    assert [catalogue.live(START + at).ids for at in (4, 6)] == [("a",), ()]
    catalogue.apply(sale("a"), 0, 3)
    assert catalogue.live(START + 20).ids == ("a",)


def test_one_of_several_sales_is_removed_and_the_others_keep_their_times() -> None:
    catalogue = holding(sale("a"), sale("b", 2), sale("c", 3, 8))
    catalogue.apply(Withdrawal("c"), 0, 3, withdrawn_at=START + 6)
    catalogue.apply(Withdrawal("a"), 0, 4)
    assert [catalogue.live(START + at).ids for at in (1, 2, 5, 6)] == [(), ("b",), ("b", "c"), ("b",)]
    assert catalogue.live(START + 5).closes_at.tolist() == [OPEN_END, START + 8]


@pytest.mark.parametrize(("at", "open_"), [(4, False), (5, True), (8, True), (9, False)])
def test_a_sale_is_open_from_its_opening_until_before_its_closing(at: int, open_: bool) -> None:  # noqa: FBT001
    assert ("a" in holding(sale("a", 5, 9)).live(START + at).position) is open_


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python, and rounds of loops in them, `work` goes through."""
    count, before = 0, sys.gettrace()

    def trace(*_: object) -> Any:
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_a_hundred_thousand_past_sales_cost_little() -> None:
    past = [sale(f"past-{number:06}", 0, 1) for number in range(100_000)]
    catalogue = holding(*past, *(sale(f"open-{number}", 2) for number in range(300)))
    assert steps(lambda: catalogue.apply(sale("open-0", 2, 100), 0, 200_000)) < 100
    assert steps(lambda: catalogue.live(START + 2)) < 300 * 10, "work in Python for sales that are over"
    assert len(catalogue.live(START + 2).ids) == 300
