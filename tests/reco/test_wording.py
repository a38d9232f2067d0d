"""Reasons can be said in words."""

import pytest

from reco.features import FEATURES
from reco.lists import EVERYTHING_ELSE, Reason
from reco.reasons import kind_of
from reco.wording import sentence

KINDS = tuple(dict.fromkeys(map(kind_of, FEATURES)))


@pytest.mark.parametrize("name", [*KINDS, EVERYTHING_ELSE, "not known yet"])
def test_what_speaks_for_a_sale_and_what_speaks_against_it_are_different_sentences(name: str) -> None:
    speaking = sentence(Reason(name, 0.5), {})
    assert speaking != sentence(Reason(name, -0.5), {})


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_evidence_has_words_of_its_own(name: str) -> None:
    assert f"its {name} speaks" not in sentence(Reason(name, 0.5), {})


@pytest.mark.parametrize("name", ["attributes", "text", "image", "topics", "covisitation"])
def test_a_touched_sale_is_named_by_its_title_or_else_by_its_id(name: str) -> None:
    reason = Reason(name, 0.5, like="oslo")
    assert "A {weekend} in Oslo" in sentence(reason, {"oslo": "A {weekend} in Oslo"})
    assert "oslo" in sentence(reason, {})
