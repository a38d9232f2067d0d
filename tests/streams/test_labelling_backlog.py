"""What is labelled next, and when images are asked for again."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from reco.events import Sale
from reco.labels import SaleLabels
from streams.codecs import encode
from streams.labelling_backlog import FIRST_PAUSE, LONGEST_PAUSE, Backlog, Retries, groups
from streams.settings import Kafka, Topics
from streams.topics import topic_set

NOW, HOUR = 1_790_000_000_000, 3_600_000


@pytest.fixture
def backlog() -> Backlog:
    """That of a worker which has not read anything yet; the labeller in use is v2."""
    made = Backlog(Kafka(), topic_set(Topics()))
    made.use("v2")
    return made


def record(fact: Sale | SaleLabels) -> Any:
    return SimpleNamespace(key=fact.sale_id.encode(), value=encode(fact), partition=0, offset=7)


def labelled(sale_id: str, urls: tuple[str, ...], images: int, labeller: str = "v1") -> Any:
    return record(SaleLabels(sale_id, labeller, urls, images, (), (), b"", NOW))


def test_open_sales_come_first_then_those_to_come_and_last_those_that_have_closed(backlog: Backlog) -> None:
    times = {
        "closed lately": (-30, -1),
        "closed long ago": (-90, -60),
        "to open next month": (700, 900),
        "to open soon": (1, 24),
        "open": (-9, 24),
        "just opened": (-1, None),
    }
    for sale_id, (opens, closes) in times.items():
        until = None if closes is None else NOW + closes * HOUR
        one = Sale(sale_id, sale_id, NOW + opens * HOUR, until, image_urls=("a.jpg",))
        backlog.sales.take(0, [record(one)])
    order = [one.sale_id for one in backlog.lacking({0: 8}, NOW, 0.0)]
    assert order == [
        *("just opened", "open", "to open soon", "to open next month"),
        *("closed lately", "closed long ago"),
    ]
    assert backlog.lacking({0: 7}, NOW, 0.0) == []  # not reached yet
    backlog.labelled.take(0, [labelled("open", ("a.jpg",), 1, "v2"), labelled("just opened", ("a.jpg",), 1)])
    assert [one.sale_id for one in backlog.lacking({0: 8}, NOW, 0.0)] == [
        one for one in order if one != "open"
    ]


def test_only_sales_of_the_own_partitions_are_labelled_each_up_to_where_its_partition_is_reached(
    backlog: Backlog,
) -> None:
    for partition, sale_id in enumerate(("rome", "oslo", "bari")):
        one = record(Sale(sale_id, sale_id, NOW, image_urls=("a.jpg",)))
        one.partition, one.offset = partition, 10 * partition
        backlog.sales.take(partition, [one])

    def lacking(reached: dict[int, int]) -> set[str]:
        return {one.sale_id for one in backlog.lacking(reached, NOW, 0.0)}

    assert lacking({0: 1, 1: 10}) == {"rome"}
    assert lacking({0: 0, 1: 11, 2: 20}) == {"oslo"}
    assert lacking({}) == set()


def test_a_sale_lacks_labels_of_images_that_it_has_or_had_and_no_others(backlog: Backlog) -> None:
    known = backlog.labelled
    assert known.lacks(sale("rome", 1))
    assert not known.lacks(sale("rome", 0))
    known.take(0, [labelled("rome", sale("rome", 1).image_urls, 1, "v2")])
    assert not known.lacks(sale("rome", 1))
    assert known.lacks(sale("rome", 2))
    assert known.lacks(sale("rome", 0))


def test_sales_whose_images_could_not_be_had_wait_behind_the_others_the_longer_the_oftener_it_was_in_vain(
    backlog: Backlog,
) -> None:
    dead, busy, untried, to_come = (
        Sale(sale_id, sale_id, NOW + opens * HOUR, image_urls=("a.jpg",))
        for sale_id, opens in {"dead": -1, "busy": -2, "never tried": -3, "to come": 1}.items()
    )
    closed = Sale("closed", "closed", NOW - HOUR, NOW, image_urls=("a.jpg",))
    backlog.sales.take(0, [record(one) for one in (dead, busy, untried, to_come, closed)])
    for one in (dead, dead, busy):
        backlog.retries.note(one, 0.0)
    due = [one.sale_id for one in backlog.lacking({0: 8}, NOW, 2 * FIRST_PAUSE)]
    assert due == ["never tried", "to come", "busy", "dead", "closed"]
    at_once = {one.sale_id for one in backlog.lacking({0: 8}, NOW, 0.0)}
    backlog.sales.changed.clear()
    backlog.use("v3")
    assert backlog.sales.changed.is_set()
    assert {one.sale_id for one in backlog.lacking({0: 8}, NOW, 0.0)} - at_once == {"busy", "dead"}


def test_an_image_that_was_good_and_breaks_is_newly_refused_but_not_one_that_was_refused_before(
    backlog: Backlog,
) -> None:
    known = backlog.labelled
    assert known.newly_refused("rome", ["a", "b"]) == ["a", "b"]
    known.take(0, [labelled("rome", ("a", "b", "c"), images=2)])
    assert known.newly_refused("rome", ["b"]) == []
    assert known.newly_refused("rome", ["b", "new"]) == ["new"]
    assert known.newly_refused("rome", ["a", "b"]) == ["a", "b"]  # one of them is new: which, is not known
    known.take(0, [labelled("rome", ("a", "b", "b"), images=2)])
    assert known.newly_refused("rome", ["a"]) == ["a"]


def test_labels_of_sales_that_are_no_more_are_taken_back_in_the_partitions_that_one_has(
    backlog: Backlog,
) -> None:
    broken, withdrawn = (SimpleNamespace(key=b"oslo", value=value) for value in (b"{", None))
    backlog.sales.take(0, [broken, *(record(Sale(name, name, NOW)) for name in ("rome", "oslo"))])
    backlog.labelled.take(2, [broken, *(labelled(name, ("a",), 1) for name in ("rome", "oslo"))])
    assert backlog.withdrawn({2}) == []
    backlog.sales.changed.clear()

    backlog.sales.take(0, [withdrawn])

    assert backlog.sales.changed.is_set()
    assert (backlog.withdrawn({2, 3}), backlog.withdrawn({0, 1})) == (["oslo"], [])
    backlog.labelled.take(2, [withdrawn])
    assert backlog.withdrawn({2}) == []


def sale(sale_id: str, images: int) -> Sale:
    return Sale(sale_id, sale_id, 0, image_urls=tuple(f"{sale_id}-{n}" for n in range(images)))


def test_images_are_asked_for_again_after_pauses_that_double_until_they_are_given_up() -> None:
    retries, at, pause, rome = Retries(), 100.0, FIRST_PAUSE, sale("rome", 1)
    while retries.note(rome, at):
        assert not retries.may_ask(rome, at + pause - 0.001)
        assert retries.may_ask(rome, at + pause)
        at, pause = at + pause, 2 * pause
    assert LONGEST_PAUSE < pause <= 2 * LONGEST_PAUSE
    assert retries.may_ask(rome, at)  # as one may any other sale, should it be published anew
    assert retries.pause(rome) == 0


def test_once_nothing_is_missing_the_next_pause_is_short_again() -> None:
    retries, rome = Retries(), sale("rome", 1)
    retries.note(rome, 0.0)
    retries.note(rome, FIRST_PAUSE)
    retries.forget("rome")
    retries.note(rome, 100.0)
    assert retries.may_ask(rome, 100.0 + FIRST_PAUSE)
    assert not retries.may_ask(rome, 100.0)
    assert retries.may_ask(sale("oslo", 1), 0.0)


def test_other_images_of_a_sale_are_asked_for_at_once_and_again_after_short_pauses() -> None:
    retries, rome = Retries(), sale("rome", 1)
    while retries.pause(rome) <= LONGEST_PAUSE / 2:
        retries.note(rome, 0.0)
    corrected = sale("rome", 2)
    assert retries.may_ask(corrected, 0.0)
    assert retries.pause(corrected) == 0
    assert retries.note(corrected, 0.0)
    assert retries.may_ask(corrected, FIRST_PAUSE)
    assert not retries.may_ask(corrected, 0.0)


def test_a_group_has_no_more_images_than_it_may_or_is_a_single_sale() -> None:
    sales = [sale(one, images) for one, images in zip("xabcdef", (6, 3, 2, 0, 1, 9, 1), strict=True)]
    cut = [[one.sale_id for one in group] for group in groups(sales, images=5)]
    assert cut == [["x"], ["a", "b", "c"], ["d"], ["e"], ["f"]]
    assert list(groups([], images=5)) == []


async def test_who_waits_for_records_goes_on_once_all_of_them_are_read(backlog: Backlog) -> None:
    feed, topic = backlog.labelled, topic_set(Topics()).sale_labels.name
    feed._next = {(topic, 0): 7, (topic, 1): 3}
    sent = [
        SimpleNamespace(topic=name, partition=partition, offset=offset)
        for name, partition, offset in ((topic, 0, 7), (topic, 1, 4), ("dead-letters", 0, 99))
    ]
    waiting = asyncio.create_task(feed.reach(sent))
    for read in ({}, {(topic, 0): 8}, {(topic, 1): 4}):
        feed._next |= read
        feed.settle(None)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
    feed._next |= {(topic, 1): 5}
    feed.settle(None)
    await asyncio.wait_for(waiting, 60)
    await asyncio.wait_for(feed.reach(sent), 60)
