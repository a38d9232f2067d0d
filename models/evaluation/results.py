"""What an evaluation found: the rank of the target for every scorer and question, and the tables from it.

What is written of it is plain JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.evaluation.intervals import Estimate, Resampled, Units, by_cluster, by_window, resample
from reco import metrics

Kind: TypeAlias = Literal["recommender", "rule", "baseline", "challenger", "ranker"]
SINGLE: tuple[Kind, ...] = ("recommender", "rule")
"""What a ranker must beat: each piece of evidence on its own."""
LEARNED: tuple[Kind, ...] = ("ranker", "challenger")
"""What combines the evidence."""
Fact: TypeAlias = str | int | float | bool | None

_METRICS = {"NDCG": metrics.ndcg, "HR": metrics.hit_rate, "MRR": metrics.reciprocal_rank}


class Metric(Struct, frozen=True):
    """A metric of ranks, cut at `k`."""

    kind: Literal["NDCG", "HR", "MRR"]
    k: int

    @property
    def name(self) -> str:
        """Such as `NDCG@20`."""
        return f"{self.kind}@{self.k}"

    def of(self, ranks: NDArray[np.integer]) -> NDArray[np.float64]:
        """The value of each question, the shape of `ranks`."""
        return _METRICS[self.kind](ranks, self.k)


class Scorer(Struct, frozen=True):
    """Something that ranks all candidates of a question."""

    name: str
    kind: Kind


class About(Struct, frozen=True, kw_only=True):
    """Everything about an evaluation but its arrays.

    Attributes:
        protocol: its name, such as `hourly`.
        asked: what a question asks, to stand after "each question asks for", such as
            `the last click of a session, among all items seen so far`.
        data_set: the name of the data.
        metrics: the main one first.
        scorers: in the order of the rows of ranks.
        slices: names of the kinds of question, by number.
        parameters: of the protocol.
        training: facts about how the rankers were trained.
        made: machine, commit, date, versions: whatever the caller knows.
        command: the command line that does it again.
        importance: share of the gain of each feature of the ranker.
        published: figures of others on this protocol, by name, then by name of the metric.
    """

    protocol: str
    asked: str
    data_set: str
    metrics: tuple[Metric, ...]
    scorers: tuple[Scorer, ...]
    slices: tuple[str, ...] = ()
    parameters: dict[str, Fact] = {}
    training: dict[str, Fact] = {}
    made: dict[str, str] = {}
    command: str = ""
    importance: tuple[tuple[str, float], ...] = ()
    published: dict[str, dict[str, float]] = {}

    def best_published(self) -> tuple[str, float] | None:
        """Whose figure of the main metric is the best of others, and the figure; None if there is none."""
        main = self.metrics[0].name
        figures = [(name, found[main]) for name, found in self.published.items() if main in found]
        return max(figures, key=itemgetter(1), default=None)


class Calibration(NamedTuple):
    """Probabilities of what was not learned from, and whether each came true.

    Attributes:
        probabilities: float32[n_examples].
        labels: bool[n_examples].
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """What an evaluation found.

    Attributes:
        ranks: int32[n_scorers, n_questions], pessimistic, see `reco.metrics.target_rank`; 0 is a miss.
        clusters: int64[n_questions], the visitor or session of each question.
        windows: int32[n_questions]; if given, figures are means of the windows' means, else plain means.
        slices: int8[n_questions], positions in `about.slices`.
        times: int64[n_questions], ms since the epoch, UTC; None if the data have no times, then questions
            are in the order in which they were asked.
        calibration: what can be judged of probabilities; None if there are none.

    Raises:
        ValueError: arrays that do not belong together.
    """

    about: About
    ranks: NDArray[np.int32]
    clusters: NDArray[np.int64]
    windows: NDArray[np.int32] | None = None
    slices: NDArray[np.int8] | None = None
    times: NDArray[np.int64] | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if not self.about.metrics:
            raise ValueError("results need a metric, the main one first")
        wanted = (len(self.about.scorers), len(self.clusters))
        if self.ranks.shape != wanted:
            raise ValueError(f"ranks of shape {self.ranks.shape} do not fit (scorers, questions) = {wanted}")
        for name in ("windows", "slices", "times"):
            column = getattr(self, name)
            if column is not None and column.shape != self.clusters.shape:
                raise ValueError(f"{name} of shape {column.shape} do not fit {wanted[1]} questions")
        if self.slices is not None and not np.isin(self.slices, np.arange(len(self.about.slices))).all():
            raise ValueError(f"slices are positions in {self.about.slices}, found {np.unique(self.slices)}")

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """float64[n_questions]: what each counts in a mean, so that windows (if any) count alike."""
        return self.units.weights

    @cached_property
    def units(self) -> Units:
        """What is drawn again for intervals: the windows, or the clusters if there are none."""
        return _units(self, np.ones(len(self.clusters), np.bool_))

    @cached_property
    def summary(self) -> "Summary":
        """The tables."""
        return summarise(self)

    def mean(self, metric: Metric, scorer: int) -> float:
        """The mean of a scorer over all questions."""
        return float(np.average(metric.of(self.ranks[scorer]), weights=self.weights))


