"""Knowledge: a function of the log by seconds of append, bit for bit, and bounded."""

from collections.abc import Sequence
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reco.candidates import NOWHERE
from reco.events import Action, Event, Impression, Shown
from reco.features import FEATURES
from reco.knowledge import LEARN_AT_ONCE, MAX_KEPT
from reco.parameters import CoVisitationParameters, Parameters
from reco.recommenders.covisitation import CoVisitation
from tests.reco.plain import plain_popularity, steps_of
from tests.reco.plain_neighbours import PlainCovisitation
from tests.reco.worlds import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SALES,
    Second,
    act,
    appended,
    asked,
    described,
    learn,
    learned,
    logs,
    long_log,
    open_sales,
    seconds_of,
    session_of,
    small_knowledge,
    visits,
)

Log = Sequence[Sequence[Action]]
MIXED = (
    "popularity.clicks_now",
    "popularity.clicks_today~rank",
    "popularity.idle",
    "segments.first_clicks",
    "segments.third_lift",
    "revisits.decayed",
    "covisitation.near_now_last",
    "moment.hour",
)
"""Features that are the same for many visitors, and features that are not."""
WITH_CONTEXT = [
    session_of([act("s1", NOON, visitor), act("s2", NOON, visitor)]) for visitor in ("ann", "bob", "cleo")
]
"""A visitor from each of the `CONTEXTS`."""
VISIT = session_of([act("s1", NOON), act("s2", NOON + MINUTE)])


def answers(
    seconds: Sequence[Second], *, read_between: bool = False, max_sales: int = 256
) -> dict[str, bytes]:
    """The bits of all features for one visitor after these seconds, read at the end, or also in between."""
    knowledge = small_knowledge(max_sales=max_sales, max_visitors=8)
    for second in seconds:
        learn(knowledge, [second])
        if read_between:
            described(knowledge, VISIT)
    return {name: row.tobytes() for name, row in described(knowledge, VISIT).items()}


@given(logs, st.randoms(use_true_random=False))
def test_the_order_in_which_a_second_is_handed_over_changes_no_bit(log: Log, random: Random) -> None:
    seconds = appended(log)
    shuffled = [random.sample(events, len(events)) for events in seconds]
    assert answers(shuffled) == answers(seconds)


@given(logs)
def test_reading_in_between_changes_no_bit(log: Log) -> None:
    assert answers(appended(log), read_between=True) == answers(appended(log))


@pytest.mark.parametrize("seed", range(2))
def test_dropping_stale_sales_depends_on_the_log_alone(seed: int) -> None:
    seconds = seconds_of(long_log(seed, length=600), per_second=10)
    random = Random(seed)
    shuffled = [random.sample(list(events), len(events)) for events in seconds]
    assert answers(shuffled, read_between=True, max_sales=16) == answers(seconds, max_sales=16)


def test_a_sale_that_took_a_dropped_ones_place_was_not_seen_in_its_visits() -> None:
    crowd = [act(f"old{number}", NOON + number, f"v{number}") for number in range(4)]
    newcomer, next_of_the_visit = act("new", NOON + 4, "ann"), act("old3", NOON + 5, "v0")
    knowledge = learned([*crowd, newcomer, next_of_the_visit], knowledge=small_knowledge(max_sales=4))
    rows = described(knowledge, session_of([newcomer]), open_sales(["new", "old3"]))
    for feature in ("covisitation.near_now_visit", "covisitation.onward_now_visit", "session_knn.vsknn"):
        assert rows[feature].tolist() == [0.0, 0.0]


def test_learning_in_large_portions_gives_what_learning_each_at_once_gives() -> None:
    log = long_log(seed=1, length=LEARN_AT_ONCE + 1000)
    assert answers(seconds_of(log, per_second=500)) == answers(
        seconds_of(log, per_second=500), read_between=True
    )


@given(logs)
def test_within_a_second_events_are_learned_by_event_time_partition_and_offset(log: Log) -> None:
    knowledge, in_order = small_knowledge(), dict[str, Action]()
    learn(knowledge, appended(log))
    for second in appended(log):
        for *_, event in sorted(second, key=lambda one: (one[2].ts, one[0], one[1])):
            in_order.setdefault(event.event_id, event)  # type: ignore[arg-type]
    steps, ids = steps_of([*in_order.values()]), sorted(SALES)
    pairs = PlainCovisitation(CoVisitationParameters())
    for step in steps:
        pairs.learn(step)
    assert VISIT is not None
    rows, plain = described(knowledge, VISIT), pairs.score(VISIT, ids)
    for feature in CoVisitation.features:
        assert rows[f"covisitation.{feature}"].tolist() == plain[feature], feature
    counts = plain_popularity(Parameters().popularity, steps, ids, NOON)
    assert rows["popularity.clicks_today"].tolist() == pytest.approx(counts["clicks_today"], rel=1e-5)


def test_an_event_that_comes_again_is_learned_once() -> None:
    log = [act("s1"), act("s2", NOON + 1), act("s3", NOON + 2, "bob")]
    assert answers(seconds_of([*log, log[0], *log])) == answers(seconds_of(log))


