"""Content: what was put is found again, whatever the order, and what was removed is gone."""

import math
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.image_index import FlatIndex
from reco.candidates import NOWHERE
from reco.content import MAX_COMPARED, MAX_PRICE, Content
from reco.events import Sale
from tests import facts
from tests.reco.contents import content_of, sale
from tests.reco.worlds import NOON, open_sales

VECTOR = np.array([3.0, 0.0, 4.0])
finite = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300)


def ranks(sales: Sequence[Sale]) -> list[float]:
    """The price ranks of these sales, which are live, by id."""
    live = content_of(sales).live(open_sales([one.sale_id for one in sales]))
    return list(live.price_ranks.tolist())


def vector_of(content: Content, space: str, sale_id: str) -> NDArray[np.float32]:
    vectors = content.vectors(space)
    assert vectors is not None
    return np.asarray(vectors[content.rows_of([sale_id])[0]])


def test_the_attributes_of_a_sale_are_those_of_its_newest_version() -> None:
    content = content_of([Sale("rome", "Rome", NOON, price=1.0, country="IT", tags=("a", "b", "c"))])
    content.put(Sale("rome", "Rome", NOON, price=2.0, tags=("d",)))
    other = content_of([Sale("oslo", "Oslo", NOON, tags=("d",)), Sale("bari", "Bari", NOON, country="IT")])
    (rome,), (oslo, bari) = content.rows_of(["rome"]), other.rows_of(["oslo", "bari"])
    assert content.attributes.prices[rome] == 2.0
    assert content.attributes.countries[rome] == 0 != other.attributes.countries[bari]
    assert content.attributes.tags[rome].tolist() == [other.attributes.tags[oslo, 0], 0, 0]


@given(facts.sales())
def test_any_sale_can_be_put_and_leaves_finite_attributes(one: Sale) -> None:
    content = content_of([one])
    (row,) = content.rows_of([one.sale_id])
    price = content.attributes.prices[row]
    assert math.isnan(price) if one.price is None else 0 <= price <= MAX_PRICE
    assert np.count_nonzero(content.attributes.tags[row]) == len(set(one.tags))
    assert (content.attributes.countries[row] != 0) == bool(one.country)


def test_a_tag_said_twice_is_one_tag() -> None:
    content = content_of([Sale("rome", "Rome", NOON, tags=("a", "a"))])
    assert np.count_nonzero(content.attributes.tags[content.rows_of(["rome"])]) == 1


@given(finite)
def test_a_vector_is_kept_at_length_1(values: list[float]) -> None:
    content, vector = Content(), np.array(values)
    if not vector.any():
        return
    content.put_vector("text", "rome", vector)
    kept = vector_of(content, "text", "rome").astype(np.float64)
    assert kept @ kept == pytest.approx(1, rel=1e-5)
    assert (np.sign(kept) * np.sign(vector) >= 0).all()


def test_a_vector_may_come_before_its_sale_and_in_several_spaces() -> None:
    content = Content()
    content.put_vector("image", "rome", VECTOR)
    content.put_vector("topics", "rome", np.ones(1))
    content.put(sale("rome", 5.0))
    content.put(sale("oslo"))
    assert vector_of(content, "image", "rome") == pytest.approx([0.6, 0.0, 0.8])
    assert vector_of(content, "topics", "rome").tolist() == [1.0]
    assert np.isnan(vector_of(content, "image", "oslo")).all()
    assert content.vectors("text") is None


@pytest.mark.parametrize(
    ("space", "vector", "fault"),
    [
        ("sound", VECTOR, "no space 'sound'"),
        ("text", np.ones(2), r"has shape \(2,\), not \(3,\)"),
        ("image", np.ones((3, 1)), r"has shape \(3, 1\), not \(d,\)"),
        ("image", np.ones(0), "no length"),
        ("text", np.zeros(3), "no length"),
        ("text", np.array([1.0, math.nan, 0.0]), "not finite"),
        ("text", np.array([1.0, math.inf, 0.0]), "not finite"),
    ],
)
def test_a_vector_that_does_not_fit_is_refused_and_changes_nothing(
    space: str, vector: NDArray[np.float64], fault: str
) -> None:
    content = Content()
    content.put_vector("text", "rome", VECTOR)
    with pytest.raises(ValueError, match=fault):
        content.put_vector(space, "oslo", vector)
    assert content.rows_of(["oslo"]).tolist() == [NOWHERE]
    assert content.vectors("image") is None


