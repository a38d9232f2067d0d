"""Reasons: why a sale has its score, from what each feature contributed to it."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reco.kernels import FLOAT64_ROWS, INT64_ROWS, INT64S, NOTHING, compiled
from reco.lists import EVERYTHING_ELSE, Reason

MAX_REASONS = 4
"""Reasons that are named; the others are summed up as everything else."""
DIVIDED = "similarity"
"""The family whose features are told apart by the first part of their own name, a space of `Content`."""


def kind_of(feature: str) -> str:
    """The kind of evidence that a feature is: its family; of similarity, its space.

    >>> kind_of("covisitation.next_last~share"), kind_of("similarity.image_best~rank")
    ('covisitation', 'image')
    """
    family, _, own = feature.partition(".")
    return own.partition("_")[0] if family == DIVIDED else family


def explain(
    contributions: NDArray[np.float64],
    features: tuple[str, ...],
    sources: Mapping[str, Sequence[str | None]],
) -> tuple[tuple[Reason, ...], ...]:
    """The reasons of each of k sales, strongest first and everything else last; they add up to its log odds.

    Features of one kind, see `kind_of`, are one reason.

    Args:
        contributions: float64[k, n_features + 1], what each feature adds to the log odds of each sale, in the
            order of `features`; the last column is the base rate. Finite.
        features: the names of the features.
        sources: for kinds that score by what the visitor touched, for each of the k sales the touched
            sale that speaks most for it; it is named where the kind does speak for it.

    >>> contributions = np.array([[0.5, 0.25, -0.125, -4.0]])
    >>> features = "covisitation.next_last", "covisitation.bought", "popularity.trend"
    >>> for reason in explain(contributions, features, {"covisitation": ["oslo"]})[0]:
    ...     print(reason.name, reason.log_odds, reason.like)
    covisitation 0.75 oslo
    popularity -0.125 None
    everything else -4.0 None
    """
    names, numbers = _kinds(features)
    order = np.empty((len(contributions), len(names)), np.int64)
    worth = np.empty((len(contributions), len(names)))
    _strongest_first(np.ascontiguousarray(contributions), numbers, order, worth)
    return tuple(
        _reasons(place, [names[kind] for kind in kinds[:MAX_REASONS]], strengths, base, sources)
        for place, (kinds, strengths, base) in enumerate(
            zip(order.tolist(), worth.tolist(), contributions[:, -1].tolist(), strict=True)
        )
    )


@lru_cache(maxsize=16)
def _kinds(features: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The kinds of features, and int64[n_features], the number of the kind of each feature."""
    kinds = [kind_of(name) for name in features]
    names = tuple(dict.fromkeys(kinds))
    return names, np.array([names.index(kind) for kind in kinds], np.int64)


def _reasons(
    place: int,
    named: Sequence[str],
    strengths: Sequence[float],
    base: float,
    sources: Mapping[str, Sequence[str | None]],
) -> tuple[Reason, ...]:
    """Those of the sale at `place`, from the kinds to be named and what all kinds add, strongest first."""
    reasons = [
        Reason(name, value, sources[name][place] if value > 0 and name in sources else None)
        for name, value in zip(named, strengths, strict=False)
        if value
    ]
    reasons.append(Reason(EVERYTHING_ELSE, math.fsum((base, *strengths[MAX_REASONS:]))))
    return tuple(reasons)


@compiled(NOTHING(FLOAT64_ROWS, INT64S, INT64_ROWS, FLOAT64_ROWS))
def _strongest_first(
    contributions: NDArray[np.float64],
    kinds: NDArray[np.int64],
    order: NDArray[np.int64],
    worth: NDArray[np.float64],
) -> None:
    """Write the kinds of evidence of each sale, and what they add: the strongest first, either way."""
    totals = np.empty(order.shape[1])
    for sale in range(len(order)):
        totals[:] = 0.0
        for feature in range(len(kinds)):
            totals[kinds[feature]] += contributions[sale, feature]
        for kind in range(len(totals)):
            place = kind
            while place > 0 and abs(worth[sale, place - 1]) < abs(totals[kind]):
                order[sale, place], worth[sale, place] = order[sale, place - 1], worth[sale, place - 1]
                place -= 1
            order[sale, place], worth[sale, place] = kind, totals[kind]
