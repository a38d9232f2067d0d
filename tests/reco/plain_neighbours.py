"""Pairs of sales and neighbouring visits once more, one event at a time: what the kernels must equal."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from reco import decay, neighbours, pairs, past_visits
from reco.events import Click, Context, Purchase
from reco.parameters import CoVisitationParameters, Parameters, SessionKnnParameters
from reco.recommenders import covisitation, session_knn
from reco.sessions import Session
from tests.reco.plain import Scores, Step

CLICK_TABLES = ("onward_now", "near_now", "onward_lasting", "near_lasting")
TABLES = (*CLICK_TABLES, "to_purchase")


def touched_sales(session: Session) -> list[str]:
    """The distinct sales that a visitor touched, the newest first."""
    newest = [touch.sale_id for touch in reversed(session.recent)] + [old.sale_id for old in session.memory]
    return list(dict.fromkeys(newest))


def bought_sales(session: Session) -> set[str]:
    """The sales that a visitor bought, as far as is remembered."""
    remembered = {old.sale_id for old in session.memory if old.purchases}
    return remembered | {touch.sale_id for touch in session.recent if touch.kind == "purchase"}


class Fading:
    """A number worth `value * 2 ** exponent`, to which later and earlier gains are added."""

    def __init__(self) -> None:
        self.value, self.exponent = 0.0, 0

    def add(self, exponent: int, gain: float) -> None:
        newer = exponent - self.exponent
        if newer > 0:
            self.value, self.exponent = math.ldexp(self.value, -newer) + gain, exponent
        else:
            self.value += math.ldexp(gain, newer)


class PlainPairs:
    """Rows of [neighbour, weight], searched from the front."""

    def __init__(self, n_neighbours: int) -> None:
        self._n_neighbours = n_neighbours
        self.sources: defaultdict[str, Fading] = defaultdict(Fading)
        self._rows: defaultdict[str, list[tuple[str, np.float32]]] = defaultdict(list)
        self._exponents: defaultdict[str, int] = defaultdict(int)

    def link(self, sale: str, other: str, exponent: int, gain: float) -> None:
        """Add to the pair; one beyond the limit adds to the first of the weakest, and may take its place."""
        newer = exponent - self._exponents[sale]
        if newer > 0:
            self._rows[sale] = [(one, np.float32(math.ldexp(w, -newer))) for one, w in self._rows[sale]]
            self._exponents[sale] = exponent
        gain = math.ldexp(gain, min(newer, 0))
        row = self._rows[sale]
        known = [one for one, _ in row]
        if other in known:
            place = known.index(other)
            row[place] = (other, np.float32(float(row[place][1]) + gain))
        elif len(row) < self._n_neighbours:
            row.append((other, np.float32(gain)))
        else:
            place = min(range(len(row)), key=lambda place: row[place][1])
            weight = np.float32(float(row[place][1]) + gain)
            taken = pairs.lot(int(weight.view(np.uint32))) * float(weight) < gain
            row[place] = (other if taken else row[place][0], weight)

    def forget(self, dropped: Collection[str]) -> None:
        """As if these sales had never been seen; what they took from others is gone."""
        for sale in dropped:
            self._rows.pop(sale, None)
            self._exponents.pop(sale, None)
            self.sources.pop(sale, None)
        for sale, row in self._rows.items():
            self._rows[sale] = [(other, weight) for other, weight in row if other not in dropped]

    def follow(self, source: str, importance: float, scores: dict[str, np.float32]) -> None:
        """Add the share of `source` that led to each sale."""
        for other, seen, own in self._led(source):
            if other in scores:
                scores[other] = np.float32(float(scores[other]) + importance * seen / own)

    def follow_twice(self, source: str, scores: dict[str, np.float32]) -> None:
        """Add the share of `source` that led to each sale between, times the share that led on from there."""
        for between, seen, own in self._led(source):
            if seen >= pairs.LEAST_HOP * own:
                self.follow(between, seen / own, scores)

    def _led(self, source: str) -> Iterator[tuple[str, float, float]]:
        """To which sales `source` led, and how often of how many times."""
        exponent = max(self._exponents[source], self.sources[source].exponent)
        own = math.ldexp(self.sources[source].value, self.sources[source].exponent - exponent)
        for other, weight in self._rows[source] if own > 0 else ():
            yield other, min(math.ldexp(float(weight), self._exponents[source] - exponent), own), own


class PlainCovisitation:
    """One table of pairs for each way in which a sale leads to another."""

    def __init__(self, parameters: CoVisitationParameters) -> None:
        self._parameters = parameters
        self._known: set[str] = set()
        self._tables = {name: PlainPairs(covisitation.NEIGHBOURS) for name in CLICK_TABLES} | {
            name: PlainPairs(covisitation.BOUGHT_NEIGHBOURS) for name in ("to_purchase", "together")
        }

    def learn(self, step: Step) -> None:
        action, sale = step.action, step.action.sale_id
        self._known.add(sale)
        exponent, gain = decay.weight(action.ts, self._parameters.purchases)
        if isinstance(action, Purchase):
            for other in step.companions:
                self._tables["to_purchase"].link(other, sale, exponent, gain)
            self._tables["together"].sources[sale].add(exponent, gain)
            for other in step.owned:
                self._tables["together"].link(other, sale, exponent, gain)
                self._tables["together"].link(sale, other, exponent, gain)
        elif isinstance(action, Click) and not step.repeated:
            self._tables["to_purchase"].sources[sale].add(exponent, gain)
            self._click(step, "now", self._parameters.now)
            self._click(step, "lasting", self._parameters.lasting)

    def _click(self, step: Step, suffix: str, half_life: int) -> None:
        onward, near = self._tables[f"onward_{suffix}"], self._tables[f"near_{suffix}"]
        sale, (exponent, gain) = step.action.sale_id, decay.weight(step.action.ts, half_life)
        near.sources[sale].add(exponent, gain)
        for other in step.companions[:1]:
            onward.sources[other].add(exponent, gain)
            onward.link(other, sale, exponent, gain)
        for other in step.companions:
            near.link(other, sale, exponent, gain)
            near.link(sale, other, exponent, gain)
            gain *= covisitation.NEARNESS

    def score(self, session: Session, ids: Sequence[str]) -> Scores:
        """What the visitor's sales lead to."""
        scores = {name: dict.fromkeys(ids, np.float32(0)) for name in covisitation.CoVisitation.features}
        importance, bought = 1.0, bought_sales(session)
        for number, source in enumerate(one for one in touched_sales(session) if one in self._known):
            for name in TABLES:
                if number == 0:
                    self._tables[name].follow(source, 1.0, scores[f"{name}_last"])
                if number < covisitation.SOURCES:
                    self._tables[name].follow(source, importance, scores[f"{name}_visit"])
            if number == 0:
                self._tables["near_lasting"].follow_twice(source, scores["two_hops"])
            if source in bought:
                self._tables["together"].follow(source, 1.0, scores["together"])
            importance *= self._parameters.recency
        return {name: [float(own[sale]) for sale in ids] for name, own in scores.items()}


