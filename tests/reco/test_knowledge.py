"""Knowledge: a function of the log by seconds of append, bit for bit, and bounded."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.events import Action, Event, Impression, Shown
from reco.knowledge import LEARN_AT_ONCE
from tests.reco.plain import PlainCovisitation, PlainPopularity
from tests.reco.worlds import (
    FEATURES,
    MINUTE,
    NOON,
    SALES,
    Second,
    act,
    appended,
    described,
    learned,
    logs,
    long_log,
    open_sales,
    seconds_of,
    session_of,
    small_knowledge,
)

Log = Sequence[Sequence[Action]]
VISIT = session_of([act("s1", NOON), act("s2", NOON + MINUTE)])


def answers(
    seconds: Sequence[Second], *, read_between: bool = False, max_sales: int = 256
) -> dict[str, bytes]:
    """The bits of all scores for one visitor after these seconds, read at the end, or also in between."""
    knowledge = small_knowledge(max_sales=max_sales, max_visitors=8)
    for second, events in enumerate(seconds, start=1):
        knowledge.advance(second, events)
        if read_between:
            described(knowledge, VISIT)
    return {name: scores.tobytes() for name, scores in described(knowledge, VISIT).items()}


@given(logs, st.randoms(use_true_random=False))
def test_the_order_in_which_a_second_is_handed_over_changes_no_bit(log: Log, random: Random) -> None:
    seconds = appended(log)
    shuffled = [random.sample(events, len(events)) for events in seconds]
    assert answers(shuffled) == answers(seconds)


@given(logs)
def test_reading_in_between_changes_no_bit(log: Log) -> None:
    assert answers(appended(log), read_between=True) == answers(appended(log))


@pytest.mark.parametrize("seed", range(3))
def test_dropping_stale_sales_depends_on_the_log_alone(seed: int) -> None:
    seconds = seconds_of(long_log(seed, length=1500), per_second=10)
    random = Random(seed)
    shuffled = [random.sample(list(events), len(events)) for events in seconds]
    assert answers(shuffled, read_between=True, max_sales=16) == answers(seconds, max_sales=16)


def test_a_sale_that_took_a_dropped_ones_place_was_not_seen_in_its_visits() -> None:
    crowd = [act(f"old{number}", NOON + number, f"v{number}") for number in range(4)]
    newcomer, next_of_the_visit = act("new", NOON + 4, "ann"), act("old3", NOON + 5, "v0")
    knowledge = learned([*crowd, newcomer, next_of_the_visit], knowledge=small_knowledge(max_sales=4))
    scores = described(knowledge, session_of([newcomer]), open_sales(["new", "old3"]))
    assert scores["covisitation"].tolist() == [0.0, 0.0]


def test_learning_in_large_portions_gives_what_learning_each_at_once_gives() -> None:
    log = long_log(seed=1, length=LEARN_AT_ONCE + 1000)
    assert answers(seconds_of(log, per_second=500)) == answers(
        seconds_of(log, per_second=500), read_between=True
    )


@given(logs)
def test_within_a_second_events_are_learned_by_event_time_partition_and_offset(log: Log) -> None:
    plain, popularity, seen = PlainCovisitation(), PlainPopularity(), set()
    knowledge = small_knowledge()
    for second, events in enumerate(appended(log), start=1):
        knowledge.advance(second, events)
        for *_, event in sorted(events, key=lambda one: (one[2].ts, one[0], one[1])):
            if event.event_id not in seen:
                seen.add(event.event_id)
                plain.learn(event)  # type: ignore[arg-type]
                popularity.learn(event)  # type: ignore[arg-type]
    assert VISIT is not None
    scores, ids = described(knowledge, VISIT), sorted(SALES)
    assert scores["covisitation"].tolist() == [float(score) for score in plain.score(VISIT, ids)]
    assert scores["popularity"].tolist() == pytest.approx(popularity.score(ids), rel=1e-3, abs=1e-12)


def test_an_event_that_comes_again_is_learned_once() -> None:
    log = [act("s1"), act("s2", NOON + 1), act("s3", NOON + 2, "bob")]
    assert answers(seconds_of([*log, log[0], *log])) == answers(seconds_of(log))


def test_impressions_teach_nothing() -> None:
    shown = Impression("i1", "ann", "list", NOON, (Shown("s3", 1),))
    log: list[Event] = [act("s1"), act("s2", NOON + 1)]
    with_impression = [[(0, number, event)] for number, event in enumerate([*log, shown])]
    assert answers(with_impression) == answers(with_impression[:-1])


def test_it_only_goes_forward() -> None:
    knowledge = small_knowledge()
    knowledge.advance(7, [])
    assert knowledge.second == 7
    for second in (7, 6):
        with pytest.raises(ValueError, match="only goes forward"):
            knowledge.advance(second, [])
    assert knowledge.second == 7


def test_candidates_are_found_anew_when_sales_open_or_become_known() -> None:
    knowledge, live = learned([act("s1")]), open_sales(["s1", "s2"])
    before = knowledge.candidates(live)
    assert knowledge.candidates(live) is before
    learned([act("s2")], knowledge=knowledge)
    assert (before.slots >= 0).tolist() == [True, False]
    assert (knowledge.candidates(live).slots >= 0).tolist() == [True, True]
    assert knowledge.candidates(open_sales(["s2"])).live.ids == ("s2",)


def test_features_stand_in_the_columns_asked_for() -> None:
    knowledge = learned([act("s1", visitor_id="bob"), act("s2", NOON + 1, "bob")])
    scores = described(knowledge, VISIT)
    assert list(scores) == list(FEATURES)
    assert all(column.any() for column in scores.values())
    with pytest.raises(KeyError, match="astrology"):
        knowledge.describe(knowledge.candidates(open_sales()), None, ["astrology"])  # type: ignore[arg-type]
