"""How good lists are for returning visitors of a travel agency, by a published off-line protocol.

    python -m benchmarks.agency_offline ../shared/data/slantour

What each visitor looked at before a season, in order but without times, is the history; what some of them
looked at in it is to be found among all tours on sale then. The season is that of the events, in whole
months: June and July 2018, after a history up to May. One list is asked for each visitor, with everything
from before; MRR is that of the first tour found, nDCG is over the whole list (Peska and Vojtas, REVEAL
workshop at RecSys 2018). The baseline, cosine similarity of attributes to the mean of what the visitor looked
at, is published there with MRR .186 and nDCG .304. Nothing of the test trains.
"""

import argparse
import csv
import gzip
import shlex
import sys
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.machine import in_words, machine, run_main, step, to_write
from models.evaluation.intervals import by_cluster, resample
from models.evaluation.report import write_report
from models.evaluation.results import About, Kind, Metric, Results, Scorer
from models.evaluation.scorers import singles
from models.event_table import table_of
from models.file_values import millis
from models.forest import Forest
from models.meta_model import MetaModel
from models.progress import Progress
from models.release_training import Plan, train_release
from models.sale_content import content_of
from models.training import Boosting
from reco.catalogue import Catalogue, catalogue_of
from reco.errors import EventLogError
from reco.events import Click, Sale
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.parameters import DAY, MINUTE, SECOND, CoVisitationParameters, Parameters, SessionKnnParameters
from reco.sessions import Session, fold
from streams.commands.logs import progress

BEGIN = millis("2016-01-01") or 0
"""When the history begins, ms since the epoch, UTC."""
ZONE = ZoneInfo("Europe/Prague")
"""Where the tours are sold: a day, and a month, is one there."""
TEST = "testset"
"""How the source of events is called that are to be found; where there is no such source, all are."""
FILES = ("histories.csv.gz", "items.csv.gz", "events.csv.gz", "item_features_onehot.csv.gz")
NUMBERS = ("avg_prumerna_cena", "avg_prumerna_cena_noc", "avg_delka", "novelty_date", "available_date")
"""Columns of tours that are no attributes with a few values."""
BASELINE = "attribute cosine (the published baseline)"
YEARS = 365 * DAY
SLOW = Parameters(
    covisitation=CoVisitationParameters(now=YEARS, lasting=3 * YEARS),
    session_knn=SessionKnnParameters(
        selection=3 * YEARS, scoring=3 * YEARS, recency=0.9, backward=1, landing=1
    ),
    segments=("country", "device", "referrer"),
)
"""Set by hand for tours, which come again every year, before any figure was seen; not tuned."""


class Season(NamedTuple):
    """The first day of the test, before which the history ends, and its last; ms since the epoch, UTC."""

    cut: int
    end: int


class Agency(NamedTuple):
    """The data: rows of the tours, the season, and what each visitor looked at before it and in it."""

    tours: Sequence[Mapping[str, str]]
    season: Season
    before: Mapping[str, list[str]]
    after: Mapping[str, set[str]]

    def catalogue(self) -> Catalogue:
        """The tours as sales that are always open."""
        return catalogue_of(map(_sale, self.tours))

    def history(self) -> list[Click]:
        """All that was before as clicks; visitors were numbered in the order in which they came."""
        ids = sorted(self.before, key=int)
        pace = (self.season.cut - BEGIN - DAY) // len(ids)
        clicks = (
            Click(f"{visitor}-{place}", visitor, item, BEGIN + number * pace + place * MINUTE)
            for number, visitor in enumerate(ids)
            for place, item in enumerate(self.before[visitor])
        )
        return sorted(clicks, key=lambda click: click.ts)

    def on_sale(self) -> set[str]:
        """Tours that were on sale at any time of the season."""
        cut, end = self.season
        return {
            tour["item_id"]
            for tour in self.tours
            if (millis(tour["novelty_date"]) or end) <= end and (millis(tour["available_date"]) or 0) >= cut
        }

    def session_of(self, visitor: str, items: Sequence[str]) -> Session | None:
        """The session of a visitor who looked at these, a minute apart, just before the season."""
        session, cut = None, self.season.cut
        for place, item in enumerate(items):
            click = Click(f"{place}", visitor, item, cut - (len(items) - place) * MINUTE)
            session = fold(session, click, place)
        return session


def data(text: str) -> Path:
    """The folder of the data.

    Raises:
        argparse.ArgumentTypeError: they are not there.
    """
    if missing := [name for name in FILES if not Path(text, name).is_file()]:
        raise argparse.ArgumentTypeError(f"{text!r} has no {', '.join(missing)}")
    return Path(text)


