"""The walk through history: nothing is known before it happened, and a worker would say the same."""

import gc
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.event_table import EventTable, table_of
from models.walk import A_QUESTION, EVENTS_PER_REPORT, NEVER, NO_TARGET, Walk, after_each, questions
from reco.catalogue import catalogue_of
from reco.events import Purchase, Sale
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.sessions import Session, fold
from tests.models.histories import HOUR, MINUTE, SECOND, START, did, histories

ALL = tuple(FEATURES)


def knowledge() -> Knowledge:
    """Knowledge with room for few."""
    return Knowledge(max_sales=64, max_visitors=64)


def streaming(table: EventTable, *, after: bool = False) -> Walk:
    """A walk that asks right before, or right after, every row, with what a stream would know."""
    rows, seconds = np.arange(len(table)), table.ts // SECOND
    pairs = (rows, ~rows) if after else (~rows, rows)
    return Walk(
        table,
        steps=np.stack(pairs, axis=1).ravel(),
        ts=table.ts,
        appended=seconds,
        targets=table.sales.copy(),
        asked_at=table.ts,
        asked_in=seconds,
    )


class Answer(NamedTuple):
    """What a question found."""

    row: int
    ids: list[str]
    rows: NDArray[np.float32]
    target: str | None
    session: Session | None


def answers(walk: Walk) -> list[Answer]:
    """All questions of a walk, with what is said about each candidate."""
    known, found = knowledge(), list[Answer]()
    for row, query, target, session in questions(walk, known):
        ids = [query.candidates.live.ids[place] for place in query.candidates.places.tolist()]
        found.append(
            Answer(row, ids, known.describe(query, ALL), ids[target] if target >= 0 else None, session)
        )
    return found


def changed(table: EventTable, first: int, sales: list[int], kinds: list[int]) -> EventTable:
    """The same history with another future: from `first` on, other sales, kinds and contexts."""
    future = np.arange(len(table)) >= first
    return replace(
        table,
        sales=np.where(future, np.resize(np.array(sales, np.int32), len(table)), table.sales),
        kinds=np.where(future, np.resize(np.array(kinds, np.int8), len(table)), table.kinds),
        contexts=np.where(future, (table.contexts + 1) % len(table.context_values), table.contexts),
    )


@settings(max_examples=40)
@given(
    histories(length=12, span=20 * MINUTE),
    st.booleans(),
    st.integers(0, 11),
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
    st.data(),
)
def test_no_question_sees_anything_of_its_own_future(
    table: EventTable,
    after: bool,  # noqa: FBT001
    row: int,
    kinds: list[int],
    data: st.DataObject,
) -> None:
    row %= len(table)
    numbers = st.integers(0, len(table.sale_ids) - 1)
    sales = data.draw(st.lists(numbers, min_size=1, max_size=5))
    other = changed(table, row + after, sales, kinds)
    asked, again = (answers(streaming(one, after=after))[row] for one in (table, other))
    assert asked.ids == again.ids
    assert asked.rows.tobytes() == again.rows.tobytes()
    assert asked.session == again.session


