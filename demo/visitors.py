"""Simulated visitors: each has tastes, looks at the top of a list first, and buys what it likes.

How they behave is made up, but after what is known of people. A look at a list is a choice between what
it holds and finding one's own way, in proportion to how much each appeals (McFadden: Conditional logit
analysis of qualitative choice behavior, 1974); a place is looked at less, the further down it is (Craswell,
Zoeter, Taylor, Ramsey: An experimental comparison of click position-bias models, WSDM 2008). So a better
list gets more clicks, and its best places most of them. Nothing here knows how lists are made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, log
from random import Random
from typing import TypedDict

from demo.catalogue import DemoSale
from demo.kinds import KINDS, Kind
from reco.events import Action, Cart, Click, Context, Event, Impression, Millis, Purchase, Shown
from reco.lists import TopTen

LOOKS = (4, 10)
"""Fewest and most sales that a visit looks at."""
POSITION_BIAS = 0.5
"""Place k of a list gets this power of 1/k of the attention that the first one gets."""
OWN_WAY = 0.5
"""Appeal of finding a sale by oneself, by taste; a perfect match at the top of a list has 1."""
CURIOSITY = 0.03
"""Appeal of a sale that does not fit at all."""
SEEN = 0.5
"""What is left of the appeal of a sale that was looked at in the same visit."""
CART_AT_BEST = 0.8
"""Probability that a look at a perfect match puts it into the basket; falls with the match."""
PURCHASE_AT_BEST = 0.8
"""Probability that a perfect match is bought once it is in the basket; falls with the match."""
OTHER_KIND = 0.08
"""What a kind that a visitor does not care for weighs against the favourite one."""
OTHER_COUNTRY = 0.6
"""What a sale outside the favourite countries loses."""
PRICE_TOLERANCE = 0.6
"""Difference of the logarithms of two prices that a visitor hardly minds."""


@dataclass(frozen=True)
class Taste:
    """What a visitor likes: weights of kinds (1 for the favourite), countries, and a price, EUR."""

    kinds: dict[str, float]
    countries: frozenset[str]
    price: float

    def match(self, one: DemoSale) -> float:
        """How well a sale fits, from 0 to 1: the truth of the simulation, which no recommender sees."""
        kind = self.kinds.get(one.kind, OTHER_KIND)
        country = 1.0 if one.sale.country in self.countries else OTHER_COUNTRY
        distance = log((one.sale.price or 1.0) / self.price) / PRICE_TOLERANCE
        return kind * country * one.charm * exp(-distance * distance / 2)


def attention(place: int) -> float:
    """How much of the attention for the first place of a list is left for another one, 1 being the first."""
    return float(place**-POSITION_BIAS)


def cart_probability(match: float) -> float:
    """The probability that a visitor puts a sale that it looks at into the basket."""
    return CART_AT_BEST * match


def purchase_probability(match: float) -> float:
    """The probability that a visitor buys a sale that it put into the basket."""
    return PURCHASE_AT_BEST * match


@dataclass(frozen=True)
class Visitor:
    """One person: an id, tastes, the context that comes with each event, and what it remembers.

    Attributes:
        seen: the sales that it looked at in its newest visit.
        bought: the sales that it ever bought; nobody buys the same twice.
    """

    visitor_id: str
    taste: Taste
    context: Context
    seen: set[str] = field(default_factory=set)
    bought: set[str] = field(default_factory=set)

    def appeal(self, one: DemoSale) -> float:
        """How much a sale draws the visitor at the moment, above 0."""
        if one.sale.sale_id in self.bought:
            return CURIOSITY
        again = SEEN if one.sale.sale_id in self.seen else 1.0
        return again * (CURIOSITY + self.taste.match(one))

    def worth(self, one: DemoSale) -> float:
        """How likely it is, in proportion, that a sale is looked at and then bought."""
        if one.sale.sale_id in self.bought:
            return 0.0
        match = self.taste.match(one)
        return self.appeal(one) * cart_probability(match) * purchase_probability(match)


@dataclass
class _Visit:
    visitor: Visitor
    session_id: str
    looks_left: int
    list_seen: str = ""
    looking_at_list: bool = False
    intents: list[type[Cart | Purchase]] = field(default_factory=list)
    looked_at: DemoSale | None = None

    @property
    def over(self) -> bool:
        return self.looks_left == 0 and not self.intents


class _Facts(TypedDict):
    """What all events of a visit have in common."""

    event_id: str
    visitor_id: str
    ts: Millis
    session_id: str
    context: Context


class Crowd:
    """The visitors on the site; a visit that ends makes room for another visitor.

    `number` visitors exist, numbered from `first`, with tastes for some of `kinds`, and `active` of them are
    on a visit at any time. The same seed and the same lists shown give the same events.
    """

    def __init__(
        self,
        sales: Sequence[DemoSale],
        number: int,
        active: int,
        seed: int,
        *,
        first: int = 0,
        kinds: Sequence[Kind] = KINDS,
    ) -> None:
        self._random = Random(seed)  # noqa: S311 - a repeatable world, not a secret
        self._sales = {one.sale.sale_id: one for one in sales}
        self._idle = [_visitor(place, sales, kinds, self._random) for place in range(first, first + number)]
        self.visitors = {visitor.visitor_id: visitor for visitor in self._idle}
        """All of them, by id."""
        self._visits_begun = 0
        self._events = 0
        self._visits = [self._arrival() for _ in range(min(active, number))]

    def next_event(self, now: Millis, shown: Callable[[str], TopTen | None]) -> Event:
        """What the next visitor does at `now`; `shown` tells the list that the site shows to a visitor."""
        place = self._random.randrange(len(self._visits))
        visit = self._visits[place]
        event = self._act(visit, now, shown)
        if visit.over:
            self._idle.append(visit.visitor)
            self._visits[place] = self._arrival()
        return event

    def _arrival(self) -> _Visit:
        self._visits_begun += 1
        visitor = self._idle.pop(self._random.randrange(len(self._idle)))
        visitor.seen.clear()
        looks = self._random.randint(*LOOKS)
        return _Visit(visitor, f"visit-{self._visits_begun}", looks)

    def _act(self, visit: _Visit, now: Millis, shown: Callable[[str], TopTen | None]) -> Event:
        self._events += 1
        facts = _Facts(
            event_id=f"event-{self._events}",
            visitor_id=visit.visitor.visitor_id,
            ts=now,
            session_id=visit.session_id,
            context=visit.visitor.context,
        )
        if visit.intents and visit.looked_at:
            return _carry_out(visit.intents.pop(0), visit.visitor, visit.looked_at, facts)
        newest = shown(visit.visitor.visitor_id)
        visit.looking_at_list = (
            not visit.looking_at_list and newest is not None and newest.list_id != visit.list_seen
        )
        if visit.looking_at_list and newest and newest.sales:
            visit.list_seen = newest.list_id
            return _impression(newest, facts)
        return self._look(visit, newest, facts)

    def _look(self, visit: _Visit, shown: TopTen | None, facts: _Facts) -> Click:
        visitor = visit.visitor
        one = self._choose(visitor, shown, facts["ts"])
        match = visitor.taste.match(one)
        visit.looks_left -= 1
        visit.looked_at = one
        visitor.seen.add(one.sale.sale_id)
        if one.sale.sale_id not in visitor.bought and self._random.random() < cart_probability(match):
            visit.intents.append(Cart)
            if self._random.random() < purchase_probability(match):
                visit.intents.append(Purchase)
        return Click(sale_id=one.sale.sale_id, **facts)

    def _choose(self, visitor: Visitor, shown: TopTen | None, now: Millis) -> DemoSale:
        """A live sale: one of the list, likelier the better it stands and fits, or one found by taste."""
        listed, weights = [], []
        for place, entry in enumerate(shown.sales if shown else (), start=1):
            one = self._sales.get(entry.sale_id)
            if one is not None and one.open_at(now):
                listed.append(one)
                weights.append(attention(place) * visitor.appeal(one))
        if self._random.random() * (OWN_WAY + sum(weights)) >= OWN_WAY:
            return self._random.choices(listed, weights)[0]
        live = [one for one in self._sales.values() if one.open_at(now)]
        return self._random.choices(live, [visitor.appeal(one) for one in live])[0]


def _visitor(place: int, sales: Sequence[DemoSale], kinds: Sequence[Kind], random: Random) -> Visitor:
    favourites = random.sample([kind.name for kind in kinds], 3)
    taste = Taste(
        kinds=dict(zip(favourites, (1.0, 0.7, 0.4), strict=True)),
        countries=frozenset(random.sample(sorted({one.sale.country or "" for one in sales}), 4)),
        price=random.choice(sales).sale.price or 1.0,
    )
    context = {"device": random.choice(("phone", "phone", "tablet", "desktop"))}
    return Visitor(f"visitor-{place:05}", taste, context)


def _carry_out(intent: type[Cart | Purchase], visitor: Visitor, looked_at: DemoSale, facts: _Facts) -> Action:
    sale = looked_at.sale
    if intent is Purchase:
        visitor.bought.add(sale.sale_id)
        return Purchase(sale_id=sale.sale_id, price=sale.price, currency=sale.currency, **facts)
    return Cart(sale_id=sale.sale_id, **facts)


def _impression(shown: TopTen, facts: _Facts) -> Impression:
    positions = tuple(Shown(one.sale_id, position) for position, one in enumerate(shown.sales, start=1))
    return Impression(list_id=shown.list_id, shown=positions, **facts)
