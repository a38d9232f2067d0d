"""Retrieval: the best of each source within its quota, and the pipeline scores no others."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from reco.candidates import Query
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.parameters import HOUR
from reco.retrieval import HOT, LED, MAX_SCORED, best_of
from tests.reco.worlds import (
    CONTEXTS,
    DAY,
    NOON,
    act,
    asked,
    learned,
    long_log,
    open_sales,
    session_of,
    small_knowledge,
    visits,
)

values = st.sampled_from((0.0, 0.25, 0.5, 1.0, np.inf, np.nan)) | st.floats(width=32)


@st.composite
def sources(draw: st.DrawFn) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Scores by a few sources, with many ties, and their quotas."""
    quotas = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    rows = draw(arrays(np.float32, (len(quotas), draw(st.integers(0, 30))), elements=values))
    return rows, {f"source {number}": quota for number, quota in enumerate(quotas)}


def plain_best(row: NDArray[np.float32], quota: int) -> set[int]:
    """The best by sorting: those better than the last of the quota, then ties with it, in their order."""
    positive = sorted((float(-row[position]), position) for position in np.flatnonzero(row > 0).tolist())
    if len(positive) <= quota:
        return {position for _, position in positive}
    least = positive[quota - 1][0]
    return {position for value, position in positive[: 2 * quota] if value <= least}


@settings(max_examples=150)
@given(sources())
def test_it_is_that_of_the_plain_reference(some: tuple[NDArray[np.float32], dict[str, int]]) -> None:
    rows, quotas = some
    expected = set[int]().union(
        *(plain_best(row, quota) for row, quota in zip(rows, quotas.values(), strict=True))
    )
    chosen = best_of(rows, quotas)
    assert chosen.dtype == np.int32
    assert chosen.tolist() == sorted(expected)


def test_many_ties_do_not_keep_a_better_one_out() -> None:
    rows = np.array([[0.5] * 100 + [1.0]], np.float32)
    assert 100 in best_of(rows, {"one": 2})


def test_what_nothing_speaks_for_does_not_come_in() -> None:
    rows = np.array([[0.0, np.nan, -1.0, 0.125]], np.float32)
    assert best_of(rows, {"one": 3}).tolist() == [3]


def test_sources_are_features() -> None:
    assert {*LED, *HOT} <= set(FEATURES)


def many(count: int) -> list[str]:
    """The ids of so many sales, sorted."""
    return [f"sale-{number:04}" for number in range(count)]


def retrieved(knowledge: Knowledge, query: Query) -> set[str]:
    """The sales that are worth a full score."""
    few = knowledge.retrieve(query).candidates
    return {few.live.ids[place] for place in few.places.tolist()}


def test_up_to_the_limit_all_are_scored() -> None:
    knowledge = learned(visits("ab"))
    query = asked(knowledge, None, open_sales(many(MAX_SCORED)))
    assert knowledge.retrieve(query) is query


def test_beyond_it_come_what_was_touched_what_that_leads_to_and_what_is_hot() -> None:
    ids = many(MAX_SCORED + 100)
    own, led, hot = ids[-1], ids[7], ids[50]
    log = [*visits([own, led], start=NOON - DAY), *visits(*[[ids[40 + n], hot] for n in range(5)])]  # type: ignore[arg-type]
    knowledge, session = learned(log), session_of([act(own), act("unheard of", NOON + 1)])
    query = asked(knowledge, session, open_sales(ids))
    got = retrieved(knowledge, query)
    assert {own, led, hot} <= got
    assert ids[300] not in got


def test_beyond_it_comes_what_the_last_sale_leads_to_over_a_third_one() -> None:
    ids = many(2 * MAX_SCORED)
    own, between, far, hot = ids[-1], ids[-2], ids[-3], ids[: len(ids) - 3]
    log = [
        *visits([own, between], [between, far], start=NOON - DAY),  # type: ignore[arg-type]
        *visits(*[[one] for one in hot]),  # type: ignore[arg-type]
    ]
    knowledge = learned(log, knowledge=Knowledge(max_sales=1024, max_visitors=1024))
    got = retrieved(knowledge, asked(knowledge, session_of([act(own)]), open_sales(ids)))
    assert far in got
    assert len(got) < len(hot)


def test_what_is_retrieved_is_described_as_if_all_were() -> None:
    log = long_log(seed=1, length=2000, sales=MAX_SCORED + 100)
    knowledge = learned(log, knowledge=Knowledge(max_sales=1024, max_visitors=64))
    query = asked(
        knowledge, session_of(log[-20:]), open_sales(sorted({one.sale_id for one in log})), NOON + DAY
    )
    few = knowledge.retrieve(query)
    assert 0 < len(few.candidates.slots) < len(query.candidates.slots)
    own = tuple(name for name in LED if name in FEATURES)
    wanted = knowledge.describe(query, own)[:, few.candidates.places]
    assert knowledge.describe(few, own).tobytes() == wanted.tobytes()
    assert set(few.touches.positions.tolist()) <= {*range(len(few.candidates.slots)), -1}
    for touch, position in enumerate(few.touches.positions.tolist()):
        if position >= 0:
            assert few.candidates.live.ids[few.candidates.places[position]] == few.touched[touch]


def test_what_is_kept_for_many_is_what_each_would_be_told_anew() -> None:
    log = long_log(seed=2, length=2000, sales=2 * MAX_SCORED)
    sales, halfway = sorted({one.sale_id for one in log}), len(log) // 2
    knowledge = small_knowledge(max_sales=1024)
    for part in (log[:halfway], log[halfway:]):
        learned(part, knowledge=knowledge)
        answers = set()
        for live in (open_sales(sales), open_sales(sales[: MAX_SCORED + 50])):
            for visitor, at in product((*CONTEXTS, "nobody", *CONTEXTS), (NOON + HOUR, NOON + DAY)):
                query = asked(knowledge, session_of([act(sales[0], NOON, visitor)]), live, at)
                anew = query.only(np.arange(len(live.ids), dtype=np.int32))
                answers.add(frozenset(retrieved(knowledge, query)))
                assert retrieved(knowledge, query) == retrieved(knowledge, anew)
        assert len(answers) > len(CONTEXTS)


def test_nothing_is_retrieved_before_anything_was_learned() -> None:
    knowledge = Knowledge(max_sales=1024, max_visitors=64)
    assert retrieved(knowledge, asked(knowledge, None, open_sales(many(MAX_SCORED + 1)))) == set()
