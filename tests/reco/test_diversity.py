"""Diversity marks down what is like a sale before it, and changes nothing when it is off."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.caps import CappedGroups, Room
from reco.diversity import POOL, diverse, likeness
from reco.lists import LIST_LENGTH
from reco.policy import Rules
from tests.reco.shops import TAGS, Shop, sale_at, shop, shops

tag_sets = st.frozensets(st.sampled_from(TAGS))
TWINS = [sale_at(position, "IT", "beach") for position in range(3)]


@given(tag_sets, tag_sets)
def test_likeness_is_the_same_both_ways_and_1_for_the_same_tags_only(
    some: frozenset[str], others: frozenset[str]
) -> None:
    assert likeness(some, others) == likeness(others, some)
    assert (likeness(some, others) == 1.0) == (some == others and bool(some))
    assert (likeness(some, others) == 0.0) == some.isdisjoint(others)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=POOL), st.data())
def test_at_diversity_0_the_formula_gives_the_plain_order(scores: list[float], data: st.DataObject) -> None:
    tags = [data.draw(tag_sets) for _ in scores]
    order = np.argsort(-np.array(scores, np.float64), kind="stable")
    room = Room(len(scores), CappedGroups((), (), ()))
    listed = diverse(order, np.array(scores, np.float64), tags, 0.0, room)
    assert listed == order[:LIST_LENGTH].tolist()


@given(shops(), st.floats(0, 1))
def test_the_best_sale_stands_first_at_any_diversity(some: Shop, diversity: float) -> None:
    assert some.listed(Rules(diversity=diversity))[:1] == some.listed(Rules())[:1]


def test_a_sale_just_like_the_best_stands_behind_those_that_are_not() -> None:
    listed = shop(20, *TWINS).listed(Rules(diversity=0.5))
    assert listed[:3] == ["s000", "s003", "s004"]
    assert not {"s001", "s002"} & set(listed)


def test_a_little_diversity_does_not_undo_a_great_difference_in_score() -> None:
    close = shop(20, *TWINS)
    clear = close._replace(scores=[1.0, 0.9, 0.8, *[0.1 - number / 1000 for number in range(17)]])
    assert clear.listed(Rules(diversity=0.1))[:3] == ["s000", "s001", "s002"]
    assert close.listed(Rules(diversity=0.1)) != close.listed(Rules())


def test_sales_without_tags_keep_their_order() -> None:
    assert shop(60).listed(Rules(diversity=0.7)) == shop(60).listed(Rules())


def test_if_caps_leave_too_few_in_the_pool_the_list_goes_on_behind_it() -> None:
    italian = [sale_at(position, "IT") for position in range(POOL)]
    listed = shop(POOL + 20, *italian).listed(Rules(diversity=0.5, caps={"country": 2}))
    assert listed == ["s000", "s001", *(f"s{number:03}" for number in range(POOL, POOL + 8))]
