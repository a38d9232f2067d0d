"""Segments, chosen from history: by which names of the context visitors differ most in what they go on to."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from models.event_table import EventTable
from models.targets import sessions_of
from reco.parameters import Parameters
from reco.segments import N_SEGMENTS, SegmentIndex

Fit: TypeAlias = Callable[[Parameters, EventTable, NDArray[np.bool_]], Parameters]
"""Fits parameters to some rows (bool[n_rows]) of a table."""


def as_given(parameters: Parameters, _: EventTable, __: NDArray[np.bool_]) -> Parameters:
    """The parameters themselves."""
    return parameters


def with_segments(
    parameters: Parameters,
    table: EventTable,
    rows: NDArray[np.bool_],
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Parameters:
    """The parameters with the names of the context that say most about the next sale of a session.

    Only `rows` (bool[n_rows]) are looked at. Where fewer names say anything, those that the parameters had
    come after them; the same names are left in their order, so that knowledge stays valid. Others are told.
    """
    names = table.context_names
    told = dict(zip(names, _told(names, table, rows), strict=True))
    saying = sorted((name for name in names if told[name] > 0), key=lambda name: -told[name])
    chosen = tuple(dict.fromkeys((*saying, *parameters.segments)))[:N_SEGMENTS]
    if set(chosen) == set(parameters.segments):
        return parameters
    tell(f"{', '.join(chosen)} tell visitors apart; `tenfold tune` and --parameters may find better names")
    return replace(parameters, segments=chosen)


def _told(names: list[str], table: EventTable, rows: NDArray[np.bool_]) -> list[float]:
    """How much each name says, in nats for each step of a session from one sale to another."""
    order, starts, _ = sessions_of(table)
    after = np.setdiff1d(np.arange(len(order)), starts, assume_unique=True)
    sources, targets = order[after - 1], order[after]
    steps = rows[sources] & rows[targets] & (table.sales[sources] != table.sales[targets])
    contexts, sales = table.contexts[sources[steps]], table.sales[targets[steps]]
    index = SegmentIndex(names)
    numbers = np.array([index.learn(values) for values in table.context_values], np.int64)
    return [_told_by(numbers[contexts, place], sales) for place in range(len(names))]


def _told_by(values: NDArray[np.int64], sales: NDArray[np.int32]) -> float:
    """How much values, 0 where they are not known, say about the sales (both int[n])."""
    known = values > 0
    return known.mean() * mutual_information(values[known], sales[known]) if known.any() else 0.0


def mutual_information(values: NDArray[np.integer], others: NDArray[np.integer]) -> float:
    """How much values (int[n]) and others (int[n]) say about each other, in nats, corrected for chance.

    The correction is that of Miller (Note on the bias of information estimates, 1955): where each pair is
    rare, values seem to say much; what is left may be slightly below 0.

    >>> one = np.arange(1000) % 2
    >>> round(mutual_information(one, 1 - one), 2), round(mutual_information(one, np.arange(1000) // 2), 2)
    (0.69, -0.25)
    """
    pairs = values.astype(np.int64) << 32 | others
    counts = [np.unique(each, return_counts=True)[1] for each in (values, others, pairs)]
    entropies = [float(np.log(len(values)) - (n * np.log(n)).sum() / len(values)) for n in counts]
    chance = (len(counts[2]) - len(counts[0]) - len(counts[1]) + 1) / (2 * len(values))
    return entropies[0] + entropies[1] - entropies[2] - chance
