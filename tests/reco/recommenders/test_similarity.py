"""Similarity: cosines with what the visitor touched, by their laws and by the plain reference."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reco.content import SPACES, TASTE_HALF_LIFE, Content
from reco.features import ALONE, RANK, SHARE, compare
from reco.knowledge import Knowledge
from reco.recommenders.similarity import MAX_VISITED, RECENCY, Similarity
from reco.sessions import Session
from tests.reco.contents import IDS, UNPUBLISHED, chosen, query_of, scores, sessions, touched
from tests.reco.worlds import NOON, act, open_sales, session_of

Vector = Sequence[float]
KINDS = ("centroid", "last", "best", "profile")
vectors = st.dictionaries(
    st.sampled_from((*IDS, UNPUBLISHED)),
    st.lists(st.integers(-4, 4), min_size=5, max_size=5).filter(any),
)
"""Whole numbers, so that some are the same, some opposite and some orthogonal."""


def content_of(known: Mapping[str, Vector], space: str = "text") -> Content:
    content = Content()
    for sale_id, vector in known.items():
        content.put_vector(space, sale_id, np.array(vector, np.float64))
    return content


def said(known: Mapping[str, Vector], session: Session | None, kind: str, space: str = "text") -> list[float]:
    """What a kind of similarity says of all sales."""
    row = scores(Similarity(content_of(known, space)), query_of(session))[f"{space}_{kind}"]
    return list(row.tolist())


def plain_cosines(total: NDArray[np.float64], known: Mapping[str, NDArray[np.float64]]) -> list[float]:
    length = np.linalg.norm(total)
    unknown = np.full(5, math.nan)
    return [math.nan if length < 1e-5 else float(total @ known.get(one, unknown) / length) for one in IDS]


def plain_similarity(session: Session, vectors: Mapping[str, Vector]) -> dict[str, list[float]]:
    known = {one: np.array(vector) / np.linalg.norm(vector) for one, vector in vectors.items()}
    nothing = dict.fromkeys(KINDS, [math.nan] * len(IDS))
    visit = dict.fromkeys(touch.sale_id for touch in reversed(session.visit()) if touch.sale_id in known)
    ages = [(touch.sale_id, session.last_ts - touch.ts, 1) for touch in reversed(session.recent)]
    ages += [
        (old.sale_id, session.last_ts - old.last_ts, old.clicks + old.carts + old.purchases)
        for old in session.memory
    ]
    ages = [one for one in ages if one[0] in known]
    if not ages:
        return nothing
    profile = [known[one] * count * 0.5 ** (age / TASTE_HALF_LIFE) for one, age, count in ages]
    said = nothing | {
        "last": plain_cosines(known[ages[0][0]], known),
        "profile": plain_cosines(np.sum(profile, axis=0), known),
    }
    if visit:
        centroid = [known[one] * RECENCY**place for place, one in enumerate(visit)]
        said["centroid"] = plain_cosines(np.sum(centroid, axis=0), known)
        said["best"] = np.max([plain_cosines(known[one], known) for one in visit], axis=0).tolist()
    return said


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=40)  # for each space
@given(session=sessions, known=vectors)
def test_it_is_that_of_the_plain_reference(
    space: str, session: Session | None, known: dict[str, Vector]
) -> None:
    rows = scores(Similarity(content_of(known, space)), query_of(session))
    if session is None:
        assert np.isnan(list(rows.values())).all()
        return
    for kind, expected in plain_similarity(session, known).items():
        np.testing.assert_allclose(rows[f"{space}_{kind}"], expected, atol=2e-3, err_msg=kind)
    assert all(np.isnan(row).all() for name, row in rows.items() if not name.startswith(space))


@given(session=sessions, known=vectors)
def test_cosines_are_from_minus_1_to_1_and_unknown_only_where_they_cannot_be_known(
    session: Session | None, known: dict[str, Vector]
) -> None:
    rows = np.array(list(scores(Similarity(content_of(known)), query_of(session)).values()))
    has_vector = np.array([one in known for one in IDS])
    assert np.isnan(rows[:, ~has_vector]).all()
    assert (np.abs(rows[~np.isnan(rows)]) <= 1).all()
    assert all(np.isnan(row[has_vector]).all() or not np.isnan(row[has_vector]).any() for row in rows)


@given(session=sessions, known=vectors, positions=chosen)
def test_some_candidates_score_as_among_all(
    session: Session | None, known: dict[str, Vector], positions: NDArray[np.int32]
) -> None:
    recommender, query = Similarity(content_of(known)), query_of(session)
    alone = scores(recommender, query.only(positions))
    for name, row in scores(recommender, query).items():
        assert alone[name].tobytes() == row[positions].tobytes()
    among = np.arange(len(positions), dtype=np.int32)
    of_some, of_all = recommender.sources(query.only(positions), among), recommender.sources(query, positions)
    assert all(of_some[space].tolist() == of_all[space].tolist() for space in SPACES)


@given(visitors=st.lists(sessions, max_size=3), known=vectors)
def test_what_others_looked_at_before_changes_nothing(
    visitors: list[Session | None], known: dict[str, Vector]
) -> None:
    recommender, everywhere = Similarity(content_of(known)), np.arange(len(IDS), dtype=np.int32)
    for query in map(query_of, visitors):
        afresh = Similarity(content_of(known))
        for name, row in scores(afresh, query).items():
            assert scores(recommender, query)[name].tobytes() == row.tobytes()
        found, expected = (one.sources(query, everywhere) for one in (recommender, afresh))
        assert all(found[space].tolist() == expected[space].tolist() for space in SPACES)


@given(session=sessions, known=vectors)
def test_the_order_in_which_vectors_come_changes_nothing(
    session: Session | None, known: dict[str, Vector]
) -> None:
    query = query_of(session)
    there = scores(Similarity(content_of(known)), query)
    back = scores(Similarity(content_of(dict(reversed(known.items())))), query)
    assert all(there[name].tobytes() == back[name].tobytes() for name in there)


def test_it_says_nothing_without_vectors_or_touches_or_sales() -> None:
    assert np.isnan(said({}, touched("s1"), "last")).all()
    assert np.isnan(said({"s1": [1.0]}, None, "last")).all()
    assert np.isnan(said({"s1": [1.0]}, touched("s2", UNPUBLISHED), "profile")).all()
    none_open = query_of(touched("s1"), open_sales([]))
    assert scores(Similarity(content_of({"s1": [1.0]})), none_open)["text_last"].shape == (0,)


def test_the_last_sale_with_a_vector_counts_even_if_it_was_touched_in_an_earlier_visit() -> None:
    known = {"s0": [1.0, 0.0], "s1": [0.0, 1.0], "s2": [1.0, 1.0]}
    session = session_of([act("s1", NOON - 9 * 3600_000), act("s9")])
    assert said(known, session, "last")[IDS.index("s2")] == pytest.approx(math.sqrt(0.5))
    assert np.isnan(said(known, session, "centroid")).all()
    assert np.isnan(said(known, session, "best")).all()


def test_sales_touched_later_draw_the_centroid_towards_them() -> None:
    known = {"s0": [1.0, 0.0], "s1": [0.0, 1.0]}
    towards = said(known, touched("s0", "s1"), "centroid")
    assert towards[IDS.index("s1")] > towards[IDS.index("s0")] > 0


def test_opposite_sales_that_cancel_each_other_leave_no_taste() -> None:
    session = session_of([act("s0", NOON, event_id="a"), act("s1", NOON, event_id="b")])
    assert np.isnan(said({"s0": [1.0, 2.0], "s1": [-1.0, -2.0]}, session, "profile")).all()


def test_of_a_very_long_visit_only_the_newest_sales_are_looked_at() -> None:
    known = {f"t{number}": [0.0, 1.0] for number in range(MAX_VISITED)} | {"s0": [1.0, 0.0], "s1": [1.0, 0.1]}
    near = IDS.index("s1")
    crowd = [f"t{number}" for number in range(MAX_VISITED)]
    assert said(known, touched("s0", *crowd), "best")[near] < 0.2
    assert said(known, touched("s0", *crowd[1:]), "best")[near] > 0.9


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=40)  # for each space
@given(session=sessions, known=vectors)
def test_the_source_is_the_touch_of_the_most_similar_other_sale(
    space: str, session: Session | None, known: dict[str, Vector]
) -> None:
    query, positions = query_of(session), np.arange(len(IDS), dtype=np.int32)
    found = Similarity(content_of(known, space)).sources(query, positions)
    unit = {one: np.array(vector) / np.linalg.norm(vector) for one, vector in known.items()}
    for place, sale_id in enumerate(IDS):
        others = [one for one in query.touched if one in unit and one != sale_id] if sale_id in unit else []
        alike = max((float(unit[one] @ unit[sale_id]) for one in others), default=0.0)
        touch = found[space][place]
        if touch < 0:
            assert alike < 1e-6
        else:
            assert query.touched[touch] != sale_id
            assert float(unit[query.touched[touch]] @ unit[sale_id]) == pytest.approx(alike, abs=1e-6)
            assert query.touched.index(query.touched[touch]) == touch
    assert all((touches == -1).all() for other, touches in found.items() if other != space)


def test_a_share_or_a_rank_of_what_is_unknown_is_unknown_and_what_is_unlike_has_none() -> None:
    cosines = np.array([[0.5, math.nan, -0.5, 0.25, 0.0]], np.float32)
    jobs = np.array([(0, ALONE), (0, SHARE), (0, RANK)], np.int32)
    features = np.empty((3, 5), np.float32)
    compare(cosines, jobs, np.arange(3), features)
    alone, share, rank = features
    np.testing.assert_array_equal(alone, cosines[0])
    np.testing.assert_allclose(share, [2 / 3, math.nan, 0, 1 / 3, 0], rtol=1e-6)
    np.testing.assert_array_equal(rank, [0, math.nan, 2, 1, 2])


def test_it_is_among_the_features_of_knowledge_that_is_given_content() -> None:
    knowledge = Knowledge(
        content=content_of({"s1": [1.0, 0.0], "s2": [0.0, 1.0]}), max_sales=16, max_visitors=16
    )
    query = knowledge.query(touched("s1"), knowledge.candidates(open_sales(["s1", "s2", "s3"])), NOON)
    rows = knowledge.describe(query, ("similarity.text_last", "similarity.text_best~rank"))
    np.testing.assert_array_equal(rows, [[1, 0, math.nan], [0, 1, math.nan]])
    assert np.isnan(Knowledge(max_sales=16, max_visitors=16).describe(query, ("similarity.text_last",))).all()
