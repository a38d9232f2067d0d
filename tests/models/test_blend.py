"""The blend: a fixed weighted sum of what the recommenders say, each relative to its best candidate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.blend import WEIGHTS, Blend
from reco.features import FEATURES

evidence = st.integers(0, 30).flatmap(
    lambda n_sales: arrays(np.float32, (len(WEIGHTS), n_sales), elements=st.floats(0, 2.0**100, width=32))
)


@given(evidence)
def test_it_is_the_weighted_sum_of_relative_scores(features: NDArray[np.float32]) -> None:
    expected = [
        sum(
            weight * (value / row.max() if row.any() else 0.0)
            for value, row, weight in zip(column, features.astype(np.float64), WEIGHTS.values(), strict=True)
        )
        for column in features.astype(np.float64).T
    ]
    scores = Blend().score(features)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(evidence, st.sampled_from((1e-20, 0.5, 2.0)))
def test_the_unit_of_a_recommender_does_not_matter(features: NDArray[np.float32], unit: float) -> None:
    scaled = features.copy()
    scaled[0] = np.where(scaled[0] > 1e-10, scaled[0], 0)
    before = Blend().score(scaled)
    scaled[0] *= np.float32(unit)
    assert Blend().score(scaled) == pytest.approx(before, rel=1e-4, abs=1e-6)


def test_weights_share_out_one_among_features_that_are_known() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert Blend().features == tuple(WEIGHTS)
    assert set(WEIGHTS) <= set(FEATURES)


def test_without_any_evidence_all_sales_are_equal() -> None:
    assert Blend().score(np.zeros((len(WEIGHTS), 3), np.float32)).tolist() == [0.0, 0.0, 0.0]


def test_the_tiniest_evidence_still_counts() -> None:
    features = np.zeros((len(WEIGHTS), 2), np.float32)
    features[:, 1] = np.float32(1e-44)
    assert Blend().score(features).tolist() == pytest.approx([0.0, 1.0])


def test_what_the_visitor_did_outweighs_what_everybody_did() -> None:
    features = np.zeros((len(WEIGHTS), 2), np.float32)
    features[Blend().features.index("popularity.clicks_today"), 0] = 0.9
    features[Blend().features.index("revisits.decayed"), 1] = 1.0
    others, own = Blend().score(features)
    assert own > others


def test_its_scores_are_no_probabilities_and_have_no_contributions() -> None:
    assert Blend().contributions(np.zeros((len(WEIGHTS), 2), np.float32)) is None  # type: ignore[func-returns-value]
