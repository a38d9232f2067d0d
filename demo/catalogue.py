"""The demo's catalogue: about 200 travel sales that open, close and are withdrawn while one watches."""

from dataclasses import dataclass
from itertools import product
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from demo.kinds import KINDS, Kind
from reco.events import Millis, Sale

SALES = 204
"""Sales in the catalogue: 17 of each kind."""
TURNOVER_EVERY = 4_000
"""One sale closes, and half of this later another one opens, so often, ms."""
TURNOVERS = 45
"""Sales that close, and sales that open, after the start."""
WITHDRAWAL_EVERY = 10_000
"""One sale is withdrawn so often, ms."""
WITHDRAWALS = 12
"""Sales that are withdrawn after the start."""

HOUR = 60 * 60 * 1000
DAY = 24 * HOUR


@dataclass(frozen=True)
class DemoSale:
    """A sale as it is published, and what only the simulation knows of it."""

    sale: Sale
    kind: str
    withdrawn_at: Millis | None = None

    def open_at(self, at: Millis) -> bool:
        """Whether the sale is open at `at`, ms since the epoch, UTC."""
        opened = self.sale.opens_at <= at
        closed = self.sale.closes_at is not None and self.sale.closes_at <= at
        return opened and not closed and (self.withdrawn_at is None or at < self.withdrawn_at)


def travel_catalogue(seed: int, start: Millis) -> tuple[DemoSale, ...]:
    """The sales of a demo that starts at `start`; the same for the same `seed` and `start`.

    `TURNOVERS` sales close after the start, as many open, and `WITHDRAWALS` of the others are withdrawn;
    the rest stays open for days.
    """
    random = Random(seed)  # noqa: S311 - a repeatable world, not a secret
    sales = [_sale(number, offer, start, random) for number, offer in enumerate(_offers(random))]
    return tuple(_scheduled(number, sale, start) for number, sale in enumerate(sales))


class _Offer(NamedTuple):
    kind: Kind
    place: str
    country: str
    stay: str


def _offers(random: Random) -> list[_Offer]:
    """Every kind as often as the others, each place and stay at most once, in random order."""
    offers: list[_Offer] = []
    for kind in KINDS:
        choices = [_Offer(kind, *where, stay) for where, stay in product(kind.places, kind.stays)]
        offers += random.sample(choices, SALES // len(KINDS))
    random.shuffle(offers)
    return offers


def _sale(number: int, offer: _Offer, start: Millis, random: Random) -> DemoSale:
    kind = offer.kind
    nights = random.randint(2, 8)
    discount = random.randrange(20, 75, 5)
    sale = Sale(
        sale_id=f"sale-{number:03}",
        title=f"{offer.stay} in {offer.place}, {offer.country}",
        description=f"{nights} nights for two: {offer.stay.lower()} {kind.scene}. {discount} % off.",
        opens_at=start - random.randint(1, 4 * 24) * HOUR,
        closes_at=start + random.randint(5, 12) * DAY,
        price=round(nights * random.uniform(*kind.nightly), -1) - 1,
        currency="EUR",
        country=offer.country,
        tags=(kind.name, *random.sample(kind.tags, 2)),
    )
    return DemoSale(sale, kind.name)


def _scheduled(number: int, one: DemoSale, start: Millis) -> DemoSale:
    """`one` as the turnover has it: the first sales close, the next ones open, the next are withdrawn."""
    turn = start + TURNOVER_EVERY * (number % TURNOVERS + 1)
    if number < TURNOVERS:
        return DemoSale(replace(one.sale, closes_at=turn), one.kind)
    if number < 2 * TURNOVERS:
        return DemoSale(replace(one.sale, opens_at=turn + TURNOVER_EVERY // 2), one.kind)
    if number < 2 * TURNOVERS + WITHDRAWALS:
        return DemoSale(one.sale, one.kind, start + WITHDRAWAL_EVERY * (number - 2 * TURNOVERS + 1))
    return one
