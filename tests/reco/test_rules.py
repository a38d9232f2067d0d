"""The rules that a list obeys: what is excluded, what sinks, what caps, diversity and exploration change."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.candidates import NOWHERE, Touches, candidates_of, touches_of
from reco.catalogue import Catalogue
from reco.events import Click, Purchase
from reco.lists import LIST_LENGTH
from reco.policy import Rules
from reco.rules import bought, choose, rules_in_force
from reco.sessions import Remembered, Session
from tests.reco.plain_rules import plain_choice, traits
from tests.reco.shops import (
    Shop,
    all_rules,
    caps,
    diversities,
    exclusions,
    explorations,
    sale_at,
    shop,
    shops,
)
from tests.reco.worlds import NOON, act, open_sales, session_of

IDS = "abcde"
CANDIDATES = candidates_of(open_sales(list(IDS)), {}, capacity=8)
any_scores = st.lists(st.floats(width=32), min_size=5, max_size=5)
purchases = st.sets(st.sampled_from(IDS))


def having_bought(*sales: str) -> Touches:
    """The touches of a visitor who bought these and looked at another."""
    own = [act(sale, NOON, kind=Purchase) for sale in sales]
    return touches_of(session_of([*own, act("elsewhere", kind=Click)]), CANDIDATES)


def obeyed(scores: list[float], touches: Touches) -> list[float]:
    """The scores by which a list is cut, in the order of the sales."""
    in_force = rules_in_force(Rules(), CANDIDATES.live, Catalogue(1))
    chosen = choose(np.array(scores, np.float32), CANDIDATES.places, touches, in_force, "list")
    return [one.score for one in sorted(chosen)]


def test_what_was_bought_is_known_from_the_visit_and_from_memory() -> None:
    session = Session("ann", 3, memory=(Remembered("b", NOON, purchases=1), Remembered("c", NOON, clicks=5)))
    assert [IDS[position] for position in bought(touches_of(session, CANDIDATES))] == ["b"]
    assert {IDS[position] for position in bought(having_bought("a", "d"))} == {"a", "d"}


def test_scores_of_which_all_are_finite_stay_as_they_are() -> None:
    assert obeyed([1.0, -2.0, 0.5, 3.0, 0.0], having_bought()) == [1.0, -2.0, 0.5, 3.0, 0.0]


def test_what_is_not_finite_sinks_to_the_lowest_finite_score() -> None:
    assert obeyed([math.nan, 2.0, math.inf, -math.inf, 7.0], having_bought()) == [2.0, 2.0, 2.0, 2.0, 7.0]


def test_without_any_finite_score_all_are_equal() -> None:
    assert obeyed([math.nan, math.inf, -math.inf, math.nan, math.inf], having_bought()) == [0.0] * 5


@given(any_scores, purchases)
def test_all_scores_become_finite_and_the_bought_ones_lowest(scores: list[float], sales: set[str]) -> None:
    after = dict(zip(IDS, obeyed(scores, having_bought(*sorted(sales))), strict=True))
    assert all(math.isfinite(score) for score in after.values())
    others = [after[sale] for sale in IDS if sale not in sales]
    assert all(after[sale] < other for sale in sales for other in others)


@given(any_scores, purchases)
def test_finite_scores_of_sales_that_were_not_bought_do_not_change(
    scores: list[float], sales: set[str]
) -> None:
    after = obeyed(scores, having_bought(*sorted(sales)))
    for sale, before, now in zip(IDS, scores, after, strict=True):
        if math.isfinite(before) and sale not in sales:
            assert now == before


@given(shops(), all_rules, st.text())
def test_a_list_is_what_the_rules_make_it_sale_by_sale(some: Shop, rules: Rules, list_id: str) -> None:
    chosen = some.choice(rules, list_id)
    got = [(some.sales[one.position].sale_id, one.score, one.propensity) for one in chosen]
    assert got == plain_choice(some, rules, list_id)


@given(shops(), all_rules)
def test_whatever_only_fills_a_list_is_told_from_the_scored(some: Shop, rules: Rules) -> None:
    scored = [position for position, score in enumerate(some.scores) if score is not None]
    for one in some.choice(rules):
        if some.scores[one.position] is None or some.sales[one.position].sale_id in some.bought:
            assert one.scored == NOWHERE
        else:
            assert scored[one.scored] == one.position


@given(shops(), all_rules)
def test_a_list_holds_ten_distinct_sales_or_all_that_are_not_excluded(some: Shop, rules: Rules) -> None:
    listed = some.listed(rules)
    excluded = [
        one.sale_id
        for one in some.sales
        if one.sale_id in rules.excluded_sales or traits(one) & set(rules.excluded_tags)
    ]
    assert len(listed) == len(set(listed)) == min(LIST_LENGTH, len(some.sales) - len(excluded))
    assert set(listed).isdisjoint(excluded)


@given(shops(), all_rules)
def test_what_was_bought_stands_behind_all_others(some: Shop, rules: Rules) -> None:
    was_bought = [sale_id in some.bought for sale_id in some.listed(rules)]
    assert was_bought == sorted(was_bought)
    if any(was_bought):
        excluded = set(rules.excluded_sales), set(rules.excluded_tags)
        others = [one for one in some.sales if one.sale_id not in {*excluded[0], *some.bought}]
        assert was_bought.count(False) == len([one for one in others if not traits(one) & excluded[1]])


@given(shops(), st.builds(Rules, exploration=explorations, **exclusions))
def test_without_caps_and_diversity_the_best_come_first_and_ties_stand_by_id(
    some: Shop, rules: Rules
) -> None:
    for better, worse in pairwise(some.choice(rules)):
        assert (-better.score, better.position) < (-worse.score, worse.position)


@given(shops(), caps, diversities, explorations)
def test_caps_hold_if_enough_other_sales_are_there(
    some: Shop, limits: dict[str, int], diversity: float, exploration: float
) -> None:
    plenty = [sale_at(len(some.sales) + number) for number in range(LIST_LENGTH)]
    roomy = Shop([*some.sales, *plenty], [*some.scores, *[0.0] * LIST_LENGTH], some.bought)
    chosen = roomy.choice(Rules(caps=limits, diversity=diversity, exploration=exploration))
    listed = Counter(trait for one in chosen for trait in traits(roomy.sales[one.position]))
    for name, limit in limits.items():
        assert all(count <= limit for trait, count in listed.items() if trait.startswith(name))


def test_a_sale_of_a_full_group_is_passed_over() -> None:
    italian = [sale_at(position, "IT") for position in (0, 1, 2, 5)]
    listed = shop(20, *italian).listed(Rules(caps={"country": 2}))
    assert listed == ["s000", "s001", "s003", "s004", *(f"s{number:03}" for number in range(6, 12))]


def test_a_sale_counts_in_each_group_that_it_is_in() -> None:
    two_brands = [sale_at(0, None, "brand:a", "brand:b"), sale_at(1, None, "brand:b")]
    listed = shop(20, *two_brands).listed(Rules(caps={"brand:": 1}))
    assert listed[:2] == ["s000", "s002"]


def test_a_tag_that_only_begins_like_a_country_is_not_capped() -> None:
    rural = [sale_at(position, None, "countryside") for position in range(3)]
    assert shop(20, *rural).listed(Rules(caps={"country": 1}))[:3] == ["s000", "s001", "s002"]


def test_too_few_for_the_caps_are_filled_up_by_those_passed_over_and_then_by_what_was_bought() -> None:
    italian = [sale_at(position, "IT") for position in range(9)]
    listed = shop(10, *italian, bought=("s000",)).listed(Rules(caps={"country": 2}))
    assert listed[:3] == ["s001", "s002", "s009"]
    assert listed[3:] == ["s003", "s004", "s005", "s006", "s007", "s008", "s000"]


def test_an_excluded_sale_is_not_even_listed_if_there_is_no_other() -> None:
    few = shop(3, sale_at(1, "IT", "beach"))
    assert few.listed(Rules(excluded_sales=("s000",), excluded_tags=("beach",))) == ["s002"]
    assert few.listed(Rules(excluded_tags=("country:IT",))) == ["s000", "s002"]
    assert few.listed(Rules(excluded_sales=("s000", "s001", "s002", "unknown"))) == []


def test_sales_that_were_not_scored_fill_up_a_list_behind_those_that_were_and_before_what_was_bought() -> (
    None
):
    some = shop(12, bought=("s000", "s011"))
    few = some._replace(scores=[0.9, 0.3, *[None] * 8, 0.7, None])
    assert few.listed(Rules()) == ["s010", *(f"s{position:03}" for position in range(1, 10))]
    low = some._replace(scores=[None] * 9 + [0.9, -3.0, 0.3])
    assert low.listed(Rules())[:2] == ["s009", "s010"]
    fewer = Shop(few.sales[:11], few.scores[:11], ("s000", "s005"))
    assert fewer.listed(Rules())[-1] == "s000"
    assert fewer.listed(Rules(excluded_sales=("s007",)))[-2:] == ["s000", "s005"]


def test_a_list_of_no_sales_is_empty_whatever_the_rules() -> None:
    assert shop(0).listed(Rules(caps={"country": 1}, diversity=0.5, exploration=0.2)) == []
