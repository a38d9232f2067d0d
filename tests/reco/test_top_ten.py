"""The pipeline: every list obeys the rules of lists, says what it was made from, and is the same again."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from demo.list_rules import broken_rules
from models.blend import Blend
from reco.catalogue import Catalogue
from reco.events import Action, Purchase, Sale
from reco.lists import DEFAULT_VISITOR, LIST_LENGTH, TopTen, list_id
from reco.ranker import Ranker
from reco.sessions import Session
from reco.top_ten import top_ten
from streams.codecs import decode_list, encode
from tests import facts
from tests.reco.worlds import (
    HOUR,
    MINUTE,
    NOON,
    act,
    appended,
    kinds,
    learned,
    logs,
    session_of,
    small_knowledge,
)

MANY = tuple(f"s{number}" for number in range(40))


class Erratic:
    """A ranker that gives any scores, broken ones too."""

    release = "erratic-1"
    features = ("revisits",)

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """These scores, over and over."""
        return np.resize(np.array(self.scores, np.float32), len(features))


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


rankers = st.just(Blend()) | st.builds(Erratic, st.lists(st.floats(width=32), min_size=1, max_size=40))
own_actions = st.lists(
    st.builds(act, st.sampled_from(MANY), st.integers(NOON - HOUR, NOON), kind=kinds),
    max_size=20,
)


def broken(top: TopTen, catalogue: Catalogue) -> list[str]:
    """What is wrong with a list."""
    return list(broken_rules(top, catalogue))


@settings(deadline=None)
@given(catalogues(), logs, own_actions, rankers, st.integers(NOON - 3 * MINUTE, NOON + 6 * MINUTE))
def test_every_list_obeys_the_rules_of_lists(
    catalogue: Catalogue, log: Sequence[Sequence[Action]], own: list[Action], ranker: Ranker, at: int
) -> None:
    knowledge = small_knowledge()
    for second, events in enumerate(appended(log), start=1):
        knowledge.advance(second, events)
    top = top_ten(session_of(own), 3, knowledge, catalogue, ranker, at)
    assert broken(top, catalogue) == []
    assert decode_list(encode(top)) == top
    assert top_ten(session_of(own), 3, knowledge, catalogue, ranker, at) == top


@settings(deadline=None)
@given(catalogues(), own_actions, rankers)
def test_a_bought_sale_is_listed_only_behind_all_others(
    catalogue: Catalogue, own: list[Action], ranker: Ranker
) -> None:
    listed = [
        one.sale_id for one in top_ten(session_of(own), 0, small_knowledge(), catalogue, ranker, NOON).sales
    ]
    bought = {action.sale_id for action in own if isinstance(action, Purchase)}
    others = [sale_id for sale_id in catalogue.live(NOON).ids if sale_id not in bought]
    assert set(listed[: len(others)]).isdisjoint(bought)


@given(facts.sessions, catalogues())
def test_any_session_that_can_be_read_gets_a_list(session: Session, catalogue: Catalogue) -> None:
    top = top_ten(session, 0, small_knowledge(), catalogue, Blend(), NOON)
    assert broken(top, catalogue) == []


def shop(ids: Sequence[str] = MANY) -> Catalogue:
    """A catalogue of sales that are all open, of which the first closes in an hour."""
    catalogue = Catalogue(partitions=1)
    for offset, sale_id in enumerate(ids):
        catalogue.apply(Sale(sale_id, sale_id, NOON - HOUR, NOON + HOUR if offset == 0 else None), 0, offset)
    return catalogue


def test_a_list_says_what_it_was_made_from() -> None:
    knowledge, session = (
        learned([act("s1"), act("s2", NOON + 1)]),
        session_of([act("s1"), act("s2", NOON + 1)]),
    )
    top = top_ten(session, 3, knowledge, shop(), Blend(), NOON + MINUTE)
    assert top.visitor_id == "ann"
    assert top.at == NOON + MINUTE
    assert top.holds_until == NOON + HOUR
    assert top.made_from.partition == 3
    assert top.made_from.session_offset == 1
    assert top.made_from.knowledge_second == knowledge.second == 2
    assert top.made_from.sales_offsets == (len(MANY),)
    assert top.made_from.release == Blend.release
    assert top.list_id == list_id(top.made_from, top.at)


def test_visitors_who_are_not_known_yet_get_the_popular_sales() -> None:
    knowledge = learned([act(sale, NOON, f"v{number}") for number, sale in enumerate(("s7", "s7", "s3"))])
    top = top_ten(None, 3, knowledge, shop(), Blend(), NOON)
    assert [one.sale_id for one in top.sales][:2] == ["s7", "s3"]
    assert top.visitor_id == DEFAULT_VISITOR
    assert (top.made_from.partition, top.made_from.session_offset) == (-1, -1)


def test_equal_scores_are_listed_by_id() -> None:
    top = top_ten(None, 0, small_knowledge(), shop(), Blend(), NOON)
    assert [one.sale_id for one in top.sales] == sorted(MANY)[:LIST_LENGTH]


def test_the_visitors_own_newest_click_counts_before_anything_is_learned_of_it() -> None:
    top = top_ten(session_of([act("s33")]), 0, small_knowledge(), shop(), Blend(), NOON)
    assert top.sales[0].sale_id == "s33"


def test_if_everything_was_bought_the_list_is_full_all_the_same() -> None:
    session = session_of([act(sale, NOON, kind=Purchase) for sale in MANY[:12]])
    top = top_ten(session, 0, small_knowledge(), shop(MANY[:12]), Blend(), NOON)
    assert len(top.sales) == LIST_LENGTH


def test_several_thousand_sales_can_be_open() -> None:
    catalogue = shop([f"sale-{number:05}" for number in range(5000)])
    top = top_ten(session_of([act("sale-04999")]), 0, small_knowledge(), catalogue, Blend(), NOON)
    assert top.sales[0].sale_id == "sale-04999"
    assert broken(top, catalogue) == []