def read(folder: Path) -> Agency:
    """The files of a folder; visitors without a history are not asked for.

    Raises:
        EventLogError: nobody with a history looked at a tour in the season.
    """
    before, after = defaultdict[str, list[str]](list), defaultdict[str, set[str]](set)
    for row in _rows(folder / "histories.csv.gz"):
        before[row["visitor_id"]].append(row["item_id"])
    tours, events = _rows(folder / "items.csv.gz"), _rows(folder / "events.csv.gz")
    known = {tour["item_id"] for tour in tours}
    tested = [row for row in events if row["src"].startswith(TEST)] or events
    for row in tested:
        if row["visitor_id"] in before and row["item_id"] in known:
            after[row["visitor_id"]].add(row["item_id"])
    if not after:
        found = f"{folder}: no event is of a visitor in histories.csv.gz and a tour in items.csv.gz"
        raise EventLogError(f"{found}; take the files of one season")
    return Agency(tours, season_of([int(row["ts"]) for row in tested]), before, after)


def season_of(moments: Sequence[int]) -> Season:
    """The months that these are in, ms since the epoch, UTC."""
    first, last = (datetime.fromtimestamp(one(moments) / 1000, ZONE).date() for one in (min, max))
    end = last.replace(day=monthrange(last.year, last.month)[1])
    return Season(millis(f"{first.replace(day=1)}") or 0, millis(f"{end}") or 0)


