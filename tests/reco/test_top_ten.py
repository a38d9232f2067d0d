"""The pipeline: every list obeys the rules of lists, says what it was made from, and is the same again."""

from collections.abc import Sequence
from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from demo.list_rules import broken_rules
from models.blend import Blend
from reco.catalogue import Catalogue, catalogue_of
from reco.events import Action, Purchase, Sale
from reco.knowledge import Knowledge
from reco.lists import DEFAULT_VISITOR, EVERYTHING_ELSE, LIST_LENGTH, TopTen, list_id
from reco.policy import UNRESTRICTED, Rules
from reco.ranker import Ranker
from reco.retrieval import MAX_SCORED
from reco.rules import rules_in_force
from reco.sessions import Session
from reco.top_ten import Serving, top_ten
from streams.codecs import decode_list, encode
from tests import facts
from tests.reco.shops import all_rules
from tests.reco.worlds import (
    HOUR,
    MINUTE,
    NOON,
    act,
    appended,
    kinds,
    learn,
    learned,
    logs,
    session_of,
    small_knowledge,
    visits,
)

MANY = tuple(f"s{number}" for number in range(40))


class Erratic:
    """A ranker that gives any scores, broken ones too."""

    release = "erratic-1"
    features = ("revisits.decayed", "covisitation.near_now_visit~rank")

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """These scores, over and over."""
        return np.resize(np.array(self.scores, np.float32), features.shape[1])

    def contributions(self, features: NDArray[np.float32]) -> None:
        """None: these are no probabilities."""


