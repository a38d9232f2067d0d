"""Co-visitation: what others looked at in the same visit, by its laws and by the plain reference."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.events import Action, Cart, Click, Purchase
from reco.recommenders.covisitation import HALF_LIFE, NEIGHBOURS
from reco.sessions import VISIT_SILENCE
from tests.reco.plain import PlainCovisitation
from tests.reco.worlds import (
    MINUTE,
    NOON,
    SALES,
    act,
    actions,
    described,
    learned,
    long_log,
    open_sales,
    session_of,
)


def visits(*trails: str, start: int = NOON, kind: type[Action] = Click) -> list[Action]:
    """One visit by a new visitor for each of these rows of sales; the last action of each is of this kind."""
    numbers = count()
    return [
        act(
            sale,
            start + next(numbers),
            f"visitor-{trail}-{start}-{row}",
            Click if sale != trail[-1] else kind,
        )
        for row, trail in enumerate(trails)
        for sale in trail
    ]


def led_to(log: list[Action], touched: str, ids: str = "abcdefgh") -> dict[str, float]:
    """What each sale scores for a visitor who touched these sales, in this order."""
    session = session_of([act(sale, NOON + 1000 + place) for place, sale in enumerate(touched)])
    scores = described(learned(log), session, open_sales(list(ids)))["covisitation"]
    return dict(zip(ids, scores.tolist(), strict=True))


@given(
    st.lists(actions, max_size=60, unique_by=lambda action: action.event_id), st.lists(actions, min_size=1)
)
def test_it_is_that_of_the_plain_reference_bit_for_bit(log: list[Action], own: list[Action]) -> None:
    assert_equals_plain(log, own, list(SALES))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_full_rows_are_those_of_the_plain_reference_too(seed: int) -> None:
    log = long_log(seed)
    assert len({action.sale_id for action in log}) > NEIGHBOURS
    assert_equals_plain(log, log[-30:], sorted({action.sale_id for action in log}))


def assert_equals_plain(log: list[Action], own: list[Action], ids: list[str]) -> None:
    """After the same log, for the same visitor, each sale has the same score."""
    plain = PlainCovisitation()
    for action in log:
        plain.learn(action)
    session = session_of(own)
    assert session is not None
    scores = described(learned(log, per_second=1), session, open_sales(ids))["covisitation"]
    assert scores.tolist() == [float(score) for score in plain.score(session, sorted(ids))]


def test_sales_of_the_same_visit_lead_to_each_other_and_others_do_not() -> None:
    scores = led_to(visits("ab", "cd"), "a")
    assert scores["b"] > 0
    assert scores["c"] == scores["d"] == 0


def test_a_silence_parts_two_visits() -> None:
    log = [act("a", NOON - VISIT_SILENCE - 1, "bob"), act("b", NOON, "bob")]
    assert led_to(log, "a")["b"] == 0


def test_what_came_after_weighs_more_than_what_came_before() -> None:
    scores = led_to(visits("bac"), "a")
    assert scores["c"] > scores["b"] > 0


def test_neighbours_in_a_visit_weigh_more_than_distant_ones() -> None:
    scores = led_to(visits("abcd"), "a")
    assert scores["b"] > scores["c"] > scores["d"] > 0


def test_the_sale_touched_last_leads_the_most() -> None:
    scores = led_to(visits("ab", "cd"), "ac")
    assert scores["d"] > scores["b"] > 0


def test_a_hub_that_is_seen_with_everything_does_not_dominate() -> None:
    scores = led_to(visits("ab", "ah", "ch", "dh", "eh", "fh"), "a")
    assert scores["b"] > scores["h"] > 0


def test_reloading_a_page_makes_no_pairs() -> None:
    once, often = led_to(visits("ab", "ac"), "a"), led_to([*visits("ab"), *visits("ac" + "ac" * 9)], "a")
    assert often == once


@pytest.mark.parametrize("kind", [Cart, Purchase])
def test_a_sale_that_was_bought_in_the_visit_is_led_to_more_strongly(kind: type[Action]) -> None:
    scores = led_to([*visits("ab", kind=kind), *visits("ac"), *visits("xb", "xc")], "a")
    assert scores["b"] > scores["c"]


def test_pairs_of_yesterday_weigh_less_than_those_of_today() -> None:
    log = [*visits("ab", start=NOON - 2 * HALF_LIFE), *visits("ac")]
    assert led_to(log, "a")["c"] > led_to(log, "a")["b"] > 0


def test_a_late_pair_counts_for_less_never_for_more() -> None:
    present, late = visits("ac"), visits("ab", start=NOON - 3 * HALF_LIFE)
    assert led_to([*present, *late], "a") == pytest.approx(led_to([*late, *present], "a"))


def test_more_neighbours_than_a_row_holds_leave_the_strongest() -> None:
    strong = visits(*["ab"] * 5)
    weak = [
        act(sale, NOON + 100 + number, f"passer-by {number // 2}")
        for number, sale in enumerate(
            name for other in range(2 * NEIGHBOURS) for name in ("a", f"other{other}")
        )
    ]
    session = session_of([act("a")])
    knowledge = learned([*strong, *weak])
    others = described(knowledge, session, open_sales(["b", *(f"other{n}" for n in range(2 * NEIGHBOURS))]))
    scores = others["covisitation"]
    assert scores[0] == scores.max() > 0
    assert np.count_nonzero(scores) == NEIGHBOURS


def test_years_between_visits_leave_finite_scores() -> None:
    decade = 10 * 365 * 24 * 60 * MINUTE
    log = [*visits("ab", start=NOON - decade), *visits("a", "cd"), *visits("cd", start=NOON - decade)]
    assert led_to(log, "ac")["b"] == 0
    assert led_to(log, "ac")["d"] > 0


def test_a_visit_that_never_ends_leaves_finite_scores() -> None:
    robot = [act("a", NOON - 2, "robot"), act("b", NOON - 1, "robot")]
    robot += [act("b", NOON + minute * MINUTE, "robot", Cart) for minute in range(0, 80 * 24 * 60, 25)]
    assert 0 < led_to(robot, "a")["b"] <= 1
