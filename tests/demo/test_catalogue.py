"""The demo's catalogue is believable, repeatable, and changes while one watches."""

from collections import Counter
from dataclasses import replace as changed
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from demo.catalogue import (
    MOST_IMAGES,
    SALES,
    TURNOVER_EVERY,
    TURNOVERS,
    WITHDRAWALS,
    DemoSale,
    illustrated,
    travel_catalogue,
)
from demo.kinds import KINDS
from streams.codecs import decode_sale, encode

START = 1_800_000_000_000
MINUTE = 60_000

SALES_OF_A_DEMO = travel_catalogue(seed=1, start=START)


def test_the_same_seed_gives_the_same_catalogue() -> None:
    assert travel_catalogue(seed=1, start=START) == SALES_OF_A_DEMO


def test_another_seed_gives_another_catalogue() -> None:
    assert travel_catalogue(seed=2, start=START) != SALES_OF_A_DEMO


def test_another_start_moves_the_times_and_nothing_else() -> None:
    later = travel_catalogue(seed=1, start=START + MINUTE)
    assert [_moved(one, MINUTE) for one in SALES_OF_A_DEMO] == list(later)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_every_sale_can_be_published(seed: int) -> None:
    for one in travel_catalogue(seed, START):
        assert decode_sale(one.sale.sale_id.encode(), encode(one.sale)) == one.sale


def test_about_two_hundred_sales_differ_in_id_and_title() -> None:
    assert len(SALES_OF_A_DEMO) == SALES == 204
    assert len({one.sale.sale_id for one in SALES_OF_A_DEMO}) == SALES
    assert len({one.sale.title for one in SALES_OF_A_DEMO}) == SALES


def test_each_kind_of_place_has_as_many_sales_as_the_others() -> None:
    assert Counter(one.kind for one in SALES_OF_A_DEMO) == {kind.name: SALES // 12 for kind in KINDS}


def test_a_sale_tells_its_country_and_kind() -> None:
    for one in SALES_OF_A_DEMO:
        assert (one.sale.country or "?") in one.sale.title
        assert one.kind in one.sale.tags


def test_sales_close_open_and_are_withdrawn_in_the_first_minute() -> None:
    before = {one.sale.sale_id for one in SALES_OF_A_DEMO if one.open_at(START)}
    after = {one.sale.sale_id for one in SALES_OF_A_DEMO if one.open_at(START + MINUTE)}
    withdrawn = {
        one.sale.sale_id
        for one in SALES_OF_A_DEMO
        if (one.withdrawn_at or START + 2 * MINUTE) <= START + MINUTE
    }
    assert len(withdrawn) == 6
    assert len(before - after - withdrawn) == 15
    assert len(after - before) == 14


def test_a_slower_catalogue_has_the_same_sales_and_changes_so_many_times_as_late() -> None:
    slower = travel_catalogue(seed=1, start=START, slower=60)
    assert [one.sale.title for one in slower] == [one.sale.title for one in SALES_OF_A_DEMO]
    for one, other in zip(SALES_OF_A_DEMO, slower, strict=True):
        if one.sale.opens_at > START:
            assert other.sale.opens_at - START == 60 * (one.sale.opens_at - START)
        if one.withdrawn_at is not None:
            assert (other.withdrawn_at or 0) - START == 60 * (one.withdrawn_at - START)


def test_however_slowly_it_changes_there_are_sales_to_its_end() -> None:
    slow = travel_catalogue(seed=1, start=START, slower=10_000)
    assert sum(one.open_at(START + 10_000 * TURNOVERS * TURNOVER_EVERY) for one in slow) > 100
    assert all(one.sale.opens_at < (one.sale.closes_at or 0) for one in slow)


@pytest.mark.parametrize("minutes", [0, 1, 10, 24 * 60])
def test_more_than_a_hundred_sales_are_open_at_any_time(minutes: int) -> None:
    assert sum(one.open_at(START + minutes * MINUTE) for one in SALES_OF_A_DEMO) > 100


def test_no_two_changes_fall_on_the_same_moment() -> None:
    moments = chain.from_iterable((one.sale.opens_at, one.sale.closes_at) for one in SALES_OF_A_DEMO)
    soon = [moment for moment in moments if moment is not None and 0 < moment - START < 10 * MINUTE]
    assert len(soon) == len(set(soon)) == 2 * TURNOVERS


def test_a_withdrawn_sale_was_open_until_then() -> None:
    withdrawn = [(one, one.withdrawn_at) for one in SALES_OF_A_DEMO if one.withdrawn_at is not None]
    assert len(withdrawn) == WITHDRAWALS
    for one, at in withdrawn:
        assert one.open_at(at - 1)
        assert not one.open_at(at)


def test_a_sale_is_open_from_its_opening_to_just_before_its_closing() -> None:
    sale = replace(SALES_OF_A_DEMO[0].sale, opens_at=START, closes_at=START + 10)
    open_at = [moment for moment in range(-1, 12) if DemoSale(sale, "beach").open_at(START + moment)]
    assert open_at == list(range(10))


def test_images_are_of_the_kind_of_their_sale_two_or_three_and_none_of_two_sales() -> None:
    urls = {kind.name: [f"{kind.name} {number}" for number in range(17 * MOST_IMAGES)] for kind in KINDS}
    sales = illustrated(SALES_OF_A_DEMO, urls)
    assert Counter(len(one.sale.image_urls) for one in sales) == {2: SALES // 2, 3: SALES // 2}
    assert all(url.startswith(one.kind) for one in sales for url in one.sale.image_urls)
    images = [url for one in sales for url in one.sale.image_urls]
    assert len(set(images)) == len(images)
    assert [replace(one.sale, image_urls=()) for one in sales] == [one.sale for one in SALES_OF_A_DEMO]


def _moved(one: DemoSale, by: int) -> DemoSale:
    closes_at = None if one.sale.closes_at is None else one.sale.closes_at + by
    sale = replace(one.sale, opens_at=one.sale.opens_at + by, closes_at=closes_at)
    return changed(one, sale=sale, withdrawn_at=None if one.withdrawn_at is None else one.withdrawn_at + by)
