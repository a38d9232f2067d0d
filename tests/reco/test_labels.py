"""Labels of images: what they hold as arrays, and that one version of the labeller is in use at a time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reco.catalogue import Catalogue, catalogue_of
from reco.events import Sale, Withdrawal
from reco.label_book import LabelBook, book_of
from reco.labels import LabelsFact, SaleLabels, Unlabelled
from tests.reco.labelled import TOPICS, labels
from tests.reco.worlds import NOON

IDS = ("bari", "oslo", "paris", "rome")

facts = st.lists(
    st.builds(
        labels,
        st.sampled_from(IDS),
        st.sampled_from(([1.0, 0.0], [0.6, 0.8], [1.0, 0.0, 0.0], [])),
        st.sampled_from(([], [1.0], [0.5, 0.5])),
        labeller=st.sampled_from(("v1", "v2")),
        at=st.integers(NOON, NOON + 3),
    )
    | st.builds(Unlabelled, st.sampled_from(IDS)),
    max_size=12,
)


closings = st.dictionaries(st.sampled_from(IDS), st.none() | st.integers(NOON, NOON + 4))
"""When sales close, if ever, of those that are published."""


def closing(at: Mapping[str, int | None]) -> Catalogue:
    """Sales, and when they close."""
    return catalogue_of(Sale(sale_id, sale_id, NOON - 1, closes_at) for sale_id, closes_at in at.items())


def book(history: Sequence[LabelsFact], catalogue: Catalogue | None = None) -> LabelBook:
    """A book that was there all the time."""
    kept = LabelBook(1, catalogue)
    for offset, fact in enumerate(history):
        kept.apply(fact, 0, offset)
    return kept


def newest(history: Sequence[LabelsFact]) -> dict[str, SaleLabels]:
    """What is left on the topic once it is compacted."""
    left: dict[str, SaleLabels] = {}
    for fact in history:
        left.pop(fact.sale_id, None)
        if isinstance(fact, SaleLabels):
            left[fact.sale_id] = fact
    return left


def compared(one: SaleLabels) -> tuple[str, int, tuple[str, ...]]:
    return one.labeller, len(one.embedding) // 4, tuple(topic.name for topic in one.topics)


def plain(history: Sequence[LabelsFact], closes: Mapping[str, int | None]) -> dict[str, bytes]:
    """The embeddings in use: those of the version of most sales that are to close after the newest labels.

    Of several versions, those of the last one.
    """
    labelled = [one for one in newest(history).values() if one.embedding]
    now = max((one.labelled_at for one in labelled), default=0)
    left = {sale_id for sale_id, at in closes.items() if at is None or at > now}
    kinds = [compared(one) for one in labelled]
    counted = [compared(one) for one in labelled if one.sale_id in left]
    latest = {kind: max(one.labelled_at for one in labelled if compared(one) == kind) for kind in kinds}
    used = max(kinds, key=lambda kind: (counted.count(kind), latest[kind], kind), default=None)
    return {one.sale_id: one.embedding for one in labelled if compared(one) == used}


def in_use(kept: LabelBook) -> dict[str, bytes]:
    found = {sale_id: kept.seen(sale_id) for sale_id in IDS}
    return {sale_id: seen.embedding.tobytes() for sale_id, seen in found.items() if seen is not None}


@given(facts, closings)
def test_the_labels_in_use_are_a_function_of_the_newest_record_of_each_sale(
    history: list[LabelsFact], closes: dict[str, int | None]
) -> None:
    catalogue = closing(closes)
    followed = book(history, catalogue)
    assert in_use(followed) == in_use(book_of(newest(history).values(), catalogue)) == plain(history, closes)
    assert len(followed) == sum(bool(one.embedding) for one in newest(history).values())
    for offset, fact in enumerate(history):
        followed.apply(fact, 0, offset)
    assert in_use(followed) == plain(history, closes)
    for offset, sale_id in enumerate(IDS, start=len(IDS)):
        catalogue.apply(Withdrawal(sale_id), 0, offset)
        closes.pop(sale_id, None)
        assert in_use(followed) == plain(history, closes)


def relabelled(kept: LabelBook, sale_ids: Sequence[str]) -> list[tuple[str, list[str]]]:
    """A newer labeller goes through the sales: the version in use after each, and the sales with labels."""
    used = []
    for offset, sale_id in enumerate(sale_ids, start=len(IDS)):
        kept.apply(labels(sale_id, [1.0, 0.0], labeller="a newer one", at=NOON + offset), 0, offset)
        assert kept.in_use is not None
        used.append((kept.in_use.labeller, sorted(in_use(kept))))
    return used


def test_a_new_labeller_comes_into_use_once_it_has_labelled_half_of_the_sales() -> None:
    for catalogue in (None, closing(dict.fromkeys(IDS))):
        assert relabelled(book([labels(one) for one in IDS], catalogue), IDS) == [
            ("v1", ["oslo", "paris", "rome"]),
            ("a newer one", ["bari", "oslo"]),
            ("a newer one", ["bari", "oslo", "paris"]),
            ("a newer one", ["bari", "oslo", "paris", "rome"]),
        ]


def test_sales_that_are_over_do_not_keep_a_new_labeller_out_of_use() -> None:
    over = {"oslo": NOON - 1, "paris": NOON}
    catalogue = closing({"bari": None, "rome": NOON + 99} | over)
    assert relabelled(book([labels(one) for one in IDS], catalogue), ["rome", "bari"]) == [
        ("a newer one", ["rome"]),
        ("a newer one", ["bari", "rome"]),
    ]


@given(st.permutations([0, 1] * len(IDS)))
def test_one_version_is_in_use_while_workers_change_their_labeller_at_different_moments(
    turns: list[int],
) -> None:
    kept, waiting = LabelBook(partitions=2), []
    for worker in (0, 1):
        own = IDS[worker::2]
        waiting.append([labels(one, [float(n), 1.0], labeller=f"v{n}") for n in (1, 2) for one in own])
    taken = [0, 0]
    for worker in turns:
        kept.apply(waiting[worker][taken[worker]], worker, taken[worker])
        taken[worker] += 1
        assert kept.in_use is not None
        assert {seen.version for one in IDS if (seen := kept.seen(one))} == {kept.in_use}
    assert kept.in_use is not None
    assert kept.in_use.labeller == "v2"
    assert sorted(in_use(kept)) == sorted(IDS)


def test_no_version_is_in_use_where_nothing_is_labelled_or_no_longer() -> None:
    kept = book([])
    assert kept.in_use is None
    history: list[LabelsFact] = [labels("rome"), labels("rome", labeller="v2"), Unlabelled("rome")]
    for offset, fact in enumerate(history):
        kept.apply(fact, 0, offset)
    assert kept.in_use is None


def test_a_labeller_that_can_read_no_image_does_not_come_into_use() -> None:
    kept = book(
        [labels("bari"), labels("oslo"), *(labels(one, [], labeller="v2") for one in ("rome", "bari"))]
    )
    assert sorted(in_use(kept)) == ["oslo"]


def test_topics_of_other_names_are_another_version() -> None:
    first = labels("bari", topics=[0.5, 0.5])
    renamed = tuple(replace(topic, name=f"{topic.name} 2") for topic in first.topics)
    kept = book([first, labels("oslo", topics=[0.5, 0.5]), replace(first, sale_id="rome", topics=renamed)])
    assert sorted(in_use(kept)) == ["bari", "oslo"]
    assert kept.in_use is not None
    assert kept.in_use.topics == TOPICS[:2]


def test_it_names_what_it_has_read_of_each_partition_and_nothing_before() -> None:
    kept = LabelBook(partitions=2)
    assert not kept.offsets
    kept.apply(labels("rome"), 1, 7)
    kept.apply(Unlabelled("rome"), 1, 6)
    assert kept.offsets == (0, 8)
    assert sorted(in_use(kept)) == ["rome"]


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0, np.nan], [np.inf]])
def test_an_embedding_without_a_direction_is_none(values: list[float]) -> None:
    assert labels("rome", values).vector() is None


def test_bytes_that_are_no_numbers_are_no_embedding() -> None:
    assert replace(labels("rome"), embedding=b"abc").vector() is None


def test_labels_are_arrays_in_the_order_of_the_labeller() -> None:
    one = labels("rome", [0.6, -0.8], [0.25, 0.75])
    embedding, shares = one.vector(), one.topic_shares()
    assert embedding is not None
    assert embedding.tolist() == pytest.approx([0.6, -0.8])
    assert shares is not None
    assert shares.tolist() == [0.25, 0.75]
    assert labels("rome").topic_shares() is None
