"""How good lists are for returning visitors of a travel agency, by a published off-line protocol.

    python -m benchmarks.agency_offline ../shared/data/slantour

What each visitor looked at up to May 2018, in order but without times, is the history; what some of them
looked at in June and July is to be found among all tours on sale then. One list is asked for each visitor,
with everything from before; MRR is that of the first tour found, nDCG is over the whole list (Peska and
Vojtas, REVEAL workshop at RecSys 2018). The baseline, cosine similarity of attributes to the mean of what the
visitor looked at, is published there with MRR .186 and nDCG .304. Nothing of the test trains.
"""

import argparse
import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.machine import in_words, machine, run_main, step
from models.evaluation.intervals import by_cluster, resample
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
from reco.events import Click, Sale
from reco.features import FEATURES
from reco.knowledge import Knowledge
from reco.parameters import DAY, MINUTE, SECOND, CoVisitationParameters, Parameters, SessionKnnParameters
from reco.sessions import Session, fold
from streams.commands.logs import progress

BEGIN, CUT, END = (millis(day) or 0 for day in ("2016-01-01", "2018-06-01", "2018-07-31"))
"""The history lies between the first two, the test between the last two; ms since the epoch, UTC."""
FILES = ("histories.csv.gz", "items.csv.gz", "events.csv.gz", "item_features_onehot.csv.gz")
NUMBERS = ("avg_prumerna_cena", "avg_prumerna_cena_noc", "avg_delka", "novelty_date", "available_date")
"""Columns of tours that are no attributes with a few values."""
YEARS = 365 * DAY
SLOW = Parameters(
    covisitation=CoVisitationParameters(now=YEARS, lasting=3 * YEARS),
    session_knn=SessionKnnParameters(
        selection=3 * YEARS, scoring=3 * YEARS, recency=0.9, backward=1, landing=1
    ),
    segments=("country", "device", "referrer"),
)
"""Set by hand for tours, which come again every year, before any figure was seen; not tuned."""


class Agency(NamedTuple):
    """The data: rows of the tours, and what each visitor looked at before the cut and after it."""

    tours: Sequence[Mapping[str, str]]
    before: Mapping[str, list[str]]
    after: Mapping[str, set[str]]

    def catalogue(self) -> Catalogue:
        """The tours as sales that are always open."""
        return catalogue_of(map(_sale, self.tours))


def data(text: str) -> Path:
    """The folder of the data.

    Raises:
        argparse.ArgumentTypeError: they are not there.
    """
    if missing := [name for name in FILES if not Path(text, name).is_file()]:
        raise argparse.ArgumentTypeError(f"{text!r} has no {', '.join(missing)}")
    return Path(text)


def read(folder: Path) -> Agency:
    """The files of a folder; visitors without a history are not asked for."""
    before, after = defaultdict[str, list[str]](list), defaultdict[str, set[str]](set)
    for row in _rows(folder / "histories.csv.gz"):
        before[row["visitor_id"]].append(row["item_id"])
    tours = _rows(folder / "items.csv.gz")
    known = {tour["item_id"] for tour in tours}
    for row in _rows(folder / "events.csv.gz"):
        if row["src"] == "testset2018" and row["visitor_id"] in before and row["item_id"] in known:
            after[row["visitor_id"]].add(row["item_id"])
    return Agency(tours, before, after)


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


def history_of(before: Mapping[str, list[str]]) -> list[Click]:
    """All histories as clicks, visitors in the order of their numbers, which were given as they came."""
    ids = sorted(before, key=int)
    pace = (CUT - BEGIN - DAY) // len(ids)
    clicks = (
        Click(f"{visitor}-{place}", visitor, item, BEGIN + number * pace + place * MINUTE)
        for number, visitor in enumerate(ids)
        for place, item in enumerate(before[visitor])
    )
    return sorted(clicks, key=lambda click: click.ts)


def on_sale(tours: Sequence[Mapping[str, str]]) -> set[str]:
    """Tours that were on sale at any time of the test."""
    return {
        tour["item_id"]
        for tour in tours
        if (millis(tour["novelty_date"]) or END) <= END and (millis(tour["available_date"]) or 0) >= CUT
    }


def attributes(folder: Path) -> tuple[Mapping[str, int], NDArray[np.float64]]:
    """The published one-hot attributes, each row of length 1, and the row of each tour."""
    with gzip.open(folder / "item_features_onehot.csv.gz", "rt", encoding="utf-8") as text:
        rows = list(csv.reader(text))[1:]
    values = np.array([[float(value or 0) for value in row[1:]] for row in rows])
    values /= np.maximum(values.max(axis=0), 1e-9)
    lengths = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    return {row[0]: number for number, row in enumerate(rows)}, values / lengths