class Additive:
    """A ranker whose log odds are the sum of its features and a base rate."""

    release = "additive-1"
    features = ("covisitation.near_lasting_visit", "popularity.clicks_today", "revisits.clicks")
    base = -4.0

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The log odds themselves: it matters only that they stand in the order of the probabilities."""
        return np.asarray(features.sum(axis=0) + self.base, np.float32)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Each feature as it is."""
        return np.vstack((features, np.full(features.shape[1], self.base))).T.astype(np.float64)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Up to 40 sales, some past, some to come."""
    catalogue = Catalogue(partitions=2)
    for offset, sale_id in enumerate(draw(st.lists(st.sampled_from(MANY), max_size=40, unique=True))):
        opens = NOON + draw(st.integers(-3, 1)) * MINUTE
        minutes = draw(st.none() | st.integers(1, 6))
        closes = None if minutes is None else opens + minutes * MINUTE
        catalogue.apply(Sale(sale_id, sale_id, opens, closes), offset % 2, offset)
    return catalogue


rankers = st.sampled_from((Blend(), Additive())) | st.builds(
    Erratic, st.lists(st.floats(width=32), min_size=1, max_size=40)
)
own_actions = st.lists(
    st.builds(act, st.sampled_from(MANY), st.integers(NOON - HOUR, NOON), kind=kinds),
    max_size=20,
)


def listed(  # noqa: PLR0917 - as `top_ten`, with what seldom matters left out
    session: Session | None,
    knowledge: Knowledge,
    catalogue: Catalogue,
    ranker: Ranker | None = None,
    at: int = NOON,
    rules: Rules | None = None,
) -> TopTen:
    """The list for this visitor, who lives in partition 3."""
    in_force = rules_in_force(rules or Rules(), catalogue.live(at), catalogue)
    return top_ten(session, 3, Serving(knowledge, ranker or Blend()), catalogue, in_force, at)


def broken(top: TopTen, catalogue: Catalogue, rules: Rules = UNRESTRICTED) -> list[str]:
    """What is wrong with a list."""
    return list(broken_rules(top, catalogue, rules))


@given(catalogues(), logs, own_actions, rankers, st.integers(NOON - 3 * MINUTE, NOON + 6 * MINUTE))
def test_every_list_obeys_the_rules_of_lists(
    catalogue: Catalogue, log: Sequence[Sequence[Action]], own: list[Action], ranker: Ranker, at: int
) -> None:
    knowledge = small_knowledge()
    learn(knowledge, appended(log))
    top = listed(session_of(own), knowledge, catalogue, ranker, at)
    assert broken(top, catalogue) == []
    assert decode_list(encode(top)) == top
    assert listed(session_of(own), knowledge, catalogue, ranker, at) == top


@given(catalogues(), own_actions, rankers)
def test_a_bought_sale_is_listed_only_behind_all_others(
    catalogue: Catalogue, own: list[Action], ranker: Ranker
) -> None:
    ids = [one.sale_id for one in listed(session_of(own), small_knowledge(), catalogue, ranker).sales]
    bought = {action.sale_id for action in own if isinstance(action, Purchase)}
    others = [sale_id for sale_id in catalogue.live(NOON).ids if sale_id not in bought]
    assert set(ids[: len(others)]).isdisjoint(bought)


@given(facts.sessions, catalogues())
def test_any_session_that_can_be_read_gets_a_list(session: Session, catalogue: Catalogue) -> None:
    top = listed(session, small_knowledge(), catalogue)
    assert broken(top, catalogue) == []


def shop(ids: Sequence[str] = MANY) -> Catalogue:
    """A catalogue of sales that are all open, of which the first closes in an hour."""
    return catalogue_of(
        Sale(sale_id, sale_id, NOON - HOUR, None if place else NOON + HOUR)
        for place, sale_id in enumerate(ids)
    )


@given(facts.sessions, catalogues())
def test_a_list_holds_until_the_first_of_its_sales_closes_or_another_opens(
    session: Session, catalogue: Catalogue
) -> None:
    top = listed(session, small_knowledge(), catalogue)
    closings = [sale.closes_at for one in top.sales if (sale := catalogue.sale(one.sale_id))]
    openings = [sale.opens_at for sale in catalogue.sales() if sale.opens_at > top.at]
    changes = [*openings, *(one for one in closings if one is not None)]
    assert top.holds_until == min(changes, default=None)


def test_a_list_says_what_it_was_made_from() -> None:
    knowledge, session = (
        learned([act("s1"), act("s2", NOON + 1)]),
        session_of([act("s1"), act("s2", NOON + 1)]),
    )
    top = listed(session, knowledge, shop(), at=NOON + MINUTE)
    assert top.visitor_id == "ann"
    assert top.at == NOON + MINUTE
    assert top.holds_until == NOON + HOUR
    assert top.made_from.partition == 3
    assert top.made_from.session_offset == 1
    assert top.made_from.knowledge_second == knowledge.second > 0
    assert top.made_from.sales_offsets == (len(MANY),)
    assert top.made_from.release == Blend.release
    assert top.list_id == list_id(top.made_from, top.at)


def test_visitors_who_are_not_known_yet_get_the_popular_sales() -> None:
    knowledge = learned([act(sale, NOON, f"v{number}") for number, sale in enumerate(("s7", "s7", "s3"))])
    top = listed(None, knowledge, shop())
    assert [one.sale_id for one in top.sales][:2] == ["s7", "s3"]
    assert top.visitor_id == DEFAULT_VISITOR
    assert (top.made_from.partition, top.made_from.session_offset) == (-1, -1)


def test_equal_scores_are_listed_by_id() -> None:
    top = listed(None, small_knowledge(), shop())
    assert [one.sale_id for one in top.sales] == sorted(MANY)[:LIST_LENGTH]


def test_the_visitors_own_newest_click_counts_before_anything_is_learned_of_it() -> None:
    top = listed(session_of([act("s33")]), small_knowledge(), shop())
    assert top.sales[0].sale_id == "s33"


def test_if_everything_was_bought_the_list_is_full_all_the_same() -> None:
    session = session_of([act(sale, NOON, kind=Purchase) for sale in MANY[:12]])
    top = listed(session, small_knowledge(), shop(MANY[:12]))
    assert len(top.sales) == LIST_LENGTH


def test_several_thousand_sales_can_be_open() -> None:
    catalogue = shop([f"sale-{number:05}" for number in range(5000)])
    top = listed(session_of([act("sale-04999")]), small_knowledge(), catalogue)
    assert top.sales[0].sale_id == "sale-04999"
    assert broken(top, catalogue) == []


@pytest.mark.parametrize("bought", [[], ["sale-0000"], ["sale-0321", "sale-0005"]])
def test_with_many_open_sales_the_list_is_full_although_few_are_worth_a_score(bought: list[str]) -> None:
    catalogue = shop([f"sale-{number:04}" for number in range(MAX_SCORED + 2)])
    session = session_of([act(sale_id, kind=Purchase) for sale_id in bought])
    for knowledge in (small_knowledge(), learned(visits(["sale-0005", "sale-0007"]))):  # type: ignore[arg-type]
        top = listed(session, knowledge, catalogue)
        assert broken(top, catalogue) == []
        assert not {one.sale_id for one in top.sales} & set(bought)


def test_a_visitor_is_shown_first_what_they_touched_and_then_what_that_leads_to() -> None:
    log, session = visits("ab", "ab", "ca"), session_of([act("a", NOON)])
    top = listed(session, learned(log), shop("abcdef"))
    assert [one.sale_id for one in top.sales][:3] == ["a", "b", "c"]


def test_the_rules_of_the_shop_are_obeyed() -> None:
    top = listed(session_of([act("s3")]), small_knowledge(), shop(), rules=Rules(excluded_sales=("s3", "s1")))
    assert len(top.sales) == LIST_LENGTH
    assert not {one.sale_id for one in top.sales} & {"s3", "s1"}


def test_a_list_says_by_which_rules_of_the_shop_it_was_cut() -> None:
    every = Rules(), Rules(diversity=0.5), Rules(exploration=0.1)
    tops = [listed(session_of([act("s3")]), small_knowledge(), shop(), rules=rules) for rules in every]
    assert [top.made_from.rules for top in tops] == [rules.digest() for rules in every]
    assert [top.list_id == list_id(top.made_from, top.at) for top in tops] == [True] * 3
    assert len({top.list_id for top in tops}) == 3


@given(catalogues(), own_actions, rankers, all_rules, st.sets(st.sampled_from(MANY), max_size=30))
def test_every_list_obeys_the_rules_of_the_shop(
    catalogue: Catalogue, own: list[Action], ranker: Ranker, rules: Rules, excluded: set[str]
) -> None:
    rules = replace(rules, excluded_sales=tuple(sorted(excluded)))
    top = listed(session_of(own), small_knowledge(), catalogue, ranker, rules=rules)
    assert broken(top, catalogue, rules) == []


@given(catalogues(), logs, own_actions)
def test_reasons_add_up_to_the_log_odds_and_name_touched_sales_only(
    catalogue: Catalogue, log: Sequence[Sequence[Action]], own: list[Action]
) -> None:
    knowledge = small_knowledge()
    learn(knowledge, appended(log))
    not_bought = [action for action in own if not isinstance(action, Purchase)]
    for one in listed(session_of(not_bought), knowledge, catalogue, Additive()).sales:
        assert fsum(reason.log_odds for reason in one.reasons) == pytest.approx(one.score, abs=1e-5)
        assert one.reasons[-1].name == EVERYTHING_ELSE
        assert {reason.like for reason in one.reasons} <= {None, *(action.sale_id for action in own)}


def test_the_reason_names_the_touched_sale_that_leads_to_the_listed_one() -> None:
    log = visits("ab", "ab", "cd")
    session = session_of([act("a", NOON), act("c", NOON + 1)])
    reasons = {
        one.sale_id: one.reasons for one in listed(session, learned(log), shop("abcdef"), Additive()).sales
    }
    like = {
        sale_id: [why.like for why in own if why.name == "covisitation"] for sale_id, own in reasons.items()
    }
    assert like["b"] == ["a"]
    assert like["d"] == ["c"]
    assert like["e"] == []


def test_a_ranker_whose_scores_are_no_probabilities_gives_no_reasons() -> None:
    top = listed(session_of([act("s3")]), small_knowledge(), shop())
    assert [one.reasons for one in top.sales] == [()] * LIST_LENGTH


def test_a_bought_sale_that_fills_a_list_up_has_no_reasons() -> None:
    top = listed(session_of([act("b", NOON, kind=Purchase)]), learned(visits("ab")), shop("abc"), Additive())
    assert [(one.sale_id, bool(one.reasons)) for one in top.sales][-1] == ("b", False)
    assert [bool(one.reasons) for one in top.sales] == [True, True, False]


def test_what_fills_a_list_up_without_a_score_has_no_reasons() -> None:
    catalogue = shop([f"sale-{number:04}" for number in range(MAX_SCORED + 2)])
    top = listed(session_of([act("sale-0100")]), small_knowledge(max_sales=512), catalogue, Additive())
    assert [bool(one.reasons) for one in top.sales] == [True] + [False] * (LIST_LENGTH - 1)
