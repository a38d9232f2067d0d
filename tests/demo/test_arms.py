"""The arms of an experiment: visitors are spread by lot, and rankers rank as their names say."""

from collections import Counter

import numpy as np
import pytest

from demo.arms import BLEND, ORACLE, RANDOM, SINGLES, TRAINED, Known, Single, arm_of, arms
from demo.catalogue import travel_catalogue
from demo.visitors import Crowd
from demo.world import World
from models.blend import Blend
from reco.features import FEATURES

START = 1_800_000_000_000
SALES = travel_catalogue(seed=1, start=START)
BY_ID = {one.sale.sale_id: one for one in SALES}
NAMES = ("a", "b", "c", "d")


def test_visitors_are_spread_evenly_over_the_arms() -> None:
    sizes = Counter(arm_of(f"visitor-{number}", NAMES, seed=1) for number in range(10_000))
    assert set(sizes) == set(NAMES)
    assert max(sizes.values()) - min(sizes.values()) < 250


def test_a_visitor_stays_in_its_arm_and_another_seed_draws_again() -> None:
    visitors = [f"visitor-{number}" for number in range(200)]
    first = [arm_of(one, NAMES, seed=1) for one in visitors]
    assert first == [arm_of(one, NAMES, seed=1) for one in visitors]
    assert first != [arm_of(one, NAMES, seed=2) for one in visitors]


def test_every_single_recommender_is_a_feature() -> None:
    assert [name for name in SINGLES if name not in FEATURES] == []


def test_a_single_ranks_by_its_evidence_then_by_popularity_and_what_is_unknown_stands_last() -> None:
    evidence = np.array([0.5, np.nan, 2.0, 0.5, 0.5, -0.5], np.float32)
    popular = np.array([1.0, 9.0, 0.0, 3.0, 1.0, 0.0], np.float32)
    scores = Single("session_knn.stan").score(np.stack((evidence, popular)))
    assert np.argsort(-scores).tolist() == [2, 3, 0, 4, 5, 1]


def test_scores_that_were_given_for_other_sales_are_refused() -> None:
    with pytest.raises(ValueError, match="3 candidates, 2 scores"):
        Known("oracle", np.zeros(2, np.float32)).score(np.empty((0, 3), np.float32))


def test_the_oracle_lists_what_the_visitor_is_likeliest_to_buy() -> None:
    world, crowd = World(SALES), Crowd(SALES, 5, active=1, seed=1)
    world.pass_to(START)
    compared = arms(Blend(), SALES, seed=1)
    for visitor in crowd.visitors.values():
        shown = world.shown_to(visitor.visitor_id, compared[ORACLE](visitor, world.live()))
        likeliest = sorted(world.live().ids, key=lambda one: -visitor.worth(BY_ID[one]))[:10]
        assert [one.sale_id for one in shown.sales] == likeliest


def test_random_lists_are_repeatable_and_differ() -> None:
    def lists() -> list[tuple[str, ...]]:
        world, crowd = World(SALES), Crowd(SALES, 5, active=1, seed=1)
        world.pass_to(START)
        compared = arms(Blend(), SALES, seed=1)
        shown = [
            world.shown_to(one.visitor_id, compared[RANDOM](one, world.live()))
            for one in crowd.visitors.values()
        ]
        return [tuple(sale.sale_id for sale in one.sales) for one in shown]

    assert lists() == lists()
    assert len(set(lists())) == 5


def test_every_arm_ranks_with_what_it_is_called() -> None:
    trained, (visitor, *_) = Single("trained"), Crowd(SALES, 5, active=1, seed=1).visitors.values()
    compared, live = arms(trained, SALES, seed=1), World(SALES).live()
    assert compared[TRAINED](visitor, live) is trained
    assert [compared[name](visitor, live).release for name in (*SINGLES, RANDOM, ORACLE)] == [
        *SINGLES,
        RANDOM,
        ORACLE,
    ]
    assert isinstance(compared[BLEND](visitor, live), Blend)
