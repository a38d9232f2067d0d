"""The shop that benchmarks of the pure heart use: sales by Zipf's law, and visits of real length."""

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from reco.catalogue import Catalogue, catalogue_of
from reco.events import Action, Cart, Click, Purchase, Sale
from reco.labels import SaleLabels, Scored
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
KINDS = ("beach", "harbour", "ski slope", "old town", "golf", "desert", "skyline", "vineyard")
"""What sales are about; their texts, tags and images say so."""
WORDS = 400
"""Words that descriptions are made of."""
DIMENSIONS = 256
"""Of the embeddings of images."""
SEED = 20231114


def _sale(number: int, sale_id: str) -> Sale:
    kind, random = KINDS[number % len(KINDS)], Random(number)  # noqa: S311 - a world, not a secret
    words = " ".join(f"word{random.randrange(WORDS)}" for _ in range(60))
    return Sale(
        sale_id,
        f"{kind} {number}",
        NOON - (25 + number % 48) * HOUR,
        NOON + (1 + number % 72) * HOUR,
        description=f"{kind} {words}",
        price=float(random.randrange(100, 2000)),
        currency="EUR",
        country=random.choice(CONTEXT["country"]),
        tags=(kind, random.choice(("spa", "family", "quiet"))),
    )


class Shop:
    """A number of open sales, and chance with a seed: the same shop in every run."""

    def __init__(self, n_sales: int) -> None:
        self._random = Random(SEED)  # noqa: S311 - a world, not a secret
        self.ids = [f"sale-{number:06}" for number in range(n_sales)]
        self._weights = [rank**-ZIPF for rank in range(1, n_sales + 1)]
        self._numbers = iter(range(10**12))

    def catalogue(self) -> Catalogue:
        """All sales, open for a day or more at noon, with descriptions and attributes."""
        return catalogue_of(_sale(number, sale_id) for number, sale_id in enumerate(self.ids))

    def labels(self) -> Iterator[SaleLabels]:
        """What was recognised in the images of each sale: those of a kind look alike."""
        random = np.random.default_rng(SEED)
        kinds = random.normal(size=(len(KINDS), DIMENSIONS))
        for number, sale_id in enumerate(self.ids):
            kind = number % len(KINDS)
            embedding = kinds[kind] + random.normal(size=DIMENSIONS)
            embedding /= np.linalg.norm(embedding)
            shares = random.dirichlet(np.where(np.arange(len(KINDS)) == kind, 5.0, 0.5))
            found = tuple(map(Scored, KINDS, shares.tolist()))
            vector = embedding.astype("<f4").tobytes()
            yield SaleLabels(sale_id, "benchmark", (f"{sale_id}.jpg",), 1, found, found, vector, NOON - HOUR)

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
