"""Any event, sale, session and list that the types allow, as Hypothesis strategies."""

from typing import get_args

import numpy as np
from hypothesis import strategies as st

from reco.events import (
    EARLIEST_TIME,
    LATEST_TIME,
    MAX_ID_LENGTH,
    Cart,
    Click,
    Event,
    Impression,
    Purchase,
    Sale,
    Shown,
)
from reco.labels import SaleLabels, Scored
from reco.lists import LIST_LENGTH, Provenance, Reason, Recommendation, TopTen
from reco.sessions import Remembered, Session, Touch, TouchKind

characters = st.characters(exclude_categories=["Cs"])
ids = st.text(characters, min_size=1, max_size=MAX_ID_LENGTH)
texts = st.text(characters, max_size=64)
names = texts.filter(bool)
times = st.integers(EARLIEST_TIME, LATEST_TIME)
counts = st.integers(0, 2**53)
contexts = st.dictionaries(names, texts, max_size=16)
prices = st.none() | st.floats(0, allow_infinity=False, allow_nan=False)
currencies = st.none() | st.sampled_from(("EUR", "USD"))

_who = {"event_id": ids, "visitor_id": ids, "session_id": st.none() | ids}
_when = {"ts": times, "context": contexts}
_shown = st.lists(st.builds(Shown, ids, st.integers(1, 1000)), min_size=1, max_size=20).map(tuple)
_paid = {"quantity": st.integers(1, 10_000), "price": prices, "currency": currencies}

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Click, sale_id=ids, **_who, **_when),
    st.builds(Cart, sale_id=ids, **_who, **_when),
    st.builds(Purchase, sale_id=ids, **_who, **_when, **_paid),
    st.builds(Impression, list_id=ids, shown=_shown, **_who, **_when),
)


@st.composite
def sales(draw: st.DrawFn) -> Sale:
    """A sale that closes, if it ever does, after it opens."""
    opens_at = draw(st.integers(EARLIEST_TIME, LATEST_TIME - 1))
    return Sale(
        sale_id=draw(ids),
        title=draw(names),
        opens_at=opens_at,
        closes_at=draw(st.none() | st.integers(opens_at + 1, LATEST_TIME)),
        description=draw(texts),
        image_urls=tuple(draw(st.lists(names, max_size=4))),
        price=draw(prices),
        currency=draw(currencies),
        country=draw(st.none() | texts),
        tags=tuple(draw(st.lists(names, max_size=4))),
    )


_embeddings = st.lists(st.floats(-1, 1, width=32), max_size=16).filter(
    lambda values: any(values) or not values
)
_scored = st.lists(st.builds(Scored, names, st.floats(0, 1)), max_size=4).map(tuple)
labels = st.builds(
    SaleLabels,
    sale_id=ids,
    labeller=names,
    image_urls=st.lists(names, max_size=4).map(tuple),
    images=st.integers(0, 32),
    labels=_scored,
    topics=_scored,
    embedding=_embeddings.map(lambda values: np.array(values, "<f4").tobytes()),
    labelled_at=times,
)
sessions = st.builds(
    Session,
    visitor_id=ids,
    offset=counts,
    recent=st.lists(st.builds(Touch, times, ids, ids, st.sampled_from(get_args(TouchKind))), max_size=5).map(
        tuple
    ),
    memory=st.lists(st.builds(Remembered, ids, times, counts, counts, counts), max_size=5).map(tuple),
    earlier_visits=counts,
    context=contexts,
    context_at=st.tuples(times, ids),
)
_scores = st.floats(allow_nan=False, allow_infinity=False)
_reasons = st.lists(st.builds(Reason, names, _scores, st.none() | ids), max_size=2).map(tuple)
_recommendations = st.builds(Recommendation, ids, _scores) | st.builds(
    Recommendation, ids, _scores, st.floats(0, 1, exclude_min=True), _reasons
)
lists = st.builds(
    TopTen,
    list_id=ids,
    visitor_id=ids,
    at=times,
    holds_until=st.none() | times,
    sales=st.lists(_recommendations, max_size=LIST_LENGTH).map(tuple),
    made_from=st.builds(
        Provenance,
        partition=st.integers(-1, 1000),
        session_offset=st.integers(-1, 2**53),
        knowledge_second=counts,
        sales_offsets=st.lists(counts, max_size=8).map(tuple),
        release=texts,
        rules=st.sampled_from(("", "1a2b3c4d")),
        labels_offsets=st.lists(counts, max_size=8).map(tuple),
    ),
)
