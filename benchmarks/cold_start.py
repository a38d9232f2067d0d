"""How well tours that nobody has visited are found by what they say of themselves.

    python -m benchmarks.cold_start ../shared/data/slantour

Visitors, tours and cut are those of `benchmarks.agency_offline`. One list is asked for a visitor, of nothing
but tours without a single visit; sought are those among them that the visitor looked at after the cut, and
had not looked at before. Twice:

- new: the tours on sale in the test that are in no history. They are few, and two of them are most of what is
  sought, which intervals over visitors cannot tell.
- held out: each tour on sale is made new once, a tenth of them at a time: its visits are taken out of all
  histories.

Content is what the product computes of all that the visitor looked at before the cut: cosines of texts, and
shares of country and tags; ties count against it. Rankers are trained, as those of a release, at moments of
histories in which the new tours are not. Popularity knows nothing of such tours; the nearest that it has to
say are the visits of all visitors to other tours with the same country, or the same tags. Its ties are broken
by lot, and chance is nothing but lots; both are means over many.
"""

import argparse
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.agency_offline import SLOW, Agency, data, figures, read
from benchmarks.machine import in_words, machine, run_main
from models.evaluation.intervals import by_cluster, resample
from models.event_table import table_of
from models.meta_model import MetaModel
from models.sale_content import content_of
from models.targets import next_clicks
from models.training import CONTENT, Boosting, of_kinds, train_ranker
from models.training_set import TrainingSet
from models.walk import NO_TARGET, after_each, questions
from reco.catalogue import Catalogue, catalogue_of
from reco.events import Click
from reco.features import FEATURES
from reco.knowledge import Knowledge

EVIDENCE = (
    "similarity.text_profile",
    "similarity.text_centroid",
    "similarity.text_best",
    "similarity.text_last",
    "attributes.same_country",
    "attributes.tag_overlap",
)
"""The evidence that knows a sale without visits."""
BASELINES = ("chance", "popularity of the country", "popularity of the tags")
RANKERS: Mapping[str, tuple[str, ...]] = {
    "trained: content": of_kinds(FEATURES, CONTENT),
    "trained: mix": tuple(FEATURES),
}
"""The rankers that are trained, and what they look at."""
SCORERS = (*BASELINES, *EVIDENCE, *RANKERS)
MOMENTS = 20_000
"""Moments that rankers learn from, at most."""
PARTS = 10
"""Tours are made new a tenth at a time, so that a list chooses among some eighty."""
DRAWS = 100
"""Lists drawn by lot for each question."""
SEED = 0


class Question(NamedTuple):
    """A list to be asked for: who, what they had looked at, and the tours without visits, some sought."""

    visitor: str
    looked: Sequence[str]
    candidates: tuple[str, ...]
    sought: Collection[str]


class Answers(NamedTuple):
    """What was found, in the order of `SCORERS`: float64[n_scorers, n_questions]; and who was asked for."""

    hits: NDArray[np.float64]
    reciprocal_ranks: NDArray[np.float64]
    visitors: NDArray[np.int64]


def never_visited(agency: Agency) -> set[str]:
    """Tours on sale in the test that are in no history."""
    return agency.on_sale() - set(chain.from_iterable(agency.before.values()))


def parts(agency: Agency) -> list[set[str]]:
    """The tours on sale, each in one of `PARTS` parts, drawn by lot."""
    tours = np.random.default_rng(SEED).permutation(sorted(agency.on_sale())).tolist()
    return [set(tours[part::PARTS]) for part in range(PARTS)]


def lists_asked(agency: Agency, new: set[str]) -> Iterator[Question]:
    """One for each visitor who looked at `new` tours for the first time, and at others before."""
    candidates = tuple(sorted(new))
    for visitor, after in sorted(agency.after.items()):
        sought = (after & new).difference(agency.before[visitor])
        looked = [tour for tour in agency.before[visitor] if tour not in new]
        if sought and looked:
            yield Question(visitor, looked, candidates, sought)


def trained(
    clicks: Sequence[Click], catalogue: Catalogue, new: set[str], boosting: Boosting
) -> tuple[Knowledge, list[MetaModel]]:
    """What is known once all that was clicked is learned, and `RANKERS` of the next click on other sales."""
    known = catalogue_of(sale for sale in catalogue.sales() if sale.sale_id not in new)
    random = np.random.default_rng(SEED)
    walk = after_each(table := table_of(clicks), next_clicks(table), known)
    led = np.flatnonzero(walk.targets != NO_TARGET)
    asked = np.isin(np.arange(len(table)), random.permutation(led)[:MOMENTS])
    knowledge = Knowledge(SLOW, content=content_of(catalogue, SEED)[0])
    training = TrainingSet(tuple(FEATURES), random)
    for one in questions(walk.only(asked), knowledge):
        allowed = np.ones(len(one.query.candidates.slots), np.bool_)
        training.add(knowledge.describe(one.query, training.features), one.target, allowed)
    examples = training.complete()
    return knowledge, [train_ranker(examples, features, boosting)[0] for features in RANKERS.values()]


