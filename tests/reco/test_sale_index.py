"""Slots of sales: given on first sight, taken back from the stalest."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco.sale_index import LATELY, SaleIndex


def filled(last_touches: list[int]) -> SaleIndex:
    """A full index of sales 0, 1, 2 ... that were last touched at these times."""
    index = SaleIndex(capacity=len(last_touches))
    slots = [index.add(str(number)) for number in range(len(last_touches))]
    index.touch(np.array(slots, np.int32), np.array(last_touches, np.int64))
    return index


def test_a_full_index_drops_the_quarter_that_was_touched_the_longest_ago() -> None:
    index = filled([50, 20, 80, 10, 60, 70, 40, 30, 90])
    assert index.is_full
    dropped = index.drop_stalest()
    assert sorted(index.slots) == ["0", "2", "4", "5", "6", "8"]
    assert dropped.sum() == 3
    assert not index.is_full


def test_a_late_touch_does_not_make_a_sale_staler() -> None:
    index = filled([10, 20])
    index.touch(np.array([index.slots["1"]], np.int32), np.array([5], np.int64))
    index.drop_stalest()
    assert list(index.slots) == ["1"]


def test_a_reused_slot_has_no_past() -> None:
    index = filled([90, 80])
    index.drop_stalest()
    index.add("new")
    index.drop_stalest()
    assert list(index.slots) == ["0"]


def test_a_reused_slot_is_as_stale_as_the_touches_of_its_own_sale_say() -> None:
    index = filled([10, 20, 90, 90])
    for _ in range(2):
        index.drop_stalest()
    slots = [index.add("stalest"), index.add("stale")]
    index.touch(np.array(slots, np.int32), np.array([5, 7], np.int64))
    index.drop_stalest()
    assert list(index.slots) == ["2", "3", "stale"]


def test_what_was_touched_before_a_slot_was_taken_back_does_not_count_for_the_next_sale_in_it() -> None:
    index = filled([1, 5, 5])
    index.drop_stalest()
    new, other, often = index.add("new"), index.slots["1"], index.slots["2"]
    index.touch(np.array([new], np.int32), np.array([9], np.int64))
    fill = np.full(LATELY - 3, often, np.int32)
    index.touch(fill, np.full(len(fill), 9, np.int64))
    assert index.touched_lately().tolist() == [new, other, often]
    index.touch(fill[:1], np.array([9], np.int64))
    assert index.touched_lately().tolist() == [new, often]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30))
def test_no_two_sales_ever_share_a_slot(touches: list[int]) -> None:
    index = SaleIndex(capacity=5)
    for number, ts in enumerate(touches):
        if index.is_full:
            index.drop_stalest()
        slot = index.add(str(number))
        index.touch(np.array([slot], np.int32), np.array([ts], np.int64))
        assert len(set(index.slots.values())) == len(index.slots)
        assert all(0 <= taken < 5 for taken in index.slots.values())


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=5), max_size=8),
    st.booleans(),
)
def test_the_sales_touched_lately_are_those_of_the_last_touches(
    batches: list[list[int]],
    dropping: bool,  # noqa: FBT001
) -> None:
    index = SaleIndex(capacity=4)
    slots, touches = [index.add(name) for name in "abcd"], list[int]()
    for batch in batches:
        index.touch(np.array([slots[one] for one in batch], np.int32), np.arange(len(batch), dtype=np.int64))
        touches += [slots[one] for one in batch]
        assert index.touched_lately().tolist() == sorted(set(touches[-LATELY:]))
    if dropping:
        dropped = index.drop_stalest()
        assert not dropped[index.touched_lately()].any()


def test_only_so_many_touches_are_lately() -> None:
    index = SaleIndex(capacity=3)
    old, new, newest = (index.add(name) for name in "abc")
    index.touch(np.array([old] + [new] * (LATELY - 1), np.int32), np.zeros(LATELY, np.int64))
    assert index.touched_lately().tolist() == [old, new]
    index.touch(np.array([newest], np.int32), np.zeros(1, np.int64))
    assert index.touched_lately().tolist() == [new, newest]
    index.touch(np.full(LATELY + 5, old, np.int32), np.zeros(LATELY + 5, np.int64))
    assert index.touched_lately().tolist() == [old]


def test_sales_as_if_live_are_all_that_have_a_slot_and_the_same_until_these_change() -> None:
    index = filled([50, 20, 10, 80])
    live = index.as_if_live()
    assert index.as_if_live() is live
    assert live.ids == ("0", "1", "2", "3")
    index.drop_stalest()
    index.add("new")
    later = index.as_if_live()
    assert later.ids == ("0", "1", "3", "new")
    assert [later.position[sale_id] for sale_id in later.ids] == [0, 1, 2, 3]
