"""Small worlds of content: a dozen sales of which something is known, and visitors who touched them."""

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from reco.candidates import Query
from reco.catalogue import LiveSales
from reco.content import Content
from reco.events import Action, Sale
from reco.parameters import DAY
from reco.recommenders.protocol import Recommender
from reco.sessions import Session
from tests.reco.worlds import NOON, SALES, act, kinds, open_sales, session_of, small_knowledge

IDS = tuple(sorted(SALES))
"""All sales that are open, in the order of their ids, which is that of the columns."""
UNPUBLISHED = "unpublished"
"""A sale that was touched, and is not open."""

World = Mapping[str, Sale]


def sale(
    sale_id: str,
    price: float | None = None,
    currency: str | None = "EUR",
    country: str | None = None,
    tags: tuple[str, ...] = (),
) -> Sale:
    """A sale that opens at noon."""
    return Sale(sale_id, sale_id, NOON, price=price, currency=currency, country=country, tags=tags)


def content_of(sales: Sequence[Sale]) -> Content:
    """The content of these sales."""
    content = Content()
    for one in sales:
        content.put(one)
    return content


def query_of(session: Session | None, live: LiveSales | None = None) -> Query:
    """What is asked for the visitor of `session`, of knowledge that learned nothing."""
    knowledge = small_knowledge()
    return knowledge.query(session, knowledge.candidates(live or open_sales(IDS)), NOON + 1)


def scores(recommender: Recommender, query: Query) -> dict[str, NDArray[np.float32]]:
    """What it says, by feature; written over what must not shine through."""
    rows = np.full((len(recommender.features), len(query.candidates.places)), 77, np.float32)
    recommender.score(query, rows)
    return dict(zip(recommender.features, rows, strict=True))


def touched(*sale_ids: str) -> Session | None:
    """A visitor who touched these one after the other, a second apart."""
    return session_of([act(sale_id, NOON - 1000 * ago) for ago, sale_id in enumerate(reversed(sale_ids))])


def shuffled(sales: Sequence[Sale]) -> list[Sale]:
    """The same sales in another order."""
    return Random(5).sample(sales, len(sales))


moments = st.integers(NOON - 3600_000, NOON) | st.integers(NOON - 20 * DAY, NOON)
touches: st.SearchStrategy[Action] = st.builds(
    act, st.sampled_from((*IDS, UNPUBLISHED)), moments, st.just("ann"), kinds
)
sessions = st.lists(touches, max_size=90, unique_by=lambda one: one.event_id).map(session_of)
chosen = st.sets(st.integers(0, len(IDS) - 1)).map(lambda some: np.array(sorted(some), np.int32))
"""Positions of some of the candidates, rising."""
