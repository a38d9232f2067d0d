"""Targets: what comes next for a visitor, by the plain reference and in the order of a stream."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.event_table import EventTable, table_of
from models.targets import (
    ENOUGH_PURCHASES,
    FEWEST_PURCHASES,
    MOST_OF_A_CLICK,
    Target,
    check_target,
    lessons_of,
    next_clicks,
    next_purchases,
    purchases_per_click,
    session_numbers,
    target_for,
)
from models.walk import NO_TARGET
from reco.errors import TrainingError
from reco.events import Action, Click, Purchase
from reco.recommenders.protocol import CLICK, PURCHASE
from reco.sessions import VISIT_SILENCE, fold
from tests.models.histories import DAY, HOUR, MINUTE, did, histories, rows_by_session, session_histories


@given(histories())
def test_next_clicks_are_those_of_the_plain_reference(table: EventTable) -> None:
    plain = np.full(len(table), NO_TARGET)
    for rows in rows_by_session(table).values():
        for place, row in enumerate(rows):
            later = [table.sales[one] for one in rows[place + 1 :] if table.kinds[one] == CLICK]
            plain[row] = later[0] if later else NO_TARGET
    assert next_clicks(table).tolist() == plain.tolist()


@given(histories())
def test_without_sessions_of_its_own_a_log_is_cut_by_half_an_hour_of_silence(table: EventTable) -> None:
    numbers, newest = session_numbers(table), dict[int, int]()
    for row in range(len(table)):
        before = newest.get(int(table.visitors[row]))
        if before is not None:
            together = table.ts[row] - table.ts[before] <= VISIT_SILENCE
            assert (numbers[row] == numbers[before]) == together
        newest[int(table.visitors[row])] = row
    for number in set(numbers.tolist()):
        assert len(set(table.visitors[numbers == number].tolist())) == 1


def test_the_sessions_of_a_log_are_taken_as_they_are_if_it_names_them_all() -> None:
    log = [did("a", 0, session="x"), did("b", DAY, session="x"), did("c", DAY, session="y")]
    assert session_numbers(table_of(log)).tolist() == [0, 0, 1]
    assert session_numbers(table_of([*log, did("d", DAY)])).tolist() == [0, 1, 1, 1]


def plain_next_purchase(table: EventTable, row: int, window: int) -> int:
    """What the visitor of a row buys next, by looking at everything that they did afterwards."""
    numbers = session_numbers(table)
    later = [
        one
        for one in range(len(table))
        if table.visitors[one] == table.visitors[row]
        and (table.ts[one], one) > (table.ts[row], row)
        and table.kinds[one] == PURCHASE
    ]
    if not later:
        return NO_TARGET
    bought = min(later, key=lambda one: (table.ts[one], one))
    soon = numbers[bought] == numbers[row] or table.ts[bought] - table.ts[row] <= window
    return int(table.sales[bought]) if soon else NO_TARGET


@given(histories(), st.sampled_from((0, MINUTE, HOUR, DAY)))
def test_what_is_bought_next_is_that_of_the_plain_reference(table: EventTable, window: int) -> None:
    expected = [plain_next_purchase(table, row, window) for row in range(len(table))]
    assert next_purchases(table, window).tolist() == expected


@given(session_histories())
def test_what_is_clicked_next_is_the_next_row_of_the_session(table: EventTable) -> None:
    targets = next_clicks(table)
    for rows in rows_by_session(table).values():
        assert targets[rows].tolist() == [*table.sales[rows[1:]].tolist(), NO_TARGET]


def late(table: EventTable, **appended: int) -> EventTable:
    """The table, in which the rows of these sales were appended so many ms after the first."""
    times = table.appended.copy()
    for sale, after in appended.items():
        times[table.sales == table.sale_ids.index(sale)] = table.ts[0] + after
    return replace(table, appended=times)


def test_what_came_late_is_followed_by_what_the_stream_had_next_and_follows_nothing_later() -> None:
    log = [did("a", 0), did("b", 2 * MINUTE), did("c", 5 * MINUTE), did("d", 12 * MINUTE)]
    table = late(table_of(log), b=10 * MINUTE)
    found = [table.sale_ids[sale] if sale >= 0 else None for sale in next_clicks(table).tolist()]
    assert found == ["c", "d", None, None]


def test_a_purchase_from_before_a_row_that_came_late_is_not_to_be_predicted_after_it() -> None:
    log = [
        did("a", 0),
        did("b", 2 * HOUR),
        did("p", 3 * HOUR, kind=Purchase),
        did("q", 5 * HOUR, kind=Purchase),
    ]
    table = late(table_of(log), b=4 * HOUR)
    found = [table.sale_ids[sale] if sale >= 0 else None for sale in next_purchases(table, DAY).tolist()]
    assert found == ["p", "q", "q", None]


def test_a_purchase_that_came_late_is_not_to_be_predicted_after_what_followed_it() -> None:
    log = [did("a", 0), did("p", 10 * MINUTE, kind=Purchase), did("b", 20 * MINUTE)]
    table = late(table_of(log), p=HOUR)
    assert next_purchases(table, DAY).tolist() == [table.sale_ids.index("p"), NO_TARGET, NO_TARGET]


def test_a_purchase_counts_within_the_visit_or_the_window() -> None:
    log = [did("a", 0), did("b", 50 * MINUTE), did("c", 70 * MINUTE), did("d", 80 * MINUTE, kind=Purchase)]
    table = table_of(log)
    assert next_purchases(table, 0).tolist() == [-1, 3, 3, -1]
    assert next_purchases(table, 2 * HOUR).tolist() == [3, 3, 3, -1]
    assert next_purchases(table, 80 * MINUTE).tolist() == [3, 3, 3, -1]
    assert next_purchases(table, 80 * MINUTE - 1).tolist() == [-1, 3, 3, -1]


def test_a_visit_goes_on_after_just_half_an_hour_of_silence_as_a_session_does() -> None:
    for silence, numbers in ((VISIT_SILENCE, [0, 0]), (VISIT_SILENCE + 1, [0, 1])):
        log = [did("a", 0), did("b", silence)]
        assert session_numbers(table_of(log)).tolist() == numbers
        session = fold(fold(None, log[0], 0), log[1], 1)
        assert len(session.visit()) == 2 - numbers[1]


def counted(purchases: int, clicks: int) -> EventTable:
    """A table of so many of both."""
    kinds = np.repeat(np.array([PURCHASE, CLICK], np.int8), (purchases, clicks))
    return replace(table_of([did("a", 0)]), kinds=kinds)


def test_clicks_are_learned_where_there_are_too_few_purchases() -> None:
    least = [target_for(counted(few, 9)) for few in (FEWEST_PURCHASES - 1, FEWEST_PURCHASES)]
    enough = [target_for(counted(many, 9)) for many in (ENOUGH_PURCHASES - 1, ENOUGH_PURCHASES)]
    assert (least, enough) == (["click", "graded"], ["graded", "purchase"])


@pytest.mark.parametrize("purchases", [1, FEWEST_PURCHASES, ENOUGH_PURCHASES])
def test_purchases_are_learned_however_few_they_are_where_nobody_clicks(purchases: int) -> None:
    assert target_for(counted(purchases, 0)) == "purchase"


@pytest.mark.parametrize(
    ("target", "kinds", "fault"),
    [
        ("purchase", (Click, Click), "no purchase to learn from: .* --map-type"),
        ("graded", (Click, Click), "no purchase to learn from: .* --map-type"),
        ("click", (Purchase, Purchase), "no click to learn from: .* another target"),
        (
            "purchase",
            (Purchase, Click),
            "no purchase of the history comes after something else .*; is visitor_id",
        ),
        ("click", (Click, Purchase), "no click of the history comes after something else .*; is visitor_id"),
    ],
)
def test_a_history_without_anything_to_find_says_what_is_missing(
    target: Target, kinds: tuple[type[Action], type[Action]], fault: str
) -> None:
    table = table_of(
        did(sale, place, kind=kind) for place, (sale, kind) in enumerate(zip("ab", kinds, strict=True))
    )
    sought = next_clicks(table) if target == "click" else next_purchases(table, HOUR)
    with pytest.raises(TrainingError, match=fault):
        check_target(table, lessons_of(table, sought, target, 0.1).targets, target)


def test_a_click_is_worth_as_many_purchases_as_come_of_it_and_at_most_half_a_one() -> None:
    assert purchases_per_click(counted(3, 12)) == pytest.approx(1 / 4)
    assert purchases_per_click(counted(0, 12)) == 0
    assert purchases_per_click(counted(9, 12)) == purchases_per_click(counted(9, 0)) == MOST_OF_A_CLICK


def test_graded_lessons_seek_the_next_click_where_nothing_is_bought_later() -> None:
    table = table_of([did("a", 0), did("b", MINUTE), did("p", 2 * MINUTE, kind=Purchase), did("c", DAY)])
    sought = np.array([NO_TARGET, 2, NO_TARGET, NO_TARGET], np.int32)
    graded = lessons_of(table, sought, "graded", 0.25)
    assert graded.targets.tolist() == [1, 2, NO_TARGET, NO_TARGET]
    assert graded.grades.tolist() == [0.25, 1.0, 0.25, 0.25]
    for target in ("purchase", "click"):
        plain = lessons_of(table, sought, target, 0.25)
        assert (plain.targets.tolist(), plain.grades.tolist()) == (sought.tolist(), [1.0] * 4)
