"""Popularity: decayed counts, rates and trends, by their laws and by the plain reference."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Cart, Purchase
from reco.parameters import Parameters, PopularityParameters
from reco.recommenders.popularity import COUNTED, PRIOR_CLICKS, Popularity
from tests.reco.plain import COUNTED_KINDS, plain_popularity, steps_of
from tests.reco.worlds import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    OPENED,
    SALES,
    act,
    described,
    features_of,
    histories,
    learned,
    long_log,
    open_sales,
    small_knowledge,
    visits,
)

YEARS = 11 * 365 * DAY
TODAY = PopularityParameters().today
half_lives = st.integers(1_000, 30 * DAY)
parameters = st.builds(
    PopularityParameters,
    now=half_lives,
    recent=half_lives,
    today=half_lives,
    lasting=st.integers(DAY, 30 * DAY),  # so long that a float32 does not run out of digits
)


def said(feature: str, log: list[Action], ids: tuple[str, ...] = SALES, at: int = NOON) -> list[float]:
    """What a feature says about each sale after this log."""
    live = open_sales(sorted(ids))
    name = f"popularity.{feature}"
    return described(learned(log), None, live, [name], at)[name].tolist()  # type: ignore[no-any-return]


@given(histories, st.just(PopularityParameters()) | parameters, st.integers(0, 3 * DAY))
def test_it_is_that_of_the_plain_reference(log: list[Action], some: PopularityParameters, later: int) -> None:
    assert_equals_plain(log, some, sorted(SALES), NOON + later)


def test_a_long_log_is_that_of_the_plain_reference() -> None:
    log = long_log(seed=5, length=1000)
    ids = sorted({action.sale_id for action in log})
    assert_equals_plain(log, PopularityParameters(), ids, NOON + 30 * DAY)


def assert_equals_plain(log: list[Action], some: PopularityParameters, ids: list[str], at: int) -> None:
    """After the same log, each sale has the same scores."""
    plain = plain_popularity(some, steps_of(log), ids, at, OPENED)
    knowledge = learned(log, knowledge=small_knowledge(parameters=Parameters(popularity=some)))
    got = described(knowledge, None, open_sales(ids), features_of("popularity"), at)
    for feature in Popularity.features:
        expected = pytest.approx(plain[feature], rel=1e-5, abs=1e-30, nan_ok=True)
        assert got[f"popularity.{feature}"].tolist() == expected, feature


@pytest.mark.parametrize("feature", COUNTED)
def test_a_count_halves_with_each_half_life(feature: str) -> None:
    half_life = getattr(PopularityParameters(), feature.partition("_")[2])
    kind = COUNTED_KINDS[feature.partition("_")[0]]
    older, newer = visits("ab", start=NOON - half_life, kind=kind), visits("xc", start=NOON, kind=kind)
    counts = said(feature, [*older, *newer], ("b", "c"), NOON + 1)
    assert counts == pytest.approx([0.5, 1], rel=1e-3)


def test_clicks_carts_and_purchases_are_counted_apart() -> None:
    log = [act("s1", NOON), act("s1", NOON, kind=Cart), act("s2", NOON, kind=Purchase)]
    assert said("clicks_today", log, ("s1", "s2")) == [1.0, 0.0]
    assert said("carts_today", log, ("s1", "s2")) == [1.0, 0.0]
    assert said("purchases_today", log, ("s1", "s2")) == [0.0, 1.0]


def test_a_visit_goes_onward_to_every_sale_but_the_one_that_it_landed_on() -> None:
    landed, onward, reloaded = act("s1", NOON - 2), act("s2", NOON - 1), act("s1", NOON)
    assert said("onward_now", [landed, onward, reloaded], ("s1", "s2"))[0] == 0
    assert said("onward_now", [landed, onward, reloaded], ("s1", "s2"))[1] > 0


@given(st.integers(0, 100 * TODAY), st.integers(0, 100 * TODAY))
def test_a_late_click_counts_for_less_never_for_more(age: int, more: int) -> None:
    rival = act("s2", NOON)
    sooner, _ = said("clicks_today", [rival, act("s1", NOON - age)], ("s1", "s2"))
    later, _ = said("clicks_today", [rival, act("s1", NOON - age - more)], ("s1", "s2"))
    assert later <= sooner <= 1


@given(st.permutations([act("s1", NOON - TODAY), act("s2", NOON), act("s3", NOON - 2 * TODAY)]))
def test_a_click_counts_by_its_own_time_whenever_it_arrives(log: list[Action]) -> None:
    counts = said("clicks_today", log, ("s1", "s2", "s3"))
    assert counts == pytest.approx([1 / 2, 1, 1 / 4], rel=1e-6)


def test_counts_of_a_log_of_years_ago_are_those_of_its_own_time() -> None:
    log = [act("s1", NOON - YEARS), act("s2", NOON - YEARS + TODAY)]
    assert said("clicks_today", log, ("s1", "s2")) == pytest.approx([1 / 2, 1], rel=1e-6)


@pytest.mark.parametrize("order", [1, -1])
def test_years_between_two_clicks_leave_nothing_of_the_older_one(order: int) -> None:
    log = [act("s1", NOON - YEARS), act("s2", NOON)][::order]
    assert said("clicks_lasting", log, ("s1", "s2")) == [0.0, 1.0]


def test_what_is_asked_about_an_earlier_moment_counts_as_of_that_moment() -> None:
    log = [act("s1", NOON - 2 * TODAY), act("s2", NOON)]
    now, then = (said("clicks_today", log, ("s1", "s2"), at) for at in (NOON, NOON - TODAY))
    assert then[0] == pytest.approx(2 * now[0], rel=1e-6)
    assert max(then) <= 2**1


def test_a_rate_is_that_of_all_sales_where_a_sale_has_few_clicks_and_its_own_where_it_has_many() -> None:
    many = [act("s1", NOON, f"v{number}") for number in range(400)]
    bought = [act("s1", NOON, f"v{number}", Purchase) for number in range(40)]
    few = [act("s2", NOON, "passer-by"), act("s2", NOON, "passer-by", Purchase)]
    rates = said("conversion", [*many, *bought, *few], ("s1", "s2"))
    overall = 41 / 401
    assert rates[0] == pytest.approx((40 + PRIOR_CLICKS * overall) / (400 + PRIOR_CLICKS), rel=1e-3)
    assert rates[1] == pytest.approx((1 + PRIOR_CLICKS * overall) / (1 + PRIOR_CLICKS), rel=1e-3)


def test_a_rate_stays_finite_when_nothing_is_left_of_the_clicks() -> None:
    log = [act("s1", NOON - YEARS), act("s1", NOON, kind=Purchase), act("s2", NOON, "bob", Cart)]
    for rate in ("carts_per_click", "conversion"):
        assert max(said(rate, log, ("s1", "s2"))) <= 1


def test_a_sale_that_rises_has_a_trend_above_one_that_falls() -> None:
    rising = [act("rising", NOON - number * 1000, f"v{number}") for number in range(20)]
    falling = [act("falling", NOON - 6 * HOUR - number * 1000, f"v{number}") for number in range(20)]
    for trend in ("trend_now", "trend_recent"):
        of_falling, of_rising = said(trend, [*rising, *falling], ("falling", "rising"))
        assert of_falling < 1 < of_rising


def test_age_and_idleness_are_hours_since_the_first_and_the_newest_action() -> None:
    log = [act("s1", NOON - 15 * MINUTE), act("s1", NOON - 45 * MINUTE), act("s2", NOON, kind=Cart)]
    assert said("age", log, ("s1", "s2")) == [0.75, 0.0]
    assert said("idle", log, ("s1", "s2")) == [0.25, 0.0]
    assert math.isnan(said("age", log, ("s3",))[0])


def test_no_sale_is_older_than_it_is_open_whatever_a_wrong_clock_says() -> None:
    log = [act("s1", NOON - YEARS), act("s1", NOON)]
    assert said("age", log, ("s1",)) == [(NOON - OPENED) / HOUR]
    assert said("age", log[:1], ("s1",)) == [0.0]
