"""The recommenders once more, one event at a time with dictionaries: what the kernels must equal."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from reco import decay
from reco.events import Action, Cart, Click, Purchase
from reco.recommenders import covisitation, popularity, revisits
from reco.recommenders.protocol import CART, CLICK, PURCHASE
from reco.sessions import VISIT_SILENCE, Session
from reco.visits import TRAIL

KIND = {Click: CLICK, Cart: CART, Purchase: PURCHASE}


class PlainVisits:
    """The last distinct sales of each visitor's running visit."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._trails: dict[str, list[str]] = {}

    def follow(self, action: Action) -> tuple[list[str], bool]:
        """The other sales of the visit, newest first, and whether this one was among them."""
        newest = self._newest.get(action.visitor_id)
        if newest is None or action.ts > newest + VISIT_SILENCE:
            newest, self._trails[action.visitor_id] = action.ts, []
        if action.ts < newest - VISIT_SILENCE:
            return [], False
        self._newest[action.visitor_id] = max(newest, action.ts)
        trail = self._trails[action.visitor_id]
        others = [sale for sale in trail if sale != action.sale_id]
        self._trails[action.visitor_id] = [action.sale_id, *others][:TRAIL]
        return others, action.sale_id in trail


class PlainPopularity:
    """All actions kept for ever, and added up when asked, by the formula."""

    def __init__(self) -> None:
        self._actions: list[Action] = []

    def learn(self, action: Action) -> None:
        self._actions.append(action)

    def score(self, ids: Sequence[str]) -> list[float]:
        known = [action for action in self._actions if action.sale_id in set(ids)]
        if not known:
            return [0.0] * len(ids)
        newest = max(action.ts for action in known)
        counts: defaultdict[str, float] = defaultdict(float)
        for action in known:
            left = 2.0 ** ((action.ts - newest) / popularity.HALF_LIFE)
            counts[action.sale_id] += float(popularity.KIND_WEIGHTS[KIND[type(action)]]) * left
        return [counts[sale] / sum(counts.values()) for sale in ids]


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

    def in_units_of(self, exponent: int) -> float:
        try:
            return math.ldexp(self.value, self.exponent - exponent)
        except OverflowError:
            return math.inf


class PlainCovisitation:
    """Rows of [neighbour, weight], searched from the front."""

    def __init__(self) -> None:
        self._visits = PlainVisits()
        self._counts: defaultdict[str, Fading] = defaultdict(Fading)
        self._rows: defaultdict[str, list[tuple[str, np.float32]]] = defaultdict(list)
        self._exponents: defaultdict[str, int] = defaultdict(int)

    def learn(self, action: Action) -> None:
        others, repeated = self._visits.follow(action)
        if repeated and isinstance(action, Click):
            return
        exponent, factor = decay.weight(action.ts, covisitation.HALF_LIFE)
        gain = factor * float(covisitation.KIND_WEIGHTS[KIND[type(action)]])
        self._counts[action.sale_id].add(exponent, gain)
        for other in others:
            self._link(other, action.sale_id, exponent, gain)
            self._link(action.sale_id, other, exponent, gain * covisitation.BACKWARD)
            gain *= covisitation.NEARNESS

    def _link(self, sale: str, other: str, exponent: int, gain: float) -> None:
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
        elif len(row) < covisitation.NEIGHBOURS and all(weight > 0 for _, weight in row):
            row.append((other, np.float32(gain)))
        else:
            place = min(range(len(row)), key=lambda place: row[place][1])
            if gain >= float(row[place][1]):
                row[place] = (other, np.float32(gain))

    def score(self, session: Session, ids: Sequence[str]) -> list[np.float32]:
        newest = [t.sale_id for t in reversed(session.recent)] + [old.sale_id for old in session.memory]
        sources = [sale for sale in dict.fromkeys(newest) if sale in self._counts]
        scores = dict.fromkeys(ids, np.float32(0))
        importance = 1.0
        for source in sources[: covisitation.SOURCES]:
            exponent = max(self._exponents[source], self._counts[source].exponent)
            own = self._counts[source].in_units_of(exponent)
            for other, weight in self._rows[source]:
                seen = min(math.ldexp(float(weight), self._exponents[source] - exponent), own)
                if other in scores and seen > 0:
                    count = max(self._counts[other].in_units_of(exponent), seen)
                    worth = importance * seen / own * math.sqrt(math.sqrt(own / count))
                    scores[other] = np.float32(float(scores[other]) + worth)
            importance *= covisitation.RECENCY
        return [scores[sale] for sale in ids]


def plain_revisits(session: Session, ids: Sequence[str]) -> list[float]:
    """The visitor's own touches, by the formula."""
    touches = [(old.sale_id, old.last_ts, old.clicks, old.carts, old.purchases) for old in session.memory]
    for touch in session.recent:
        kind = ("click", "cart", "purchase").index(touch.kind)
        touches.append(
            (touch.sale_id, touch.ts, int(kind == CLICK), int(kind == CART), int(kind == PURCHASE))
        )
    newest = max(ts for _, ts, *_ in touches)
    scores: defaultdict[str, float] = defaultdict(float)
    click, cart = revisits.KIND_WEIGHTS.tolist()
    for sale, ts, clicks, carts, _ in touches:
        scores[sale] += (clicks * click + carts * cart) * 2.0 ** ((ts - newest) / revisits.HALF_LIFE)
    bought = {sale for sale, *_, purchases in touches if purchases}
    return [0.0 if sale in bought else scores[sale] for sale in ids]
