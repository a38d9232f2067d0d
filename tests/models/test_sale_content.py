"""The content of sales is a function of what is in the catalogue and its labels, however it came to be."""

from collections.abc import Sequence
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.sale_content import FEWEST_TEXTS, SaleContent, content_of
from models.text import text_of
from reco.catalogue import Catalogue, catalogue_of
from reco.content import Content
from reco.events import Sale, Withdrawal
from reco.label_book import LabelBook, book_of
from reco.labels import LabelsFact, SaleLabels, Unlabelled
from tests.models.described_sales import TITLES, UNKNOWN, seen, text_model
from tests.reco.labelled import labels
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

label_facts = st.builds(
    labels,
    st.sampled_from(IDS),
    st.sampled_from(([0.6, 0.8], [1.0, 0.0, 0.0], [])),
    st.sampled_from(([], [0.5, 0.5])),
    labeller=st.sampled_from(("v1", "v2")),
    at=st.integers(NOON, NOON + 3),
) | st.builds(Unlabelled, st.sampled_from(IDS))


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


@given(histories, st.randoms(use_true_random=False))
def test_it_is_the_same_followed_and_built_afterwards_in_any_order(
    history: Sequence[Sale | str], random: Random
) -> None:
    final = newest(history)
    built = followed(random.sample(final, len(final)))
    assert seen(followed(history).content, IDS) == seen(built.content, IDS)


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


def labelled(content: Content) -> dict[str, list[list[float]]]:
    """The vectors of images and topics of the sales that have any."""
    found = {}
    for sale_id, row in zip(IDS, content.rows_of(IDS).tolist(), strict=True):
        spaces = [vectors for space in ("image", "topics") if (vectors := content.vectors(space)) is not None]
        found[sale_id] = [one[row].tolist() for one in spaces if row >= 0 and not np.isnan(one[row]).any()]
    return found


@given(st.lists(states | st.sampled_from(IDS) | label_facts, max_size=16), st.randoms(use_true_random=False))
def test_with_labels_it_is_the_same_followed_and_built_afterwards(
    history: Sequence[Sale | str | LabelsFact], random: Random
) -> None:
    catalogue = Catalogue(partitions=1)
    book = LabelBook(1, catalogue)
    content = SaleContent(labels=book)
    for offset, one in enumerate(history):
        if isinstance(one, SaleLabels | Unlabelled):
            book.apply(one, 0, offset)
            content.take_labels((one.sale_id,))
        else:
            fact = Withdrawal(one) if isinstance(one, str) else one
            catalogue.apply(fact, 0, offset)
            content.take(fact.sale_id, catalogue.sale(fact.sale_id))
    final = newest([one for one in history if isinstance(one, Sale | str)])
    left = {one.sale_id: one for one in history if isinstance(one, SaleLabels | Unlabelled)}
    labelled_last = [one for one in left.values() if isinstance(one, SaleLabels)]
    built = SaleContent(labels=book_of(labelled_last, catalogue))
    for sale in random.sample(final, len(final)):
        built.take(sale.sale_id, sale)
    assert labelled(content.content) == labelled(built.content)


def test_all_sales_that_a_new_labeller_has_seen_are_seen_by_it_once_it_comes_into_use() -> None:
    book = LabelBook(partitions=1)
    content, states = SaleContent(labels=book), []
    for sale_id in IDS:
        content.take(sale_id, Sale(sale_id, TITLES[0], NOON))
    given = [labels(one) for one in IDS] + [labels(one, [0.0, 1.0], labeller="v2") for one in IDS]
    for offset, one in enumerate(given):
        book.apply(one, 0, offset)
        content.take_labels((one.sale_id,))
        states.append(labelled(content.content))
    assert states[2:] == [
        {"oslo": [[1.0]], "paris": [[1.0]], "rome": [[1.0]]},
        {"oslo": [], "paris": [[1.0]], "rome": [[1.0]]},
        {"oslo": [[0.0, 1.0]], "paris": [[0.0, 1.0]], "rome": []},
        {"oslo": [[0.0, 1.0]], "paris": [[0.0, 1.0]], "rome": [[0.0, 1.0]]},
    ]


def test_a_sale_has_its_labels_while_it_is_published_and_again_when_it_comes_back() -> None:
    book, rome = book_of([labels("rome", [0.6, 0.8], [0.0, 1.0])]), Sale("rome", TITLES[0], NOON)
    content, states = SaleContent(labels=book), []
    for sale in (None, rome, None, rome):
        content.take("rome", sale)
        states.append(len(labelled(content.content)["rome"]))
    assert states == [0, 2, 0, 2]


def test_training_looks_at_labels_of_the_version_in_use_too() -> None:
    catalogue = catalogue_of(Sale(sale_id, TITLES[0], NOON) for sale_id in IDS)
    content, _ = content_of(catalogue, 0, [labels("oslo"), labels("rome"), labels("paris", labeller="v0")])
    assert labelled(content) == {"oslo": [[1.0]], "paris": [], "rome": [[1.0]]}
    assert content_of(catalogue, 0)[0].vectors("image") is None


def test_texts_are_modelled_if_there_are_enough_of_them_and_they_have_words_in_common() -> None:
    catalogue, numbers, models = Catalogue(partitions=1), Catalogue(partitions=1), []
    for offset in range(FEWEST_TEXTS):
        models.append(content_of(catalogue, 0)[1])
        catalogue.apply(Sale(str(offset), TITLES[offset % 2], NOON), 0, offset)
        numbers.apply(Sale(str(offset), str(offset), NOON), 0, offset)
    assert models == [None] * FEWEST_TEXTS
    assert content_of(catalogue, 0)[1] is not None
    assert content_of(numbers, 0)[1] is None
