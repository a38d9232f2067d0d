"""The k-th greatest, as it stands in the order of all."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from reco.greatest import kth_greatest

FEW = st.lists(st.integers(0, 5), min_size=1, max_size=40)
"""Numbers of which many are equal."""
MANY = st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=200)


@given(st.one_of(FEW, MANY), st.data())
def test_it_is_what_stands_at_its_place_in_the_order_of_all(
    numbers: list[float], data: st.DataObject
) -> None:
    values, k = np.array(numbers, np.float32), data.draw(st.integers(1, len(numbers)))
    ordered = np.sort(values)[::-1]
    assert kth_greatest(values, k) == ordered[k - 1]
    assert np.array_equal(np.sort(values)[::-1], ordered), "they are moved about, none is lost"
