"""Features: scores alone, as shares and as ranks, in the rows that were asked for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from reco.features import ALONE, FAMILIES, FEATURES, FORMS, RANK, SHARE, compare, plan

values = st.sampled_from((0.0, 0.0, math.nan, -1.0, 0.5, 0.5, 2.0)) | st.floats(0, 2**60, width=32)
score_rows = st.integers(0, 30).flatmap(lambda n_sales: arrays(np.float32, (3, n_sales), elements=values))


def plain_shares(row: list[float]) -> list[float]:
    """Each score as a share of the sum of all that are above 0; 0 for one that is not."""
    total = math.fsum(value for value in row if value > 0)
    return [value / total if value > 0 else value * 0 for value in row]


def plain_ranks(row: list[float]) -> list[float]:
    """How many scores above 0 are better; for one that is not above 0, that is all of them."""
    positive = [value for value in row if value > 0]
    return [math.nan if math.isnan(value) else sum(other > value for other in positive) for value in row]


@given(score_rows)
def test_they_are_those_of_the_plain_reference(rows: NDArray[np.float32]) -> None:
    jobs = np.array([[row, form] for row in range(3) for form in (ALONE, SHARE, RANK)], np.int32)
    backwards = np.arange(9)[::-1].copy()
    features = np.empty((9, rows.shape[1]), np.float32)
    compare(rows, jobs, backwards, features)
    features = features[backwards]
    for row, scores in enumerate(rows):
        alone, shares, ranks = features[3 * row : 3 * row + 3]
        assert alone.tobytes() == scores.tobytes()
        assert shares.tolist() == pytest.approx(plain_shares(scores.tolist()), rel=1e-6, nan_ok=True)
        assert ranks.tolist() == pytest.approx(plain_ranks(scores.tolist()), nan_ok=True)


def compared(row: list[float], form: int) -> list[float]:
    """One row of scores in this form."""
    feature = np.empty((1, len(row)), np.float32)
    compare(np.array([row], np.float32), np.array([[0, form]], np.int32), np.arange(1), feature)
    return list(feature[0].tolist())


def test_equal_scores_have_equal_ranks_and_the_next_one_counts_them_all() -> None:
    assert compared([3, 5, 3, 1, 5], RANK) == [2, 0, 2, 4, 0]


@pytest.mark.parametrize("others", [[], [1e-38, 1e38]])
def test_scores_that_hardly_differ_are_told_apart_whatever_else_there_is(others: list[float]) -> None:
    close = np.float32(1) + np.arange(300, dtype=np.float32) * np.finfo(np.float32).eps
    row = np.random.default_rng(7).permutation([*close.tolist(), *others, 0, math.nan]).tolist()
    assert compared(row, RANK) == pytest.approx(plain_ranks(row), nan_ok=True)


def test_what_nothing_speaks_for_ranks_behind_all_that_something_speaks_for() -> None:
    assert compared([0, 2, 0, 1], RANK) == [2, 0, 2, 1]
    assert compared([0, 0], RANK) == [0, 0]


def test_what_is_not_known_stays_unknown_and_is_not_counted() -> None:
    for form, others in ((SHARE, [0.25, 0.75]), (RANK, [1, 0])):
        unknown, *known = compared([math.nan, 1, 3], form)
        assert math.isnan(unknown)
        assert known == others


def test_without_any_evidence_all_shares_are_zero() -> None:
    assert compared([0, 0, 0], SHARE) == [0, 0, 0]


def test_features_are_asked_of_their_families_only_in_the_order_of_these() -> None:
    steps = plan(("revisits.decayed~rank", "popularity.clicks_now", "revisits.clicks"))
    popularity, revisits = (
        next(one for one in FAMILIES if one.name == name) for name in ("popularity", "revisits")
    )
    assert steps.families == ("popularity", "revisits")
    assert steps.starts == (0, len(popularity.features))
    assert steps.n_rows == len(popularity.features) + len(revisits.features)
    assert steps.jobs.tolist() == [
        [len(popularity.features) + revisits.features.index("decayed"), RANK],
        [popularity.features.index("clicks_now"), ALONE],
        [len(popularity.features) + revisits.features.index("clicks"), ALONE],
    ]


def test_every_known_feature_can_be_planned() -> None:
    names = tuple(FEATURES)
    assert len(plan(names).jobs) == len(names)
    assert plan(()).n_rows == 0
    assert {form for name in names for form in FORMS if form and name.endswith(form)} == {"~share", "~rank"}


@pytest.mark.parametrize(
    "name", ["astrology.sign", "popularity.astrology", "popularity.clicks_now~sign", "popularity"]
)
def test_a_feature_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        plan(("popularity.clicks_now", name))
