"""What every recommender must do, whichever it is."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco.candidates import query_of
from reco.events import Action, Event
from reco.features import FAMILIES, FEATURES
from reco.knowledge import Knowledge
from reco.recommenders.protocol import Recommender
from reco.sessions import Session
from tests.reco.worlds import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SALES,
    VISITORS,
    act,
    appended,
    asked,
    described,
    features_of,
    learn,
    learned,
    logs,
    long_log,
    open_sales,
    session_of,
    small_knowledge,
    visits,
)

Log = Sequence[Sequence[Action]]
NAMES = tuple(family.name for family in FAMILIES)
COMPARED: Mapping[str, frozenset[str]] = {family.name: family.compared for family in FAMILIES}
MAY_BE_UNKNOWN: Mapping[str, Sequence[str]] = {
    "popularity": ("age", "idle"),
    "revisits": ("hours_ago", "sales_ago"),
    "moment": ("dwell", "idle", "pace", "silence", "sale_age", "closes_in"),
    "segments": ("first_lift", "second_lift", "third_lift"),
}
"""The features that are NaN where nothing is known, as their recommenders document it."""
ABOUT_CONTENT = ("similarity", "attributes")
"""Families that know nothing at all of sales whose content is not known; a cosine may be below 0."""
CONCERNING_ONE_SALE = ("covisitation", "session_knn", "revisits")
"""Families that say the same about a sale, whichever the other candidates are."""

every_recommender = pytest.mark.parametrize("name", NAMES)
PATIENCE = settings(max_examples=15)
VISIT = session_of([act("s1", NOON - MINUTE), act("s3", NOON - MINUTE + 1), act("s2", NOON)])


def recommender(name: str, knowledge: Knowledge | None = None) -> Recommender:
    """The one with this name; one that has learned nothing, unless knowledge is given."""
    return (knowledge or small_knowledge())._recommenders[name]


def bits(name: str, knowledge: Knowledge, session: Session | None = VISIT, at: int = NOON) -> bytes:
    """What it says about all sales, to the last bit."""
    rows = described(knowledge, session, features=features_of(name), at=at)
    return b"".join(row.tobytes() for row in rows.values())


def assert_sensible(name: str, rows: Mapping[str, np.ndarray]) -> None:
    """Finite or, where that is documented, NaN; and evidence is not below 0."""
    for feature, row in rows.items():
        own = feature.partition(".")[2].partition("~")[0]
        assert row.dtype == np.float32
        assert not np.isinf(row).any(), feature
        if name not in ABOUT_CONTENT:
            assert own in MAY_BE_UNKNOWN.get(name, ()) or not np.isnan(row).any(), feature
            assert own not in COMPARED[name] or (row >= 0).all(), feature


@every_recommender
def test_its_features_are_known_by_its_name_and_some_are_compared(name: str) -> None:
    one = recommender(name)
    assert one.name == name
    assert one.compared <= set(one.features)
    alone = [f"{name}.{feature}" for feature in one.features]
    compared = [f"{name}.{feature}{form}" for feature in one.compared for form in ("~share", "~rank")]
    assert sorted(features_of(name)) == sorted(alone + compared)


def test_no_two_recommenders_share_a_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {feature.partition(".")[0] for feature in FEATURES} == set(NAMES)


@every_recommender
@pytest.mark.parametrize("known", [False, True])
def test_it_writes_every_element_whatever_stood_there(name: str, known: bool) -> None:  # noqa: FBT001
    knowledge = learned(long_log(seed=7, length=300)) if known else small_knowledge()
    one, query = recommender(name, knowledge), asked(knowledge, VISIT)
    over = [np.full((len(one.features), len(SALES)), before, np.float32) for before in (np.nan, -7.0)]
    for rows in over:
        one.score(query, rows)
    assert over[0].tobytes() == over[1].tobytes()


@every_recommender
def test_before_anything_was_learned_nothing_speaks_for_any_sale(name: str) -> None:
    rows = described(small_knowledge(), None, features=features_of(name))
    assert_sensible(name, rows)
    if name not in ABOUT_CONTENT:
        for feature in recommender(name).compared:
            assert rows[f"{name}.{feature}"].tolist() == [0.0] * len(SALES), feature


@every_recommender
def test_it_can_be_asked_when_no_sale_is_open(name: str) -> None:
    for knowledge, session in product(
        (small_knowledge(), learned(long_log(seed=1, length=50))), (None, VISIT)
    ):
        rows = described(knowledge, session, open_sales([]), features_of(name))
        assert [row.shape for row in rows.values()] == [(0,)] * len(rows)


@every_recommender
@PATIENCE
@given(log=logs, at=st.integers(NOON - DAY, NOON + 400 * DAY))
def test_what_it_says_is_finite_or_not_known(name: str, log: Log, at: int) -> None:
    knowledge = small_knowledge()
    learn(knowledge, appended(log))
    for visitor in VISITORS:
        own = [event for events in log for event in events if event.visitor_id == visitor]
        assert_sensible(name, described(knowledge, session_of(own), features=features_of(name), at=at))


@every_recommender
@PATIENCE
@given(log=logs, pieces=st.lists(st.booleans(), min_size=12, max_size=12))
def test_however_actions_are_cut_into_batches_not_a_bit_differs(
    name: str, log: Log, pieces: list[bool]
) -> None:
    whole, cut = small_knowledge(), small_knowledge()
    learn(whole, appended(log))
    for read, second in zip(pieces, appended(log), strict=False):
        learn(cut, [second])
        if read:
            cut.candidates(open_sales())  # has what waits be learned
    learn(cut, [[]] * (len(log) - len(pieces)))
    assert bits(name, cut) == bits(name, whole)


@every_recommender
@PATIENCE
@given(log=logs)
def test_what_others_ask_in_between_changes_not_a_bit(name: str, log: Log) -> None:
    knowledge, never_asked = small_knowledge(), small_knowledge()
    for second in appended(log):
        learn(knowledge, [second])
        for visitor in VISITORS:
            own = [event for events in log for event in events if event.visitor_id == visitor]
            bits(name, knowledge, session_of(own))
    learn(never_asked, appended(log))
    assert bits(name, knowledge) == bits(name, never_asked)


@pytest.mark.parametrize("later", [HOUR, -100_000 * HOUR])
@every_recommender
def test_a_dropped_sale_leaves_nothing_behind_for_those_that_take_its_place(name: str, later: int) -> None:
    dropped = [
        act(sale, NOON, "bob", event_id=f"{sale}-{turn}") for turn in range(5) for sale in ("o1", "o2")
    ]
    kept = [act(f"k{number}", NOON + HOUR + number, f"cleo{number // 2}") for number in range(6)]
    newcomers = [act(sale, NOON + later, "dan") for sale in ("n1", "n2")]
    forgetful = learned([*dropped, *kept, *newcomers], knowledge=small_knowledge(max_sales=8))
    unaware = learned([*kept, *newcomers], knowledge=small_knowledge(max_sales=8))
    everything = open_sales(["o1", "o2", "n1", "n2", *(f"k{number}" for number in range(6))])
    for sales, touched in product((everything, open_sales(["n1", "n2"])), ("o1", "n1", "k0")):
        visit = session_of([act(touched, NOON + HOUR)])
        forgot, never_knew = (
            described(knowledge, visit, sales, features_of(name), NOON + HOUR)
            for knowledge in (forgetful, unaware)
        )
        for feature, row in forgot.items():
            assert row.tobytes() == never_knew[feature].tobytes(), feature


@every_recommender
def test_sales_that_only_one_side_knows_of_do_no_harm(name: str) -> None:
    knowledge = learned([act("secret"), act("s1", NOON + 1), act("s2", NOON + 2)])
    session = session_of([act("unheard of"), act("secret"), act("s1", NOON + 1)])
    rows = described(knowledge, session, open_sales(["s1", "s2", "new"]), features_of(name), NOON + MINUTE)
    assert_sensible(name, rows)
    same = described(knowledge, session, open_sales(["s1", "s2"]), features_of(name), NOON + MINUTE)
    if name in CONCERNING_ONE_SALE:
        for feature in recommender(name).features:
            full = f"{name}.{feature}"
            # Sorted by id, the new sale stands before the two others.
            assert rows[full][1:].tobytes() == same[full].tobytes(), full


@every_recommender
@PATIENCE
@given(log=logs, chosen=st.sets(st.integers(0, len(SALES) - 1)))
def test_a_few_of_the_candidates_can_be_asked_for(name: str, log: Log, chosen: set[int]) -> None:
    knowledge = small_knowledge()
    learn(knowledge, appended(log))
    query, places = asked(knowledge, VISIT), np.array(sorted(chosen), np.int32)
    features = tuple(f"{name}.{feature}" for feature in recommender(name).features)
    all_rows, few = (knowledge.describe(one, features) for one in (query, query.only(places)))
    assert few.shape == (len(features), len(places))
    assert_sensible(name, dict(zip(features, few, strict=True)))
    if name in CONCERNING_ONE_SALE:
        assert few.tobytes() == all_rows[:, places].tobytes()


@pytest.mark.parametrize("name", ["popularity", "segments"])
def test_what_is_relative_to_the_candidates_keeps_its_order_among_a_few_of_them(name: str) -> None:
    knowledge = learned(long_log(seed=4, length=500, sales=11))
    query, places = asked(knowledge, session_of([act("s1")]), at=NOON + DAY), np.arange(2, 11, dtype=np.int32)
    counts = {
        "popularity": ("popularity.clicks_now", "popularity.carts_today"),
        "segments": ("segments.first_clicks", "segments.first_bought_lasting"),
    }
    for feature in counts[name]:
        every, few = (knowledge.describe(one, (feature,))[0] for one in (query, query.only(places)))
        assert few.tolist() == pytest.approx((every[places] * (few.max() / every[places].max())).tolist())


@every_recommender
def test_its_arrays_do_not_grow_with_what_it_learns(name: str) -> None:
    knowledge = learned(long_log(seed=1, length=200))
    described(knowledge, VISIT, features=features_of(name))
    before = [array.nbytes for array in arrays_in(recommender(name, knowledge))]
    learned(long_log(seed=2, length=3000, sales=400), per_second=10, knowledge=knowledge)
    described(knowledge, VISIT, features=features_of(name))
    assert [array.nbytes for array in arrays_in(recommender(name, knowledge))] == before


def arrays_in(thing: object) -> Iterator[np.ndarray]:
    """All arrays that hang on it."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from arrays_in(part)
    elif hasattr(thing, "__dict__"):
        yield from arrays_in(list(vars(thing).values()))


