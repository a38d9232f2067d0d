"""Co-visitation: what others looked at in the same visit, by its laws and by the plain reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Cart, Purchase
from reco.parameters import CoVisitationParameters
from reco.recommenders.covisitation import NEARNESS, NEIGHBOURS, CoVisitation
from reco.sessions import VISIT_SILENCE
from tests.reco.plain import steps_of
from tests.reco.plain_neighbours import PlainCovisitation
from tests.reco.worlds import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SALES,
    act,
    actions,
    asked,
    described,
    features_of,
    histories,
    learned,
    long_log,
    open_sales,
    session_of,
    small_knowledge,
    visits,
)

PARAMETERS = CoVisitationParameters()
own_actions = st.lists(actions, min_size=1, unique_by=lambda action: action.event_id)


def led_to(
    log: list[Action], touched: str, feature: str = "near_lasting_visit", ids: str = "abcdefgh"
) -> dict[str, float]:
    """What each sale scores for a visitor who touched these sales, in this order."""
    session, name = (
        session_of([act(sale, NOON + place) for place, sale in enumerate(touched)]),
        f"covisitation.{feature}",
    )
    row = described(learned(log), session, open_sales(list(ids)), [name])[name]
    return dict(zip(ids, row.tolist(), strict=True))


@given(histories, own_actions)
def test_it_is_that_of_the_plain_reference_bit_for_bit(log: list[Action], own: list[Action]) -> None:
    assert_equals_plain(log, own, sorted(SALES))


@pytest.mark.parametrize("seed", range(3))
def test_full_rows_are_those_of_the_plain_reference_too(seed: int) -> None:
    log = long_log(seed)
    assert len({action.sale_id for action in log}) > NEIGHBOURS
    assert_equals_plain(log, log[-30:], sorted({action.sale_id for action in log}))


def assert_equals_plain(log: list[Action], own: list[Action], ids: list[str]) -> None:
    """After the same log, for the same visitor, each sale has the same scores."""
    plain, session = PlainCovisitation(PARAMETERS), session_of(own)
    for step in steps_of(log):
        plain.learn(step)
    assert session is not None
    expected = plain.score(session, ids)
    got = described(learned(log), session, open_sales(ids), features_of("covisitation"))
    for feature in CoVisitation.features:
        assert got[f"covisitation.{feature}"].tolist() == expected[feature], feature


def test_sales_of_the_same_visit_lead_to_each_other_and_others_do_not() -> None:
    scores = led_to(visits("ab", "cd"), "a")
    assert scores["b"] > 0
    assert scores["c"] == scores["d"] == 0


def test_a_silence_parts_two_visits() -> None:
    log = [act("a", NOON - VISIT_SILENCE - 1, "bob"), act("b", NOON, "bob")]
    assert led_to(log, "a")["b"] == 0


@pytest.mark.parametrize("half_life", ["now", "lasting"])
def test_onward_counts_the_very_next_sale_and_near_all_of_the_visit_both_ways(half_life: str) -> None:
    onward, near = (led_to(visits("bacd"), "a", f"{table}_{half_life}_last") for table in ("onward", "near"))
    assert [sale for sale, score in onward.items() if score] == ["c"]
    assert [sale for sale, score in near.items() if score] == ["b", "c", "d"]
    assert near["b"] == near["c"] == pytest.approx(near["d"] / NEARNESS)


def test_a_share_is_that_of_the_times_that_a_sale_could_have_led_anywhere() -> None:
    scores = led_to(visits("ab", "ab", "ac", "xb"), "a", "onward_lasting_last")
    assert [scores["b"], scores["c"]] == pytest.approx([2 / 3, 1 / 3], rel=1e-3)


def test_last_looks_from_the_newest_sale_only_and_visit_from_all_of_them() -> None:
    log = visits("ab", "cd")
    assert led_to(log, "ac", "near_now_last")["b"] == 0
    scores = led_to(log, "ac", "near_now_visit")
    assert scores["b"] == pytest.approx(scores["d"] * PARAMETERS.recency, rel=1e-3)


def test_a_sale_leads_to_what_was_bought_after_it_in_the_visit_not_to_what_was_bought_before() -> None:
    scores = led_to(visits("xab", kind=Purchase), "a", "to_purchase_last")
    assert scores["b"] == pytest.approx(1)
    assert led_to(visits("ab", kind=Purchase), "b", "to_purchase_last")["a"] == 0
    assert led_to(visits("ab"), "a", "to_purchase_last")["b"] == 0


def test_two_hops_reach_what_was_never_seen_in_one_visit_with_it_from_the_newest_sale_only() -> None:
    log = visits("ab", "bc", "cd", "ef")
    scores = led_to(log, "ea", "two_hops")
    assert [sale for sale, score in scores.items() if score] == ["a", "c"], "and back"
    assert led_to(log, "ea", "near_lasting_visit")["c"] == 0


def test_sales_bought_by_one_visitor_go_together_whenever_they_were_bought() -> None:
    bought = [act("a", NOON - 5 * DAY, "bob", Purchase), act("b", NOON - DAY, "bob", Purchase)]
    for own, other in (("a", "b"), ("b", "a")):
        session = session_of([act(own, kind=Purchase), act(own, NOON + 1)])
        scores = described(learned(bought), session, open_sales("ab"), ["covisitation.together"])
        assert scores["covisitation.together"]["ab".index(other)] > 0
    assert led_to(bought, "a", "together")["b"] == 0, "it was only looked at"


def test_reloading_a_page_makes_no_pairs() -> None:
    once, often = led_to(visits("ab", "ac"), "a"), led_to([*visits("ab"), *visits("ac" + "ac" * 9)], "a")
    assert often == once


def test_a_basket_makes_no_pairs() -> None:
    assert led_to(visits("ab", kind=Cart), "a")["b"] == 0


@pytest.mark.parametrize("table", ["near_now", "near_lasting"])
def test_a_sale_leads_less_to_what_came_after_it_a_half_life_ago(table: str) -> None:
    half_life = getattr(PARAMETERS, table.partition("_")[2])
    log = [*visits("ab", start=NOON - half_life), *visits("ac", start=NOON)]
    scores = led_to(log, "a", f"{table}_last")
    assert scores["b"] == pytest.approx(scores["c"] / 2, rel=1e-3)


def test_a_late_pair_counts_for_less_never_for_more() -> None:
    present, late = visits("ac"), visits("ab", start=NOON - 3 * PARAMETERS.lasting)
    assert led_to([*present, *late], "a") == pytest.approx(led_to([*late, *present], "a"))


def test_more_neighbours_than_a_row_holds_leave_the_strongest() -> None:
    strong = visits(*["ab"] * 5)
    weak = visits(*(["a", f"other{number}"] for number in range(2 * NEIGHBOURS)), start=NOON)  # type: ignore[arg-type]
    ids = ["b", *(f"other{number}" for number in range(2 * NEIGHBOURS))]
    name = "covisitation.near_lasting_last"
    scores = described(learned([*strong, *weak]), session_of([act("a")]), open_sales(ids), [name])[name]
    assert scores[0] == scores.max() > 0
    assert np.count_nonzero(scores) == NEIGHBOURS


def test_a_dropped_neighbour_gives_its_place_away_and_the_others_keep_theirs() -> None:
    start = NOON - HOUR
    stale, kept = visits("ab", start=start - DAY), visits("ac", "ad", start=start)
    newcomer = act("e", NOON - MINUTE)
    later = visits("ac", start=NOON)
    forgetful = learned([*stale, *kept, newcomer, *later], knowledge=small_knowledge(max_sales=4))
    roomy = learned([*stale, *kept, newcomer, *later])
    for name in features_of("covisitation"):
        got, expected = (
            described(one, session_of([act("a")]), open_sales("cd"), [name])[name]
            for one in (forgetful, roomy)
        )
        assert got.tolist() == expected.tolist(), name


def test_years_between_visits_leave_finite_scores() -> None:
    decade = 10 * 365 * DAY
    log = [*visits("ab", start=NOON - decade), *visits("a", "cd"), *visits("cd", start=NOON - decade)]
    assert led_to(log, "ac")["b"] == 0
    assert led_to(log, "ac")["d"] > 0


def test_a_visit_that_never_ends_leaves_finite_scores() -> None:
    robot = [act("a", NOON - 2, "robot"), act("b", NOON - 1, "robot")]
    robot += [act("b", NOON + minute * MINUTE, "robot", Cart) for minute in range(0, 80 * 24 * 60, 25)]
    assert 0 < led_to(robot, "a")["b"] <= 1


@pytest.mark.parametrize(("newer", "source"), [("a" * 20, "b"), ("hijklmnopqr", "b"), ("hijklmnopqrs", None)])
def test_evidence_comes_from_one_of_the_newest_sales_however_often_they_were_looked_at(
    newer: str, source: str | None
) -> None:
    knowledge = learned([*visits("bc"), *visits(*(f"{sale}z" for sale in "ahijklmnopqrs"))])
    session = session_of([act(sale, NOON + place) for place, sale in enumerate("b" + newer)])
    query = asked(knowledge, session, open_sales(["c"]))
    evidence = described(knowledge, session, open_sales(["c"]), ["covisitation.near_lasting_visit"])
    assert (evidence["covisitation.near_lasting_visit"] > 0).tolist() == [source is not None]
    assert knowledge.sources(query, np.zeros(1, np.int32), tuple(evidence))["covisitation"] == [source]
