"""The evaluations that there are, by name: protocol, metrics, published figures; and how one is run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal, TypeAlias

import numpy as np
from msgspec import Meta, Struct, structs

from models.evaluation.protocols import Asked, hourly, next_click, of_sessions, purchase
from models.evaluation.results import About, Metric, Results
from models.evaluation.run import SLICES, Evaluation
from models.event_table import EventTable
from models.progress import Progress
from models.sale_content import content_of
from models.segment_choice import Fit, as_given
from models.targets import FEWEST_PURCHASES, REACHED, check_events
from models.training import Boosting
from models.walk import NO_TARGET
from reco.catalogue import Catalogue
from reco.content import Content
from reco.errors import TrainingError
from reco.labels import SaleLabels
from reco.parameters import DAY, HOUR, LONGEST_WINDOW, Parameters
from reco.recommenders.protocol import CLICK, PURCHASE

Protocol: TypeAlias = Literal["hourly", "next-click", "purchase"]


class Task(Struct, frozen=True, kw_only=True):
    """What is asked of which part of a log; a share of 0 is the usual one.

    Attributes:
        protocol: see `models.evaluation.protocols`.
        frozen: knowledge as published protocols have it; else as a stream has it.
        first_day, last_day: days that test, by `hourly`; those before train, but for the first of all.
        share: share of the sessions of the part that tests that are asked, drawn.
        test: share of the log that tests, the newest; of sessions by `next-click`, of time by `purchase`.
        train: share before it that trains the rankers.
        window: within how many hours after a moment a purchase counts, unless it is in the same session.
        seed: of every draw.
    """

    protocol: Protocol
    frozen: bool = False
    first_day: Annotated[int, Meta(ge=1)] = 4
    last_day: Annotated[int, Meta(ge=1)] = 10
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    test: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    train: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    window: Annotated[float, Meta(gt=0, le=LONGEST_WINDOW)] = 24.0
    seed: Annotated[int, Meta(ge=0)] = 0


ASKED: Final[Mapping[Protocol, str]] = {
    "hourly": "the last click of a session, among all items seen so far",
    "next-click": "the next click after every prefix of a session, among all items",
    "purchase": "the next purchase of the visitor within the visit or the window, after each event",
}
METRICS: Final[Mapping[Protocol, tuple[Metric, ...]]] = {
    "hourly": (Metric("NDCG", 20), Metric("HR", 20)),
    "next-click": (Metric("HR", 20), Metric("MRR", 20)),
    "purchase": (Metric("NDCG", 10), Metric("HR", 10)),
}
SHARES: Final[Mapping[Protocol, Mapping[str, float]]] = {
    "hourly": {"share": 0.1},
    "next-click": {"test": 0.07, "train": 0.20},
    "purchase": {"test": 0.30, "train": 0.50},
}
"""The usual shares; of sessions that test all are asked, if they are not too many."""
MAX_TESTED: Final = 300_000
"""Moments that test: of more, about so many, those of a drawn share of the sessions; unless one is given."""
NUMBERS: Final[Mapping[Protocol, tuple[str, ...]]] = {
    "hourly": ("first_day", "last_day", "share"),
    "next-click": ("test", "train", "share"),
    "purchase": ("test", "train", "window", "share"),
}
"""What says which part of the log is asked; the other numbers of a task, but its seed, say nothing to it."""
PUBLISHED: Final[Mapping[Protocol, Mapping[str, dict[str, float]]]] = {
    "hourly": {
        "V-SkNN (Transformers4Rec, table 2, G1 news)": {"NDCG@20": 0.3511, "HR@20": 0.6601},
        "VSTAN (Transformers4Rec, table 2, G1 news)": {"NDCG@20": 0.3586, "HR@20": 0.6668},
        "XLNet with features (Transformers4Rec, table 2, G1 news)": {"NDCG@20": 0.3675, "HR@20": 0.6721},
    },
    "next-click": {
        "NARM (session-rec, Diginetica, official split)": {"HR@20": 0.4979, "MRR@20": 0.1585},
        "GRU4Rec (session-rec, Diginetica, official split)": {"HR@20": 0.5097, "MRR@20": 0.1750},
        "V-SkNN (session-rec, Diginetica, official split)": {"HR@20": 0.5203, "MRR@20": 0.1841},
    },
    "purchase": {},
}
"""Figures of others, who froze what they knew; each belongs to one log, and beside another is a guide."""


def _usual(task: Task) -> Task:
    """The task with the usual shares where it asks for no others."""
    return structs.replace(
        task, **{name: getattr(task, name) or share for name, share in SHARES[task.protocol].items()}
    )


def asked_of(table: EventTable, task: Task, catalogue: Catalogue | None = None) -> Asked:
    """The log as the protocol cuts it; with a `catalogue`, candidates are its open sales.

    Raises:
        TrainingError: there is no event, or nothing is left to train on, or to test.
    """
    check_events(table)
    task = _usual(task)
    protocols: Mapping[Protocol, Callable[[], Asked]] = {
        "hourly": lambda: hourly(
            table, task.first_day, task.last_day, task.share, frozen=task.frozen, seed=task.seed
        ),
        "next-click": lambda: next_click(table, task.test, task.train, frozen=task.frozen),
        "purchase": lambda: purchase(table, task.test, task.train, round(task.window * HOUR)),
    }
    if task.protocol != "purchase" and not (table.kinds == CLICK).any():
        raise TrainingError(
            f"this log has no clicks, which {task.protocol} asks for; take --protocol purchase"
        )
    asked = protocols[task.protocol]()
    if task.protocol != "hourly":  # which draws its share itself
        asked = _not_too_many(asked, task)
    if task.protocol != "purchase" and not asked.settled.any():
        raise TrainingError(
            "no session of this log has two clicks, so that there is no next one to find: "
            "is visitor_id, or session_id, the same in all that one visitor did?"
        )
    for rows, what in ((asked.trained, "train on"), (asked.tested, "test")):
        if not rows.any():
            raise TrainingError(
                f"the protocol {task.protocol} finds no moment to {what} in this log; take a longer one, "
                f"or other parts of it: --set {', '.join(NUMBERS[task.protocol])}"
            )
    return replace(asked, walk=replace(asked.walk, catalogue=catalogue))


def _not_too_many(asked: Asked, task: Task) -> Asked:
    share = task.share or min(round(MAX_TESTED / max(int(asked.tested.sum()), 1), 4), 1.0)
    if share == 1:
        return asked
    return replace(asked, share=share, tested=asked.tested & of_sessions(asked.walk.table, share, task.seed))


def known_content(catalogue: Catalogue | None, labels: Iterable[SaleLabels], seed: int) -> Content | None:
    """What the sales of a `catalogue` say of themselves, and what their images show; None without one."""
    return None if catalogue is None else content_of(catalogue, seed, labels)[0]


def evaluate(
    table: EventTable,
    task: Task,
    parameters: Parameters,
    boosting: Boosting,
    *,
    fit: Fit = as_given,
    catalogue: Catalogue | None = None,
    labels: Iterable[SaleLabels] = (),
    tell: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Results:
    """Run an evaluation; its `about` does not name data set, machine and command yet.

    Parameters are `fit` to what comes before the test. With a `catalogue`, candidates are its open sales;
    what these say of themselves, and by `labels` their images, is evidence. What is not tested is told.

    Raises:
        TrainingError: the log has too little to train on, or to test.
    """
    asked = asked_of(table, task, catalogue)
    _check_answers(asked)
    for text in not_tested(asked, task):
        tell(text)
    content = known_content(catalogue, labels, task.seed)
    evaluation = Evaluation(asked, fit(parameters, table, asked.before), boosting, task.seed, content)
    evaluation.run(progress)
    answers = evaluation.answers
    if not any(answers.n_candidates):
        raise TrainingError("no sale was open at the moments that test; publish its newer sales as well")
    rows = np.array(answers.rows)
    return Results(
        about=_about(task, evaluation),
        ranks=np.stack(answers.ranks, axis=1),
        clusters=asked.clusters[rows],
        windows=asked.windows[rows] if task.protocol == "hourly" else None,
        slices=np.array(answers.slices, np.int8),
        times=table.ts[rows],
        calibration=answers.calibration(),
    )


def not_tested(asked: Asked, task: Task) -> Iterator[str]:
    """What to say of days, sessions and probabilities that are not tested, though nobody has said so."""
    table = asked.walk.table
    days = (table.ends - table.begins) // DAY + 1
    if task.protocol == "hourly" and days > task.last_day:
        yield f"days {task.first_day} to {task.last_day} of {days} test; for later ones --set last_day={days}"
    if asked.share < 1 and not task.share:
        yield f"{100 * asked.share:.3g} % of the sessions that test are asked; all of them by --set share=1"
    if not asked.foretold:
        few = f"fewer than {FEWEST_PURCHASES} purchases come before the test, so that rankers learn clicks"
        yield f"probabilities are not judged: {few}"


def _check_answers(asked: Asked) -> None:
    """Raises TrainingError if nothing is to be found in the part that tests."""
    if (asked.walk.targets[asked.tested] != NO_TARGET).any():
        return
    if (asked.walk.table.kinds[asked.tested] == PURCHASE).any():
        raise TrainingError(
            "in the part of this log that tests, no purchase comes after something else within the visit or "
            "the window: is visitor_id the same in all that one visitor did? Or take a longer log"
        )
    raise TrainingError(
        "nobody buys anything in the part of this log that tests: are purchases among its event types? "
        "See --map-type; or take a longer log"
    )


def _about(task: Task, evaluation: Evaluation) -> About:
    return About(
        protocol=task.protocol + (", frozen" if task.frozen else ", streaming"),
        asked=ASKED[task.protocol],
        data_set="",
        metrics=METRICS[task.protocol],
        scorers=tuple(evaluation.panel.scorers),
        slices=SLICES,
        parameters=_cut(task, evaluation.asked.share),
        training=_facts(evaluation),
        importance=evaluation.importance,
        published=dict(PUBLISHED[task.protocol]) if task.frozen else {},
    )


def _cut(task: Task, share: float) -> dict[str, str | int | float | bool | None]:
    """What says how the log was cut."""
    names, used = ("protocol", "frozen", *NUMBERS[task.protocol], "seed"), _usual(task)
    return {name: getattr(used, name) for name in names} | {"share": share}


def _facts(evaluation: Evaluation) -> dict[str, str | int | float | bool | None]:
    answers, boosting = evaluation.answers, evaluation.boosting
    found = [ranks[0] > 0 for ranks in answers.ranks]
    facts = {name: getattr(boosting, name) for name in boosting.__struct_fields__}
    facts["segments"] = ", ".join(evaluation.parameters.segments)
    if evaluation.asked.lessons is not None:
        facts["target"] = evaluation.asked.lessons.target
    facts |= {
        "moments learned from": evaluation.learned_from,
        "features": len(evaluation.features),
        "candidates, mean": round(float(np.mean(answers.n_candidates)), 1),
        REACHED: round(float(np.mean(found)), 4),
    }
    return facts
