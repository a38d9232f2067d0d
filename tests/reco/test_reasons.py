"""Reasons add up to the log odds of a sale, and name the strongest families."""

from math import fsum
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from reco.features import FAMILIES, FEATURES
from reco.lists import EVERYTHING_ELSE, Reason
from reco.reasons import MAX_REASONS, explain, kind_of

KINDS = tuple(dict.fromkeys(map(kind_of, FEATURES)))
names = st.sampled_from(tuple(FEATURES))
features_lists = st.lists(names, unique=True, max_size=20).map(tuple)
log_odds = st.floats(-50, 50)

Case: TypeAlias = tuple[NDArray[np.float64], tuple[str, ...], tuple[tuple[Reason, ...], ...]]
"""Contributions, features, and the reasons that they make."""


@st.composite
def explained(draw: st.DrawFn) -> Case:
    """Any contributions of any features, explained."""
    features = draw(features_lists)
    shape = (draw(st.integers(0, 10)), len(features) + 1)
    contributions = draw(arrays(np.float64, shape, elements=log_odds))
    return contributions, features, explain(contributions, features, {})


@given(explained())
def test_the_reasons_of_a_sale_add_up_to_its_log_odds(case: Case) -> None:
    contributions, _, reasons = case
    assert len(reasons) == len(contributions)
    for row, own in zip(contributions, reasons, strict=True):
        assert fsum(reason.log_odds for reason in own) == pytest.approx(fsum(row), abs=1e-9)


@given(explained())
def test_at_most_four_kinds_are_named_the_strongest_first_and_everything_else_last(case: Case) -> None:
    contributions, features, reasons = case
    for row, own in zip(contributions, reasons, strict=True):
        *named, rest = own
        assert rest.name == EVERYTHING_ELSE
        worth = dict.fromkeys(KINDS, 0.0)
        for name, value in zip(features, row, strict=False):
            worth[kind_of(name)] += float(value)
        strongest = sorted(map(abs, worth.values()), reverse=True)[:MAX_REASONS]
        sizes = [abs(reason.log_odds) for reason in named]
        assert sizes == pytest.approx([size for size in strongest if size], abs=1e-9)
        assert len({reason.name for reason in named}) == len(named)


def test_the_touched_sale_is_named_where_its_kind_of_evidence_speaks_for_the_sale() -> None:
    contributions = np.array([[0.5, 0.2, -3.0], [-0.5, 0.2, -3.0], [0.5, 0.2, -3.0]])
    sources: dict[str, list[str | None]] = {"image": ["oslo", "oslo", None], "text": ["rome"] * 3}
    reasons = explain(contributions, ("similarity.image_best", "popularity.clicks_now"), sources)
    assert [(own[0].name, own[0].like) for own in reasons] == [
        ("image", "oslo"),
        ("image", None),
        ("image", None),
    ]
    assert all(own[1] == Reason("popularity", 0.2) for own in reasons)


def test_what_looks_alike_and_what_reads_alike_are_told_apart() -> None:
    features = ("similarity.text_best", "similarity.image_last~rank", "similarity.text_profile~share")
    ((text, image, _),) = explain(np.array([[0.5, 0.25, 0.125, -3.0]]), features, {"image": ["oslo"]})
    assert text == Reason("text", 0.625)
    assert image == Reason("image", 0.25, like="oslo")


def test_every_family_is_a_kind_of_evidence_but_similarity_which_is_one_for_each_space() -> None:
    families = [family.name for family in FAMILIES if family.name != "similarity"]
    assert sorted(KINDS) == sorted([*families, "text", "image", "topics"])


def test_a_kind_that_adds_nothing_is_no_reason() -> None:
    ((only,),) = explain(np.array([[0.0, -4.0]]), ("attributes.price",), {})
    assert only == Reason(EVERYTHING_ELSE, -4.0)