@settings(max_examples=40)
@given(histories(length=12, span=20 * MINUTE), st.booleans())
def test_every_answer_is_that_of_a_worker_that_was_fed_what_happened_before(
    table: EventTable,
    after: bool,  # noqa: FBT001
) -> None:
    for row, ids, rows, target, session in answers(streaming(table, after=after)):
        known, own = knowledge(), None
        before = [table.event(one, int(table.ts[one])) for one in range(row + after)]
        for second in sorted(
            {event.ts // SECOND for event in before if event.ts // SECOND < table.ts[row] // SECOND}
        ):
            known.advance(
                second,
                [(0, place, event) for place, event in enumerate(before) if event.ts // SECOND == second],
            )
        for place, event in enumerate(before):
            if event.visitor_id == table.visitor_ids[table.visitors[row]]:
                own = fold(own, event, place)
        assert (session and session.recent) == (own and own.recent)
        query = known.query(own, known.everything(), int(table.ts[row]))
        assert ids == list(query.candidates.live.ids)
        assert rows.tobytes() == known.describe(query, ALL).tobytes()
        sale = table.sale_ids[table.sales[row]]
        assert target == (sale if sale in ids else None)


def test_events_of_the_same_second_do_not_know_of_each_other() -> None:
    log = [did("a", 0, "ann"), did("b", 500, "bob"), did("c", 999, "cleo"), did("d", 1000, "dan")]
    known = [sorted(one.ids) for one in answers(streaming(table_of(log)))]
    assert known == [[], [], [], ["a", "b", "c"]]


def test_a_question_before_a_row_does_not_have_it_in_the_session_and_one_after_it_has() -> None:
    table = table_of([did("a", 0), did("b", MINUTE)])
    before, after = (answers(streaming(table, after=after))[1].session for after in (False, True))
    assert before is not None
    assert after is not None
    assert [touch.sale_id for touch in before.recent] == ["a"]
    assert [touch.sale_id for touch in after.recent] == ["a", "b"]


def test_knowledge_that_is_frozen_by_the_hour_learns_an_hour_when_it_is_over() -> None:
    log = [
        did("a", 0, "ann"),
        did("b", HOUR - SECOND, "bob"),
        did("c", HOUR, "cleo"),
        did("d", 2 * HOUR, "dan"),
    ]
    table = table_of(log)
    ends = ((table.ts // HOUR + 1) * HOUR - 1) // SECOND
    walk = replace(streaming(table), appended=ends, asked_in=ends)
    assert [sorted(one.ids) for one in answers(walk)] == [[], [], ["a", "b"], ["a", "b", "c"]]


@pytest.mark.parametrize("pending", [0, 1])
def test_rows_that_are_never_appended_are_in_sessions_but_nobody_learns_of_them(pending: int) -> None:
    table = table_of([did("a", 0), did("b", MINUTE), did("c", 2 * MINUTE), did("d", 3 * MINUTE, "bob")])
    seconds = table.ts // SECOND
    walk = replace(streaming(table), appended=np.array([seconds[0], NEVER, NEVER, seconds[3]]))
    walk = walk.only(np.arange(len(table)) > pending)  # with what waits to be learned, and without
    found = answers(walk)
    assert [one.ids for one in found] == [["a"]] * (3 - pending)
    session = found[-2].session
    assert session is not None
    assert [touch.sale_id for touch in session.recent] == ["a", "b"]


def test_only_the_chosen_rows_are_asked_at_and_no_purchase_is_no_target() -> None:
    table = table_of([did("a", 0), did("b", MINUTE), did("a", 2 * MINUTE), did("c", 3 * MINUTE)])
    walk = replace(streaming(table), targets=np.array([0, NO_TARGET, 0, 2], np.int32))
    chosen = walk.only(np.array([False, True, True, True]))
    assert [(one.row, one.target) for one in answers(chosen)] == [(1, None), (2, "a"), (3, None)]
    every, few = answers(walk), answers(chosen)
    assert [one.rows.tobytes() for one in few] == [one.rows.tobytes() for one in every[1:]]


def test_events_happen_at_the_times_and_in_the_order_of_the_walk() -> None:
    table = table_of([did("a", 0, "ann"), did("b", MINUTE, "bob"), did("c", 2 * MINUTE, "ann")])
    ts = np.array([START + 9 * MINUTE, START + MINUTE, START + 2 * MINUTE])
    steps = np.array([~1, 1, ~2, 2, ~0, 0])
    walk = replace(
        streaming(table), steps=steps, ts=ts, appended=ts // SECOND, asked_at=ts, asked_in=ts // SECOND
    )
    found = answers(walk)
    assert [one.row for one in found] == [1, 2, 0]
    assert found[-1].session is not None
    assert [(touch.sale_id, touch.ts) for touch in found[-1].session.recent] == [("c", START + 2 * MINUTE)]
    assert sorted(found[-1].ids) == ["b", "c"]


def test_a_list_is_asked_for_at_its_own_moment_and_knows_what_was_appended_before_its_own_second() -> None:
    table = table_of([did("a", 0, "ann"), did("b", MINUTE, "bob"), did("c", 2 * MINUTE, "cleo")])
    steps, later = np.array([0, 1, ~0, 2]), np.full(3, START + MINUTE + 5 * SECOND)
    walk = replace(streaming(table), steps=steps, asked_at=later, asked_in=later // SECOND)
    ((row, query, _, _),) = questions(walk, knowledge())
    assert (row, query.at) == (0, START + MINUTE + 5 * SECOND)
    assert sorted(query.candidates.live.ids) == ["a", "b"]
    sooner = replace(walk, asked_in=table.ts[1] // SECOND + np.zeros(3, np.int64))
    assert [one.ids for one in answers(sooner)] == [["a"]]


def test_after_an_event_that_came_late_a_list_is_asked_for_when_it_came_and_what_came_sooner_is_known() -> (
    None
):
    table = table_of([did("a", 0, "ann"), did("b", MINUTE, "bob"), did("c", 2 * MINUTE, "cleo")])
    late = replace(table, appended=table.ts + np.array([3 * MINUTE, 0, 0]))
    found = list(questions(after_each(late, table.sales), knowledge()))
    assert [one.row for one in found] == [1, 2, 0]
    walk = after_each(late, table.sales)
    assert walk.asked_at.tolist() == [START + MINUTE * minutes for minutes in (3, 1, 2)]
    assert [one.ids for one in answers(walk)] == [[], ["b"], ["b", "c"]]


def test_with_a_catalogue_the_live_sales_are_the_candidates_and_one_that_nobody_touched_yet_is_found() -> (
    None
):
    times = {"a": (0, HOUR), "b": (HOUR, 2 * HOUR), "c": (0, 2 * HOUR)}
    catalogue = catalogue_of(
        Sale(sale_id, "A sale", START + opens, START + closes) for sale_id, (opens, closes) in times.items()
    )
    table = table_of(
        [did("a", MINUTE), did("b", HOUR), did("c", HOUR + MINUTE, kind=Purchase), did("a", HOUR + 2)]
    )
    found = answers(replace(streaming(table), catalogue=catalogue))
    assert [one.ids for one in found] == [["a", "c"], ["b", "c"], ["b", "c"], ["b", "c"]]
    assert [one.target for one in found] == ["a", "b", "c", None]


def test_no_more_sessions_are_kept_than_visitors_have_steps_to_come() -> None:
    log = [did("s1", number * SECOND, f"visitor-{number % 300}") for number in range(600)]
    kept = {
        number: sum(isinstance(one, Session) for one in gc.get_objects())
        for number, _ in enumerate(questions(streaming(table_of(log), after=True), knowledge()))
        if number in {0, 299, 599}
    }
    assert kept[299] - kept[0] == 299
    assert kept[599] <= kept[0]


def test_progress_is_told_now_and_then() -> None:
    table = table_of(did("a", number, f"v{number}") for number in range(EVENTS_PER_REPORT + 1))
    walk = streaming(table).only(np.zeros(len(table), np.bool_))
    told: list[float] = []
    assert list(questions(walk, knowledge(), told.append)) == []
    assert told == [1 / len(table), 1.0]


def test_progress_is_by_what_takes_the_time_which_is_questions() -> None:
    table = table_of(did("a", number, f"v{number}") for number in range(1000))
    walk, told = streaming(table, after=True).only(np.arange(len(table)) >= 700), list[float]()
    asked = [told[-1] for _ in questions(walk, knowledge(), told.append)]
    assert len(asked) == 300
    assert asked[0] < 0.02, "seven tenths of the events take hardly any of the time"
    assert asked[150] == pytest.approx(0.5, abs=0.2)
    assert len(told) == 1 + 300 * A_QUESTION // EVENTS_PER_REPORT
    assert told == sorted(told)
    assert told[-1] <= 1
