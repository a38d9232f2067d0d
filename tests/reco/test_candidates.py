"""Candidates and touches: the arrays that recommenders score from say what the sales and the session say."""

import numpy as np

from reco.candidates import MAX_COUNT, NOWHERE, candidates_of, query_of, touches_of
from reco.events import Cart, Purchase
from reco.sessions import Remembered, Session
from tests.reco.worlds import HOUR, NOON, act, open_sales, session_of


def test_slots_and_positions_are_each_others_inverse() -> None:
    candidates = candidates_of(open_sales(["a", "b", "c"]), {"c": 0, "a": 4, "elsewhere": 2}, capacity=5)
    assert candidates.slots.tolist() == [4, NOWHERE, 0]
    assert candidates.positions.tolist() == [2, NOWHERE, NOWHERE, NOWHERE, 0]


def test_touches_come_newest_first_with_what_they_were() -> None:
    session = session_of([act("a", NOON), act("b", NOON + 1, kind=Cart), act("c", NOON + 2, kind=Purchase)])
    touches = touches_of(session, candidates_of(open_sales(["a", "c"]), {"b": 3}, capacity=4))
    assert touches.positions.tolist() == [1, NOWHERE, 0]
    assert touches.slots.tolist() == [NOWHERE, 3, NOWHERE]
    assert touches.ts.tolist() == [NOON + 2, NOON + 1, NOON]
    assert touches.counts.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_what_is_remembered_follows_with_its_counts() -> None:
    session = Session("ann", 9, memory=(Remembered("a", NOON, clicks=3, purchases=1),))
    touches = touches_of(session, candidates_of(open_sales(["a"]), {}, capacity=4))
    assert touches.positions.tolist() == [0]
    assert touches.counts.tolist() == [[3, 0, 1]]


def test_counts_of_a_machine_are_capped() -> None:
    session = Session("ann", 9, memory=(Remembered("a", NOON, clicks=2**60),))
    touches = touches_of(session, candidates_of(open_sales(["a"]), {}, capacity=4))
    assert touches.counts.tolist() == [[MAX_COUNT, 0, 0]]


def test_a_visitor_who_is_not_known_yet_touched_nothing() -> None:
    touches = touches_of(None, candidates_of(open_sales(["a"]), {}, capacity=4))
    assert [len(column) for column in touches] == [0, 0, 0, 0]
    assert touches.counts.shape == (0, 3)
    assert touches.ts.dtype == np.int64


def test_a_few_of_the_candidates_keep_their_places_and_slots() -> None:
    candidates = candidates_of(open_sales(["a", "b", "c"]), {"c": 0, "a": 4, "elsewhere": 2}, capacity=5)
    few = candidates.only(np.array([0, 2], np.int32))
    assert few.places.tolist() == [0, 2]
    assert few.slots.tolist() == [4, 0]
    assert few.positions.tolist() == [1, NOWHERE, NOWHERE, NOWHERE, 0]
    assert few.only(np.array([1], np.int32)).places.tolist() == [2]


def test_touches_of_a_query_for_a_few_point_at_these() -> None:
    candidates = candidates_of(open_sales(["a", "b", "c"]), {"c": 0, "a": 4}, capacity=5)
    session = session_of([act(sale, NOON + place) for place, sale in enumerate(("c", "a", "b", "gone"))])
    query = query_of(session, candidates, np.array([0, 3, 1], np.int32), NOON)
    assert query.touches.positions.tolist() == [NOWHERE, 1, 0, 2]
    few = query.only(np.array([1, 2], np.int32))
    assert few.touches.positions.tolist() == [NOWHERE, 0, NOWHERE, 1]
    assert few.touches.slots.tolist() == query.touches.slots.tolist()
    assert query.only(np.array([], np.int32)).touches.positions.tolist() == [NOWHERE] * 4


def test_a_query_says_how_many_touches_are_of_the_newest_visit_and_what_they_touched() -> None:
    session = session_of([act("a", NOON - HOUR), act("b", NOON), act("a", NOON + 1)])
    candidates = candidates_of(open_sales(["a", "b"]), {}, capacity=4)
    query = query_of(session, candidates, np.zeros(3, np.int32), NOON + 5)
    assert (query.visit_length, query.touched, query.at) == (2, ("a", "b", "a"), NOON + 5)
    nobody = query_of(None, candidates, np.zeros(3, np.int32), NOON)
    assert (nobody.visit_length, nobody.earlier_visits, nobody.touched) == (0, 0, ())
