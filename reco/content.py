"""Content: what each sale is by itself, its price, country and tags, and vectors of its text and images."""

import math
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reco import decay
from reco.candidates import NOWHERE
from reco.catalogue import LiveSales
from reco.events import Sale
from reco.kernels import (
    BOOLS,
    FLOAT32_ROWS,
    FLOAT32S,
    FLOAT64S,
    INT32_ROWS,
    INT32S,
    INT64,
    INT64_ROWS,
    INT64S,
    columns,
    compiled,
)
from reco.parameters import DAY

SPACES: Final = ("text", "image", "topics")
"""The spaces that a sale may have a vector in."""
MAX_PRICE = 1e9
"""A higher price counts as this one; it is a mistake of whoever published it."""
TASTE_HALF_LIFE = 3 * DAY
"""Half-life of what a touch says about the visitor's taste, ms; tastes last longer than wishes."""
NOTHING_SAID: Final = 0
"""Number of a currency, country or tag that is not given."""
MAX_COMPARED = 1024
"""Live sales with which cosines are kept, at most; those of one touched sale take 4 kB then."""
_FIRST_ROWS = 256


class KnownAttributes(NamedTuple):
    """Attributes of sales, one row each; names are given by numbers that are the same in every process.

    Attributes:
        prices: float64[n_rows], NaN where it is not known.
        currencies: int64[n_rows], `NOTHING_SAID` where it is not known.
        countries: int64[n_rows], likewise.
        tags: int64[n_rows, n_tags], the distinct tags of each, then `NOTHING_SAID`.
    """

    prices: NDArray[np.float64]
    currencies: NDArray[np.int64]
    countries: NDArray[np.int64]
    tags: NDArray[np.int64]


ATTRIBUTES: Final = columns(KnownAttributes, FLOAT64S, INT64S, INT64S, INT64_ROWS)


class LiveContent(NamedTuple):
    """Where the content of live sales stands.

    Attributes:
        rows: int32[n_live], the row of each, `NOWHERE` if nothing is known about it.
        price_ranks: float32[n_live], the share of live sales in the same currency that are cheaper; NaN where
            the price is not known.
    """

    rows: NDArray[np.int32]
    price_ranks: NDArray[np.float32]


LIVE_CONTENT: Final = columns(LiveContent, INT32S, FLOAT32S)


class SideBySide(NamedTuple):
    """Vectors of candidates in a space, laid out to be compared with others.

    Attributes:
        axes: float32[d, n], the vector of each; NaN where it is not known.
        cosines: float32[n_rows, n], those of the vector in each row with each of them, where they are `kept`;
            without rows if none are, as for some of the live sales, of which the next visitor has others.
        kept: bool[n_rows], whether they were worked out.
    """

    axes: NDArray[np.float32]
    cosines: NDArray[np.float32]
    kept: NDArray[np.bool_]


SIDE_BY_SIDE: Final = columns(SideBySide, FLOAT32_ROWS, FLOAT32_ROWS, BOOLS)


