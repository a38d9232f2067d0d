"""Attributes: how price, country and tags of a sale fit those of the sales the visitor touched."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Query
from reco.content import (
    ATTRIBUTES,
    LIVE_CONTENT,
    NOTHING_SAID,
    TASTE_HALF_LIFE,
    Content,
    KnownAttributes,
    LiveContent,
    taste,
)
from reco.kernels import (
    FLOAT32_ROWS,
    FLOAT64,
    FLOAT64S,
    INT32S,
    INT64,
    INT64S,
    NOTHING,
    columns,
    compiled,
)
from reco.recommenders.protocol import Actions

MAX_RATIO = 1e6
"""A price that is more times higher than others counts as so many times higher."""


class Profile(NamedTuple):
    """What the visitor's touches weigh by one attribute.

    Attributes:
        values: int64[n], rising, the values of the attribute that were touched.
        weights: float64[n], what the touches of each weigh together.
    """

    values: NDArray[np.int64]
    weights: NDArray[np.float64]


PROFILE: Final = columns(Profile, INT64S, FLOAT64S)


class Attributes:
    """Attributes of the sales, alone and beside those that the visitor touched, older touches weighing less.

    - `price`: that of the sale, in its own currency.
    - `price_ratio`: how many times it is the mean price of the touched sales in the same currency.
    - `price_rank`: the share of the live sales in the same currency that are cheaper.
    - `same_country`: the share of the visitor's touches that are of sales in the same country.
    - `tag_overlap`: the mean, over the tags of the sale, of the share of touches of sales with that tag.
    - `country_last`: 1 if the newest touched sale, of those with a country, is in the same country, else 0.

    Each is NaN where the sale, or all touched ones, do not say; such touches are in no mean and no share.
    """

    name = "attributes"
    features = ("price", "price_ratio", "price_rank", "same_country", "tag_overlap", "country_last")
    compared = frozenset[str]()

    def __init__(self, content: Content) -> None:
        self._content = content

    def learn(self, actions: Actions) -> None:
        """Nothing is learned from others."""

    def score(self, query: Query, rows: NDArray[np.float32]) -> None:
        """What the attributes of each candidate say."""
        content = self._content
        touched, live = content.rows_of(query.touched), content.live(query.candidates.live)
        weights = taste(query.touches.ts, query.touches.counts, TASTE_HALF_LIFE)
        _score(content.attributes, live, query.candidates.places, touched, weights, rows)

    def sources(self, query: Query, positions: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
        """int32[k]: for each of `positions` (int32[k]), the touch of the sale that has most in common, or -1.

        Of another sale, that is: its country, which counts as much as all tags, and its tags; of equal ones
        the newest.
        """
        sales = self._content.live(query.candidates.live).rows[query.candidates.places[positions]]
        touches = np.full(len(positions), -1, np.int32)
        _most_alike(self._content.attributes, sales, self._content.rows_of(query.touched), touches)
        return {self.name: touches}

    def forget(self, dropped: NDArray[np.bool_]) -> None:
        """Nothing was learned."""


@compiled(PROFILE(INT64S, FLOAT64S))
def _profile(values: NDArray[np.int64], weights: NDArray[np.float64]) -> Profile:
    """The weights of equal values, added up in their order."""
    order = np.argsort(values, kind="mergesort")
    found = 0
    distinct, sums = np.empty(len(values), np.int64), np.zeros(len(values))
    for place in order:
        if found == 0 or values[place] != distinct[found - 1]:
            distinct[found] = values[place]
            found += 1
        sums[found - 1] += weights[place]
    return Profile(distinct[:found].copy(), sums[:found].copy())


@compiled(FLOAT64(PROFILE, INT64))
def _weight(profile: Profile, value: int) -> float:
    """What the touches of `value` weigh; 0 if there was none."""
    place = np.searchsorted(profile.values, value)
    if place < len(profile.values) and profile.values[place] == value:
        return float(profile.weights[place])
    return 0.0


@compiled(NOTHING(ATTRIBUTES, INT32S, INT32S, FLOAT64S, FLOAT32_ROWS))
def _compare_prices(
    known: KnownAttributes,
    sales: NDArray[np.int32],
    touched: NDArray[np.int32],
    weights: NDArray[np.float64],
    rows: NDArray[np.float32],
) -> None:
    """Write the row `price_ratio`."""
    priced = ~np.isnan(known.prices[touched])
    prices, currencies = known.prices[touched[priced]], known.currencies[touched[priced]]
    times, sums = _profile(currencies, weights[priced]), _profile(currencies, weights[priced] * prices)
    for position in range(len(sales)):
        row = sales[position]
        if row >= 0 and not math.isnan(known.prices[row]):
            weight = _weight(times, known.currencies[row])
            if weight > 0:
                mean = _weight(sums, known.currencies[row]) / weight
                if mean > 0:
                    rows[1, position] = min(known.prices[row] / mean, MAX_RATIO)


@compiled(NOTHING(ATTRIBUTES, INT32S, INT32S, FLOAT64S, FLOAT32_ROWS))
def _compare_countries(
    known: KnownAttributes,
    sales: NDArray[np.int32],
    touched: NDArray[np.int32],
    weights: NDArray[np.float64],
    rows: NDArray[np.float32],
) -> None:
    """Write the rows `same_country` and `country_last`."""
    countries = known.countries[touched]
    said = countries != NOTHING_SAID
    if not said.any():
        return
    newest = countries[said][0]
    profile = _profile(countries[said], weights[said])
    total = profile.weights.sum()
    for position in range(len(sales)):
        row = sales[position]
        if row >= 0 and known.countries[row] != NOTHING_SAID:
            rows[5, position] = known.countries[row] == newest
            if total > 0:
                rows[3, position] = _weight(profile, known.countries[row]) / total


@compiled(NOTHING(ATTRIBUTES, INT32S, INT32S, FLOAT64S, FLOAT32_ROWS))
def _compare_tags(
    known: KnownAttributes,
    sales: NDArray[np.int32],
    touched: NDArray[np.int32],
    weights: NDArray[np.float64],
    rows: NDArray[np.float32],
) -> None:
    """Write the row `tag_overlap`."""
    n_tags = known.tags.shape[1]
    tags = known.tags[touched].ravel()
    said = tags != NOTHING_SAID
    profile = _profile(tags[said], np.repeat(weights, n_tags)[said])
    total = weights[known.tags[touched, 0] != NOTHING_SAID].sum()
    if not total > 0:
        return
    for position in range(len(sales)):
        row = sales[position]
        if row < 0 or known.tags[row, 0] == NOTHING_SAID:
            continue
        overlap, own = 0.0, 0
        for tag in known.tags[row]:
            if tag == NOTHING_SAID:
                break
            overlap += _weight(profile, tag) / total
            own += 1
        rows[4, position] = overlap / own


@compiled(NOTHING(ATTRIBUTES, LIVE_CONTENT, INT32S, INT32S, FLOAT64S, FLOAT32_ROWS))
def _score(
    known: KnownAttributes,
    live: LiveContent,
    places: NDArray[np.int32],
    touched: NDArray[np.int32],
    weights: NDArray[np.float64],
    rows: NDArray[np.float32],
) -> None:
    """Write all rows, NaN where something is not known."""
    sales, kept = live.rows[places], touched >= 0
    for position in range(len(sales)):
        row = sales[position]
        rows[0, position] = known.prices[row] if row >= 0 else math.nan
        rows[2, position] = live.price_ranks[places[position]]
        for compared in (1, 3, 4, 5):
            rows[compared, position] = math.nan
    touched, weights = touched[kept], weights[kept]
    _compare_prices(known, sales, touched, weights, rows)
    _compare_countries(known, sales, touched, weights, rows)
    _compare_tags(known, sales, touched, weights, rows)


@compiled(FLOAT64(ATTRIBUTES, INT64, INT64))
def _in_common(known: KnownAttributes, sale: int, other: int) -> float:
    """1 for the same country, and the share of the tags of `sale` that `other` has too."""
    country = known.countries[sale]
    same = 1.0 if country != NOTHING_SAID and country == known.countries[other] else 0.0
    shared, own = 0, 0
    for tag in known.tags[sale]:
        if tag == NOTHING_SAID:
            break
        own += 1
        for its in known.tags[other]:
            if its == NOTHING_SAID:
                break
            shared += its == tag
    return same + shared / max(own, 1)


@compiled(NOTHING(ATTRIBUTES, INT32S, INT32S, INT32S))
def _most_alike(
    known: KnownAttributes,
    sales: NDArray[np.int32],
    touched: NDArray[np.int32],
    touches: NDArray[np.int32],
) -> None:
    """Write the touch of the other sale that has most in common with each of `sales`, if any has."""
    for place in range(len(sales)):
        most = 0.0
        if sales[place] < 0:
            continue
        for touch in range(len(touched)):
            if touched[touch] >= 0 and touched[touch] != sales[place]:
                common = _in_common(known, sales[place], touched[touch])
                if common > most:
                    most, touches[place] = common, touch