@every_recommender
def test_a_clock_that_is_years_fast_does_not_make_all_others_look_old(name: str) -> None:
    before, after = visits("ab", "cd", "ad", start=NOON - HOUR), visits("cb", "ab", start=NOON + MINUTE)
    answers = []
    for ts in (NOON, NOON + 3650 * DAY):
        log: list[tuple[int, Event]] = [(one.ts // 1000, one) for one in (*before, *after)]
        log.append((NOON // 1000, act("odd", ts, "bob", event_id="odd")))
        knowledge = small_knowledge()
        for second in sorted({second for second, _ in log}):
            knowledge.advance(
                second, [(0, place, one) for place, (own, one) in enumerate(log) if own == second]
            )
        ids = open_sales(["a", "b", "c", "d", "odd"])
        answers.append(
            described(knowledge, session_of([act("a")]), ids, features_of(name), NOON + 2 * MINUTE)
        )
    for feature, row in answers[0].items():
        if feature.endswith("~rank"):
            continue  # nearly equal scores may change places
        assert row[:4].tolist() == pytest.approx(answers[1][feature][:4].tolist(), rel=1e-2, nan_ok=True), (
            feature
        )


@every_recommender
def test_a_visitor_who_touched_nothing_can_ask(name: str) -> None:
    knowledge = learned(long_log(seed=1, length=100))
    nobody = query_of(Session("ann", 0), knowledge.candidates(open_sales()), np.zeros(3, np.int32), NOON)
    rows = knowledge.describe(nobody, features_of(name))
    assert_sensible(name, dict(zip(features_of(name), rows, strict=True)))