class Scorers:
    """What all scorers say about `new` tours, of which they know no visit."""

    def __init__(self, agency: Agency, catalogue: Catalogue, new: set[str], boosting: Boosting) -> None:
        before = {
            visitor: [one for one in looked if one not in new] for visitor, looked in agency.before.items()
        }
        self._agency = agency._replace(before={name: looked for name, looked in before.items() if looked})
        clicks = self._agency.history()
        self._knowledge, self._rankers = trained(clicks, catalogue, new, boosting)
        self._everything = self._knowledge.candidates(catalogue.live(agency.season.cut))
        self._place = {tour: place for place, tour in enumerate(self._everything.live.ids)}
        self._sales = {sale.sale_id: sale for sale in catalogue.sales()}
        self._visits = Counter(click.sale_id for click in clicks)
        self._random = np.random.default_rng(SEED)
        self._popularities = lru_cache(1)(self._counted)

    def answers(self, asked: Iterable[Question]) -> Answers:
        """What each scorer finds."""
        found = [(self._found(one), int(one.visitor)) for one in asked]
        hits, reciprocal_ranks = np.moveaxis(np.array([both for both, _ in found]), 2, 0)
        return Answers(hits.T, reciprocal_ranks.T, np.array([visitor for _, visitor in found]))

    def _found(self, question: Question) -> list[tuple[float, float]]:
        """Of each scorer: whether a tour that is sought is among the first ten, and 1 / rank of the first."""
        sought = [place for place, tour in enumerate(question.candidates) if tour in question.sought]
        lots = self._random.random((DRAWS, len(question.candidates)))
        by_lot = [
            _mean(_first(lot + known, sought) for lot in lots)
            for known in (0, *self._popularities(question.candidates))
        ]
        return by_lot + [_first(scores, sought) for scores in self._scores(question)]

    def _scores(self, question: Question) -> list[NDArray[np.float32]]:
        """float32[n_candidates] of each: the evidence of `EVIDENCE`, and the rankers."""
        places = np.array([self._place[tour] for tour in question.candidates], np.int32)
        session = self._agency.session_of(question.visitor, question.looked)
        query = self._knowledge.query(session, self._everything, self._agency.season.cut).only(places)
        ranked = [one.score(self._knowledge.describe(query, one.features)) for one in self._rankers]
        return [*self._knowledge.describe(query, EVIDENCE), *ranked]

    def _counted(self, candidates: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """float64[n_candidates]: visits to other tours with the same country; and with each tag, the mean."""
        sales = [self._sales[tour] for tour in candidates]
        countries, tags = Counter[str | None](), Counter[str]()
        for tour in self._visits:
            if sale := self._sales.get(tour):
                countries[sale.country] += self._visits[tour]
                tags.update(dict.fromkeys(sale.tags, self._visits[tour]))
        return (
            np.array([countries[sale.country] for sale in sales], np.float64),
            np.array([np.mean([tags[tag] for tag in sale.tags] or [0]) for sale in sales]),
        )


def joined(found: Iterable[Answers]) -> Answers:
    """All answers as one."""
    return Answers(*(np.concatenate(one, axis=-1) for one in zip(*found, strict=True)))


def _first(scores: NDArray[np.floating], sought: Sequence[int]) -> tuple[float, float]:
    rank, _ = figures(scores, sought)
    return float(rank <= 10), 1 / rank


def _mean(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    hits, reciprocal_ranks = zip(*found, strict=True)
    return float(np.mean(hits)), float(np.mean(reciprocal_ranks))


def shown(title: str, asked: Sequence[Question], answers: Answers) -> Table:
    """The figures of all scorers with 95 % intervals over visitors, also over the last of the baselines."""
    sizes = np.mean([len(one.candidates) for one in asked])
    tours = len(set(chain.from_iterable(one.sought for one in asked)))
    people = len(np.unique(answers.visitors))
    sample = f"{len(asked)} lists of {people} visitors, who sought {tours} tours, each among {sizes:.0f}"
    table = Table("scorer", "HR@10", "MRR", *_OVER, title=f"{title}: {sample}")
    drawn = [resample(one, by_cluster(answers.visitors)) for one in answers[:2]]
    for number, scorer in enumerate(SCORERS):
        own = [f"{one.estimate(number):.3f}" for one in drawn]
        over = [f"{one.difference(number, len(BASELINES) - 1):+.3f}" for one in drawn]
        table.add_row(scorer, *own, *over)
    return table


_OVER = tuple(f"{figure} over {BASELINES[-1]}" for figure in ("HR@10", "MRR"))


def main() -> None:
    """Ask all questions, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=data)
    parser.add_argument("--trees", type=int, default=150)
    given = parser.parse_args()
    agency, console = read(given.folder), Console(width=150)
    catalogue, boosting = agency.catalogue(), Boosting(trees=given.trees)
    cases: Mapping[str, list[set[str]]] = {"New": [never_visited(agency)], "Held out": parts(agency)}
    for title, made_new in cases.items():
        asked = [list(lists_asked(agency, new)) for new in made_new]
        parts_of = list(zip(made_new, asked, strict=True))
        found = [
            Scorers(agency, catalogue, new, boosting).answers(some)
            for new, some in track(parts_of, f"{title}: learning, training, asking", console=console)
        ]
        console.print(shown(title, list(chain.from_iterable(asked)), joined(found)))
    console.print(in_words({"trees": f"{given.trees}", **machine()}))


if __name__ == "__main__":
    run_main(main)
