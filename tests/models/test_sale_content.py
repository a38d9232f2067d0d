"""The content of sales is a function of what is in the catalogue, whatever was in it before."""

from collections.abc import Sequence
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sale_content import SaleContent
from models.text import text_of
from reco.events import Sale
from tests.models.described_sales import TITLES, UNKNOWN, seen, text_model
from tests.reco.worlds import NOON

IDS = ("oslo", "paris", "rome")

states = st.builds(
    Sale,
    sale_id=st.sampled_from(IDS),
    title=st.sampled_from((*TITLES[:3], UNKNOWN)),
    opens_at=st.just(NOON),
    price=st.none() | st.just(420.0),
    currency=st.just("EUR"),
    country=st.sampled_from((None, "IT")),
    tags=st.sampled_from(((), ("old town",), ("beach", "hotel"))),
)
histories = st.lists(states | st.sampled_from(IDS), max_size=12)
"""Sales as they are published and changed; an id withdraws one."""


def followed(history: Sequence[Sale | str]) -> SaleContent:
    """Content that was there all the time."""
    content = SaleContent(text_model())
    for one in history:
        if isinstance(one, Sale):
            content.take(one.sale_id, one)
        else:
            content.take(one, None)
    return content


def newest(history: Sequence[Sale | str]) -> list[Sale]:
    """The catalogue in the end."""
    sales: dict[str, Sale] = {}
    for one in history:
        if isinstance(one, Sale):
            sales[one.sale_id] = one
        else:
            sales.pop(one, None)
    return list(sales.values())


@settings(deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_it_is_the_same_followed_and_built_afterwards_in_any_order(
    history: Sequence[Sale | str], random: Random
) -> None:
    final = newest(history)
    built = followed(random.sample(final, len(final)))
    assert seen(followed(history).content, IDS) == seen(built.content, IDS)


@settings(deadline=None)
@given(states)
def test_a_sale_has_the_vector_that_the_text_model_makes_of_its_words(sale: Sale) -> None:
    content = followed([sale]).content
    expected = text_model().vector(text_of(sale))
    vectors, (row,) = content.vectors("text"), content.rows_of([sale.sale_id])
    if expected is None:
        assert vectors is None
    else:
        assert vectors is not None
        np.testing.assert_allclose(vectors[row], expected, atol=1e-6)


def test_a_title_that_says_nothing_any_more_leaves_no_vector_behind() -> None:
    content = followed([Sale("rome", TITLES[0], NOON), Sale("rome", UNKNOWN, NOON)]).content
    vectors = content.vectors("text")
    assert vectors is not None
    assert np.isnan(vectors[content.rows_of(["rome"])]).all()


def test_without_a_text_model_there_are_attributes_only() -> None:
    content = SaleContent()
    content.take("rome", Sale("rome", TITLES[0], NOON, price=420.0))
    assert content.content.vectors("text") is None
    assert content.content.attributes.prices[content.content.rows_of(["rome"])[0]] == 420.0
