"""Session neighbours: what similar visits looked at, by its laws and by the plain reference."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from reco import decay
from reco.candidates import candidates_of, query_of
from reco.events import Action, Purchase
from reco.parameters import Parameters, SessionKnnParameters
from reco.past_visits import BLOCK, LENGTH
from reco.recommenders.session_knn import SessionKnn
from reco.segments import N_SEGMENTS, SegmentIndex
from reco.sessions import Session
from reco.visits import RunningVisits
from tests.reco.plain import steps_of
from tests.reco.plain_neighbours import PlainSessionKnn
from tests.reco.worlds import (
    DAY,
    HOUR,
    NOON,
    SALES,
    act,
    actions,
    as_actions,
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

NO_SEGMENTS: Final = np.zeros(N_SEGMENTS, np.int32)
FEW: Final = SessionKnnParameters(neighbours=3, newest=4)
parameters = st.builds(
    SessionKnnParameters,
    neighbours=st.integers(1, 8),
    newest=st.integers(1, 8),
    selection=st.integers(1000, 30 * DAY),
    scoring=st.integers(1000, 30 * DAY),
    recency=st.floats(0.1, 1),
    nearness=st.floats(0.1, 1),
    backward=st.floats(0.1, 1),
    landing=st.floats(0.1, 1),
)
own_actions = st.lists(actions, min_size=1, max_size=30, unique_by=lambda action: action.event_id)


def voted(
    log: list[Action],
    touched: Sequence[str],
    feature: str = "stan",
    some: SessionKnnParameters | None = None,
    ids: Sequence[str] = "abcdefgh",
) -> dict[str, float]:
    """What each sale scores for a visitor who touched these sales, in this order."""
    knowledge = learned(log, knowledge=small_knowledge(parameters=Parameters(session_knn=some or FEW)))
    session, name = (
        session_of([act(sale, NOON + place) for place, sale in enumerate(touched)]),
        f"session_knn.{feature}",
    )
    row = described(knowledge, session, open_sales(list(ids)), [name])[name]
    return dict(zip(sorted(ids), row.tolist(), strict=True))


def assert_equals_plain(
    log: list[Action], own: list[Action], some: SessionKnnParameters, ids: list[str], at: int
) -> None:
    """After the same log, for the same visitor, each sale has the same votes."""
    plain, session = PlainSessionKnn(some), session_of(own)
    for step in steps_of(log):
        plain.learn(step)
    assert session is not None
    expected = plain.score(session, ids, at)
    knowledge = learned(log, knowledge=small_knowledge(parameters=Parameters(session_knn=some)))
    got = described(knowledge, session, open_sales(ids), features_of("session_knn"), at)
    for feature in SessionKnn.features:
        votes = pytest.approx(expected[feature], rel=1e-5, abs=1e-30)
        assert got[f"session_knn.{feature}"].tolist() == votes, feature


@given(histories, own_actions, parameters, st.integers(-DAY, DAY))
def test_it_is_that_of_the_plain_reference(
    log: list[Action], own: list[Action], some: SessionKnnParameters, later: int
) -> None:
    assert_equals_plain(log, own, some, sorted(SALES), NOON + later)


@given(histories, own_actions, parameters, st.sampled_from([(), features_of("session_knn")]))
def test_it_names_the_touched_sale_by_which_most_votes_come(
    log: list[Action], own: list[Action], some: SessionKnnParameters, before: tuple[str, ...]
) -> None:
    plain, session, ids = PlainSessionKnn(some), session_of(own), sorted(SALES)
    for step in steps_of(log):
        plain.learn(step)
    assert session is not None
    led: dict[tuple[str, str], float] = {}
    plain.score(session, ids, NOON, led)
    knowledge = learned(log, knowledge=small_knowledge(parameters=Parameters(session_knn=some)))
    features = features_of("session_knn")
    another = session_of([act(sale, visitor_id="another") for sale in ids])
    query, of_another = (asked(knowledge, one, open_sales(ids), NOON) for one in (session, another))
    knowledge.describe(of_another, features)
    knowledge.describe(query, before)
    found = knowledge.sources(query, np.arange(len(ids), dtype=np.int32), features)["session_knn"]
    for sale, source in zip(ids, found, strict=True):
        votes = {touched: votes for (to, touched), votes in led.items() if to == sale}
        assert (source is None) == (max(votes.values(), default=0) == 0), sale
        if source is not None:
            assert votes[source] == pytest.approx(max(votes.values()), rel=1e-4), sale


def test_what_it_names_is_of_the_visitor_who_is_asked_about() -> None:
    knowledge, sales = learned(visits("ab", "cb", "cb")), open_sales("abc")
    ann, bob = (asked(knowledge, session_of([act(sale)]), sales) for sale in "ac")
    features, b = features_of("session_knn"), np.array([1], np.int32)
    for query in (ann, bob):
        knowledge.describe(query, features)
    found = [knowledge.sources(query, b, features) for query in (ann, bob, ann)]
    assert found == [{"session_knn": [touched]} for touched in "aca"]


@pytest.mark.parametrize(
    "some", [FEW, SessionKnnParameters(), SessionKnnParameters(neighbours=30, newest=20)]
)
def test_a_long_log_is_that_of_the_plain_reference(some: SessionKnnParameters) -> None:
    log = long_log(seed=2)
    ids = sorted({action.sale_id for action in log})
    for start in range(0, 2000, 250):
        assert_equals_plain(log, log[start : start + 30], some, ids, NOON + HOUR)


def test_a_visit_that_shares_a_sale_votes_for_its_others_and_one_that_shares_none_does_not() -> None:
    votes = voted(visits("ab", "cd"), "a")
    assert votes["b"] > 0
    assert votes["a"] == votes["c"] == votes["d"] == 0


def test_to_vsknn_the_shared_sale_may_come_again() -> None:
    votes = voted(visits("ab", "cd"), "a", "vsknn")
    assert votes["a"] == votes["b"] > 0


def test_the_more_sales_a_visit_shares_the_more_its_vote_weighs() -> None:
    votes = voted(visits("abc", "axd"), "ab", some=SessionKnnParameters())
    assert votes["c"] > votes["d"] > 0


def test_a_short_visit_is_more_similar_than_a_long_one_that_shares_as_much() -> None:
    votes = voted(visits("ab", "acdefgh"), "a", "vsknn")
    assert votes["b"] > votes["c"] > 0


def test_only_the_most_similar_visits_vote() -> None:
    log = visits("abc", "abd", "abe", "af")
    votes = voted(log, "ab", some=SessionKnnParameters(neighbours=3))
    assert votes["f"] == 0
    assert min(votes["c"], votes["d"], votes["e"]) > 0


def test_of_the_visits_to_a_sale_only_the_newest_are_looked_at() -> None:
    votes = voted(visits("ab", "ac", "ad"), "a", some=SessionKnnParameters(newest=2))
    assert votes["b"] == 0
    assert min(votes["c"], votes["d"]) > 0


def test_the_vote_of_stan_fades_with_the_distance_and_that_of_vsknn_does_not() -> None:
    log = visits("axyb")
    near, far = (voted(log, "a", "stan", ids="axyb")[sale] for sale in "xb")
    assert far == pytest.approx(near * FEW.nearness**2, rel=1e-5)
    near, far = (voted(log, "a", "vsknn", ids="axyb")[sale] for sale in "xb")
    assert far == near > 0


def test_to_stan_a_sale_after_the_shared_one_says_more_than_one_before_it_and_a_landing_still_less() -> None:
    votes = voted(visits("xyab"), "a", ids="xyab")
    before = votes["b"] * FEW.backward
    assert votes["y"] == pytest.approx(before, rel=1e-5)
    assert votes["x"] == pytest.approx(before * FEW.nearness * FEW.landing, rel=1e-5)


def test_the_vote_of_stan_fades_with_the_age_of_the_visit_and_that_of_vsknn_does_not() -> None:
    log = [*visits("ab", start=NOON - FEW.scoring), *visits("ac", start=NOON)]
    votes = voted(log, "a", "stan")
    assert votes["b"] == pytest.approx(votes["c"] / 2, rel=2 * (2 ** (1 / decay.FADING_STEPS) - 1))
    votes = voted(log, "a", "vsknn")
    assert votes["b"] == votes["c"] > 0


def test_neighbours_of_the_same_segment_are_heard_apart_and_who_has_none_hears_nobody() -> None:
    log = [act(sale, NOON + place, who) for who in ("bob", "cleo") for place, sale in enumerate((who, "a"))]
    for own, country, referrer in (("ann", ["bob"], []), ("bob", ["bob"], ["bob"]), ("dan", [], [])):
        session, ids = session_of([act("a", NOON + HOUR, own)]), ["a", "bob", "cleo"]
        rows = described(learned(log), session, open_sales(ids))
        for feature, heard in (("stan", ids[1:]), ("stan_first", country), ("stan_third", referrer)):
            row = rows[f"session_knn.{feature}"]
            assert [sale for sale, vote in zip(ids, row, strict=True) if vote > 0] == heard, (own, feature)


@pytest.mark.parametrize(
    ("contexts", "heard"),
    [
        (({"country": "IT"}, {"country": "FR", "device": "phone"}, {}), {"first", "second"}),
        (({"country": "FR"}, {"country": "FR"}, {"device": "phone"}), {"second"}),
    ],
)
def test_the_segments_of_a_visit_are_those_of_its_last_context_as_in_a_session(
    contexts: Sequence[dict[str, str]], heard: set[str]
) -> None:
    log = [
        replace(act(sale, NOON + place, "bob"), context=context)
        for place, (sale, context) in enumerate(zip("abc", contexts, strict=True))
    ]
    session = session_of(log)
    assert session is not None
    assert session.context == next(one for one in reversed(contexts) if one)
    rows = described(learned(log), session_of([act("a", NOON + HOUR, "ann")]), open_sales("abc"))
    for segment in ("first", "second"):
        votes = rows[f"session_knn.stan_{segment}"] > 0
        assert votes.tolist() == [False, segment in heard, segment in heard], segment


def test_a_value_that_has_no_number_of_its_own_hears_nobody_of_the_others() -> None:
    countries = [f"C{number:02}" for number in range(40)]
    log = [
        replace(act(sale, NOON + 1000 * number + place, country), context={"country": country})
        for number, country in enumerate(countries)
        for place, sale in enumerate(["a", country])
    ]
    knowledge = learned(log)
    for country in ("C00", "C29", "C30", "C39", "never seen"):
        click = replace(act("a", NOON + HOUR, "ann"), context={"country": country})
        rows = described(knowledge, session_of([click]), open_sales(countries))
        heard = np.flatnonzero(rows["session_knn.stan_first"] > 0).tolist()
        assert heard == ([countries.index(country)] if country in countries[:30] else []), country


def test_what_a_neighbour_bought_is_told_from_what_it_looked_at() -> None:
    votes = voted(visits("abc", kind=Purchase), "a", "bought")
    assert votes["c"] > 0
    assert votes["b"] == 0


def test_those_who_touched_a_sale_long_ago_and_again_now_are_all_found_beyond_the_room_of_a_block() -> None:
    trails = [f"a{sale}" for sale in "bcdefgh"] * (BLOCK // 2)
    votes = voted(visits(*trails), "a", "vsknn", SessionKnnParameters(), ids="abcdefgh")
    assert len({votes[sale] for sale in "bcdefgh"}) == 1
    assert votes["b"] == pytest.approx(BLOCK // 2 / math.sqrt(2), rel=1e-5)


def test_a_newcomer_does_not_inherit_the_visits_of_the_sale_whose_slot_it_got() -> None:
    stale, kept = visits("ob", start=NOON - DAY), visits("bc", "bd", start=NOON - HOUR)
    newcomer = visits("nd", start=NOON - 1000)
    knowledge = learned([*stale, *kept, *newcomer], knowledge=small_knowledge(max_sales=4))
    votes = described(knowledge, session_of([act("n")]), open_sales("bcdn"), ["session_knn.stan"])
    assert (votes["session_knn.stan"] > 0).tolist() == [False, False, True, False]


def test_a_visit_keeps_its_newest_sales() -> None:
    long = [act(f"sale-{number}", NOON - 100 + number, "bob") for number in range(LENGTH + 1)]
    ids = sorted({action.sale_id for action in long})
    session = session_of([act(f"sale-{LENGTH}")])
    votes = described(learned(long), session, open_sales(ids), ["session_knn.vsknn"])["session_knn.vsknn"]
    assert {sale for sale, vote in zip(ids, votes, strict=True) if vote == 0} == {"sale-0"}


@pytest.mark.parametrize("rounds", [2, 50])
def test_a_visit_that_goes_round_counts_once_for_each_sale(rounds: int) -> None:
    ids = [f"sale-{number}" for number in range(LENGTH + 5)]
    circle = [act(sale, NOON - 5000 + place, "robot") for place, sale in enumerate(ids * rounds)]
    once, often = (
        voted(log, ids[-1:], "vsknn", SessionKnnParameters(), ids) for log in (circle[: len(ids)], circle)
    )
    assert often == once
    assert often[ids[-2]] > 0


TWO_GONE: Final = [
    act(sale, NOON + place, visitor_id)
    for place, (visitor_id, sale) in enumerate(
        [(f"v{number}", "s9") for number in (1, 2)]
        + [("v3", "s0"), ("v3", "s1"), ("v1", "s0"), ("v2", "s0")]
        + [(f"v{number}", "s4") for number in (4, 5, 6)]
    )
]
"""After these, of 4 visits that are kept only the third looked at s0, and two after it that are gone."""


@example(TWO_GONE, [act("s0")], 4, 2, 20)
@given(histories, own_actions, st.integers(1, 6), st.integers(1, 4), st.integers(1, 20))
def test_on_a_ring_of_few_visits_the_newest_ones_are_kept(
    log: list[Action], own: list[Action], max_visits: int, newest: int, batch: int
) -> None:
    some = replace(FEW, newest=newest)
    fast = SessionKnn(some, capacity=len(SALES), max_visits=max_visits)
    plain = PlainSessionKnn(some, max_visits)
    running, segments = RunningVisits(capacity=16), SegmentIndex(Parameters().segments)
    for start in range(0, len(log), batch):
        fast.learn(as_actions(log[start : start + batch], SALES, running, segments))
    for step in steps_of(log):
        plain.learn(step)
    session, ids = session_of(own), sorted(SALES)
    assert session is not None
    known = {action.sale_id: SALES.index(action.sale_id) for action in log}
    values = segments.known(session.context)
    rows, expected = scored(fast, session, known, ids, values), plain.score(session, ids, NOON)
    for feature, row in zip(SessionKnn.features, rows, strict=True):
        assert row.tolist() == pytest.approx(expected[feature], rel=1e-5, abs=1e-30), feature


def test_a_visit_that_never_ends_hides_none_of_the_visits_behind_it() -> None:
    knn, running = SessionKnn(FEW, len(SALES), max_visits=4), RunningVisits()
    pages = [("robot", "s9"), ("v1", "s0"), ("v1", "s1"), ("robot", "s0")]
    elsewhere = [(f"v{number}", sale) for number in (2, 3, 4) for sale in ("s4", "s5")]
    log = [act(sale, visitor_id=visitor) for visitor, sale in (*pages, *elsewhere)]
    knn.learn(as_actions(log, SALES, running))
    session = session_of([act("s0")])
    assert session is not None
    rows = scored(knn, session, {sale: place for place, sale in enumerate(SALES)}, sorted(SALES))
    assert [sale for sale, vote in zip(sorted(SALES), rows[0], strict=True) if vote > 0] == ["s1"]


def scored(
    knn: SessionKnn,
    session: Session,
    slots: Mapping[str, int],
    ids: Sequence[str],
    segments: NDArray[np.int32] = NO_SEGMENTS,
) -> NDArray[np.float32]:
    """float32[n_features, n_ids] of a recommender on its own."""
    candidates = candidates_of(open_sales(list(ids)), slots, max(slots.values(), default=0) + 1)
    rows = np.full((len(SessionKnn.features), len(ids)), np.nan, np.float32)
    knn.score(query_of(session, candidates, segments, NOON), rows)
    return rows


def test_a_visit_that_goes_round_is_found_although_what_it_did_first_was_taken_over() -> None:
    ids = [f"sale-{number}" for number in range(LENGTH + 5)]
    knn, running = SessionKnn(FEW, len(ids), max_blocks=8), RunningVisits()
    circle = [act(sale, NOON - 5000 + place, "robot") for place, sale in enumerate([*ids, *ids[:5]])]
    knn.learn(as_actions(circle, ids, running))
    session = session_of([act(ids[4])])
    assert session is not None
    rows = scored(knn, session, {sale: place for place, sale in enumerate(ids)}, ids)
    assert np.count_nonzero(rows[0]) == LENGTH - 1


def test_when_blocks_are_taken_over_the_newest_visits_to_a_rare_sale_are_still_found() -> None:
    knn, running = SessionKnn(FEW, len(SALES), max_blocks=8), RunningVisits()
    rest = [("s4", "s5")] * (3 * BLOCK)
    pairs = [("s0", "s1"), *rest, ("s0", "s2"), *rest]
    log = [act(sale, visitor_id=f"v{number}") for number, pair in enumerate(pairs) for sale in pair]
    knn.learn(as_actions(log, SALES, running))
    ids, session = sorted(SALES), session_of([act("s0")])
    assert session is not None
    rows = scored(knn, session, {sale: place for place, sale in enumerate(SALES)}, ids)
    assert [sale for sale, vote in zip(ids, rows[0], strict=True) if vote > 0] == ["s2"]
