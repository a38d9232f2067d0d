"""Features: what every recommender says about every candidate, alone and compared with the others."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.content import Content
from reco.kernels import (
    FLOAT32_ROWS,
    FLOAT32S,
    INT32_ROWS,
    INT64,
    INT64S,
    NOTHING,
    UINT64_ROWS,
    UINT64S,
    compiled,
    copy,
)
from reco.parameters import Parameters
from reco.recommenders.attributes import Attributes
from reco.recommenders.covisitation import CoVisitation
from reco.recommenders.moment import Moment
from reco.recommenders.popularity import Popularity
from reco.recommenders.protocol import Recommender, SaysToMany
from reco.recommenders.revisits import Revisits
from reco.recommenders.segments import SegmentPopularity
from reco.recommenders.session_knn import SessionKnn
from reco.recommenders.similarity import Similarity

ALONE, SHARE, RANK = 0, 1, 2
FORMS: Final[Mapping[str, int]] = {"": ALONE, "~share": SHARE, "~rank": RANK}
"""How a score is given: as it is, as a share of the sum over all candidates, and as how many are better."""
HALF: Final = np.uint64(32)
"""Bits of the lower half of a key by which candidates are sorted."""
LOWER: Final = np.uint64(0xFFFFFFFF)
TWO_BYTES: Final = np.uint64(0xFFFF)
BYTE: Final = np.uint64(0xFF)
FAMILIES = (Popularity, CoVisitation, SessionKnn, SegmentPopularity, Revisits, Moment, Attributes, Similarity)
SHARED: Final = frozenset(family.name for family in FAMILIES if issubclass(family, SaysToMany))
"""Families that say the same to many visitors; see `SaysToMany`."""
VERSIONS: Final[Mapping[str, int]] = {Popularity.name: 2, SegmentPopularity.name: 3}
"""Versions of families whose features have changed their meaning; all others are at 1."""


def _names() -> Mapping[str, int]:
    names = {}
    for family in FAMILIES:
        for feature in family.features:
            for form in FORMS if feature in family.compared else ("",):
                names[f"{family.name}.{feature}{form}"] = VERSIONS.get(family.name, 1)
    return names


FEATURES: Final = _names()
"""Every feature that this version knows, with its version; a release names those that it reads."""


def recommenders(parameters: Parameters, capacity: int, content: Content) -> tuple[Recommender, ...]:
    """One recommender of each family, in the order of `FAMILIES`, for `capacity` sales with this content."""
    return (
        Popularity(parameters.popularity, capacity),
        CoVisitation(parameters.covisitation, capacity),
        SessionKnn(parameters.session_knn, capacity),
        SegmentPopularity(parameters.popularity, capacity),
        Revisits(parameters.revisits),
        Moment(),
        Attributes(content),
        Similarity(content),
    )


class Plan(NamedTuple):
    """How to fill a matrix of features.

    Attributes:
        families: names of the recommenders to ask, in the order of their rows.
        starts: the first row of each.
        n_rows: how many rows they have together.
        jobs: int32[n_features, 2], the row that each feature is made of, and its form.
    """

    families: tuple[str, ...]
    starts: tuple[int, ...]
    n_rows: int
    jobs: NDArray[np.int32]


@lru_cache(maxsize=64)
def plan(features: tuple[str, ...]) -> Plan:
    """The plan for these features.

    Raises:
        KeyError: this version does not know one of them.
    """
    asked = {name.partition(".")[0] for name in features}
    families = [family for family in FAMILIES if family.name in asked]
    starts = np.cumsum([0, *(len(family.features) for family in families)]).tolist()
    row_of = {
        f"{family.name}.{feature}": start + number
        for family, start in zip(families, starts, strict=False)
        for number, feature in enumerate(family.features)
    }
    jobs = [(row_of[name.partition("~")[0]], FORMS["".join(name.partition("~")[1:])]) for name in features]
    names = tuple(family.name for family in families)
    return Plan(names, tuple(starts[:-1]), starts[-1], np.array(jobs, np.int32).reshape(-1, 2))


class Part(NamedTuple):
    """Some of the features, and where they stand among all: int64[n]."""

    features: tuple[str, ...]
    places: NDArray[np.intp]


class Split(NamedTuple):
    """Features by who shares them: those of families that say the same to many visitors, and the others."""

    shared: Mapping[str, Part]
    own: Part


@lru_cache(maxsize=64)
def whole(features: tuple[str, ...]) -> Part:
    """All of the features, in their order."""
    return Part(features, np.arange(len(features)))


@lru_cache(maxsize=64)
def split(features: tuple[str, ...]) -> Split:
    """Tell the features of each family that says the same to many visitors from the others."""
    families = [name.partition(".")[0] for name in features]
    owners = [family if family in SHARED else "" for family in families]
    parts = {
        owner: Part(
            tuple(name for name, one in zip(features, owners, strict=True) if one == owner),
            np.array([place for place, one in enumerate(owners) if one == owner], np.intp),
        )
        for owner in dict.fromkeys((*owners, ""))
    }
    return Split(own=parts.pop(""), shared=parts)


@compiled(NOTHING(FLOAT32S, FLOAT32S))
def _share(row: NDArray[np.float32], feature: NDArray[np.float32]) -> None:
    total = 0.0
    for value in row:
        total += float(value) if value > 0 else 0.0
    for position in range(len(row)):
        value = row[position]
        feature[position] = value / total if value > 0 else value * 0.0


@compiled(INT64(FLOAT32S, UINT64S))
def _keys(row: NDArray[np.float32], keys: NDArray[np.uint64]) -> int:
    """Write a key for each candidate with evidence, which sorts them best first; how many they are.

    Its upper half is by how much the bits of its evidence are below those of the most, as the bits of float32
    above 0 rise as the numbers do; its lower half is the position.
    """
    bits, most, n = row.view(np.uint32), np.uint32(0), 0
    for position in range(len(row)):
        most = max(most, bits[position]) if row[position] > 0 else most
    for position in range(len(row)):
        keys[n] = np.uint64(np.uint32(most - bits[position])) << HALF | np.uint64(position)
        n += row[position] > 0
    return n


@compiled(NOTHING(UINT64S, UINT64S, INT32_ROWS))
def _sort(keys: NDArray[np.uint64], others: NDArray[np.uint64], counts: NDArray[np.int32]) -> None:
    """Sort the keys, with `others` as room for as many.

    By radix: the two highest bytes in which they differ. The few in disorder then are put in by insertion.
    Several times as fast as sorting by comparisons.
    """
    low, high, shift = counts[0], counts[1], HALF
    greatest = keys.max()
    while greatest >> shift > TWO_BYTES:
        shift += np.uint64(1)
    next_byte = shift + np.uint64(8)
    low[:], high[:] = 0, 0
    for key in keys:
        low[key >> shift & BYTE] += 1
        high[key >> next_byte] += 1
    before_low, before_high = 0, 0
    for value in range(counts.shape[1]):
        before_low, low[value] = before_low + low[value], before_low
        before_high, high[value] = before_high + high[value], before_high
    for key in keys:
        others[low[key >> shift & BYTE]] = key
        low[key >> shift & BYTE] += 1
    for key in others:
        keys[high[key >> next_byte]] = key
        high[key >> next_byte] += 1
    for number in range(1, len(keys)):
        key, place = keys[number], number
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            place -= 1
        keys[place] = key


@compiled(NOTHING(FLOAT32S, FLOAT32S, UINT64_ROWS, INT32_ROWS))
def _rank(
    row: NDArray[np.float32],
    feature: NDArray[np.float32],
    keys: NDArray[np.uint64],
    counts: NDArray[np.int32],
) -> None:
    n = _keys(row, keys[0])
    if n > 0:
        _sort(keys[0, :n], keys[1, :n], counts)
    for position in range(len(row)):
        feature[position] = math.nan if math.isnan(row[position]) else n
    better, evidence = 0, np.uint64(0)
    for number in range(n):
        key = keys[0, number]
        if key >> HALF != evidence:
            better, evidence = number, key >> HALF
        feature[np.int64(key & LOWER)] = better


@compiled(NOTHING(FLOAT32_ROWS, INT32_ROWS, INT64S, FLOAT32_ROWS))
def compare(
    rows: NDArray[np.float32],
    jobs: NDArray[np.int32],
    into: NDArray[np.int64],
    features: NDArray[np.float32],
) -> None:
    """Write `features[into]`, float32[n_features, n_sales], from scores float32[n_rows, n_sales].

    By `Plan.jobs`, of which `into` (int64[n_features]) says where each goes. Evidence that is 0 or less for
    all has share 0. A rank counts the candidates with more evidence, among those with any: 0 is the best.
    What is NaN stays NaN.
    """
    keys, counts = np.empty((2, rows.shape[1]), np.uint64), np.empty((2, 256), np.int32)
    for number in range(len(jobs)):
        row, form = jobs[number]
        feature = features[into[number]]
        if form == SHARE:
            _share(rows[row], feature)
        elif form == RANK:
            _rank(rows[row], feature, keys, counts)
        else:
            copy(rows[row], feature)
