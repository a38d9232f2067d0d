"""Exploration draws the last place by lot, just as often as it says, so that it can be learned from."""

from collections import Counter
from math import isclose, sqrt
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.exploration import last_place
from reco.lists import LIST_LENGTH
from reco.policy import MAX_EXPLORATION, Rules
from tests.reco.shops import Shop, all_rules, sale_at, shop, shops

LISTS = 20_000
SHARE = 0.2
OTHERS = np.arange(10, 25)
PLACES = [last_place(9, OTHERS, SHARE, f"list {number}") for number in range(LISTS)]
"""The last place of many lists: the sale that got it, and its propensity."""


def test_each_sale_is_listed_as_often_as_its_propensity_says() -> None:
    propensities = dict(PLACES)
    assert len(propensities) == 1 + len(OTHERS)
    assert isclose(sum(propensities.values()), 1.0)
    for position, times in Counter(position for position, _ in PLACES).items():
        expected = propensities[position]
        assert abs(times / LISTS - expected) < 4 * sqrt(expected * (1 - expected) / LISTS)


def test_what_another_policy_would_have_earned_is_estimated_without_bias() -> None:
    random = Random(7)
    rate = {9: 0.3} | {position: 0.1 + 0.02 * (position - 10) for position in OTHERS.tolist()}
    earned = [(position, propensity, random.random() < rate[position]) for position, propensity in PLACES]
    uniform = 1 / len(OTHERS)
    terms = [bought / propensity * (position != 9) * uniform for position, propensity, bought in earned]
    truth = sum(rate[position] for position in OTHERS.tolist()) * uniform
    error = float(np.std(terms)) / sqrt(LISTS)
    assert abs(float(np.mean(terms)) - truth) < 3 * error
    # Without the propensities, the estimate is far off.
    logged = float(np.mean([bought for *_, bought in earned]))
    assert abs(logged - truth) > 3 * error


def test_a_list_that_is_drawn_at_a_small_share_is_drawn_alike_at_a_greater_one() -> None:
    few = [last_place(9, OTHERS, 0.05, f"list {number}")[0] for number in range(LISTS)]
    drawn = [(place, more) for place, (more, _) in zip(few, PLACES, strict=True) if place != 9]
    assert drawn
    assert all(place == more for place, more in drawn)


@given(shops(), all_rules, st.text())
def test_the_same_list_is_drawn_again(some: Shop, rules: Rules, list_id: str) -> None:
    assert some.choice(rules, list_id) == some.choice(rules, list_id)


@given(shops(), st.text())
def test_only_the_last_place_of_a_full_list_is_drawn(some: Shop, list_id: str) -> None:
    plain, drawn = some.listed(Rules()), some.choice(Rules(exploration=MAX_EXPLORATION), list_id)
    assert [some.sales[one.position].sale_id for one in drawn[:-1]] == plain[:-1]
    assert all(one.propensity == 1.0 for one in drawn[: LIST_LENGTH - 1])
    fresh = len(some.sales) - len(some.bought)
    if len(drawn) == LIST_LENGTH:
        assert (drawn[-1].propensity == 1.0) == (fresh <= LIST_LENGTH)


def test_nothing_that_was_bought_excluded_or_capped_is_ever_drawn() -> None:
    some = shop(16, *(sale_at(position, "IT") for position in (0, 13, 14)), bought=("s011",))
    rules = Rules(exploration=MAX_EXPLORATION, excluded_sales=("s012",), caps={"country": 1})
    last = Counter(some.listed(rules, f"list {number}")[-1] for number in range(400))
    assert set(last) == {"s009", "s010", "s015"}


def test_a_sale_of_a_group_that_only_the_last_place_fills_may_be_drawn_for_it() -> None:
    some = shop(11, sale_at(9, "IT"), sale_at(10, "IT"))
    rules = Rules(exploration=MAX_EXPLORATION, caps={"country": 1})
    assert {some.listed(rules, f"list {number}")[-1] for number in range(200)} == {"s009", "s010"}


def test_a_replay_by_another_version_draws_what_this_one_does() -> None:
    drawn = {number: position for number, (position, _) in enumerate(PLACES[:20]) if position != 9}
    assert drawn == {2: 11, 9: 23, 15: 22, 17: 23}


def test_without_others_or_a_share_nothing_is_drawn() -> None:
    assert last_place(9, OTHERS[:0], 0.2, "a list") == (9, 1.0)
    assert last_place(9, OTHERS, 0.0, "a list") == (9, 1.0)