class PlainVisit:
    """One visit of anybody: the last distinct sales in the order of their first touch."""

    def __init__(self) -> None:
        self.newest = 0
        self.sales: list[str] = []
        self.bought: set[str] = set()
        self.context: Context = {}


class PlainSessionKnn:
    """Every visit in a dictionary; whatever is chosen is found by sorting."""

    def __init__(self, parameters: SessionKnnParameters, max_visits: int = past_visits.MAX_VISITS) -> None:
        self._parameters = parameters
        self._max_visits = max_visits
        self._known: set[str] = set()
        self._visits: dict[int, PlainVisit] = {}
        self._touched_by: defaultdict[str, list[int]] = defaultdict(list)
        self._newest_visit = 0
        weights = [parameters.recency**place for place in range(neighbours.SHARED)]
        self._recency = np.array([one for one in weights if one >= neighbours.LEAST_RECENCY], np.float32)
        self._nearness = (parameters.nearness ** np.arange(past_visits.LENGTH)).astype(np.float32)

    def learn(self, step: Step) -> None:
        self._known.add(step.action.sale_id)
        self._newest_visit = max(self._newest_visit, step.visit)
        if step.visit == 0 or not self._is_kept(step.visit):
            return
        visit, sale = self._visits.setdefault(step.visit, PlainVisit()), step.action.sale_id
        if sale not in visit.sales:
            if step.visit not in self._touched_by[sale][-self._parameters.newest :]:
                self._touched_by[sale].append(step.visit)
            visit.sales.append(sale)
            if len(visit.sales) > past_visits.LENGTH:
                visit.bought.discard(visit.sales.pop(0))
        if isinstance(step.action, Purchase):
            visit.bought.add(sale)
        visit.newest = max(visit.newest, step.action.ts)
        if set(Parameters().segments) & set(step.action.context):
            visit.context = step.action.context

    def _is_kept(self, number: int) -> bool:
        return number > self._newest_visit - self._max_visits

    def similarities(self, shared: Sequence[str]) -> dict[int, np.float32]:
        """How similar each visit is that shares one of these sales, before its length counts."""
        found: dict[int, np.float32] = {}
        for place, sale in enumerate(shared):
            for number in self._touched_by[sale][: -self._parameters.newest - 1 : -1]:
                if self._is_kept(number) and len(self._visits[number].sales) > 1:
                    found[number] = found.get(number, np.float32(0)) + self._recency[place]
        return found

    def neighbours(self, found: Mapping[int, np.float32], at: int) -> list[int]:
        """The most similar visits; all those that are as similar as the last of them."""
        chosen_by = {}
        for number, similarity in found.items():
            age = max(at - self._visits[number].newest, 0)
            by_length = float(similarity) / math.sqrt(len(self._visits[number].sales))
            chosen_by[number] = np.float32(
                by_length * decay.faded(age, decay.FADING_STEPS / self._parameters.selection)
            )
        best = sorted(chosen_by.values(), reverse=True)[: self._parameters.neighbours]
        least = best[-1] if len(best) == self._parameters.neighbours else 0
        return [number for number, similarity in chosen_by.items() if similarity >= least]

    def score(
        self, session: Session, ids: Sequence[str], at: int, led: dict[tuple[str, str], float] | None = None
    ) -> Scores:
        """The votes of the neighbours; `led` gets those of `stan` by sale and shared sale."""
        shared = [sale for sale in touched_sales(session) if sale in self._known][: len(self._recency)]
        found = self.similarities(shared)
        scores = {name: dict.fromkeys(ids, 0.0) for name in session_knn.SessionKnn.features}
        for number in self.neighbours(found, at):
            visit = self._visits[number]
            weight = float(found[number]) / math.sqrt(len(visit.sales))
            steps = decay.FADING_STEPS / self._parameters.scoring
            fresh = weight * float(decay.faded(max(at - visit.newest, 0), steps))
            newest_shared = next((sale for sale in shared if sale in visit.sales), None)
            match = visit.sales.index(newest_shared) if newest_shared else 0
            by_recency = float(self._recency[shared.index(newest_shared)]) if newest_shared else 0.0
            for place, sale in enumerate(visit.sales):
                if sale not in ids:
                    continue
                scores["vsknn"][sale] += weight * by_recency
                if place != match:
                    order = 1.0 if place > match else self._parameters.backward
                    order *= 1.0 if place else self._parameters.landing
                    vote = fresh * float(self._nearness[abs(place - match)]) * order
                    scores["stan"][sale] += vote
                    if led is not None and newest_shared:
                        led[sale, newest_shared] = led.get((sale, newest_shared), 0) + vote
                    for name, segment in zip(
                        ("first", "second", "third"), Parameters().segments, strict=True
                    ):
                        own = session.context.get(segment)
                        scores[f"stan_{name}"][sale] += vote * (visit.context.get(segment, "?") == own)
                    scores["bought"][sale] += fresh * (sale in visit.bought)
        return {name: list(own.values()) for name, own in scores.items()}