def figures(scores: NDArray[np.floating], sought: Sequence[int]) -> tuple[float, float]:
    """MRR and nDCG of a list in the order of `scores`, float[n_tours]; ties count against it."""
    scores = np.nan_to_num(scores, nan=-np.inf)
    others = np.delete(scores, sought)
    best_first = np.sort(scores[sought])[::-1]
    ranks = np.array([1 + place + int((others >= one).sum()) for place, one in enumerate(best_first)])
    ideal = 1 / np.log2(2 + np.arange(len(ranks)))
    return float(1 / ranks[0]), float((1 / np.log2(1 + ranks)).sum() / ideal.sum())


def rankers_of(
    clicks: Sequence[Click], catalogue: Catalogue, boosting: Boosting, told: Progress
) -> dict[str, MetaModel]:
    """The rankers of a release that is trained on the history, to lead to the next look."""
    table, plan = table_of(clicks), Plan("click")
    training = train_release(
        table, catalogue, SLOW, boosting, plan, created_at=CUT, source="histories", progress=told
    )
    return {
        name: MetaModel(name, Forest.parse(learned.model), learned.calibration)
        for name, learned in training.rankers.items()
    }


def learned(clicks: Sequence[Click], catalogue: Catalogue) -> Knowledge:
    """What is known at the cut."""
    knowledge = Knowledge(SLOW, content=content_of(catalogue, 0)[0])
    for second, appended in groupby(clicks, lambda click: click.ts // SECOND):
        knowledge.advance(second, [(0, place, click) for place, click in enumerate(appended)])
    return knowledge


class Answers(NamedTuple):
    """MRR and nDCG of every scorer, in the order of `names`: float64[n_scorers, n_visitors]."""

    names: Sequence[str]
    mrr: NDArray[np.float64]
    ndcg: NDArray[np.float64]


def asked(
    agency: Agency,
    knowledge: Knowledge,
    catalogue: Catalogue,
    rankers: Mapping[str, MetaModel],
    attributes: tuple[Mapping[str, int], NDArray[np.float64]],
) -> Answers:
    """Ask every scorer for one list for each visitor of the test."""
    sold, (row_of, directions) = on_sale(agency.tours), attributes
    everything = knowledge.candidates(catalogue.live(CUT))
    names = tuple(FEATURES)
    alone = [names.index(name) for name in singles(names)]
    random, found = np.random.default_rng(0), list[NDArray[np.float64]]()
    for visitor, sought in sorted(agency.after.items()):
        query = knowledge.query(session_of(visitor, agency.before[visitor]), everything, CUT)
        chosen = np.array([place for place, one in enumerate(everything.live.ids) if one in sold], np.int32)
        ids = [everything.live.ids[place] for place in chosen]
        targets = [place for place, one in enumerate(ids) if one in sought]
        if not targets:
            continue
        rows = knowledge.describe(query.only(chosen), names)
        looked = [row_of[one] for one in agency.before[visitor] if one in row_of]
        cosine = directions[[row_of[one] for one in ids]] @ directions[looked].sum(axis=0)
        of_rankers = [
            ranker.score(np.ascontiguousarray(rows[[names.index(one) for one in ranker.features]]))
            for ranker in rankers.values()
        ]
        scores = [random.random(len(ids)), cosine, *rows[alone], *of_rankers]
        found.append(np.array([figures(one, targets) for one in scores]))
    labels = ["chance", "attribute cosine (the published baseline)", *singles(names)]
    labels += [f"trained: {name}" for name in rankers]
    mrr, ndcg = np.moveaxis(np.array(found), 2, 0)
    return Answers(labels, mrr.T, ndcg.T)


def session_of(visitor: str, items: Sequence[str]) -> Session | None:
    """The session of a visitor who looked at these, a minute apart, just before the cut."""
    session = None
    for place, item in enumerate(items):
        session = fold(session, Click(f"{place}", visitor, item, CUT - (len(items) - place) * MINUTE), place)
    return session


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
        table.add_row(answers.names[one], *(f"{each.estimate(one):.3f}" for each in drawn), f"{over:+.3f}")
    console.print(table)
    console.print(in_words({"trees": f"{trees}", **machine()}))


def main() -> None:
    """Train, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=data)
    parser.add_argument("--trees", type=int, default=150)
    given = parser.parse_args()
    agency, console = read(given.folder), Console(width=150)
    clicks, catalogue = history_of(agency.before), agency.catalogue()
    with progress(console, f"replaying {len(clicks):,} looks, then training") as told:
        rankers = rankers_of(clicks, catalogue, Boosting(trees=given.trees), told)
    step(f"learning what is known at the cut, and asking for {len(agency.after):,} lists")
    answers = asked(agency, learned(clicks, catalogue), catalogue, rankers, attributes(given.folder))
    show(answers, given.trees, console)


if __name__ == "__main__":
    run_main(main)
