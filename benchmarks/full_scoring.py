"""Lists per second and core with all features and a trained forest, without Kafka; and where time goes.

    python -m benchmarks.full_scoring --sales 300

A release is trained on the benchmark's own shop first. The baseline is the fixed blend on the same sessions.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import Figure, Report, arguments, machine, per_second, publish, run_main, step
from benchmarks.scoring_compute import BUSY, learn, seconds
from benchmarks.shop import NOON, SEED, Shop
from models.blend import Blend
from models.event_table import table_of
from models.forest import Forest
from models.meta_model import MetaModel
from models.release_training import Plan, train_release
from models.sale_content import content_of
from models.training import Boosting
from reco.candidates import Query
from reco.catalogue import Catalogue
from reco.events import Action
from reco.features import FAMILIES, FEATURES
from reco.knowledge import Knowledge
from reco.labels import SaleLabels
from reco.parameters import Parameters
from reco.policy import Rules
from reco.ranker import Ranker
from reco.reasons import explain
from reco.rules import RulesInForce, choose, rules_in_force
from reco.top_ten import Serving, top_ten
from streams.codecs import decode_session, encode

STAGES = {
    "query": "what is asked",
    "describe": "features",
    "score": "probabilities",
    "contributions": "contributions of the ten",
    "sources": "sources of the ten",
}
"""The methods of knowledge and the mix that a list asks for, and what they make."""
REST = "rules, reasons, bytes read and written"
PARAMETERS = ("sales", "events", "lists", "rounds", "trees", "leaves", "moments")


def main() -> None:
    """Measure, print, and write the report."""
    given = arguments(
        __doc__, sales=300, events=200_000, lists=1000, rounds=5, trees=150, leaves=31, moments=4000
    )
    shop = Shop(given.sales)
    step(f"making a history of {given.events:,} events, and learning it")
    history = shop.history(given.events)
    raw = [encode(session) for session in shop.sessions(given.lists)]
    catalogue, labels = shop.catalogue(), list(shop.labels())
    content, _ = content_of(catalogue, SEED, labels)
    knowledge = Knowledge(content=content)
    learn(knowledge, seconds(history, BUSY))
    step("training")
    mix = trained(history[: given.moments * 10], catalogue, labels, Boosting(given.trees, given.leaves))
    in_force = rules_in_force(Rules(), catalogue.live(NOON), catalogue)

    def listing(serving: Serving) -> Callable[[], int]:
        return lambda: len(
            [encode(top_ten(decode_session(one), 0, serving, catalogue, in_force, NOON)) for one in raw]
        )

    step(f"measuring, {given.rounds} rounds")
    candidates = knowledge.candidates(catalogue.live(NOON))
    queries = [knowledge.query(decode_session(one), candidates, NOON) for one in raw]
    parameters = {name: getattr(given, name) for name in PARAMETERS} | {"features": len(mix.features)}
    figures = (
        *rates(listing, knowledge, mix, given.rounds),
        *where_time_goes(listing, knowledge, mix, given.rounds),
        *alone(knowledge, mix, queries, in_force, given.rounds),
    )
    publish(Report("full_scoring", machine(), parameters, figures), given.json)


def trained(
    history: Sequence[Action], catalogue: Catalogue, labels: Iterable[SaleLabels], boosting: Boosting
) -> MetaModel:
    """The mix of a release that is trained on a part of the shop's history, to lead to the next click.

    Raises:
        RuntimeError: it looks at nothing of a whole family of evidence, and so would be measured without.
    """
    plan = Plan("click", seed=SEED)
    training = train_release(
        table_of(history),
        catalogue,
        Parameters(),
        boosting,
        plan,
        created_at=NOON,
        source="shop",
        labels=labels,
    )
    learned = training.rankers["mix"]
    mix = MetaModel("benchmark", Forest.parse(learned.model).narrowed(), learned.calibration)
    if unread := {family.name for family in FAMILIES} - {one.partition(".")[0] for one in mix.features}:
        raise RuntimeError(f"the mix looks at nothing of {', '.join(sorted(unread))}")
    return mix


def rates(
    listing: Callable[[Serving], Callable[[], int]], knowledge: Knowledge, mix: MetaModel, rounds: int
) -> list[Figure]:
    """Lists per second of the mix, and of the fixed blend."""
    rankers: dict[str, Ranker] = {"lists, trained mix": mix, "baseline: fixed blend": Blend()}
    return [
        Figure(f"{name}, bytes to bytes", "lists/s", per_second(listing(Serving(knowledge, ranker)), rounds))
        for name, ranker in rankers.items()
    ]


class Watched:
    """An object with a watch: how long each of its methods took, s, is added to `spent` by its name."""

    def __init__(self, watched: object, spent: dict[str, float]) -> None:
        self._watched = watched
        self._spent = spent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._watched, name)
        return partial(self._timed, name, found) if callable(found) else found

    def _timed(self, name: str, method: Callable[..., Any], *given: object) -> Any:
        started = time.perf_counter()
        try:
            return method(*given)
        finally:
            self._spent[name] = self._spent.get(name, 0.0) + time.perf_counter() - started


def where_time_goes(
    listing: Callable[[Serving], Callable[[], int]], knowledge: Knowledge, mix: MetaModel, rounds: int
) -> list[Figure]:
    """Microseconds per list of each of its stages, watched while lists are made: they add up to the whole."""
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        spent: dict[str, float] = {}
        watched = Serving(cast("Knowledge", Watched(knowledge, spent)), cast("Ranker", Watched(mix, spent)))
        started = time.perf_counter()
        n = listing(watched)()
        whole = time.perf_counter() - started
        stages = {stage: spent[name] for name, stage in STAGES.items()}
        for stage, seconds_spent in {**stages, REST: whole - sum(stages.values())}.items():
            taken.setdefault(stage, []).append(seconds_spent / n * 1e6)
    return [Figure(f"of a list: {stage}", "us/list", tuple(values)) for stage, values in taken.items()]


def alone(
    knowledge: Knowledge, mix: MetaModel, queries: list[Query], in_force: RulesInForce, rounds: int
) -> list[Figure]:
    """Microseconds per list of features of each family, rules and reasons.

    Each is repeated by itself, with all that it needs in the processor's caches, so it takes less than in a
    list.
    """
    rows = [knowledge.describe(query, mix.features) for query in queries]
    scores = [mix.score(one) for one in rows]
    listed = [chosen(one, query, in_force) for one, query in zip(scores, queries, strict=True)]
    worth = [
        mix.contributions(np.ascontiguousarray(one[:, ten])) for one, ten in zip(rows, listed, strict=True)
    ]
    parts: dict[str, Callable[[int], object]] = {
        f"features of {family.name}": partial(_described, knowledge, queries, features_of_family(family.name))
        for family in FAMILIES
    }
    parts |= {
        "the ten by the rules": lambda n: chosen(scores[n], queries[n], in_force),
        "reasons from contributions": lambda n: explain(worth[n], mix.features, {}),
    }
    return [
        Figure(f"alone: {name}", "us/list", microseconds(part, len(queries), rounds))
        for name, part in parts.items()
    ]


def chosen(scores: NDArray[np.float32], query: Query, in_force: RulesInForce) -> NDArray[np.int32]:
    """int32[10]: the positions of the sales that are listed."""
    ten = choose(scores, query.candidates.places, query.touches, in_force, "benchmark")
    return np.array([one.position for one in ten], np.int32)


def _described(knowledge: Knowledge, queries: list[Query], own: tuple[str, ...], n: int) -> object:
    return knowledge.describe(queries[n], own)


def features_of_family(family: str) -> tuple[str, ...]:
    """All features of a family of recommenders."""
    return tuple(name for name in FEATURES if name.partition(".")[0] == family)


def microseconds(part: Callable[[int], object], n: int, rounds: int) -> tuple[float, ...]:
    """How long `part`, given numbers from 0 to `n`, takes for each of them, in each round."""
    part(0)
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        for number in range(n):
            part(number)
        taken.append((time.perf_counter() - started) / n * 1e6)
    return tuple(taken)


if __name__ == "__main__":
    run_main(main)
