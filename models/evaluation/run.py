"""An evaluation: one walk through history that trains on the earlier moments and ranks at the later ones."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.evaluation.protocols import Asked
from models.evaluation.results import Calibration
from models.evaluation.scorers import Panel, trained
from models.progress import Progress, between
from models.training import VISITS, Boosting, of_kinds
from models.training_set import TrainingSet, negatives_of
from models.walk import Question, questions
from reco.content import SPACES, Content
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.parameters import Parameters
from reco.reasons import kind_of

MAX_TRAINED = 200_000
"""Moments that are learned from, at most."""
LISTED = 10
"""Sales of a list; of each the probability is judged. Nearly all others are too unlikely to be a test."""
FORESTS = 0.4
"""Share of the time that forests take, more or less, which are grown between two moments."""
SLICES = ("in the basket", "looked at in this visit", "looked at before", "never looked at")


@dataclass(eq=False)
class Answers:
    """What comes of the tested questions; one entry for each.

    Attributes:
        rows: rows of the table.
        ranks: int32[n_scorers], the pessimistic ranks of the target.
        slices: positions in `SLICES`.
        n_candidates: how many candidates there were.
    """

    rows: list[int] = field(default_factory=list)
    ranks: list[NDArray[np.int32]] = field(default_factory=list)
    slices: list[int] = field(default_factory=list)
    n_candidates: list[int] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)
    labels: list[NDArray[np.bool_]] = field(default_factory=list)

    def calibration(self) -> Calibration | None:
        """The probabilities that the mix gave to the sales it would have listed, and what came of them.

        Of the moments of which it is known; None if nothing would have been listed at them, and where the
        mix foretells clicks.
        """
        labels = np.concatenate([np.empty(0, np.bool_), *self.labels])
        if not len(labels):
            return None
        return Calibration(np.concatenate(self.probabilities), labels)


def known_features(content: Content | None) -> tuple[str, ...]:
    """All features that have something to look at."""
    if content is None:
        return of_kinds(FEATURES, VISITS)
    blank = [space for space in SPACES if content.vectors(space) is None]
    return tuple(name for name in FEATURES if kind_of(name) not in blank)


@dataclass(eq=False)
class Evaluation:
    """An evaluation under way: a walk, what it trains, and what it asks.

    Features of content that is not known would say nothing, and are left out.
    """

    asked: Asked
    parameters: Parameters
    boosting: Boosting
    seed: int = 0
    content: Content | None = None
    answers: Answers = field(default_factory=Answers)
    importance: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self.features = known_features(self.content)
        moments = min(int(self.asked.trained.sum()), MAX_TRAINED)
        self.training = TrainingSet(self.features, self._random, negatives_of(moments))
        self.panel = Panel(self.features)
        self.learned_from = 0

    def _thinned_out(self) -> Asked:
        """No more questions than are needed: the tested, and `MAX_TRAINED` to learn from."""
        drawn, others_weigh = self.asked.drawn(self.asked.trained, MAX_TRAINED, self._random)
        walk = self.asked.walk.only(drawn | self.asked.tested)
        return replace(self.asked, walk=walk, others_weigh=others_weigh)

    def run(self, progress: Progress = lambda _: None) -> None:
        """Walk, train when the first question of the test comes, and rank from there on.

        Raises:
            TrainingError: there is too little to train on before it.
        """
        asked, knowledge = self._thinned_out(), Knowledge(self.parameters, content=self.content)
        walked = 0.0

        def told(done: float) -> None:
            nonlocal walked
            walked = (1 - FORESTS) * done
            progress(walked + FORESTS * bool(self.learned_from))

        for question in questions(asked.walk, knowledge, told):
            rows = knowledge.describe(question.query, self.features)
            if not self.asked.tested[question.row]:
                asked.teach(self.training, question, rows)
                continue
            if not self.learned_from:
                self.learned_from = len(self.training)
                forests = between(progress, walked, walked + FORESTS)
                self.importance = trained(self.panel, self.training.complete(), self.boosting, forests)
            self._answer(question, rows)

    def _answer(self, question: Question, rows: NDArray[np.float32]) -> None:
        answers, allowed = self.answers, self.asked.allowed(question)
        scores = self.panel.scores(rows)
        listed = np.flatnonzero(allowed)
        listed = listed[np.argsort(-scores[-1][listed], kind="stable")[:LISTED]]
        if self.asked.foretold and self.asked.settled[question.row]:
            answers.probabilities.append(scores[-1][listed])
            answers.labels.append(listed == question.target)
        if self.asked.walk.targets[question.row] < 0:
            return
        found = question.target >= 0 and bool(allowed[question.target])
        nothing = np.zeros(len(scores), np.int32)
        answers.rows.append(question.row)
        answers.ranks.append(self.panel.ranks(scores, question.target, allowed) if found else nothing)
        answers.slices.append(self._slice(rows[:, question.target]) if question.target >= 0 else 3)
        answers.n_candidates.append(int(allowed.sum()))

    def _slice(self, of_target: NDArray[np.float32]) -> int:
        named = dict(zip(self.features, of_target.tolist(), strict=True))
        if named["revisits.carts"] > 0:
            return 0
        if named["revisits.this_visit"] > 0:
            return 1
        return 2 if named["revisits.clicks"] + named["revisits.purchases"] > 0 else 3
