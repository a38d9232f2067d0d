"""Popularity: shares of decayed counts, by its laws and by the plain reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Cart, Click, Purchase
from reco.recommenders.popularity import HALF_LIFE, KIND_WEIGHTS
from tests.reco.plain import PlainPopularity
from tests.reco.worlds import NOON, SALES, act, actions, described, learned, open_sales

YEARS = 11 * 365 * 24 * 60 * 60 * 1000


def shares(log: list[Action], ids: tuple[str, ...] = SALES) -> list[float]:
    """Each sale's share after this log."""
    return described(learned(log), None, open_sales(sorted(ids)))["popularity"].tolist()  # type: ignore[no-any-return]


@given(st.lists(actions, max_size=40, unique_by=lambda action: action.event_id))
def test_it_is_that_of_the_plain_reference(log: list[Action]) -> None:
    plain = PlainPopularity()
    for action in log:
        plain.learn(action)
    ids = sorted(SALES)
    assert shares(log) == pytest.approx(plain.score(ids), rel=1e-3, abs=1e-12)


def test_shares_sum_to_one() -> None:
    assert sum(shares([act("s1"), act("s2"), act("s2", NOON + 1)])) == pytest.approx(1)


def test_a_count_halves_with_each_half_life() -> None:
    older, newer = shares([act("s1", NOON - HALF_LIFE), act("s2", NOON)], ("s1", "s2"))
    assert older == pytest.approx(newer / 2, rel=1e-6)


@given(st.integers(0, 100 * HALF_LIFE), st.integers(0, 100 * HALF_LIFE))
def test_a_late_click_counts_for_less_never_for_more(age: int, more: int) -> None:
    rival = act("s2", NOON)
    sooner, _ = shares([rival, act("s1", NOON - age)], ("s1", "s2"))
    later, _ = shares([rival, act("s1", NOON - age - more)], ("s1", "s2"))
    assert later <= sooner <= 0.5


@given(st.permutations([act("s1", NOON - HALF_LIFE), act("s2", NOON), act("s3", NOON - 2 * HALF_LIFE)]))
def test_a_click_counts_by_its_own_time_whenever_it_arrives(log: list[Action]) -> None:
    assert shares(log, ("s1", "s2", "s3")) == pytest.approx([2 / 7, 4 / 7, 1 / 7], rel=1e-6)


def test_shares_of_a_log_of_years_ago_are_those_of_its_own_time() -> None:
    log = [act("s1", NOON - YEARS), act("s2", NOON - YEARS + HALF_LIFE)]
    assert shares(log, ("s1", "s2")) == pytest.approx([1 / 3, 2 / 3], rel=1e-6)


def test_years_between_two_clicks_leave_nothing_of_the_older_one() -> None:
    assert shares([act("s1", NOON - YEARS), act("s2", NOON)], ("s1", "s2")) == [0.0, 1.0]
    assert shares([act("s2", NOON), act("s1", NOON - YEARS)], ("s1", "s2")) == [0.0, 1.0]


@pytest.mark.parametrize(("kind", "weight"), list(zip((Click, Cart, Purchase), KIND_WEIGHTS, strict=True)))
def test_a_purchase_counts_more_than_a_cart_and_that_more_than_a_click(
    kind: type[Action], weight: float
) -> None:
    share, _ = shares([act("s1", kind=kind), act("s2")], ("s1", "s2"))
    assert share == pytest.approx(weight / (weight + 1))
    assert sorted(set(KIND_WEIGHTS)) == list(KIND_WEIGHTS)
