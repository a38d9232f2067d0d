"""Training of a release: one replay of history, its rankers, the text model, and how good they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.blend import Blend
from models.challengers import Ranking, challengers
from models.evaluation.scorers import singles
from models.event_table import EventTable, beginning
from models.meta_model import MetaModel
from models.progress import Progress, between
from models.release_promotion import RankerName
from models.releases import Learned, Training
from models.sale_content import content_of
from models.segment_choice import Fit, as_given
from models.targets import (
    REACHED,
    Target,
    check_events,
    check_target,
    lessons_of,
    next_clicks,
    next_purchases,
    purchases_per_click,
    target_for,
)
from models.text import FILE as TEXT_FILE
from models.training import (
    CONTENT,
    FEWEST_POSITIVES,
    IMAGES,
    VISITS,
    Boosting,
    Fitted,
    calibrate,
    newest,
    of_kinds,
    train_rankers,
)
from models.training_set import Examples, TrainingSet, negatives_of
from models.walk import NO_TARGET, Walk, after_each, positions_of, questions
from reco.catalogue import Catalogue
from reco.content import Content
from reco.errors import TrainingError
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.labels import SaleLabels
from reco.metrics import expected_calibration_error, ndcg
from reco.parameters import HOUR, Parameters
from reco.recommenders.popularity import Popularity
from reco.rules import bought

NONE_OPEN: Final = "no sale was open at any moment of the history; publish its sales as well"
NONE_LISTED: Final = (
    "at no moment of the history was there a sale to list, touched in an earlier second by anybody, and not "
    "bought by the visitor: does ts tell when each event happened?"
)
"""What to say of a history without anything to learn from, with its sales and without."""
WARM_UP: Final = 0.1
"""Share of the events, the oldest, after which no list is asked for: the recommenders know too little."""
PARTS: Final = ((0, 0.6), (0.6, 0.9), (0.9, 1))
"""From where to where of the work the replay, the rankers and their challengers are, about."""
MAX_MOMENTS: Final = 100_000
"""Moments that are learned from, at most: of those that lead to the target, and of the others."""


@dataclass(frozen=True)
class Plan:
    """What to train for.

    Attributes:
        target: what a list is to lead to. None: the first of `Target` that there are enough purchases for.
        window: within how many hours a purchase counts, unless it is in the same session.
        seed: of every draw.
    """

    target: Target | None = None
    window: float = 24.0
    seed: int = 0


def train_release(
    table: EventTable,
    catalogue: Catalogue | None,
    parameters: Parameters,
    boosting: Boosting,
    plan: Plan,
    *,
    created_at: int,
    source: str,
    fit: Fit = as_given,
    labels: Iterable[SaleLabels] = (),
    progress: Progress = lambda _: None,
) -> Training:
    """Replay `table`, and train the rankers of a release on what the recommenders said at its moments.

    `catalogue` says what was open when; without one every sale that was touched counts as open. `labels` are
    what was recognised in the images of its sales. The parameters are `fit` to what does not only calibrate.
    `created_at` (ms since the epoch, UTC) and `source` are for the record.

    Raises:
        TrainingError: the history has too little to learn from.
    """
    check_events(table)
    parameters = fit(parameters, table, _not_held_out(table, boosting))
    target = plan.target or target_for(table)
    content, text = content_of(catalogue, plan.seed, labels)
    moments = _moments(table, catalogue, target, plan)
    replay, forests, rest = (between(progress, *part) for part in PARTS)
    examples, reached = _replayed(moments, Knowledge(parameters, content=content), plan.seed, replay)
    rankers = _rankers(examples, boosting, content, forests)
    challenging = challengers(examples, boosting, rest)
    facts = {"source": source, "target": target, "window_hours": plan.window, "seed": plan.seed}
    return Training(
        created_at=created_at,
        trained_on=facts | _size(table, examples, rankers["mix"][1], boosting),
        parameters=parameters,
        metrics={**_metrics(examples, boosting, rankers, challenging), REACHED: reached},
        rankers={name: _learned(model, fitted) for name, (model, fitted) in rankers.items()},
        arrays={TEXT_FILE: text.to_bytes()} if text is not None else {},
    )


class Moments(NamedTuple):
    """The moments of history that are learned from.

    Attributes:
        walk: history, with a list asked for at each of them.
        grades: float32[n_rows], how much of a purchase the target of each row is, above 0 and at most 1.
        weights: float32[n_rows], how many moments the one of each row stands for, relative to the others.
    """

    walk: Walk
    grades: NDArray[np.float32]
    weights: NDArray[np.float32]


def _replayed(
    moments: Moments, knowledge: Knowledge, seed: int, progress: Progress
) -> tuple[Examples, float]:
    """What the recommenders said at the moments, and how many answers were candidates.

    What was bought cannot be listed.
    """
    sought = found = 0
    walk, random = moments.walk, np.random.default_rng(seed)
    training = TrainingSet(tuple(FEATURES), random, negatives_of(int((walk.steps < 0).sum())))
    for question in questions(walk, knowledge, progress):
        allowed = np.ones(len(question.query.candidates.slots), np.bool_)
        allowed[bought(question.query.touches)] = False
        sought += bool(walk.targets[question.row] != NO_TARGET)
        found += question.target >= 0 and bool(allowed[question.target])
        training.add(
            knowledge.describe(question.query, training.features),
            question.target,
            allowed,
            shown=positions_of(walk.table.shown_to(question.row), walk, question.query),
            grade=float(moments.grades[question.row]),
            weight=float(moments.weights[question.row]),
        )
    if not len(training):
        raise TrainingError(
            "the history has no moment to learn from; take one in which visitors go on from sale to sale"
        )
    examples = training.complete()
    if not len(examples.labels):
        raise TrainingError(NONE_LISTED if walk.catalogue is None else NONE_OPEN)
    return examples, found / max(sought, 1)


def _not_held_out(table: EventTable, boosting: Boosting) -> NDArray[np.bool_]:
    """bool[n_rows]: what is older than the moments that only calibrate, about."""
    return np.asarray(table.appended <= np.quantile(table.appended, 1 - boosting.held_out))


def _size(table: EventTable, examples: Examples, mix: Fitted, boosting: Boosting) -> dict[str, int]:
    return {
        "first_event": int(table.ts.min()),
        "last_event": int(table.ts.max()),
        "events": len(table),
        "moments": len(examples.groups),
        "trees": boosting.trees,
        "leaves": mix.leaves,
    }


def _moments(table: EventTable, catalogue: Catalogue | None, target: Target, plan: Plan) -> Moments:
    """Moments drawn by lot, at each of which a list is to lead to the target.

    For a purchase, moments after which nothing was bought are drawn as well, and weigh as many as they stand
    for, so that rates hold. Otherwise the list is to lead to the visitor's next click of the session.
    """
    window = round(plan.window * HOUR)
    sought = next_clicks(table) if target == "click" else next_purchases(table, window)
    late = table.appended >= np.quantile(table.appended, WARM_UP)
    if target != "click":
        late &= _settled(table.appended, window)
    random = np.random.default_rng(plan.seed)
    led, led_share = _drawn(late & (sought != NO_TARGET), random)
    others, others_share = _drawn(late & (sought == NO_TARGET), random)
    weights = np.ones(len(table), np.float32)
    weights[others] = led_share / others_share
    lessons = lessons_of(table, sought, target, purchases_per_click(table))
    check_target(table, lessons.targets, target)
    asked = led if target == "click" else led | others
    return Moments(after_each(table, lessons.targets, catalogue).only(asked), lessons.grades, weights)


def _settled(times: NDArray[np.int64], window: int) -> NDArray[np.bool_]:
    """bool[n_rows]: of the newest moments it is not known yet what was bought.

    A short history cannot spare a whole window.
    """
    span = float(times.max() - beginning(times))
    settled: NDArray[np.bool_] = times <= times.max() - min(window, round(span * WARM_UP))
    return settled


def _drawn(which: NDArray[np.bool_], random: np.random.Generator) -> tuple[NDArray[np.bool_], float]:
    """bool[n_rows], some of `which`, and their share of them."""
    rows = random.permutation(np.flatnonzero(which))
    drawn = np.zeros(len(which), np.bool_)
    drawn[rows[:MAX_MOMENTS]] = True
    return drawn, min(1.0, MAX_MOMENTS / max(len(rows), 1))


def _rankers(
    examples: Examples, boosting: Boosting, content: Content, progress: Progress
) -> Mapping[RankerName, tuple[MetaModel, Fitted]]:
    every = examples.features
    read: dict[RankerName, tuple[str, ...]] = {"mix": every, "visits": of_kinds(every, VISITS)}
    if any(content.vectors(space) is not None for space in ("text", "image")):
        read["content"] = of_kinds(every, CONTENT)
    if content.vectors("image") is not None:
        read["images"] = of_kinds(every, IMAGES)
    return train_rankers(examples, read, boosting, progress)


def _learned(model: MetaModel, fitted: Fitted) -> Learned:
    return Learned(fitted.text, model.features, model.calibration)


def _metrics(
    examples: Examples,
    boosting: Boosting,
    rankers: Mapping[RankerName, tuple[MetaModel, Fitted]],
    challenging: Mapping[str, Ranking],
) -> dict[str, float]:
    """On the newest moments: NDCG@10 among the drawn candidates, and how far probabilities hold, if known.

    Beside the rankers stand their challengers, the fixed blend, and the best single recommender and the best
    popularity, which are chosen by these very moments.
    """
    held = examples.moments(newest(examples, boosting))
    metrics = {}
    compared: dict[str, Ranking] = {name: model for name, (model, _) in rankers.items()}
    compared |= {**challenging, "blend": Blend()}
    for name, model in compared.items():
        scores = model.score(np.ascontiguousarray(held.only(model.features).rows))
        metrics[f"{name} ndcg@10"] = _ndcg(scores, held)
        if name == "mix" and (error := _calibration_error(rankers["mix"][0], held)) is not None:
            metrics["calibration error"] = error
    alone = {name: _ndcg(held.only((name,)).rows[0], held) for name in singles(held.features)}
    for kind, names in (
        ("best single recommender", alone),
        ("best popularity", of_kinds(alone, (Popularity.name,))),
    ):
        best = max(names, key=alone.__getitem__)
        metrics[f"{kind}, {best}, ndcg@10"] = alone[best]
    return metrics


def _calibration_error(model: MetaModel, held: Examples) -> float | None:
    """How far probabilities hold for moments that did not calibrate them; None if too few sales were chosen.

    All of `held` calibrated `model`, and would flatter it. So the older half of these moments calibrates its
    forest anew, and the newer half judges.
    """
    half, seen = len(held.groups) // 2, held.only(model.features)
    older, newer = seen.moments(0, half), seen.moments(half)
    if min(older.chosen().sum(), newer.chosen().sum()) < FEWEST_POSITIVES:
        return None
    calibrated = replace(model, calibration=calibrate(model.forest, older))
    scores = calibrated.score(np.ascontiguousarray(newer.rows))
    return expected_calibration_error(scores, newer.chosen(), newer.weights)


def _ndcg(scores: NDArray[np.float32], held: Examples) -> float:
    ranks = held.ranks(scores)
    return float(ndcg(ranks, 10).mean()) if len(ranks) else 0.0
