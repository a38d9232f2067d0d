"""Popularity by segment: counts, rates and lifts, by their laws and by the plain reference."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Cart, Click, Purchase
from reco.parameters import Parameters
from reco.recommenders.segments import SegmentPopularity
from tests.reco.plain import plain_segments
from tests.reco.worlds import (
    CONTEXTS,
    DAY,
    MINUTE,
    NOON,
    SALES,
    act,
    described,
    features_of,
    histories,
    learned,
    long_log,
    open_sales,
    session_of,
)

PARAMETERS = Parameters().popularity
HALF_LIVES = {
    "clicks": PARAMETERS.segments,
    "clicks_today": PARAMETERS.today,
    "bought_today": PARAMETERS.today,
    "bought_lasting": PARAMETERS.lasting,
}
"""Of what is counted within a segment."""
FRANCE, ITALY = "ann", "cleo"


def said(
    feature: str,
    log: list[Action],
    visitor: str = FRANCE,
    ids: tuple[str, ...] = ("a", "b"),
    at: int = NOON,
) -> dict[str, float]:
    """What a feature says about each sale after this log, to one who comes from where this visitor does."""
    session = session_of([act("elsewhere", NOON, visitor)])
    name = f"segments.{feature}"
    row = described(learned(log), session, open_sales(sorted(ids)), [name], at)[name]
    return dict(zip(sorted(ids), row.tolist(), strict=True))


def assert_equals_plain(log: list[Action], visitor: str, ids: list[str]) -> None:
    """After the same log, for a visitor with the same context, each sale has the same scores."""
    session = session_of([act("elsewhere", NOON, visitor)])
    got = described(learned(log), session, open_sales(ids), features_of("segments"), NOON + 30 * DAY)
    plain = plain_segments(Parameters().segments, PARAMETERS, log, CONTEXTS.get(visitor, {}), ids)
    for feature in SegmentPopularity.features:
        assert got[f"segments.{feature}"].tolist() == pytest.approx(
            plain[feature], rel=1e-5, abs=1e-20, nan_ok=True
        ), feature


@given(histories, st.sampled_from((*CONTEXTS, "nobody knows")))
def test_it_is_that_of_the_plain_reference(log: list[Action], visitor: str) -> None:
    assert_equals_plain(log, visitor, sorted(SALES))


def test_a_long_log_is_that_of_the_plain_reference() -> None:
    log = long_log(seed=3, length=1000)
    assert_equals_plain(log, FRANCE, sorted({action.sale_id for action in log}))


def test_the_clicks_of_a_segment_count_for_visitors_of_that_segment_only() -> None:
    log = [act("a", NOON, FRANCE), act("b", NOON, ITALY)]
    assert said("first_clicks", log, FRANCE) == {"a": 1.0, "b": 0.0}
    assert said("first_clicks", log, ITALY) == {"a": 0.0, "b": 1.0}


@pytest.mark.parametrize("feature", SegmentPopularity.features)
def test_it_says_nothing_to_visitors_of_whom_nothing_is_known(feature: str) -> None:
    log = [act("a", NOON, FRANCE), act("b", NOON, ITALY), act("b", NOON, "dan")]
    nothing = math.nan if feature.endswith("_lift") else 0.0
    assert list(said(feature, log, "dan").values()) == pytest.approx([nothing] * 2, nan_ok=True)


def test_the_lift_of_a_new_sale_is_not_known_and_none_of_the_lowest() -> None:
    assert said("first_lift", [act("a", NOON, FRANCE)]) == {
        "a": 1.0,
        "b": pytest.approx(math.nan, nan_ok=True),
    }


def test_shares_of_the_candidates_sum_to_one() -> None:
    log = [act("a", NOON, FRANCE), act("b", NOON - MINUTE, FRANCE), act("closed", NOON, FRANCE)]
    assert sum(said("first_clicks~share", log).values()) == pytest.approx(1)


def test_a_lift_is_one_where_a_segment_likes_what_all_like_and_higher_where_it_likes_it_more() -> None:
    alike = [act(sale, NOON, visitor) for sale in "ab" for visitor in (FRANCE, ITALY)]
    assert list(said("first_lift", alike).values()) == pytest.approx([1, 1])
    patriots = [act("a", NOON - turn, FRANCE) for turn in range(9)]
    lifts = said("first_lift", [*alike, *patriots])
    assert lifts["a"] > 1 > lifts["b"]
    assert said("first_lift", [*alike, *patriots], ITALY)["a"] < 1


def test_clicks_and_purchases_are_counted_apart_and_carts_not_at_all() -> None:
    log = [act("a", NOON, FRANCE), act("b", NOON, FRANCE, Purchase), act("b", NOON, FRANCE, Cart)]
    assert said("first_clicks", log) == {"a": 1.0, "b": 0.0}
    assert said("first_bought_lasting", log) == {"a": 0.0, "b": 1.0}


def test_what_italy_buys_says_nothing_to_france() -> None:
    log = [act(sale, NOON, visitor) for sale in "ab" for visitor in (FRANCE, ITALY)]
    log.append(act("a", NOON, ITALY, Purchase))
    for rate in ("first_conversion", "first_conversion_today"):
        rates = said(rate, log, ITALY)
        assert rates["a"] > rates["b"] > 0
        assert said(rate, log, FRANCE) == {"a": 0.0, "b": 0.0}


@pytest.mark.parametrize("count", HALF_LIVES)
def test_a_count_halves_with_each_half_life(count: str) -> None:
    kind = Purchase if "bought" in count else Click
    log = [act("a", NOON - HALF_LIVES[count], FRANCE, kind), act("b", NOON, FRANCE, kind)]
    assert said(f"first_{count}", log) == pytest.approx({"a": 0.5, "b": 1.0}, rel=1e-6)


def test_what_is_asked_about_an_earlier_moment_counts_as_of_that_moment() -> None:
    log = [act("a", NOON - HALF_LIVES["clicks"], FRANCE), act("b", NOON, FRANCE)]
    assert said("first_clicks", log, at=NOON - HALF_LIVES["clicks"])["a"] == pytest.approx(1.0, rel=1e-6)


def test_what_is_asked_about_long_ago_stays_finite() -> None:
    log = [act("a", NOON, FRANCE), act("b", NOON, ITALY, Purchase)]
    for feature in SegmentPopularity.features:
        assert not np.isinf(list(said(feature, log, at=NOON - 4000 * DAY).values())).any(), feature


@pytest.mark.parametrize("order", [1, -1])
def test_years_between_two_clicks_leave_nothing_of_the_older_one(order: int) -> None:
    log = [act("a", NOON - 4000 * DAY, FRANCE), act("b", NOON, FRANCE)][::order]
    assert said("first_clicks", log) == {"a": 0.0, "b": 1.0}
