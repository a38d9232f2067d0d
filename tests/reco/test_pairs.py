"""Pairs of sales: decayed, bounded and forgotten as in the plain reference, bit for bit."""

from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco import decay, pairs
from tests.reco.plain_neighbours import PlainPairs
from tests.reco.worlds import DAY, HOUR, NOON

SLOTS = "abcdef"
HALF_LIFE = HOUR
slots = st.integers(0, len(SLOTS) - 1)


class Link(NamedTuple):
    """One sale led to another."""

    slot: int
    other: int
    ts: int
    gain: float


Forget: TypeAlias = frozenset[int]
"""The slots of sales that are dropped."""

links = st.builds(
    Link,
    st.integers(0, 1),  # few rows, so that they fill up
    slots,
    st.sampled_from((NOON - 30 * DAY, *range(NOON - 3 * HOUR, NOON, 1_234_567))),
    st.sampled_from((0.3, 0.49, 0.7, 1.0)),
)
stories = st.lists(
    links | links | links | st.frozensets(slots, min_size=1, max_size=2), min_size=20, max_size=60
)


class BothPairs:
    """The pairs and their plain reference, told the same."""

    def __init__(self, n_neighbours: int) -> None:
        self.fast = pairs.no_pairs(len(SLOTS), n_neighbours)
        self.plain = PlainPairs(n_neighbours)

    def link(self, slot: int, other: int, ts: int = NOON, gain: float = 1.0) -> None:
        exponent, factor = decay.weight(ts, HALF_LIFE)
        decay.add(self.fast.sources, slot, exponent, factor)
        pairs.link(self.fast, slot, other, exponent, factor * gain)
        self.plain.sources[SLOTS[slot]].add(exponent, factor)
        self.plain.link(SLOTS[slot], SLOTS[other], exponent, factor * gain)

    def forget(self, dropped: Forget) -> None:
        pairs.forget(self.fast, np.isin(np.arange(len(SLOTS)), list(dropped)))
        self.plain.forget([SLOTS[slot] for slot in dropped])

    def followed(self, source: int, *, twice: bool = False) -> list[float]:
        """The share of `source` that led to each sale; or that of two hops."""
        scores, positions = np.zeros(len(SLOTS), np.float32), np.arange(len(SLOTS), dtype=np.int32)
        if twice:
            pairs.follow_twice(self.fast, source, positions, scores)
        else:
            pairs.follow(self.fast, source, positions, 1.0, scores)
        return scores.tolist()

    def followed_plainly(self, source: int, *, twice: bool = False) -> list[float]:
        """The same by the plain reference."""
        scores = dict.fromkeys(SLOTS, np.float32(0))
        if twice:
            self.plain.follow_twice(SLOTS[source], scores)
        else:
            self.plain.follow(SLOTS[source], 1.0, scores)
        return [float(score) for score in scores.values()]


@settings(max_examples=200)
@given(stories, st.integers(1, 4))
def test_they_are_those_of_the_plain_reference_bit_for_bit(
    story: list[Link | Forget], n_neighbours: int
) -> None:
    both = BothPairs(n_neighbours)
    for told in story:
        both.link(*told) if isinstance(told, Link) else both.forget(told)
        for source in range(len(SLOTS)):
            assert both.followed(source) == both.followed_plainly(source)
            assert both.followed(source, twice=True) == both.followed_plainly(source, twice=True)


def test_two_hops_lead_over_all_sales_between_and_back_but_not_over_those_hardly_ever_led_to() -> None:
    both = BothPairs(n_neighbours=3)
    rarely = pairs.LEAST_HOP / 2
    for slot, other, gain in ((0, 1, 0.5), (1, 0, 0.5), (0, 2, 0.25), (1, 3, 0.5), (2, 3, 1), (0, 4, rarely)):
        both.link(slot, other, gain=gain)
    both.link(4, 5)
    # The sale 0 led three times somewhere, 1 twice, 2 once.
    expected = [0.5 / 3 * 0.5 / 2, 0, 0, 0.5 / 3 * 0.5 / 2 + 0.25 / 3 * 1, 0, 0]
    assert both.followed(0, twice=True) == pytest.approx(expected)


def test_a_pair_stands_in_its_row_once_even_after_a_neighbour_before_it_was_dropped() -> None:
    both = BothPairs(n_neighbours=3)
    for other in (1, 2, 2):
        both.link(0, other)
    both.forget(frozenset((1,)))
    both.link(0, 2)
    both.link(0, 3)
    assert sorted(both.fast.neighbours[0].tolist()) == [0, 2 + 1, 3 + 1]


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_in_a_full_row_every_count_is_right_on_average(start: int) -> None:
    """Of 6 sales that a busy one leads to equally often, a row of 3 holds a half, and their counts double."""
    told, random = np.zeros(len(SLOTS)), np.random.default_rng(start)
    for row in range(300):
        fast = pairs.no_pairs(len(SLOTS), 3)
        for other in random.permutation(np.repeat(np.arange(len(SLOTS)), 6)).tolist():
            pairs.link(fast, 0, other, 0, 1 + (start + row) % 97 / 97)
        np.add.at(told, fast.neighbours[0] - 1, fast.weights[0] / (1 + (start + row) % 97 / 97))
    assert told / 300 == pytest.approx(6, rel=0.25)


def test_a_sale_that_has_just_opened_gets_into_the_row_of_a_busy_one() -> None:
    fast, random = pairs.no_pairs(120, 96), np.random.default_rng(1)
    for other in random.integers(0, 110, 20_000).tolist():
        pairs.link(fast, 0, other, 0, 1 + random.random())
    weakest = fast.weights[0].min()
    for _ in range(int(2 * weakest)):
        pairs.link(fast, 0, 115, 0, 1 + random.random())
    assert 115 + 1 in fast.neighbours[0].tolist()


@pytest.mark.parametrize("order", [1, -1])
def test_no_share_exceeds_one_whatever_the_order_of_times(order: int) -> None:
    both = BothPairs(n_neighbours=2)
    for ts in [NOON - 90 * DAY, NOON - HOUR, NOON][::order]:
        both.link(0, 1, ts)
    assert 0.99 < both.followed(0)[1] <= 1
