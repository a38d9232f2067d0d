"""Revisits: the visitor's own touches, by its laws and by the plain reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Cart, Purchase
from reco.recommenders.revisits import HALF_LIFE
from reco.sessions import MAX_RECENT
from tests.reco.plain import plain_revisits
from tests.reco.worlds import NOON, SALES, act, actions, described, open_sales, session_of, small_knowledge


def revisited(own: list[Action]) -> dict[str, float]:
    """What each sale scores for the visitor with these actions."""
    ids = sorted(SALES)
    scores = described(small_knowledge(), session_of(own), open_sales(ids))["revisits"]
    return dict(zip(ids, scores.tolist(), strict=True))


@given(st.lists(actions, min_size=1, max_size=100, unique_by=lambda action: action.event_id))
def test_it_is_that_of_the_plain_reference(own: list[Action]) -> None:
    session = session_of(own)
    assert session is not None
    ids = sorted(SALES)
    assert list(revisited(own).values()) == pytest.approx(plain_revisits(session, ids), rel=1e-3, abs=1e-12)


def test_a_sale_viewed_twice_scores_higher_than_one_viewed_once() -> None:
    scores = revisited([act("s1", NOON), act("s2", NOON + 1), act("s1", NOON + 2)])
    assert scores["s1"] > scores["s2"] > scores["s3"] == 0


def test_a_sale_in_the_basket_scores_higher_than_one_viewed_after_it() -> None:
    scores = revisited([act("s1", NOON, kind=Cart), act("s2", NOON + 1), act("s2", NOON + 2)])
    assert scores["s1"] > scores["s2"]


def test_a_touch_halves_with_each_half_life_before_the_newest_one() -> None:
    scores = revisited([act("s1", NOON - HALF_LIFE), act("s2", NOON)])
    assert scores["s1"] == scores["s2"] / 2


def test_a_bought_sale_scores_nothing_even_if_it_is_viewed_again() -> None:
    scores = revisited([act("s1", kind=Cart), act("s1", NOON + 1, kind=Purchase), act("s1", NOON + 2)])
    assert scores["s1"] == 0


def test_a_sale_is_remembered_beyond_the_recent_touches() -> None:
    later = [act("s2", NOON + number) for number in range(1, MAX_RECENT + 1)]
    assert revisited([act("s1", NOON), *later])["s1"] > 0
    assert revisited([act("s1", NOON, kind=Purchase), act("s1", NOON), *later])["s1"] == 0


def test_a_visit_of_years_ago_still_says_what_was_wanted() -> None:
    assert revisited([act("s1", NOON - 4000 * HALF_LIFE)])["s1"] == 1
