"""Protocols against plain counting: the rank of the answer among the most clicked sales, at each question."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from models.evaluation.tasks import Protocol, Task, evaluate
from models.event_table import EventTable
from models.training import Boosting
from reco.decay import STEPS
from reco.parameters import HOUR, Parameters, PopularityParameters
from reco.recommenders.protocol import CLICK, PURCHASE
from tests.models.shop_logs import shop_log

HALF_LIFE = PopularityParameters().ever


class Row(NamedTuple):
    """An event of a log."""

    number: int
    visitor: int
    session: int
    sale: int
    kind: int
    ts: int


class Sought(NamedTuple):
    """The sale that is to be found, from which rows, and which cannot be listed."""

    sale: int
    known: Iterable[Row]
    excluded: Collection[int] = ()


Asking = Callable[[list[Row]], Iterator[tuple[int, Sought]]]
"""The questions that test, by row."""


def rows_of(table: EventTable) -> list[Row]:
    columns = (table.visitors, table.sessions, table.sales, table.kinds, table.ts)
    return [
        Row(number, *row) for number, row in enumerate(zip(*(one.tolist() for one in columns), strict=True))
    ]


def sessions_in(rows: Iterable[Row]) -> list[list[Row]]:
    """By their start, each has fewer than 20 rows."""
    found = defaultdict(list)
    for row in rows:
        found[row.session].append(row)
    return sorted(found.values(), key=lambda own: own[0].ts)


def by_the_hour(rows: list[Row]) -> Iterator[tuple[int, Sought]]:
    every = sessions_in(rows)
    hours = [(own[0].ts - rows[0].ts) // HOUR for own in every]
    for own, hour in zip(every, hours, strict=True):
        clicks = [row for row in own if row.kind == CLICK]
        if hour // 24 + 1 in {3, 4} and len(clicks) > 1:
            last = clicks[-1]
            known = [row for other, past in zip(every, hours, strict=True) if past < hour for row in other]
            yield last.number, Sought(last.sale, known, {row.sale for row in own if row < last})


def next_clicks_of(rows: list[Row], *, frozen: bool) -> Iterator[tuple[int, Sought]]:
    every = sessions_in(rows)
    first = len(every) - round(len(every) * 0.2)
    learned = [row for own in every[:first] for row in own]
    for own in every[first:]:
        for row in own[1:]:
            if row.kind == CLICK:
                yield row.number, Sought(row.sale, learned if frozen else before(rows, row))


def next_purchases_of(rows: list[Row]) -> Iterator[tuple[int, Sought]]:
    for row in rows:
        bought = [other for other in rows if other.visitor == row.visitor and other.kind == PURCHASE]
        coming = next((other for other in bought if other > row), None)
        late = row.ts >= rows[-1].ts - round((rows[-1].ts - rows[0].ts) * 0.2)
        if late and coming and (coming.session == row.session or coming.ts - row.ts <= 24 * HOUR):
            own = {other.sale for other in bought if other <= row}
            yield row.number, Sought(coming.sale, before(rows, row), own)


def before(rows: Iterable[Row], moment: Row) -> list[Row]:
    """All of earlier seconds."""
    return [row for row in rows if row.ts // 1000 < moment.ts // 1000]


def rank(sought: Sought) -> int:
    """One more than how many other sales have as many clicks; 0 if it is not known, or cannot be listed."""
    counts: defaultdict[int, float] = defaultdict(float)
    for row in sought.known:
        counts[row.sale] += (row.kind == CLICK) * 2.0 ** (row.ts % HALF_LIFE * STEPS // HALF_LIFE / STEPS)
    listed = {sale: np.float32(count) for sale, count in counts.items() if sale not in sought.excluded}
    return (
        sum(bool(count >= listed[sought.sale]) for count in listed.values()) if sought.sale in listed else 0
    )


@pytest.mark.parametrize(
    ("protocol", "frozen", "asking"),
    [
        ("hourly", True, by_the_hour),
        ("next-click", True, lambda rows: next_clicks_of(rows, frozen=True)),
        ("next-click", False, lambda rows: next_clicks_of(rows, frozen=False)),
        ("purchase", False, next_purchases_of),
    ],
)
def test_the_most_clicked_sales_get_the_figures_that_counting_by_hand_gives(
    protocol: Protocol,
    frozen: bool,  # noqa: FBT001
    asking: Asking,
) -> None:
    table = shop_log(300)
    task = Task(protocol=protocol, frozen=frozen, first_day=3, last_day=4, share=1.0, test=0.2, train=0.4)
    results = evaluate(table, task, Parameters(), Boosting(trees=2, min_data_in_leaf=20, threads=1))
    ranks = results.ranks[[one.name for one in results.about.scorers].index("popularity.clicks_ever")]
    assert results.times is not None
    plain = [(table.ts[row], rank(sought)) for row, sought in asking(rows_of(table))]
    assert len(plain) > 50
    assert sorted(zip(results.times.tolist(), ranks.tolist(), strict=True)) == sorted(plain)