class Index(Protocol):
    """Vectors of length 1, of which it finds the nearest faster than by comparing all. It never changes."""

    def near(self, direction: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """int64[n]: places of the `k` vectors nearest to `direction` (float32[d], of length 1), in any order.

        Others may be among them, but none of the `k` is left out, however sums are rounded.
        """


IndexOf: TypeAlias = Callable[[NDArray[np.float32]], Index]
"""Makes an index of vectors, float32[n, d] with n > 0."""


class Indexed(NamedTuple):
    """The live sales that have a vector in a space, in an index.

    Attributes:
        positions: int32[n], where they stand among the live ones, rising.
        vectors: theirs, in this order.
    """

    positions: NDArray[np.int32]
    vectors: Index


class Content:
    """Attributes and vectors of sales: a function of what was put and not removed, in whichever order.

    It mirrors the catalogue and the labels of its sales, so it holds what the compacted topics hold, no more.
    A vector may come before its sale. All vectors of a space have one dimension, that of the first since the
    space was empty. `index_of` is the way to index them; without it none are.

    >>> content = Content()
    >>> content.put(Sale("rome", "Three days in Rome", 1_000, price=420.0, country="IT"))
    >>> content.put_vector("text", "rome", np.array([3.0, 4.0]))
    >>> row = content.rows_of(["rome", "oslo"])
    >>> row.tolist(), content.attributes.prices[row[0]].item(), content.vectors("text")[row[0]].tolist()
    ([0, -1], 420.0, [0.6000000238418579, 0.800000011920929])
    """

    def __init__(self, index_of: IndexOf | None = None) -> None:
        self.attributes = _no_attributes(_FIRST_ROWS, 1)
        """Those of the sale in each row; `rows_of` and `live` say which row that is."""
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._rows: dict[str, int] = {}
        self._free = list(range(_FIRST_ROWS - 1, -1, -1))
        self._live: tuple[LiveSales, LiveContent] | None = None
        self._index_of = index_of
        self._indexed: dict[str, tuple[LiveSales, Indexed | None]] = {}
        self._side_by_side: dict[str, tuple[NDArray[np.int32], SideBySide]] = {}

    def __contains__(self, sale_id: str) -> bool:
        """Whether anything is known about a sale."""
        return sale_id in self._rows

    def put(self, sale: Sale) -> None:
        """Take over the attributes of a sale, as now published."""
        row, tags = self._row(sale.sale_id), sorted(set(sale.tags))
        if (more := len(tags) - self.attributes.tags.shape[1]) > 0:
            wider = np.pad(self.attributes.tags, ((0, 0), (0, more)), constant_values=NOTHING_SAID)
            self.attributes = self.attributes._replace(tags=wider)
        known = self.attributes
        known.prices[row] = math.nan if sale.price is None else min(sale.price, MAX_PRICE)
        known.currencies[row] = _number(sale.currency)
        known.countries[row] = _number(sale.country)
        known.tags[row] = NOTHING_SAID
        known.tags[row, : len(tags)] = [_number(tag) for tag in tags]
        self._live = None

    def put_vector(self, space: str, sale_id: str, vector: NDArray[np.floating]) -> None:
        """Take over the vector of a sale in one of `SPACES`, float[d]; it is scaled to length 1.

        Raises:
            ValueError: there is no such space, the vector has no direction, or another dimension than the
                others of the space.
        """
        if space not in SPACES:
            raise ValueError(f"there is no space {space!r}; spaces are {', '.join(SPACES)}")
        known = self._vectors.get(space)
        if vector.ndim != 1 or (known is not None and len(vector) != known.shape[1]):
            wanted = "d" if known is None else known.shape[1]
            raise ValueError(f"{space} vector of {sale_id}: has shape {vector.shape}, not ({wanted},)")
        direction = _normalised(vector)
        if direction is None:
            raise ValueError(f"{space} vector of {sale_id}: is not finite, or has no length")
        row = self._row(sale_id)
        if known is None:
            known = np.full((len(self.attributes.prices), len(vector)), math.nan, np.float32)
            self._vectors[space] = known
        self._vectors[space][row] = direction
        self._drop_kept(space, sale_id)

    def drop_vector(self, space: str, sale_id: str) -> None:
        """Forget the vector of a sale in a space; where there is none, nothing changes."""
        row, known = self._rows.get(sale_id), self._vectors.get(space)
        if row is not None and known is not None:
            known[row] = math.nan
            self._drop_kept(space, sale_id)

    def empty(self, space: str) -> None:
        """Forget all vectors of a space; the next one may have another dimension."""
        self._vectors.pop(space, None)
        self._indexed.pop(space, None)
        self._side_by_side.pop(space, None)

    def remove(self, sale_id: str) -> None:
        """Forget a sale, with its vectors; one that is not known changes nothing."""
        row = self._rows.pop(sale_id, None)
        if row is None:
            return
        self._free.append(row)
        for space, vectors in self._vectors.items():
            vectors[row] = math.nan
            self._drop_kept(space, sale_id)
        for column, nothing in zip(self.attributes, _no_attributes(1, 1), strict=True):
            column[row] = nothing[0]
        self._live = None

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """float32[n_rows, d], of length 1, NaN where it is not known; None while the space is empty."""
        return self._vectors.get(space)

    def rows_of(self, sale_ids: Collection[str]) -> NDArray[np.int32]:
        """int32[n]: the row of each sale, `NOWHERE` if nothing is known about it; valid until a change."""
        if not self._rows:
            return np.full(len(sale_ids), NOWHERE, np.int32)
        row_of = self._rows.get
        return np.array([row_of(sale_id, NOWHERE) for sale_id in sale_ids], np.int32)

    def live(self, live: LiveSales) -> LiveContent:
        """Where the content of these sales stands; the same object until it, or they, change."""
        if self._live is None or self._live[0] is not live:
            rows = self.rows_of(live.ids)
            self._live = live, LiveContent(rows, _price_ranks(self.attributes, rows))
        return self._live[1]

    def side_by_side(self, space: str, live: LiveSales, places: NDArray[np.int32]) -> SideBySide:
        """The vectors of those of `live` at `places` (int32[n], distinct).

        Those of all are kept until one, or the live sales, change; and with them the cosines worked out.

        Raises:
            KeyError: the space is empty.
        """
        rows, vectors = self.live(live).rows, self._vectors[space]
        if len(places) < len(rows):
            return _side_by_side(vectors, rows[places], 0)
        known = self._side_by_side.get(space)
        if known is None or known[0] is not rows:
            n_kept = len(vectors) if len(rows) <= MAX_COMPARED else 0
            self._side_by_side[space] = known = rows, _side_by_side(vectors, rows, n_kept)
        return known[1]

    def indexed(self, space: str, live: LiveSales) -> Indexed | None:
        """The vectors of these sales in a space, in an index; the same object until one, or they, change.

        None if none of them has one, or there is no way to index. It is built when it is asked for, which
        takes 1 to 2 ms per 1,000 vectors of 1,280 dimensions; so many changes at once cost one index.
        """
        known = self._indexed.get(space)
        if known is None or known[0] is not live:
            self._indexed[space] = known = live, self._new_index(space, live)
        return known[1]

    def _new_index(self, space: str, live: LiveSales) -> Indexed | None:
        vectors = self._vectors.get(space)
        if vectors is None or self._index_of is None:
            return None
        rows = self.live(live).rows
        positions = np.flatnonzero((rows != NOWHERE) & ~np.isnan(vectors[rows, 0])).astype(np.int32)
        return Indexed(positions, self._index_of(vectors[rows[positions]])) if len(positions) else None

    def _drop_kept(self, space: str, sale_id: str) -> None:
        """Have what is kept of a space made anew if this sale, which has changed, is or should be in it."""
        self._side_by_side.pop(space, None)
        known = self._indexed.get(space)
        if known is not None and sale_id in known[0].position:
            del self._indexed[space]

    def _row(self, sale_id: str) -> int:
        """The row of a sale, a new one if it has none."""
        row = self._rows.get(sale_id)
        if row is None:
            if not self._free:
                self._grow()
            self._rows[sale_id] = row = self._free.pop()
            self._live = None
        return row

    def _grow(self) -> None:
        """Make room for twice as many sales."""
        n_rows, n_tags = self.attributes.tags.shape
        more = _no_attributes(2 * n_rows, n_tags)
        for column, known in zip(more, self.attributes, strict=True):
            column[:n_rows] = known
        self.attributes = more
        for space, vectors in self._vectors.items():
            self._vectors[space] = np.pad(vectors, ((0, n_rows), (0, 0)), constant_values=math.nan)
        self._free.extend(range(2 * n_rows - 1, n_rows - 1, -1))


def _side_by_side(vectors: NDArray[np.float32], rows: NDArray[np.int32], n_kept: int) -> SideBySide:
    """The vectors in these rows (int32[n]), with room for the cosines of `n_kept` others."""
    cosines = np.empty((n_kept, len(rows)), np.float32)  # takes memory only where it is written
    return SideBySide(by_axis(vectors, rows), cosines, np.zeros(n_kept, np.bool_))


@compiled(FLOAT32_ROWS(FLOAT32_ROWS, INT32S))
def by_axis(vectors: NDArray[np.float32], rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """float32[d, n]: the vectors in these rows (int32[n]), side by side; NaN for `NOWHERE`."""
    side_by_side = np.full((vectors.shape[1], len(rows)), np.float32(math.nan), np.float32)
    for position in range(len(rows)):
        if rows[position] >= 0:
            for axis in range(vectors.shape[1]):
                side_by_side[axis, position] = vectors[rows[position], axis]
    return side_by_side


@compiled(FLOAT64S(INT64S, INT32_ROWS, INT64))
def taste(ts: NDArray[np.int64], counts: NDArray[np.int32], half_life: int) -> NDArray[np.float64]:
    """float64[n]: what the visitor's touches weigh, see `reco.candidates.Touches`.

    Each weighs as many as its actions, halved with every `half_life` before the newest of them.
    """
    weights = np.zeros(len(ts))
    newest = np.int64(0)
    for moment in ts:
        newest = max(newest, moment)
    for touch in range(len(ts)):
        actions = counts[touch, 0] + counts[touch, 1] + counts[touch, 2]
        weights[touch] = actions * decay.left(newest - ts[touch], half_life)
    return weights


def _number(name: str | None) -> int:
    """A number of 64 bits for a name; two names of one number are less likely than a broken machine."""
    if not name:
        return NOTHING_SAID
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)


def _no_attributes(n_rows: int, n_tags: int) -> KnownAttributes:
    """Nothing known about so many sales."""
    return KnownAttributes(
        prices=np.full(n_rows, math.nan),
        currencies=np.zeros(n_rows, np.int64),
        countries=np.zeros(n_rows, np.int64),
        tags=np.zeros((n_rows, n_tags), np.int64),
    )


def _normalised(vector: NDArray[np.floating]) -> NDArray[np.float32] | None:
    """The vector at length 1; None if it is not finite, or has no length. Rounded alike on every machine."""
    largest = float(np.abs(vector).max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return None
    scaled = vector.astype(np.float64) / largest
    return (scaled / math.sqrt(math.fsum((scaled * scaled).tolist()))).astype(np.float32)


def _price_ranks(known: KnownAttributes, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """float32[n]: the share of the sales in `rows` (int32[n]) with the same currency that are cheaper."""
    ranks = np.full(len(rows), math.nan, np.float32)
    priced = np.flatnonzero(rows != NOWHERE)
    priced = priced[~np.isnan(known.prices[rows[priced]])]
    prices, currencies = known.prices[rows[priced]], known.currencies[rows[priced]]
    for currency in np.unique(currencies):
        own = prices[currencies == currency]
        ranks[priced[currencies == currency]] = np.searchsorted(np.sort(own), own) / len(own)
    return ranks