def _sale(tour: Mapping[str, str]) -> Sale:
    tags = [f"{name} {value}" for name, value in tour.items() if name not in NUMBERS and value][1:]
    tags += [f"zeme {part}" for part in tour["zeme"].split(":")]
    price = float(tour["avg_prumerna_cena"] or "nan")
    return Sale(
        tour["item_id"],
        " ".join((tour["zeme"].replace(":", " "), tour["destinace"])) or tour["item_id"],
        BEGIN,
        price=None if np.isnan(price) else price,
        currency="CZK",
        country=tour["zeme"].partition(":")[0] or None,
        tags=tuple(tags),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def attributes(folder: Path) -> tuple[Mapping[str, int], NDArray[np.float64]]:
    """The published one-hot attributes, each row of length 1, and the row of each tour."""
    with gzip.open(folder / "item_features_onehot.csv.gz", "rt", encoding="utf-8") as text:
        rows = list(csv.reader(text))[1:]
    values = np.array([[float(value or 0) for value in row[1:]] for row in rows])
    values /= np.maximum(values.max(axis=0), 1e-9)
    lengths = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    return {row[0]: number for number, row in enumerate(rows)}, values / lengths


def figures(scores: NDArray[np.floating], sought: Sequence[int]) -> tuple[int, float]:
    """First rank and nDCG of a list in the order of `scores`, float[n_tours]; ties count against it."""
    scores = np.nan_to_num(scores, nan=-np.inf)
    others = np.delete(scores, sought)
    best_first = np.sort(scores[sought])[::-1]
    ranks = np.array([1 + place + int((others >= one).sum()) for place, one in enumerate(best_first)])
    ideal = 1 / np.log2(2 + np.arange(len(ranks)))
    return int(ranks[0]), float((1 / np.log2(1 + ranks)).sum() / ideal.sum())


def rankers_of(agency: Agency, boosting: Boosting, told: Progress) -> dict[str, MetaModel]:
    """The rankers of a release that is trained on the history, to lead to the next look."""
    table, plan, cut = table_of(agency.history()), Plan("click"), agency.season.cut
    training = train_release(
        table, agency.catalogue(), SLOW, boosting, plan, created_at=cut, source="histories", progress=told
    )
    return {
        name: MetaModel(name, Forest.parse(learned.model), learned.calibration)
        for name, learned in training.rankers.items()
    }


def learned(agency: Agency) -> Knowledge:
    """What is known when the season begins."""
    knowledge = Knowledge(SLOW, content=content_of(agency.catalogue(), 0)[0])
    for second, appended in groupby(agency.history(), lambda click: click.ts // SECOND):
        knowledge.advance(second, [(0, place, click) for place, click in enumerate(appended)])
    return knowledge


class Answers(NamedTuple):
    """What every scorer found, in the order of `scorers`, of each visitor.

    Attributes:
        ranks: int32[n_scorers, n_visitors], of the first tour that is found.
        ndcg: float64[n_scorers, n_visitors], of whole lists.
        tours: how many each list has.
    """

    scorers: Sequence[Scorer]
    ranks: NDArray[np.int32]
    ndcg: NDArray[np.float64]
    tours: int

    @property
    def mrr(self) -> NDArray[np.float64]:
        """float64[n_scorers, n_visitors]: 1 / rank."""
        return 1 / self.ranks


def asked(
    agency: Agency,
    knowledge: Knowledge,
    rankers: Mapping[str, MetaModel],
    attributes: tuple[Mapping[str, int], NDArray[np.float64]],
) -> Answers:
    """Ask every scorer for one list for each visitor of the test."""
    sold, cut, (row_of, directions) = agency.on_sale(), agency.season.cut, attributes
    everything = knowledge.candidates(agency.catalogue().live(cut))
    chosen = np.array([place for place, one in enumerate(everything.live.ids) if one in sold], np.int32)
    ids = [everything.live.ids[place] for place in chosen]
    names = tuple(FEATURES)
    alone = [names.index(name) for name in singles(names)]
    random, found = np.random.default_rng(0), list[list[tuple[int, float]]]()
    for visitor, sought in sorted(agency.after.items()):
        targets = [place for place, one in enumerate(ids) if one in sought]
        if not targets:
            continue
        session = agency.session_of(visitor, agency.before[visitor])
        rows = knowledge.describe(knowledge.query(session, everything, cut).only(chosen), names)
        looked = [row_of[one] for one in agency.before[visitor] if one in row_of]
        cosine = directions[[row_of[one] for one in ids]] @ directions[looked].sum(axis=0)
        of_rankers = [
            ranker.score(np.ascontiguousarray(rows[[names.index(one) for one in ranker.features]]))
            for ranker in rankers.values()
        ]
        scores = [random.random(len(ids)), cosine, *rows[alone], *of_rankers]
        found.append([figures(one, targets) for one in scores])
    if not found:
        raise EventLogError("nobody looked at a tour that was on sale then; take the files of one season")
    ranks, ndcg = np.array(found).transpose(2, 1, 0)
    return Answers(_scorers(names, rankers), ranks.astype(np.int32), ndcg, len(ids))


def _scorers(features: Sequence[str], rankers: Iterable[str]) -> list[Scorer]:
    kinds: Mapping[Kind, Iterable[str]] = {
        "baseline": ("chance", BASELINE),
        "recommender": singles(features),
        "ranker": (f"trained: {name}" for name in rankers),
    }
    return [Scorer(name, kind) for kind, names in kinds.items() for name in names]


def show(answers: Answers, trees: int, console: Console, shown: int = 14) -> None:
    """The best scorers, with 95 % intervals over visitors; and of what, and on what, they are."""
    n = answers.mrr.shape[1]
    drawn = [resample(values, by_cluster(np.arange(n))) for values in (answers.mrr, answers.ndcg)]
    table = Table(title=f"{n} visitors, one list each")
    for name in ("scorer", "MRR", "nDCG", "MRR over the baseline"):
        table.add_column(name)
    order = np.argsort(-drawn[0].means)
    for one in [*order[:shown].tolist(), *(one for one in (0, 1) if one not in order[:shown])]:
        over = drawn[0].difference(one, 1)
        table.add_row(
            answers.scorers[one].name, *(f"{each.estimate(one):.3f}" for each in drawn), f"{over:+.3f}"
        )
    console.print(table)
    console.print(in_words({"trees": f"{trees}", **machine()}))


def results_of(answers: Answers, data_set: str, training: Boosting) -> Results:
    """The ranks as results of an evaluation, for its report; nDCG is no figure of one rank, and not there."""
    about = About(
        protocol="off-line (REVEAL 2018)",
        asked="the first tour that the visitor looked at afterwards, among all on sale",
        data_set=data_set,
        metrics=(Metric("MRR", answers.tours), Metric("HR", 10)),
        scorers=tuple(answers.scorers),
        parameters={"tours on sale": answers.tours},
        training=asdict(training),
        made=machine(),
        command=shlex.join(["python", "-m", "benchmarks.agency_offline", *sys.argv[1:]]),
        published={"attribute cosine (Peska and Vojtas, 2018)": {f"MRR@{answers.tours}": 0.186}},
    )
    return Results(about=about, ranks=answers.ranks, clusters=np.arange(answers.ranks.shape[1]))


def main() -> None:
    """Train, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=data)
    parser.add_argument("--trees", type=int, default=150)
    parser.add_argument("--report", type=to_write, help="file to write an HTML report to")
    given = parser.parse_args()
    agency, console, boosting = read(given.folder), Console(width=150), Boosting(trees=given.trees)
    looks = sum(map(len, agency.before.values()))
    with progress(console, f"replaying {looks:,} looks, then training") as told:
        rankers = rankers_of(agency, boosting, told)
    step(f"learning what is known at the cut, and asking for {len(agency.after):,} lists")
    answers = asked(agency, learned(agency), rankers, attributes(given.folder))
    show(answers, given.trees, console)
    if given.report:
        write_report(results_of(answers, given.folder.name, boosting), given.report)


if __name__ == "__main__":
    run_main(main)
