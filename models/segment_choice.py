"""Segments, chosen from history: by which names of the context visitors differ most in what they go on to."""

from collections.abc import Callable
from statistics import fmean
from typing import TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from models.event_table import EventTable
from models.targets import sessions_of
from reco.parameters import Parameters
from reco.segments import N_SEGMENTS, SegmentIndex

SHUFFLES = 5
"""How often it is looked at what is said by chance."""
MAX_STEPS = 1_000_000
"""Steps of sessions that are looked at, at most; of more, one in so many."""
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
    by = ", ".join(saying[:N_SEGMENTS])
    tell(f"visitors are told apart by {by}; `tenfold tune` and --parameters may find better names")
    return replace(parameters, segments=chosen)


def _told(names: list[str], table: EventTable, rows: NDArray[np.bool_]) -> list[float]:
    """How much each name says, in nats for each step of a session from one sale to another."""
    order, starts, _ = sessions_of(table)
    after = np.setdiff1d(np.arange(len(order)), starts, assume_unique=True)
    sources, targets = order[after - 1], order[after]
    steps = np.flatnonzero(rows[sources] & rows[targets] & (table.sales[sources] != table.sales[targets]))
    steps = steps[:: 1 + len(steps) // MAX_STEPS]
    contexts, sales = table.contexts[sources[steps]], table.sales[targets[steps]]
    index = SegmentIndex(names)
    numbers = np.array([index.learn(values) for values in table.context_values], np.int64)
    return [_told_by(numbers[contexts, place], sales) for place in range(len(names))]


def _told_by(values: NDArray[np.int64], sales: NDArray[np.int32]) -> float:
    """How much values, 0 where they are not known, say about the sales (both int[n])."""
    known = values > 0
    return float(known.mean()) * information(values[known], sales[known]) if known.any() else 0.0


def information(values: NDArray[np.integer], others: NDArray[np.integer]) -> float:
    """How much values (int[n], below 2^31) and others (int[n]) say about each other, in nats.

    Their mutual information, less what is to be expected by chance (Vinh, Epps and Bailey, Information
    theoretic measures for clusterings comparison, JMLR 2010), which is much where most pairs are rare; here
    the mean of some shuffles. It is 0 unless they say more than in any of these.
    """
    random, wide = np.random.default_rng(0), values.astype(np.int64)
    by_chance = [_entropy(random.permutation(wide) << 32 | others) for _ in range(SHUFFLES)]
    together = _entropy(wide << 32 | others)
    return fmean(by_chance) - together if together < min(by_chance) else 0.0


def _entropy(values: NDArray[np.integer]) -> float:
    """In nats, of values[n]."""
    counts = np.unique(values, return_counts=True)[1]
    return float(np.log(len(values)) - (counts * np.log(counts)).sum() / len(values))