def test_what_is_removed_leaves_nothing_for_the_next() -> None:
    content = content_of(
        [Sale("rome", "Rome", NOON, price=1.0, currency="EUR", country="IT", tags=("a", "b"))]
    )
    content.put_vector("text", "rome", VECTOR)
    (row,) = content.rows_of(["rome"])
    content.remove("rome")
    content.remove("never there")
    assert content.rows_of(["rome"]).tolist() == [NOWHERE]
    content.put_vector("image", "oslo", VECTOR)
    assert content.rows_of(["oslo"]).tolist() == [row]
    assert np.isnan(vector_of(content, "text", "oslo")).all()
    attributes = content.attributes
    assert math.isnan(attributes.prices[row])
    assert attributes.currencies[row] == attributes.countries[row] == 0
    assert not attributes.tags[row].any()


def test_a_vector_can_be_dropped_alone() -> None:
    content = content_of([Sale("rome", "Rome", NOON, price=1.0)])
    content.put_vector("text", "rome", VECTOR)
    content.put_vector("image", "rome", VECTOR)
    for space, sale_id in (("text", "rome"), ("text", "oslo"), ("topics", "rome")):
        content.drop_vector(space, sale_id)
    (row,) = content.rows_of(["rome"])
    assert content.attributes.prices[row] == 1.0
    assert np.isnan(vector_of(content, "text", "rome")).all()
    assert not np.isnan(vector_of(content, "image", "rome")).any()


def test_a_space_that_was_emptied_takes_vectors_of_another_dimension() -> None:
    content = content_of([sale("rome", 1.0)])
    content.put_vector("image", "rome", VECTOR)
    content.put_vector("text", "rome", VECTOR)
    content.empty("image")
    content.empty("topics")
    assert content.vectors("image") is None
    content.put_vector("image", "oslo", np.ones(1))
    assert vector_of(content, "image", "oslo").tolist() == [1.0]
    assert np.isnan(vector_of(content, "image", "rome")).all()
    assert not np.isnan(vector_of(content, "text", "rome")).any()
    assert ("rome" in content, "bari" in content) == (True, False)


def test_it_does_not_grow_with_sales_that_come_and_go() -> None:
    content = Content()
    for number in range(3000):
        content.put(sale(f"s{number}"))
        content.put_vector("text", f"s{number}", VECTOR)
        if number >= 100:
            content.remove(f"s{number - 100}")
    assert len(content.attributes.prices) < 300


def test_it_grows_with_the_catalogue_and_keeps_what_it_has() -> None:
    ids, content = [f"s{number}" for number in range(1000)], Content()
    for number, sale_id in enumerate(ids):
        content.put(Sale(sale_id, sale_id, NOON, price=float(number), tags=(sale_id,)))
        content.put_vector("text", sale_id, np.array([1.0, number]))
    rows, vectors = content.rows_of(ids), content.vectors("text")
    assert vectors is not None
    assert content.attributes.prices[rows].tolist() == list(range(1000))
    assert len(set(content.attributes.tags[rows, 0].tolist())) == 1000
    np.testing.assert_allclose(vectors[rows, 1] / vectors[rows, 0], np.arange(1000), rtol=1e-5)


def test_a_price_rank_is_the_share_of_live_sales_in_its_currency_that_are_cheaper() -> None:
    dollars = [sale("e", 1.0, "USD"), sale("f", None, "USD"), sale("g", 9.0, "USD")]
    euros = [sale("a", 5.0), sale("b", 2.0), sale("c", 5.0), sale("d", 7.0)]
    expected = [0.25, 0.0, 0.25, 0.75, 0.0, math.nan, 0.5]
    assert ranks([*dollars, *euros]) == pytest.approx(expected, nan_ok=True)


def test_where_live_sales_stand_is_found_once_until_something_changes() -> None:
    content, live = content_of([sale("a", 1.0), sale("b", 2.0)]), open_sales(["a", "b", "c"])
    first = content.live(live)
    assert first.rows.tolist() == [*content.rows_of(["a", "b"]), NOWHERE]
    assert content.live(live) is first
    content.put(sale("c", 0.0))
    assert content.live(live).price_ranks.tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    content.put(sale("c", 3.0))
    assert content.live(live).price_ranks.tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    content.remove("a")
    assert content.live(live).rows.tolist() == [NOWHERE, *content.rows_of(["b", "c"])]
    content.put_vector("text", "a", VECTOR)
    assert content.live(live).rows.tolist() == content.rows_of(["a", "b", "c"]).tolist()
    assert content.live(open_sales(["b"])).rows.tolist() == content.rows_of(["b"]).tolist()


def counted() -> tuple[Content, list[int]]:
    """Three sales with vectors of their images, and how many vectors were in each index that was built."""
    built = list[int]()

    def index_of(vectors: NDArray[np.float32]) -> FlatIndex:
        built.append(len(vectors))
        return FlatIndex(vectors)

    content = Content(index_of)
    for number, sale_id in enumerate(("a", "b", "c")):
        content.put_vector("image", sale_id, np.array([1.0, number]))
    return content, built


