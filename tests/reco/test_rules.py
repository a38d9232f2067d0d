"""The rules that a ranking obeys: scores that are not finite sink, and what was bought comes last."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.candidates import Touches, candidates_of, touches_of
from reco.events import Click, Purchase
from reco.rules import bought, obey
from reco.sessions import Remembered, Session
from tests.reco.worlds import NOON, act, open_sales, session_of

IDS = "abcde"
CANDIDATES = candidates_of(open_sales(list(IDS)), {}, capacity=8)
any_scores = st.lists(st.floats(width=32), min_size=5, max_size=5)
purchases = st.sets(st.sampled_from(IDS))


def having_bought(*sales: str) -> Touches:
    """The touches of a visitor who bought these and looked at another."""
    own = [act(sale, NOON, kind=Purchase) for sale in sales]
    return touches_of(session_of([*own, act("elsewhere", kind=Click)]), CANDIDATES)


def obeyed(scores: list[float], touches: Touches) -> list[float]:
    """The scores after the rules."""
    return obey(np.array(scores, np.float32), touches).tolist()  # type: ignore[no-any-return]


def test_what_was_bought_is_known_from_the_visit_and_from_memory() -> None:
    session = Session("ann", 3, memory=(Remembered("b", NOON, purchases=1), Remembered("c", NOON, clicks=5)))
    assert [IDS[position] for position in bought(touches_of(session, CANDIDATES))] == ["b"]
    assert {IDS[position] for position in bought(having_bought("a", "d"))} == {"a", "d"}


def test_scores_of_which_all_are_finite_stay_as_they_are() -> None:
    assert obeyed([1.0, -2.0, 0.5, 3.0, 0.0], having_bought()) == [1.0, -2.0, 0.5, 3.0, 0.0]


def test_what_is_not_finite_sinks_to_the_lowest_finite_score() -> None:
    assert obeyed([math.nan, 2.0, math.inf, -math.inf, 7.0], having_bought()) == [2.0, 2.0, 2.0, 2.0, 7.0]


def test_without_any_finite_score_all_are_equal() -> None:
    assert obeyed([math.nan, math.inf, -math.inf, math.nan, math.inf], having_bought()) == [0.0] * 5


@given(any_scores, purchases)
def test_all_scores_become_finite_and_the_bought_ones_lowest(scores: list[float], sales: set[str]) -> None:
    after = dict(zip(IDS, obeyed(scores, having_bought(*sorted(sales))), strict=True))
    assert all(math.isfinite(score) for score in after.values())
    others = [after[sale] for sale in IDS if sale not in sales]
    assert all(after[sale] < other for sale in sales for other in others)


@given(any_scores, purchases)
def test_finite_scores_of_sales_that_were_not_bought_do_not_change(
    scores: list[float], sales: set[str]
) -> None:
    after = obeyed(scores, having_bought(*sorted(sales)))
    for sale, before, now in zip(IDS, scores, after, strict=True):
        if math.isfinite(before) and sale not in sales:
            assert now == before
