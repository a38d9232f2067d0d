"""The shop that benchmarks of the pure heart use: sales by Zipf's law, and visits of real length."""

from collections.abc import Iterator, Sequence
from random import Random

from reco.catalogue import Catalogue
from reco.events import Action, Cart, Click, Purchase, Sale
from reco.parameters import HOUR
from reco.sessions import Session, fold

NOON = 1_700_000_000_000
"""The moment at which lists are asked for, ms."""
CLICK_GAP = 40_000
"""Mean time between two clicks of a visit, ms."""
VISIT_LENGTHS = (1, 2, 4, 6, 8, 8, 8, 10, 12, 21)
"""Touches of a visit, equally likely; 8 on average."""
KIND_SHARES: dict[type[Action], float] = {Click: 0.90, Cart: 0.07, Purchase: 0.03}
ZIPF = 0.8
"""The sale of rank r is looked at in proportion to r ** -ZIPF."""
CONTEXT = {
    "country": ("FR", "DE", "IT", "GB", "ES", "NL"),
    "device": ("phone", "desktop", "tablet"),
    "referrer": ("mail", "search", "social", "partner"),
}
"""Where visitors come from, each value half as likely as the one before."""
SEED = 20231114


class Shop:
    """A number of open sales, and chance with a seed: the same shop in every run."""

    def __init__(self, n_sales: int) -> None:
        self._random = Random(SEED)  # noqa: S311 - a world, not a secret
        self.ids = [f"sale-{number:06}" for number in range(n_sales)]
        self._weights = [rank**-ZIPF for rank in range(1, n_sales + 1)]
        self._numbers = iter(range(10**12))

    def catalogue(self) -> Catalogue:
        """All sales, open."""
        catalogue = Catalogue(partitions=1)
        for offset, sale_id in enumerate(self.ids):
            catalogue.apply(Sale(sale_id, f"Journey {offset}", NOON - HOUR, NOON + HOUR), 0, offset)
        return catalogue

    def visit(self, visitor_id: str, start: int) -> Iterator[Action]:
        """The actions of one visit from `start` (ms)."""
        length = self._random.choice(VISIT_LENGTHS)
        kinds = self._random.choices(list(KIND_SHARES), list(KIND_SHARES.values()), k=length)
        context = {name: self._value(values) for name, values in CONTEXT.items()}
        for kind, sale_id in zip(kinds, self._random.choices(self.ids, self._weights, k=length), strict=True):
            event_id = f"event-{next(self._numbers):020}"
            yield kind(event_id=event_id, visitor_id=visitor_id, sale_id=sale_id, ts=start, context=context)
            start += int(self._random.expovariate(1 / CLICK_GAP))

    def _value(self, values: Sequence[str]) -> str:
        return self._random.choices(values, [2.0**-rank for rank in range(len(values))])[0]

    def history(self, n_events: int, span: int = 24 * HOUR) -> list[Action]:
        """So many actions of many visitors in the `span` ms before noon, in the order of their times."""
        actions: list[Action] = []
        while len(actions) < n_events:
            start = NOON - self._random.randrange(span)
            actions.extend(self.visit(f"visitor-{len(actions):09}", start))
        return sorted(actions[:n_events], key=lambda action: action.ts)

    def sessions(self, count: int) -> list[Session]:
        """So many visitors in the middle of a visit."""
        return [self._session(f"guest-{number:06}") for number in range(count)]

    def _session(self, visitor_id: str) -> Session:
        session = Session(visitor_id, offset=-1)
        for offset, action in enumerate(self.visit(visitor_id, NOON - HOUR // 2)):
            session = fold(session, action, offset)
        return session
