"""The demo's catalogue: about 200 travel sales that open, close and are withdrawn while one watches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import cycle, islice, product
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from demo.kinds import KINDS, Kind
from reco.events import Millis, Sale
from reco.parameters import DAY, HOUR

SALES = 204
"""Sales in the catalogue: 17 of each of twelve kinds; a few less where they cannot be shared out evenly."""
TURNOVER_EVERY = 4_000
"""One sale closes, and half of this later another one opens, so often, ms."""
TURNOVERS = 45
"""Sales that close, and sales that open, after the start."""
WITHDRAWAL_EVERY = 10_000
"""One sale is withdrawn so often, ms."""
WITHDRAWALS = 12
"""Sales that are withdrawn after the start."""

MOST_IMAGES = 3
"""Images of every other sale; the rest have one less."""

PLAINEST = 0.5
"""Charm of the least charming sale; the most charming one has 1."""


@dataclass(frozen=True)
class DemoSale:
    """A sale as it is published, and what only the simulation knows of it.

    Attributes:
        charm: how much anybody likes the offer, whatever their taste, up to 1: its pictures, its bargain.
    """

    sale: Sale
    kind: str
    withdrawn_at: Millis | None = None
    charm: float = 1.0

    def open_at(self, at: Millis) -> bool:
        """Whether the sale is open at `at`, ms since the epoch, UTC."""
        opened = self.sale.opens_at <= at
        closed = self.sale.closes_at is not None and self.sale.closes_at <= at
        return opened and not closed and (self.withdrawn_at is None or at < self.withdrawn_at)


def images_of_a_kind(kinds: int) -> int:
    """How many images the sales of one of so many kinds have together, at most."""
    return SALES // kinds * MOST_IMAGES


def travel_catalogue(
    seed: int, start: Millis, slower: int = 1, kinds: Sequence[Kind] = KINDS
) -> tuple[DemoSale, ...]:
    """The sales of a demo that starts at `start`; the same for the same `seed`, `start` and `kinds`.

    `TURNOVERS` sales close after the start, as many open, and `WITHDRAWALS` of the others are withdrawn;
    the rest stays open for days, and until that is over. All of this happens `slower` times as slowly as
    while somebody watches.
    """
    random = Random(seed)  # noqa: S311 - a repeatable world, not a secret
    sales = [_sale(number, offer, start, random) for number, offer in enumerate(_offers(random, kinds))]
    return tuple(_scheduled(number, sale, start, slower) for number, sale in enumerate(sales))


def illustrated(sales: Sequence[DemoSale], urls: Mapping[str, Sequence[str]]) -> tuple[DemoSale, ...]:
    """The sales with two or three images each, dealt out from the `urls` of their kinds.

    No image is dealt out twice before all of its kind are.
    """
    left = {kind: cycle(of_kind) for kind, of_kind in urls.items()}
    return tuple(
        changed(
            one, sale=replace(one.sale, image_urls=tuple(islice(left[one.kind], MOST_IMAGES - number % 2)))
        )
        for number, one in enumerate(sales)
    )


class _Offer(NamedTuple):
    kind: Kind
    place: str
    country: str
    stay: str


def _offers(random: Random, kinds: Sequence[Kind]) -> list[_Offer]:
    """Every kind as often as the others, each place and stay at most once, in random order."""
    offers: list[_Offer] = []
    for kind in kinds:
        choices = [_Offer(kind, *where, stay) for where, stay in product(kind.places, kind.stays)]
        offers += random.sample(choices, SALES // len(kinds))
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
    return DemoSale(sale, kind.name, charm=random.uniform(PLAINEST, 1.0))


def _scheduled(number: int, one: DemoSale, start: Millis, slower: int) -> DemoSale:
    """`one` as the turnover has it: the first sales close, the next ones open, the next are withdrawn."""
    turn = start + slower * TURNOVER_EVERY * (number % TURNOVERS + 1)
    if number < TURNOVERS:
        return changed(one, sale=replace(one.sale, closes_at=turn))
    over = start + slower * TURNOVER_EVERY * (TURNOVERS + 1)
    one = changed(one, sale=replace(one.sale, closes_at=max(one.sale.closes_at or over, over)))
    if number < 2 * TURNOVERS:
        return changed(one, sale=replace(one.sale, opens_at=turn + slower * TURNOVER_EVERY // 2))
    if number < 2 * TURNOVERS + WITHDRAWALS:
        return changed(one, withdrawn_at=start + slower * WITHDRAWAL_EVERY * (number - 2 * TURNOVERS + 1))
    return one
