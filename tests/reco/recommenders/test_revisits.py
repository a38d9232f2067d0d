"""Revisits: the visitor's own touches, by its laws and by the plain reference."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Cart, Purchase
from reco.parameters import Parameters
from reco.recommenders.revisits import Revisits
from reco.sessions import MAX_RECENT, VISIT_SILENCE
from tests.reco.plain import plain_revisits
from tests.reco.worlds import (
    DAY,
    HOUR,
    NOON,
    SALES,
    act,
    actions,
    described,
    features_of,
    learned,
    open_sales,
    session_of,
    small_knowledge,
)

HALF_LIFE = Parameters().revisits


def said(feature: str, own: list[Action], at: int = NOON, ids: tuple[str, ...] = SALES) -> dict[str, float]:
    """What a feature says about each sale to the visitor with these actions."""
    name, ids = f"revisits.{feature}", tuple(sorted(ids))
    row = described(small_knowledge(), session_of(own), open_sales(ids), [name], at)[name]
    return dict(zip(ids, row.tolist(), strict=True))


@given(
    st.lists(actions, min_size=1, max_size=100, unique_by=lambda action: action.event_id),
    st.integers(NOON - DAY, NOON + DAY),
)
def test_it_is_that_of_the_plain_reference(own: list[Action], at: int) -> None:
    session, ids = session_of(own), sorted(SALES)[::2]
    assert session is not None
    plain = plain_revisits(session, HALF_LIFE, ids, at)
    got = described(learned(own), session, open_sales(ids), features_of("revisits"), at)
    for feature in Revisits.features:
        expected = pytest.approx(plain[feature], rel=1e-5, abs=1e-30, nan_ok=True)
        assert got[f"revisits.{feature}"].tolist() == expected, feature


def test_a_sale_viewed_twice_scores_higher_than_one_viewed_once() -> None:
    scores = said("decayed", [act("s1", NOON), act("s2", NOON + 1), act("s1", NOON + 2)])
    assert scores["s1"] > scores["s2"] > scores["s3"] == 0


def test_a_sale_in_the_basket_scores_higher_than_one_viewed_after_it() -> None:
    scores = said("decayed", [act("s1", NOON, kind=Cart), act("s2", NOON + 1), act("s2", NOON + 2)])
    assert scores["s1"] > scores["s2"]


def test_a_touch_halves_with_each_half_life_before_the_newest_one() -> None:
    scores = said("decayed", [act("s1", NOON - HALF_LIFE), act("s2", NOON)])
    assert scores["s1"] == scores["s2"] / 2


def test_a_bought_sale_scores_nothing_even_if_it_is_viewed_again() -> None:
    own = [act("s1", kind=Cart), act("s1", NOON + 1, kind=Purchase), act("s1", NOON + 2)]
    assert said("decayed", own)["s1"] == 0
    assert [said(feature, own)["s1"] for feature in ("clicks", "carts", "purchases")] == [1, 1, 1]


def test_a_sale_is_remembered_beyond_the_recent_touches() -> None:
    later = [act("s2", NOON + number) for number in range(1, MAX_RECENT + 1)]
    assert said("decayed", [act("s1", NOON), *later])["s1"] > 0
    assert said("clicks", [act("s1", NOON), *later])["s1"] == 1
    assert said("decayed", [act("s1", NOON, kind=Purchase), act("s1", NOON), *later])["s1"] == 0


def test_a_visit_of_years_ago_still_says_what_was_wanted() -> None:
    assert said("decayed", [act("s1", NOON - 4000 * HALF_LIFE)])["s1"] == 1


def test_touches_of_the_newest_visit_are_told_from_older_ones() -> None:
    start = NOON + VISIT_SILENCE + 1
    own = [act("s1"), act("s1", start), act("s2", start + 1), act("s1", start + 2)]
    assert said("this_visit", own)["s1"] == 2
    assert said("clicks", own)["s1"] == 3


def test_hours_pass_from_the_newest_touch_of_a_sale_to_the_moment_of_asking() -> None:
    own = [act("s1", NOON - 5 * HOUR), act("s1", NOON - 2 * HOUR), act("s2", NOON + HOUR)]
    ago = said("hours_ago", own)
    assert (ago["s1"], ago["s2"]) == (2, 0)
    assert math.isnan(ago["s3"])


def test_other_sales_touched_since_are_counted_once_each_live_or_not() -> None:
    own = [act(sale, NOON + place) for place, sale in enumerate(("s1", "s2", "gone", "s2", "gone", "s3"))]
    ids, session = ("s1", "s2", "s3"), session_of(own)
    ago = described(learned(own), session, open_sales(ids), ["revisits.sales_ago"])["revisits.sales_ago"]
    assert ago.tolist() == [3, 2, 0]
