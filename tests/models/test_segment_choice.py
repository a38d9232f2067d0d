"""Segments are the names of the context that say most about where visitors go on to; nothing else is."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from models.event_table import EventTable, table_of
from models.segment_choice import information, with_segments
from reco.events import Click
from reco.parameters import Parameters
from tests.models.shop_logs import MINUTE, START, shop_log

DEFAULT = Parameters().segments
NAMED = Parameters(segments=("one", "two", "three"))
SALES = 10


def log(sessions: int, **said: Callable[[int, Random], str]) -> EventTable:
    """A log of sessions of two clicks, whose context says something of the second one's sale, or does not."""
    random, made = Random(0), list[Click]()
    for number in range(sessions):
        sale, ts = random.randrange(SALES), START + number * MINUTE
        context = {name: value(sale, random) for name, value in said.items()}
        for step, one in enumerate((SALES, sale)):
            ids = f"{number}.{step}", f"v{number}", f"sale{one}"
            made.append(Click(*ids, ts + step, session_id=f"s{number}", context=context))
    return table_of(made)


def exactly(sale: int, _: Random) -> str:
    return str(sale)


def half(sale: int, _: Random) -> str:
    return str(sale // 2)


def nothing(_: int, random: Random) -> str:
    return str(random.randrange(20))


def always(_: int, __: Random) -> str:
    return "the same"


def chosen(table: EventTable, parameters: Parameters = NAMED) -> tuple[str, ...]:
    return with_segments(parameters, table, np.ones(len(table), np.bool_)).segments


def test_the_names_that_say_most_come_first() -> None:
    table = log(2000, a=nothing, b=half, c=always, d=exactly, e=lambda sale, _: str(sale // 5))
    assert chosen(table) == ("d", "b", "e")


def test_where_fewer_names_say_anything_those_before_come_after_them() -> None:
    table = log(2000, a=half, b=always, two=always)
    assert chosen(table) == ("a", "one", "two")


def test_what_is_known_of_few_says_little() -> None:
    def seldom(sale: int, random: Random) -> str:
        return str(sale) if random.random() < 0.05 else ""

    table = log(2000, a=seldom, b=half)
    rare = [{name: value for name, value in one.items() if value} for one in table.context_values]
    assert chosen(EventTable(**{**vars(table), "context_values": rare})) == ("b", "a", "one")


@pytest.mark.parametrize(
    "table", [log(50), log(0, a=half), shop_log(200)], ids=["silent", "empty", "default"]
)
def test_without_other_names_parameters_stay_as_they_are(table: EventTable) -> None:
    told: list[str] = []
    parameters = Parameters()
    rows = np.ones(len(table), np.bool_)
    assert with_segments(parameters, table, rows, tell=told.append) is parameters
    assert told == []


def test_names_before_are_left_in_their_order() -> None:
    table = log(2000, device=half, referrer=exactly, country=always)
    assert chosen(table, Parameters()) == DEFAULT


def test_only_the_given_rows_count_and_what_was_chosen_is_told() -> None:
    early, told = log(1000, a=half, b=always), list[str]()
    late = log(1000, a=always, b=half)
    table = table_of(
        [*early.events(np.arange(2000), early.ts), *late.events(np.arange(2000), late.ts + 10**9)]
    )
    rows = np.arange(len(table)) < len(early)
    for those, first in ((rows, "a"), (~rows, "b")):
        assert with_segments(NAMED, table, those, tell=told.append).segments[0] == first
    assert [one.partition(";")[0] for one in told] == [f"visitors are told apart by {one}" for one in "ab"]


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 60), st.integers(0, 99))
def test_information_is_that_of_scikit_learn_less_what_chance_alone_would_say(
    n_values: int, n_others: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values, others = random.integers(n_values, size=400), random.integers(n_others, size=400)
    others[:200] = values[:200]
    by_chance = expected_mutual_information(contingency_matrix(values, others, sparse=True), 400)
    expected = mutual_info_score(values, others) - by_chance
    assert information(values, others) == pytest.approx(max(expected, 0), abs=0.02)


@pytest.mark.parametrize("n_others", [1, 50, 1000])
def test_what_is_drawn_by_lot_says_nothing_however_rare_pairs_are(n_others: int) -> None:
    random = np.random.default_rng(1)
    values, others = random.integers(30, size=1000), random.integers(n_others, size=1000)
    assert information(values, others) == pytest.approx(0, abs=0.01)
    assert mutual_info_score(values, others) > 1 or n_others < 1000