def test_impressions_teach_nothing() -> None:
    shown = Impression("i1", "ann", "list", NOON, (Shown("s3", 1),))
    log: list[Event] = [act("s1"), act("s2", NOON + 1)]
    with_impression = [[(0, number, event)] for number, event in enumerate([*log, shown])]
    assert answers(with_impression) == answers(with_impression[:-1])


@pytest.mark.parametrize("years", [1, 75])
def test_an_event_from_the_future_counts_as_of_the_end_of_the_second_of_its_append(years: int) -> None:
    log, second = visits("ab", "ac", start=NOON - MINUTE), NOON // 1000
    rows = []
    for ts in (NOON + years * 365 * DAY, NOON + 999, NOON):
        odd = act("b", ts, event_id="odd")
        knowledge = small_knowledge()
        knowledge.advance(second, [(0, place, event) for place, event in enumerate([*log, odd])])
        rows.append(described(knowledge, VISIT, open_sales(["a", "b", "c"]), at=NOON + MINUTE))
    future, end, start = ({name: row.tobytes() for name, row in one.items()} for one in rows)
    assert future == end != start
    assert min(rows[0]["popularity.clicks_now"]) > 0.5


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


@given(logs)
def test_all_that_was_learned_of_can_be_asked_for_as_if_it_were_live(log: Log) -> None:
    knowledge = small_knowledge(max_sales=8)
    for number, second in enumerate(appended(log)):
        learn(knowledge, [second])
        everything = knowledge.everything()
        assert knowledge.everything() is everything
        assert len(everything.live.ids) == len(set(everything.live.ids)) <= 8
        for place, sale_id in enumerate(everything.live.ids):
            assert everything.live.position[sale_id] == place
            assert everything.slots[place] == everything.slot_of_sale[sale_id] != NOWHERE
            assert everything.positions[everything.slots[place]] == place
        assert np.count_nonzero(everything.positions != NOWHERE) == len(everything.live.ids)
        if number % 2:
            knowledge.candidates(open_sales())


def test_features_stand_in_the_rows_asked_for() -> None:
    knowledge = learned([act("s1", visitor_id="bob"), act("s2", NOON + 1, "bob")])
    names = (
        "revisits.clicks",
        "covisitation.near_now_last",
        "popularity.clicks_now",
        "popularity.clicks_now~rank",
    )
    query = asked(knowledge, VISIT)
    rows = knowledge.describe(query, names)
    assert rows.shape == (len(names), len(SALES))
    assert rows.flags.c_contiguous
    assert all(row.any() for row in rows)
    for name, row in zip(names, rows, strict=True):
        assert (
            knowledge.describe(query, (name,)).tobytes()
            == row.tobytes()
            == described(knowledge, VISIT)[name].tobytes()
        )
    with pytest.raises(KeyError, match="astrology"):
        knowledge.describe(query, ("astrology.sign",))


@settings(max_examples=15)
@given(logs, st.lists(st.integers(NOON - HOUR, NOON + DAY), min_size=1, max_size=3), st.permutations(MIXED))
def test_what_is_kept_for_the_next_visitor_is_what_would_be_found_anew(
    log: Log, moments: list[int], features: list[str]
) -> None:
    knowledge, lives = small_knowledge(max_sales=8), (open_sales(), open_sales(SALES[:5]))
    names = (tuple(features), tuple(features[:3]))
    asks = list(product(lives, names, moments, WITH_CONTEXT))
    for number, second in enumerate(appended(log)):
        learn(knowledge, [second])
        anew = small_knowledge(max_sales=8)
        learn(anew, appended(log)[: number + 1])
        for live, asked_for, at, session in asks if number % 2 else reversed(asks):
            rows = knowledge.describe(asked(knowledge, session, live, at), asked_for)
            afresh = asked(anew, session, live, at).only(np.arange(len(live.ids), dtype=np.int32))
            assert rows.tobytes() == anew.describe(afresh, asked_for).tobytes()


def test_what_is_kept_for_the_next_visitor_is_bounded() -> None:
    knowledge = learned(long_log(seed=1, length=100))
    found = {}
    for ago in range(2 * MAX_KEPT):
        query = asked(knowledge, VISIT, at=NOON - ago * MINUTE)
        found[ago] = knowledge.describe(query, ("segments.first_clicks",)).tobytes()
    assert len(set(found.values())) > MAX_KEPT
    assert len(knowledge._kept) <= MAX_KEPT


def test_other_parameters_give_other_features() -> None:
    fast = Parameters(covisitation=replace(CoVisitationParameters(), now=MINUTE))
    log = [*visits("ab", start=NOON - 30 * MINUTE), *visits("ac", start=NOON)]
    rows = [
        described(
            learned(log, knowledge=small_knowledge(parameters=some)),
            session_of([act("a")]),
            open_sales("abc"),
        )
        for some in (Parameters(), fast)
    ]
    assert rows[1]["covisitation.near_now_last"][1] < rows[0]["covisitation.near_now_last"][1]
    assert (
        rows[1]["covisitation.near_lasting_last"].tolist()
        == rows[0]["covisitation.near_lasting_last"].tolist()
    )
    assert list(rows[0]) == list(FEATURES)
