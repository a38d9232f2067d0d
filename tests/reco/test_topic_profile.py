"""The topic profile of a visitor: the topics of what they touched, by how much and how lately."""

import pytest

from reco.content import TASTE_HALF_LIFE
from reco.label_book import LabelBook, book_of
from reco.sessions import Remembered, Session, Touch
from reco.topic_profile import topic_profile
from tests.reco.labelled import labels
from tests.reco.worlds import NOON

BOOK = book_of(
    [
        labels("bari", topics=[1.0, 0.0, 0.0]),
        labels("rome", topics=[0.25, 0.75, 0.0]),
        labels("sark", topics=[0.0, 0.0, 0.0]),
        labels("oslo", topics=[0.0, 0.0, 1.0], labeller="v0"),
    ]
)


def session(*touches: tuple[str, int], memory: tuple[Remembered, ...] = ()) -> Session:
    """Clicks on these sales at these times."""
    recent = tuple(Touch(ts, f"e{number}", sale_id, "click") for number, (sale_id, ts) in enumerate(touches))
    return Session("ann", 1, recent=recent, memory=memory)


def test_it_is_the_mean_over_what_was_touched_highest_first() -> None:
    profile = topic_profile(session(("bari", NOON), ("rome", NOON)), BOOK)
    assert [name for name, _ in profile] == ["Beach", "Old town"]
    assert [share for _, share in profile] == pytest.approx([0.625, 0.375])
    assert topic_profile(session(("rome", NOON)), BOOK) == [("Old town", 0.75), ("Beach", 0.25)]


def test_a_touch_counts_half_after_its_half_life_and_each_action_counts() -> None:
    old = Remembered("rome", NOON - TASTE_HALF_LIFE, clicks=2, carts=1, purchases=1)
    profile = dict(topic_profile(session(("bari", NOON), memory=(old,)), BOOK))
    assert profile["Old town"] == pytest.approx(2 * 0.75 / 3)


def test_what_is_not_labelled_by_the_version_in_use_says_nothing() -> None:
    alone = topic_profile(session(("bari", NOON)), BOOK)
    assert (
        topic_profile(session(("oslo", NOON), ("sark", NOON), ("new", NOON), ("bari", NOON)), BOOK) == alone
    )
    assert alone == [("Beach", 1.0)]


@pytest.mark.parametrize("of", [None, session(), session(("oslo", NOON), ("sark", NOON))])
def test_who_touched_nothing_that_is_labelled_has_none(of: Session | None) -> None:
    assert topic_profile(of, BOOK) == []
    assert topic_profile(of, LabelBook(partitions=1)) == []
