"""Click-to-list latency: which list answers which click, and the percentiles of it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from demo.latency import ClickToList


def test_the_first_list_that_includes_a_click_answers_it() -> None:
    measured = ClickToList()
    measured.clicked("ann", offset=7, sent_at=1.0)
    measured.listed("ann", session_offset=6, received_at=1.1)
    assert (measured.answered, measured.unanswered) == (0, 1)
    measured.listed("ann", session_offset=8, received_at=1.25)
    measured.listed("ann", session_offset=9, received_at=9.0)
    assert (measured.answered, measured.unanswered) == (1, 0)
    assert measured.percentile(50) == 250.0


def test_one_list_answers_all_clicks_that_it_includes() -> None:
    measured = ClickToList()
    measured.clicked("ann", offset=1, sent_at=1.0)
    measured.clicked("ann", offset=2, sent_at=1.1)
    measured.clicked("ann", offset=3, sent_at=1.2)
    measured.listed("ann", session_offset=2, received_at=1.3)
    assert (measured.answered, measured.unanswered) == (2, 1)
    assert (measured.percentile(0), measured.percentile(100)) == (200.0, 300.0)


def test_a_list_that_comes_before_the_acknowledgement_answers_too() -> None:
    measured = ClickToList()
    measured.listed("ann", session_offset=7, received_at=1.1)
    measured.listed("ann", session_offset=7, received_at=5.0)
    measured.clicked("ann", offset=7, sent_at=1.0)
    assert (measured.answered, measured.unanswered) == (1, 0)
    assert measured.percentile(100) == 100.0


def test_the_list_of_another_visitor_answers_nothing() -> None:
    measured = ClickToList()
    measured.clicked("ann", offset=7, sent_at=1.0)
    measured.listed("bob", session_offset=9, received_at=1.1)
    assert measured.unanswered == 1


def test_nothing_measured_has_no_percentile() -> None:
    assert ClickToList().percentile(50) is None


@given(st.lists(st.integers(0, 10_000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_latency_that_so_many_clicks_stay_within(
    latencies: list[int], percent: int
) -> None:
    measured = ClickToList()
    for offset, latency in enumerate(latencies):
        measured.clicked("ann", offset, sent_at=0.0)
        measured.listed("ann", offset, received_at=latency / 1000)
    reference = sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]
    assert measured.percentile(percent) == reference
