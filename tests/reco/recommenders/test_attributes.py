"""Attributes: beside those of the sales that the visitor touched, by their laws and a plain reference."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reco.content import TASTE_HALF_LIFE
from reco.events import Sale
from reco.recommenders.attributes import MAX_RATIO, Attributes
from reco.sessions import Session
from tests.reco.contents import (
    IDS,
    UNPUBLISHED,
    chosen,
    content_of,
    query_of,
    sale,
    scores,
    sessions,
    shuffled,
    touched,
)
from tests.reco.worlds import NOON, act, open_sales, session_of

some_sales = st.lists(
    st.builds(
        sale,
        st.sampled_from((*IDS, UNPUBLISHED)),
        st.none() | st.floats(0, 2000) | st.sampled_from((0.0, 99.0)),
        st.sampled_from((None, "EUR", "USD")),
        st.sampled_from((None, "", "IT", "NO")),
        st.lists(st.sampled_from("abcdefgh"), max_size=5).map(tuple),
    ),
    max_size=len(IDS),
    unique_by=lambda one: one.sale_id,
)


def said(sales: Sequence[Sale], session: Session | None, feature: str) -> dict[str, float]:
    """What a feature says of each sale."""
    row = scores(Attributes(content_of(sales)), query_of(session))[feature]
    return dict(zip(IDS, row.tolist(), strict=True))


def weighed(session: Session | None) -> Iterator[tuple[str, float]]:
    """The touched sales, newest first, and what each touch weighs."""
    if session is None:
        return
    for touch in reversed(session.recent):
        yield touch.sale_id, 0.5 ** ((session.last_ts - touch.ts) / TASTE_HALF_LIFE)
    for old in session.memory:
        count = old.clicks + old.carts + old.purchases
        yield old.sale_id, count * 0.5 ** ((session.last_ts - old.last_ts) / TASTE_HALF_LIFE)


def plain_ratio(one: Sale, touches: Sequence[tuple[Sale, float]]) -> float:
    comparable = [(old.price, weight) for old, weight in touches if old.currency == one.currency]
    priced = [(price, weight) for price, weight in comparable if price is not None]
    if one.price is None or not priced or not any(price for price, _ in priced):
        return math.nan
    mean = sum(price * weight for price, weight in priced) / sum(weight for _, weight in priced)
    return min(one.price / mean, MAX_RATIO) if mean else math.nan


def plain_country(one: Sale, touches: Sequence[tuple[Sale, float]]) -> tuple[float, float]:
    placed = [(old.country, weight) for old, weight in touches if old.country]
    if not one.country or not placed:
        return math.nan, math.nan
    same = sum(weight for country, weight in placed if country == one.country)
    return same / sum(weight for _, weight in placed), float(placed[0][0] == one.country)


def plain_overlap(one: Sale, touches: Sequence[tuple[Sale, float]]) -> float:
    tagged = [(set(old.tags), weight) for old, weight in touches if old.tags]
    if not one.tags or not tagged:
        return math.nan
    total, carried = sum(weight for _, weight in tagged), defaultdict[str, float](float)
    for tags, weight in tagged:
        for tag in tags:
            carried[tag] += weight / total
    return sum(carried[tag] for tag in set(one.tags)) / len(set(one.tags))


@given(session=sessions, sales=some_sales)
def test_it_is_that_of_the_plain_reference(session: Session | None, sales: list[Sale]) -> None:
    rows, known = (
        scores(Attributes(content_of(sales)), query_of(session)),
        {one.sale_id: one for one in sales},
    )
    touches = [(known[one], weight) for one, weight in weighed(session) if one in known]
    for position, sale_id in enumerate(IDS):
        one = known.get(sale_id, sale(sale_id))
        rivals = [
            known[other].price for other in IDS if other in known and known[other].currency == one.currency
        ]
        priced = [price for price in rivals if price is not None]
        cheaper = math.nan if one.price is None else sum(p < one.price for p in priced) / len(priced)
        price = math.nan if one.price is None else one.price
        same_country, country_last = plain_country(one, touches)
        expected = {
            "price": price,
            "price_ratio": plain_ratio(one, touches),
            "price_rank": cheaper,
            "same_country": same_country,
            "tag_overlap": plain_overlap(one, touches),
            "country_last": country_last,
        }
        own = {name: float(row[position]) for name, row in rows.items()}
        assert own == pytest.approx(expected, rel=2e-3, abs=1e-6, nan_ok=True)


@given(session=sessions, sales=some_sales)
def test_it_is_finite_or_unknown_and_shares_are_from_0_to_1(
    session: Session | None, sales: list[Sale]
) -> None:
    rows = scores(Attributes(content_of(sales)), query_of(session))
    for name, row in rows.items():
        known = row[~np.isnan(row)]
        assert np.isfinite(known).all()
        assert (known >= 0).all()
        assert name.startswith("price") or (known <= 1 + 1e-6).all()


@given(session=sessions, sales=some_sales, positions=chosen)
def test_some_candidates_score_as_among_all(
    session: Session | None, sales: list[Sale], positions: NDArray[np.int32]
) -> None:
    recommender, query = Attributes(content_of(sales)), query_of(session)
    alone = scores(recommender, query.only(positions))
    for name, row in scores(recommender, query).items():
        assert alone[name].tobytes() == row[positions].tobytes()


@given(session=sessions, sales=some_sales)
def test_the_source_is_the_touch_of_the_other_sale_that_has_most_in_common(
    session: Session | None, sales: list[Sale]
) -> None:
    query, known = query_of(session), {one.sale_id: one for one in sales}
    positions = np.arange(len(IDS), dtype=np.int32)
    found = Attributes(content_of(sales)).sources(query, positions)["attributes"]
    for touch, sale_id in zip(found.tolist(), IDS, strict=True):
        common = [plain_in_common(known.get(sale_id), known.get(other)) for other in query.touched]
        alike = [0.0 if other == sale_id else one for one, other in zip(common, query.touched, strict=True)]
        if touch < 0:
            assert max(alike, default=0.0) == 0
        else:
            assert max(alike) == alike[touch] > max(alike[:touch], default=0.0)


def plain_in_common(one: Sale | None, other: Sale | None) -> float:
    if one is None or other is None:
        return 0.0
    same = bool(one.country) and one.country == other.country
    return same + len(set(one.tags) & set(other.tags)) / max(len(set(one.tags)), 1)


@given(session=sessions, sales=some_sales)
def test_the_order_in_which_sales_come_changes_nothing(session: Session | None, sales: list[Sale]) -> None:
    query = query_of(session)
    there, back = (scores(Attributes(content_of(some)), query) for some in (sales, shuffled(sales)))
    assert all(there[name].tobytes() == back[name].tobytes() for name in there)


def test_it_says_nothing_of_a_sale_that_nothing_is_known_of() -> None:
    rows = scores(
        Attributes(content_of([sale("s1", 5.0, country="IT", tags=("a",))])), query_of(touched("s1"))
    )
    assert all(np.isnan(row[IDS.index("s2")]) for row in rows.values())
    assert not any(np.isnan(row[IDS.index("s1")]) for row in rows.values())
    nothing = scores(Attributes(content_of([])), query_of(touched("s1"), open_sales([])))
    assert {row.shape for row in nothing.values()} == {(0,)}


def test_a_stranger_sees_prices_and_is_compared_with_nothing() -> None:
    sales = [sale("s1", 5.0, country="IT", tags=("a",)), sale("s2", 9.0)]
    assert said(sales, None, "price")["s2"] == 9
    assert said(sales, None, "price_rank")["s2"] == 0.5
    for feature in ("price_ratio", "same_country", "tag_overlap", "country_last"):
        assert np.isnan(list(said(sales, None, feature).values())).all()


def test_prices_in_another_currency_are_not_compared() -> None:
    sales = [sale("s1", 100.0), sale("s2", 300.0), sale("s3", 300.0, "CZK")]
    ratios = said(sales, touched("s1"), "price_ratio")
    assert ratios["s2"] == 3
    assert math.isnan(ratios["s3"])


def test_a_price_beyond_all_reason_stays_finite() -> None:
    sales = [sale("s1", 1e-300), sale("s2", 1e308)]
    assert said(sales, touched("s1"), "price")["s2"] == 1e9
    assert said(sales, touched("s1"), "price_ratio")["s2"] == MAX_RATIO


def test_free_sales_make_no_ratio() -> None:
    assert math.isnan(said([sale("s1", 0.0), sale("s2", 5.0)], touched("s1"), "price_ratio")["s2"])


def test_what_was_touched_a_half_life_before_weighs_half() -> None:
    sales = [sale("s1", country="IT"), sale("s2", country="NO"), sale("s3", country="IT")]
    session = session_of([act("s1", NOON - TASTE_HALF_LIFE), act("s2", NOON)])
    assert said(sales, session, "same_country")["s3"] == pytest.approx(1 / 3)
    newest = said(sales, session, "country_last")
    assert (newest["s1"], newest["s2"], newest["s3"]) == (0, 1, 0)


def test_a_sale_overlaps_by_how_many_of_its_tags_were_touched_how_often() -> None:
    sales = [sale("s1", tags=("a", "b")), sale("s2", tags=("a",)), sale("s3", tags=("a", "c"))]
    session = session_of([act("s1", NOON, event_id="1"), act("s2", NOON, event_id="2")])
    overlaps = said(sales, session, "tag_overlap")
    assert overlaps["s2"] == 1
    assert overlaps["s1"] == 0.75
    assert overlaps["s3"] == 0.5