class Row(Struct, frozen=True):
    """The figures of one scorer: per metric, and its uplift in per cent over the best single, if learned."""

    scorer: Scorer
    figures: tuple[Estimate, ...]
    uplift: tuple[Estimate, ...] = ()


class SliceRow(Struct, frozen=True):
    """The main metric of one scorer in a slice, and how much it is above the best singles there."""

    scorer: Scorer
    figure: Estimate
    over_best: Estimate
    over_best_here: Estimate


class Slice(Struct, frozen=True):
    """The questions of one kind: their best single recommender, the best of all questions, and others.

    The rows are those of the hand rules and of all that is learned.
    """

    name: str
    questions: int
    best_here: str
    figure_best_here: Estimate
    figure_best: Estimate
    rows: tuple[SliceRow, ...]


class Calibrated(Struct, frozen=True):
    """How far probabilities can be taken at their word; `table` is predicted, observed, share per bin."""

    examples: int
    error: float
    log_loss: float
    table: tuple[tuple[float, float, float], ...]


class Summary(Struct, frozen=True, kw_only=True):
    """The tables of an evaluation.

    Attributes:
        windows: how many; None if figures are plain means.
        clusters: how many visitors or sessions.
        best_single: position of the best recommender or rule by the main metric, None without any.
        best_ranker: position of the best scorer of kind `ranker`, None without any.
        rows: in the order of the scorers.
    """

    about: About
    questions: int
    clusters: int
    windows: int | None
    best_single: int | None
    best_ranker: int | None
    rows: tuple[Row, ...]
    slices: tuple[Slice, ...]
    calibrated: Calibrated | None

    def ranked(self) -> list[int]:
        """Positions of the scorers, best by the main metric first, equals in their order."""
        return sorted(range(len(self.rows)), key=lambda position: -self.rows[position].figures[0].mean)

    def finding(self) -> list[int]:
        """Positions of the scorers that found anything, likewise; of a log without purchases, many do not."""
        return [place for place in self.ranked() if any(one.mean for one in self.rows[place].figures)]


def summarise(results: Results) -> Summary:
    """All tables of `results`. The best single is chosen once, on all questions, not in each draw."""
    about = results.about
    drawn = [resample(metric.of(results.ranks), results.units) for metric in about.metrics]
    best_single = _best(about.scorers, drawn[0].means, SINGLE)
    return Summary(
        about=about,
        questions=len(results.clusters),
        clusters=len(np.unique(results.clusters)),
        windows=None if results.windows is None else len(np.unique(results.windows)),
        best_single=best_single,
        best_ranker=_best(about.scorers, drawn[0].means, ("ranker",)),
        rows=tuple(_row(about, position, drawn, best_single) for position in range(len(about.scorers))),
        slices=_slices(results, best_single),
        calibrated=_calibrated(results.calibration),
    )


def write_json(results: Results, path: Path) -> None:
    """Write the tables, without arrays of questions, for people and programs; NaN becomes null."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results.summary), indent=2) + b"\n")


def _units(results: Results, asked: NDArray[np.bool_]) -> Units:
    if results.windows is None:
        return by_cluster(results.clusters[asked])
    return by_window(results.windows[asked])


def _of_kinds(scorers: Sequence[Scorer], kinds: Sequence[Kind]) -> list[int]:
    return [position for position, scorer in enumerate(scorers) if scorer.kind in kinds]


def _best(scorers: Sequence[Scorer], means: NDArray[np.float64], kinds: Sequence[Kind]) -> int | None:
    return max(_of_kinds(scorers, kinds), key=lambda position: means[position], default=None)


def _row(about: About, position: int, drawn: Sequence[Resampled], best_single: int | None) -> Row:
    scorer = about.scorers[position]
    figures = tuple(one.estimate(position) for one in drawn)
    if best_single is None or scorer.kind not in LEARNED:
        return Row(scorer, figures)
    return Row(scorer, figures, tuple(one.uplift(position, best_single) for one in drawn))


def _slices(results: Results, best: int | None) -> tuple[Slice, ...]:
    if results.slices is None or best is None:
        return ()
    return tuple(
        _slice(results, number, results.slices == number, best)
        for number in np.unique(results.slices).tolist()
    )


def _slice(results: Results, number: int, mask: NDArray[np.bool_], best: int) -> Slice:
    about = results.about
    drawn = resample(about.metrics[0].of(results.ranks[:, mask]), _units(results, mask))
    here = max(_of_kinds(about.scorers, SINGLE), key=lambda position: drawn.means[position])
    rows = tuple(
        SliceRow(
            about.scorers[position],
            drawn.estimate(position),
            drawn.difference(position, best),
            drawn.difference(position, here),
        )
        for position in _of_kinds(about.scorers, ("rule", *LEARNED))
    )
    return Slice(
        name=about.slices[number],
        questions=int(mask.sum()),
        best_here=about.scorers[here].name,
        figure_best_here=drawn.estimate(here),
        figure_best=drawn.estimate(best),
        rows=rows,
    )


def _calibrated(calibration: Calibration | None) -> Calibrated | None:
    if calibration is None:
        return None
    table = metrics.reliability(*calibration)
    return Calibrated(
        examples=len(calibration.labels),
        error=metrics.expected_calibration_error(*calibration),
        log_loss=metrics.log_loss(*calibration),
        table=tuple(zip(*(column.tolist() for column in table), strict=True)),
    )
