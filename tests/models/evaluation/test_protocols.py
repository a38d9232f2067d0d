"""Protocols: what is asked, what is known at that moment, and which questions train and test."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from models.evaluation.protocols import (
    PUBLISHED_LENGTH,
    Asked,
    hourly,
    next_click,
    purchase,
)
from models.event_table import YEAR, EventTable, table_of
from models.targets import next_clicks, next_purchases, session_numbers
from models.training_set import FEWEST_DRAWN, TrainingSet
from models.walk import NEVER, Question, questions
from reco.events import Cart, Impression, Purchase, Shown
from reco.knowledge import Knowledge
from tests.models.histories import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    did,
    histories,
    ids_of,
    rows_by_session,
    session_histories,
    sessions,
)

frozen_or_not = pytest.mark.parametrize("frozen", [True, False])
REPLAYED = settings(max_examples=30)
A_PACE = ("abc", 0, MINUTE)
"""A session with a gap that is not its last one, so that there is one to draw from."""


def test_the_next_click_is_a_click_of_the_same_session_whatever_stands_between() -> None:
    log = [
        did("a", 0),
        did("a", SECOND, kind=Cart),
        did("b", 2 * SECOND),
        did("c", 3 * SECOND, "bob"),
        did("c", 2 * HOUR),
        did("b", 2 * HOUR + SECOND, kind=Purchase),
    ]
    table = table_of(log)
    found = [table.sale_ids[sale] if sale >= 0 else None for sale in next_clicks(table).tolist()]
    assert found == ["b", "b", None, None, None, None]
    asked = next_click(table, 0.0, 1.0, frozen=False)
    assert np.flatnonzero(asked.trained).tolist() == [2]


def asked_rows(asked: Asked) -> list[int]:
    """The rows before which, or after which, a list is asked for."""
    steps = asked.walk.steps
    rows: list[int] = (~steps[steps < 0]).tolist()
    return sorted(rows)


def event_rows(asked: Asked) -> list[int]:
    """The rows whose events happen, in this order."""
    steps = asked.walk.steps
    rows: list[int] = steps[steps >= 0].tolist()
    return rows


def replayed(asked: Asked) -> Iterator[Question]:
    """All questions, one after the other."""
    return questions(asked.walk, Knowledge(max_sales=64, max_visitors=64))


def known_at(asked: Asked) -> dict[int, set[str]]:
    """The sales that knowledge has learned of, at each question."""
    return {one.row: set(one.query.candidates.live.ids) for one in replayed(asked)}


def starts_of(table: EventTable) -> NDArray[np.int64]:
    """int64[n_rows]: when the session of each row started."""
    starts = np.empty(len(table), np.int64)
    for rows in rows_by_session(table).values():
        starts[rows] = table.ts[rows[0]]
    return starts


@frozen_or_not
@given(table=session_histories())
def test_the_last_of_the_first_clicks_of_each_session_is_to_be_found(table: EventTable, frozen: bool) -> None:  # noqa: FBT001
    assume(max(len(rows) for rows in rows_by_session(table).values()) > 2)
    asked = hourly(table, 2, 3, 1.0, frozen=frozen)
    kept = {number: rows[:PUBLISHED_LENGTH] for number, rows in rows_by_session(table).items()}
    assert sorted(event_rows(asked)) == sorted(row for rows in kept.values() for row in rows)
    assert asked_rows(asked) == sorted(rows[-1] for rows in kept.values() if len(rows) > 1)
    assert ids_of(table, asked_rows(asked)) == [
        table.sale_ids[asked.walk.targets[row]] for row in asked_rows(asked)
    ]
    for rows in kept.values():
        assert ids_of(table, rows[:-1]) == [table.sale_ids[sale] for sale in asked.seen(rows[-1])]


@frozen_or_not
@given(table=session_histories(span=5 * DAY))
def test_questions_are_split_by_the_day_and_counted_by_the_hour_of_the_start_of_their_session(
    table: EventTable,
    frozen: bool,  # noqa: FBT001
) -> None:
    assume(max(len(rows) for rows in rows_by_session(table).values()) > 2)
    asked, starts = hourly(table, 3, 4, 1.0, frozen=frozen), starts_of(table)
    for row in range(len(table)):
        hour = (starts[row] - table.ts.min()) // HOUR
        is_asked, day = row in asked_rows(asked), hour // 24 + 1
        assert asked.windows[row] == hour
        assert asked.trained[row] == (is_asked and day == 2), "the first day only warms up"
        assert asked.tested[row] == (is_asked and day in (3, 4))


@REPLAYED
@given(session_histories(span=8 * HOUR))
def test_frozen_by_the_hour_whole_sessions_of_past_hours_are_known_and_nothing_else(
    table: EventTable,
) -> None:
    asked, starts = hourly(table, 2, 3, 1.0, frozen=True), starts_of(table)
    kept, hours = set(event_rows(asked)), (starts - table.ts.min()) // HOUR
    assert asked.walk.ts.tolist() == table.ts.tolist()
    ends = table.ts.min() + (hours + 1) * HOUR
    assert asked.walk.appended.tolist() == asked.walk.asked_in.tolist() == (ends // SECOND).tolist()
    for row, known in known_at(asked).items():
        assert known == set(ids_of(table, [one for one in kept if hours[one] < hours[row]]))


@REPLAYED
@given(session_histories(span=2 * HOUR))
def test_streaming_everything_before_the_second_of_the_question_is_known_and_nothing_else(
    table: EventTable,
) -> None:
    assume(max(len(rows) for rows in rows_by_session(table).values()) > 2)
    for asked in (hourly(table, 2, 3, 1.0, frozen=False), next_click(table, 0.5, 0.5, frozen=False)):
        kept, seconds = event_rows(asked), asked.walk.ts // SECOND
        assert (np.diff(asked.walk.ts[kept]) >= 0).all()
        for row, known in known_at(asked).items():
            now = table.ts[row] // SECOND
            assert known == set(ids_of(table, [one for one in kept if seconds[one] < now]))


@given(session_histories(), st.integers(0, 9))
def test_only_the_last_gaps_are_drawn_anew_from_gaps_that_are_none(table: EventTable, seed: int) -> None:
    by_session = [rows for rows in rows_by_session(table).values() if len(rows) > 1]
    pool = {int(gap) for rows in by_session for gap in np.diff(table.ts[rows])[:-1]}
    assume(pool)
    ts = hourly(table, 2, 3, 0.5, frozen=False, seed=seed).walk.ts
    lasts = [rows[-1] for rows in by_session]
    others = np.setdiff1d(np.arange(len(table)), lasts)
    assert ts[others].tolist() == table.ts[others].tolist()
    for rows in by_session:
        drawn, own = int(ts[rows[-1]] - ts[rows[-2]]), int(table.ts[rows[-1]] - table.ts[rows[-2]])
        assert drawn == own or (drawn > own and drawn in pool)


def test_a_last_gap_that_gives_the_answer_away_is_gone() -> None:
    telling = 30 * SECOND
    log = [
        did(sale, start * MINUTE + after, f"v{start}", f"s{start}")
        for start in range(50)
        for sale, after in (("a", 0), ("b", 100 * SECOND), ("c", 100 * SECOND + telling))
    ]
    table = table_of(log)
    ts, kept = (hourly(table, 2, 3, 1.0, frozen=frozen).walk.ts for frozen in (False, True))
    assert set((ts[2::3] - ts[1::3]).tolist()) == {100 * SECOND}
    assert set((kept[2::3] - kept[1::3]).tolist()) == {telling}


def test_a_share_of_the_sessions_tests_and_which_follows_from_the_seed() -> None:
    table = table_of(sessions(*[A_PACE] * 400, *[("abc", DAY, MINUTE)] * 50))
    tested = [
        np.flatnonzero(hourly(table, 1, 1, 0.25, frozen=True, seed=seed).tested).tolist()
        for seed in (1, 1, 2)
    ]
    assert tested[0] == tested[1] != tested[2]
    assert 60 < len(tested[0]) < 140
    asked = hourly(table, 3, 3, 0.25, frozen=True)
    assert asked.trained.sum() == 50, "all of those before train"
    assert len(event_rows(asked)) == len(table), "all are learned"


@frozen_or_not
@REPLAYED
@given(table=session_histories(span=HOUR))
def test_the_session_of_a_question_holds_every_click_before_the_one_to_be_found_and_no_other(
    table: EventTable,
    frozen: bool,  # noqa: FBT001
) -> None:
    by_session = list(rows_by_session(table).values())
    assume(max(map(len, by_session)) > 2)
    of_one = dataclasses.replace(table, visitors=0 * table.visitors) if frozen else table
    for asked in (hourly(table, 2, 3, 1.0, frozen=frozen), next_click(of_one, 0.5, 0.5, frozen=frozen)):
        for row, query, _, session in replayed(asked):
            (own,) = (rows for rows in by_session if row in rows)
            assert query.at == table.ts[row]
            assert session is not None
            before = [int(touch.event_id) for touch in session.recent]
            assert sorted(before) == sorted(own[: own.index(row)])


@frozen_or_not
@given(table=session_histories(), shares=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)))
def test_every_click_but_the_first_of_the_newest_sessions_is_asked_for(
    table: EventTable,
    shares: tuple[float, float],
    frozen: bool,  # noqa: FBT001
) -> None:
    asked = next_click(table, *shares, frozen=frozen)
    by_start = sorted(rows_by_session(table).values(), key=lambda rows: table.ts[rows[0]])
    assume(len({int(table.ts[rows[0]]) for rows in by_start}) == len(by_start))
    n_tests, n_trains = (round(len(by_start) * share) for share in shares)
    testing = by_start[len(by_start) - n_tests :]
    training = by_start[max(len(by_start) - n_tests - n_trains, 0) : len(by_start) - n_tests]
    for chosen, some in ((asked.tested, testing), (asked.trained, training)):
        assert set(np.flatnonzero(chosen).tolist()) == {row for rows in some for row in rows[1:]}
    assert not (asked.trained & asked.tested).any()
    assert set(asked_rows(asked)) == set(np.flatnonzero(asked.trained | asked.tested).tolist())


@given(session_histories())
def test_frozen_sessions_are_walked_one_after_the_other_and_learned_no_sooner_than_they_are_over(
    table: EventTable,
) -> None:
    asked = next_click(table, 0.3, 0.3, frozen=True)
    walk = asked.walk
    rows = np.where(walk.steps < 0, ~walk.steps, walk.steps)
    learned = [row for row in event_rows(asked) if walk.appended[row] != NEVER]
    assert sorted(event_rows(asked)) == list(range(len(table)))
    assert (np.diff(asked.clusters[rows]) >= 0).all()
    assert (np.diff(walk.appended[learned]) >= 0).all()
    for own in rows_by_session(table).values():
        assert len(set(asked.clusters[own].tolist())) == 1
        seconds = set(walk.appended[own].tolist())
        assert seconds == {NEVER} or (len(seconds) == 1 and seconds.pop() >= table.ts[own].max() // SECOND)


@REPLAYED
@given(session_histories())
def test_frozen_sessions_that_are_asked_about_are_not_learned_before_all_of_them_were_asked(
    table: EventTable,
) -> None:
    asked = next_click(table, 0.4, 0.3, frozen=True)
    n_sessions = asked.clusters.max() + 1
    n_tests, n_trains = round(n_sessions * 0.4), round(n_sessions * 0.3)
    testing = asked.clusters >= n_sessions - n_tests
    training = ~testing & (asked.clusters >= n_sessions - n_tests - n_trains)
    assert (asked.walk.appended[testing] == NEVER).all()
    assert (asked.walk.appended[~testing] != NEVER).all()
    for row, known in known_at(asked).items():
        learned = ~testing if testing[row] else ~testing & ~training
        assert known == set(ids_of(table, np.flatnonzero(learned).tolist()))


@given(histories(span=30 * HOUR), st.sampled_from((MINUTE, HOUR, 5 * HOUR)))
def test_purchases_are_asked_for_after_every_event_and_no_window_of_training_reaches_into_the_test(
    table: EventTable, window: int
) -> None:
    asked = purchase(table, 0.25, 0.5, window)
    walk, span = asked.walk, table.ts.max() - table.ts.min()
    tested_from = table.ts.max() - round(span * 0.25)
    assert walk.targets.tolist() == next_purchases(table, window).tolist()
    assert walk.steps[1::2].tolist() == (~walk.steps[::2]).tolist(), "right after each event"
    assert sorted(event_rows(asked)) == list(range(len(table)))
    assert (np.diff(walk.ts[event_rows(asked)]) >= 0).all()
    assert walk.appended.tolist() == walk.asked_in.tolist() == (table.ts // SECOND).tolist()
    assert asked.tested.tolist() == (table.ts >= tested_from).tolist()
    numbers = session_numbers(table)
    ends = np.array([table.ts[numbers == one].max() for one in numbers])
    over = np.maximum(table.ts + window, ends)
    assert asked.settled.tolist() == (over <= table.ts.max()).tolist()
    assert (over[asked.trained] < tested_from).all()
    assert (table.ts[asked.trained] >= tested_from - round(span * 0.5)).all()


def test_questions_of_one_visitor_or_of_one_session_depend_on_each_other() -> None:
    trails = [("abc", number * HOUR, MINUTE) for number in range(40)]
    log = [replace(one, visitor_id=f"v{number // 3 % 4}") for number, one in enumerate(sessions(*trails))]
    table = table_of(log)
    for asked in (hourly(table, 2, 2, 1.0, frozen=True), purchase(table, 0.25, 0.5, HOUR)):
        assert asked.clusters.tolist() == table.visitors.tolist()
    asked = next_click(table, 0.25, 0.5, frozen=False)
    assert asked.clusters.tolist() == [number // 3 for number in range(len(log))]


def test_an_event_of_a_wrong_clock_does_not_move_the_part_that_tests_and_is_none_of_it() -> None:
    log = [did("a", hour * HOUR, f"v{hour % 7}") for hour in range(200)]
    plain, wrong = (
        purchase(table_of(events), 0.25, 0.5, HOUR) for events in (log, [*log, did("a", 5 * YEAR)])
    )
    for rows, others in ((plain.tested, wrong.tested), (plain.trained, wrong.trained)):
        assert rows.any()
        assert [*rows.tolist(), False] == others.tolist()


def test_the_last_click_of_a_session_is_asked_for_whatever_comes_after_it() -> None:
    bought = [did("b", 3 * SECOND, kind=Cart), did("b", 4 * SECOND, kind=Purchase)]
    table = table_of(
        [did("a", 0), did("b", 2 * SECOND), *bought, did("c", 0, "bob"), did("c", MINUTE, "bob", kind=Cart)]
    )
    for frozen in (False, True):
        assert asked_rows(hourly(table, 2, 3, 1.0, frozen=frozen)) == [1]


@pytest.mark.parametrize(
    ("fewest", "enough", "expected"),
    [
        (1, 1, [{"a": 1}, {"a": 1}, {}, {}]),
        (1, 2, [{"a": 1}, {"a": 1}, {"c": pytest.approx(1 / 5)}, {}]),
        (2, 3, [{"b": 1}, {"c": 1}, {"c": 1}, {}]),
    ],
)
def test_purchases_are_learned_as_in_a_release_and_what_was_bought_is_not_listed(
    fewest: int, enough: int, expected: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.targets.FEWEST_PURCHASES", fewest)
    monkeypatch.setattr("models.targets.ENOUGH_PURCHASES", enough)
    known = [did(sale, place * SECOND, "cleo") for place, sale in enumerate("abc")]
    visit = [did("a", HOUR), did("b", HOUR + MINUTE), did("a", HOUR + 2 * MINUTE, kind=Purchase)]
    later = [did("c", HOUR + 3 * MINUTE), did("c", HOUR + 3 * MINUTE, "dan", kind=Purchase)]
    asked = purchase(table_of([*known, *visit, *later]), 0.01, 0.5, HOUR)
    taught, allowed = [], []
    for question in questions(asked.walk, Knowledge(max_sales=8, max_visitors=8)):
        if len(known) <= question.row < len(known) + 4:
            training = TrainingSet(("place",), np.random.default_rng(0), negatives=0)
            ids = question.query.candidates.live.ids
            asked.teach(training, question, np.arange(len(ids), dtype=np.float32)[np.newaxis])
            examples = training.complete()
            grades = zip(examples.rows[0].tolist(), examples.labels.tolist(), strict=True)
            taught.append({ids[int(place)]: grade for place, grade in grades if grade})
            allowed.append("".join(np.array(ids)[asked.allowed(question)]))
    assert allowed == ["abc", "abc", "bc", "bc"]
    assert taught == expected


@pytest.mark.parametrize("clocks", [0, 1])
def test_a_clock_of_years_ago_does_not_move_the_days_and_shares_of_a_log(clocks: int) -> None:
    log = [
        did("abc"[place], hours * HOUR + place * MINUTE, f"v{hours}", f"s{hours}")
        for hours in range(72)
        for place in range(3)
    ]
    wrong = [did("a", -3650 * DAY, "slow", "s")] * clocks
    table = table_of([*wrong, *log])
    for asked, trained, tested in (
        (hourly(table, 3, 3, 1.0, frozen=True), 24, 24),
        (hourly(table, 3, 3, 1.0, frozen=False), 24, 24),
        (purchase(table, 0.25, 0.5, HOUR), 105, 54),
    ):
        assert (asked.trained.sum(), asked.tested.sum()) == (trained, tested)


def test_what_the_visitor_was_shown_is_learned_from_beside_what_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.targets.FEWEST_PURCHASES", 0)
    others = [did(f"s{number}", number * SECOND, f"v{number}") for number in range(90)]
    seen = Impression("i", "ann", "l", others[0].ts + 2 * HOUR, tuple(Shown(f"s{n}", 1) for n in range(20)))
    log = [*others, did("s50", 2 * HOUR - 1), seen, did("s60", 2 * HOUR + SECOND, kind=Purchase)]
    asked = purchase(table_of(log), 0.25, 0.5, HOUR)
    training = TrainingSet(("place",), np.random.default_rng(0), negatives=0)
    for question in questions(asked.walk, Knowledge(max_sales=128, max_visitors=128)):
        if question.row == len(others):  # ann's click, after which she is shown sales and buys one
            ids = [question.query.candidates.live.ids[place] for place in question.query.candidates.places]
            asked.teach(training, question, np.arange(len(ids), dtype=np.float32)[np.newaxis])
    learned = [ids[int(place)] for place in training.complete().rows[0]]
    assert learned[0] == "s60"
    assert set(learned[1:21]) == {f"s{number}" for number in range(20)}
    assert len(learned) == 1 + 20 + FEWEST_DRAWN
