"""Tuning: the parameters of the recommenders, each by how well its own recommender does before the test."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import chain, zip_longest
from statistics import fmean
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.evaluation.protocols import Asked
from models.walk import questions
from reco.errors import TrainingError
from reco.knowledge import Knowledge
from reco.metrics import ndcg, target_rank
from reco.parameters import HOUR, MINUTE, Parameters

CUT: Final = 20
"""Tuned is the NDCG at this rank."""
MAX_ASKED: Final = 3000
"""Questions of one walk, at most."""
SEGMENTS: Final = ("segments.first_clicks", "segments.second_clicks", "segments.third_clicks")
GROUPS: Final[Mapping[str, Mapping[str, Sequence[float]]]] = {
    "covisitation": {
        "now": tuple(minutes * MINUTE for minutes in (10, 25, 240)),
        "recency": (0.1, 0.4, 0.8),
        "lasting": tuple(hours * HOUR for hours in (3, 48, 336)),
    },
    "session_knn": {
        "scoring": tuple(minutes * MINUTE for minutes in (30, 720, 20_000)),
        "selection": tuple(hours * HOUR for hours in (1, 12, 336)),
        "recency": (0.15, 0.5, 0.8),
        "nearness": (0.4, 0.9),
        "backward": (0.1, 0.8, 1.0),
        "landing": (0.1, 1.0),
        "neighbours": (200, 1000),
    },
    "popularity": {"segments": tuple(minutes * MINUTE for minutes in (7, 20, 60, 360))},
    "revisits": {"": tuple(hours * HOUR for hours in (1, 24, 168))},
}
"""Values tried of each parameter, beside the one that it has; groups do not depend on each other."""
NEIGHBOURS: Final = ("session_knn.stan", "session_knn.vsknn")
JUDGED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "covisitation.now": ("covisitation.near_now_visit",),
    "covisitation.recency": ("covisitation.near_now_visit",),
    "covisitation.lasting": ("covisitation.near_lasting_visit",),
    "popularity.segments": ("segments.first_clicks",),
    "revisits.": ("revisits.decayed",),
}
"""The features by whose mean a parameter is judged; `NEIGHBOURS` for those not named."""
Given: TypeAlias = dict[str, Any]


class Trial(NamedTuple):
    """One value of one parameter, and the NDCG of its recommenders with it, the mean."""

    parameter: str
    value: Any
    figure: float


def tune(
    asked: Asked, parameters: Parameters, tell: Callable[[Trial], None] = lambda _: None, seed: int = 0
) -> Parameters:
    """The parameters with the best value of each, found one after the other on the training part alone.

    One walk tries one value of one parameter of each group. First of all, the names of the context that tell
    visitors apart the best become the segments.

    Raises:
        TrainingError: there is nothing to tune on.
    """
    asked = before_the_test(asked, asked.trained & (asked.walk.targets >= 0), MAX_ASKED, seed)
    best: Given = msgspec.to_builtins(parameters)
    _choose_segments(asked, best, tell)
    for names in zip_longest(*(tuple(tried) for tried in GROUPS.values())):
        pairs = [(group, name) for group, name in zip(GROUPS, names, strict=True) if name is not None]
        tried = [dict.fromkeys((_get(best, *pair), *GROUPS[pair[0]][pair[1]])) for pair in pairs]
        figures: list[dict[Any, float]] = [{} for _ in pairs]
        for values in zip_longest(*tried):
            given = deepcopy(best)
            for pair, value in zip(pairs, values, strict=True):
                if value is not None:
                    _set(given, *pair, value)
            measured = measure(asked, given)
            for pair, value, found in zip(pairs, values, figures, strict=True):
                if value is not None:
                    judges = JUDGED_BY.get(".".join(pair), NEIGHBOURS)
                    found[value] = fmean(measured[judge] for judge in judges)
                    tell(Trial(".".join(pair).rstrip("."), value, found[value]))
        for pair, found in zip(pairs, figures, strict=True):
            _set(best, *pair, max(found, key=lambda value: found[value]))
    return msgspec.convert(best, Parameters)


def measure(asked: Asked, given: Given) -> dict[str, float]:
    """The NDCG of every judging feature over the questions of a walk, with these parameters."""
    features = tuple(dict.fromkeys((*chain(*JUDGED_BY.values()), *NEIGHBOURS, *SEGMENTS)))
    knowledge = Knowledge(msgspec.convert(given, Parameters))
    ranks: list[list[int]] = []
    for question in questions(asked.walk, knowledge):
        allowed = asked.allowed(question)
        if question.target < 0 or not allowed[question.target]:
            ranks.append([0] * len(features))
            continue
        rows, place = knowledge.describe(question.query, features), int(allowed[: question.target].sum())
        ranks.append([target_rank(row, place) for row in rows[:, allowed]])
    figures = ndcg(np.array(ranks, np.int32), CUT).mean(axis=0).tolist()
    return dict(zip(features, figures, strict=True))


def before_the_test(asked: Asked, some: NDArray[np.bool_], count: int, seed: int) -> Asked:
    """The walk up to the last question that trains, asking `count` of `some` of them (bool[n_rows]).

    None of those that are asked once the test has begun, in sessions that began before.

    Raises:
        TrainingError: there is nothing to ask.
    """
    some = some & asked.before
    if not some.any():
        raise TrainingError("before the part that tests, there is nothing to find; take a longer log")
    drawn, others_weigh = asked.drawn(some, count, np.random.default_rng(seed))
    walk = asked.walk.only(drawn)
    end = int(np.flatnonzero(walk.steps < 0)[-1]) + 1
    return replace(asked, walk=replace(walk, steps=walk.steps[:end]), others_weigh=others_weigh)


def _choose_segments(asked: Asked, best: Given, tell: Callable[[Trial], None]) -> None:
    """Try all names of the context, three at a time, and keep the best three; all, if there are no more."""
    names = asked.walk.table.context_names
    if not names:
        return
    names += [name for name in best["segments"] if name not in names][: max(len(SEGMENTS) - len(names), 0)]
    figures: dict[str, float] = {}
    for start in range(0, len(names), len(SEGMENTS)):
        three = [*names[start : start + len(SEGMENTS)], *names][: len(SEGMENTS)]
        measured = measure(asked, best | {"segments": three})
        for name, feature in zip(three, SEGMENTS, strict=True):
            figures[name] = measured[feature]
            tell(Trial("segments", name, figures[name]))
    best["segments"] = sorted(figures, key=lambda name: -figures[name])[: len(SEGMENTS)]


def _get(given: Given, group: str, name: str) -> Any:
    return given[group][name] if name else given[group]


def _set(given: Given, group: str, name: str, value: Any) -> None:
    if name:
        given[group][name] = value
    else:
        given[group] = value