def test_an_index_is_built_when_it_is_asked_for_and_holds_live_sales_only() -> None:
    (content, built), live = counted(), open_sales(["0", "a", "c"])
    assert built == []
    first = content.indexed("image", live)
    assert first is not None
    assert first.positions.tolist() == [1, 2]
    assert content.indexed("image", live) is first
    assert content.indexed("text", live) is None
    content.put(sale("a", 1.0))
    content.put_vector("text", "a", VECTOR)
    content.put_vector("image", "b", np.ones(2))
    content.drop_vector("image", "b")
    content.remove("b")
    assert content.indexed("image", live) is first
    assert built == [2]
    assert content.indexed("image", open_sales(["a"])) is not first
    assert built == [2, 1]


def test_many_changes_at_once_cost_one_index() -> None:
    (content, built), live = counted(), open_sales(["a", "b", "c", "d"])
    content.indexed("image", live)
    for number in range(64):
        content.put_vector("image", "abcd"[number % 4], np.array([1.0, number]))
    assert [content.indexed("image", live) is None for _ in range(2)] == [False, False]
    assert built == [3, 4]


def test_an_index_is_built_anew_after_every_kind_of_change_of_a_live_sale() -> None:
    (content, built), live = counted(), open_sales(["a", "b", "c"])
    content.put_vector("text", "a", VECTOR)
    changes: Sequence[Callable[[], None]] = (
        lambda: content.put_vector("image", "a", np.ones(2)),
        lambda: content.drop_vector("image", "a"),
        lambda: content.remove("b"),
        lambda: content.empty("image"),
        lambda: content.put_vector("image", "b", VECTOR),
    )
    for change in changes:
        content.indexed("image", live)
        change()
    assert content.indexed("image", live) is not None
    assert built == [3, 3, 2, 1, 1]


def test_vectors_side_by_side_are_kept_and_are_what_is_known_after_every_kind_of_change() -> None:
    (content, _), live = counted(), open_sales(["a", "b", "c", "d"])
    everywhere = np.arange(4, dtype=np.int32)
    changes: Sequence[Callable[[], None]] = (
        lambda: None,
        lambda: content.put_vector("image", "a", np.ones(2)),
        lambda: content.drop_vector("image", "a"),
        lambda: content.remove("b"),
        lambda: content.put(sale("d", 1.0)),
        lambda: content.put_vector("image", "d", np.array([-1.0, 2.0])),
        lambda: content.empty("image"),
        lambda: content.put_vector("image", "c", VECTOR),
    )
    for number, change in enumerate(changes):
        change()
        vectors, rows = content.vectors("image"), content.rows_of(live.ids)
        if vectors is not None:
            expected = np.where(rows == NOWHERE, math.nan, vectors[rows].T)
            found = content.side_by_side("image", live, everywhere)
            np.testing.assert_array_equal(found.axes, expected, str(number))
            assert not found.kept.any()
            found.kept[:] = True
            assert content.side_by_side("image", live, everywhere) is found
            some = content.side_by_side("image", live, everywhere[1:3])
            np.testing.assert_array_equal(some.axes, expected[:, 1:3])
            assert not len(some.kept)
    assert content.side_by_side("image", open_sales(["c"]), everywhere[:1]).axes.shape == (3, 1)


def test_cosines_with_very_many_live_sales_are_not_kept() -> None:
    content = Content()
    content.put_vector("image", "a", VECTOR)
    for n_live, rows in ((MAX_COMPARED, len(content.vectors("image"))), (MAX_COMPARED + 1, 0)):  # type: ignore[arg-type]
        live = open_sales([f"sale {number}" for number in range(n_live)])
        kept = content.side_by_side("image", live, np.arange(n_live, dtype=np.int32)).kept
        assert len(kept) == rows


@given(
    st.lists(facts.sales(), max_size=8, unique_by=lambda one: one.sale_id), st.randoms(use_true_random=False)
)
def test_the_order_in_which_sales_are_put_changes_nothing(sales: list[Sale], random: Random) -> None:
    shuffled = random.sample(sales, len(sales))
    ids = [one.sale_id for one in sales]
    for first, second in zip(_seen(content_of(sales), ids), _seen(content_of(shuffled), ids), strict=True):
        np.testing.assert_array_equal(first, second)


def _seen(content: Content, ids: Sequence[str]) -> list[NDArray[np.generic]]:
    rows, live = content.rows_of(ids), content.live(open_sales(ids))
    return [live.price_ranks, *(column[rows] for column in content.attributes)]
