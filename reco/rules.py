"""How a list is cut from a ranking: exclusions, what was bought, caps, diversity and exploration, in turn."""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.candidates import NOWHERE, Touches
from reco.caps import CappedGroups, Room, capped_groups
from reco.catalogue import Catalogue, LiveSales
from reco.diversity import diverse
from reco.events import Sale
from reco.exploration import last_place
from reco.kernels import FLOAT32S, FLOAT64S, INT32S, INT64S, NOTHING, compiled
from reco.lists import CERTAIN, LIST_LENGTH
from reco.policy import COUNTRY, Rules
from reco.recommenders.protocol import PURCHASE

WITHOUT_SCORE = 1e-6
"""By how much a sale without a score stands below the lowest of those with one, relative to 1 and to that."""


class Chosen(NamedTuple):
    """A sale of a list.

    Attributes:
        position: its position among the live sales.
        scored: where it stands among the sales that were scored; `NOWHERE` if it only fills the list, as it
            was not, or is bought.
        score: by which the list was cut.
        propensity: how likely it was to be listed.
    """

    position: int
    scored: int
    score: float
    propensity: float


@dataclass(frozen=True, eq=False)
class RulesInForce:
    """The rules, worked out for the live sales; good for as long as these are.

    Attributes:
        rules: the rules.
        digest: names them in lists.
        n_sales: how many sales are live.
        excluded: int64[n], positions of the sales that are never listed.
        groups: the groups of sales that are capped.
        tags: the tags of each sale, by position; none at all unless the rules look at them.
    """

    rules: Rules
    digest: str
    n_sales: int
    excluded: NDArray[np.int64]
    groups: CappedGroups
    tags: Sequence[AbstractSet[str]]

    def room(self) -> Room:
        """Room for any sale, as far as caps go."""
        return Room(self.n_sales, self.groups)


class LiveRules:
    """The rules for the sales of a catalogue, worked out once for as long as the same ones are live."""

    def __init__(self, rules: Rules, catalogue: Catalogue) -> None:
        self.rules = rules
        self._catalogue = catalogue
        self._kept: tuple[LiveSales, RulesInForce] | None = None

    def of(self, live: LiveSales) -> RulesInForce:
        """The rules for these sales."""
        if self._kept is None or self._kept[0] is not live:
            self._kept = live, rules_in_force(self.rules, live, self._catalogue)
        return self._kept[1]


def rules_in_force(rules: Rules, live: LiveSales, catalogue: Catalogue) -> RulesInForce:
    """`rules` for the sales that are `live` in `catalogue`; to be kept, since it looks at each of them."""
    look = bool(rules.excluded_tags or rules.caps or rules.diversity)
    tags = [_tags(catalogue.sale(sale_id)) for sale_id in live.ids] if look else []
    excluded = {live.position[sale_id] for sale_id in rules.excluded_sales if sale_id in live.position}
    excluded.update(place for place, own in enumerate(tags) if not own.isdisjoint(rules.excluded_tags))
    return RulesInForce(
        rules=rules,
        digest=rules.digest(),
        n_sales=len(live.ids),
        excluded=np.array(sorted(excluded), np.int64),
        groups=capped_groups(tags, rules.caps),
        tags=tags,
    )


def choose(
    scores: NDArray[np.float32],
    places: NDArray[np.int32],
    touches: Touches,
    in_force: RulesInForce,
    list_id: str,
) -> tuple[Chosen, ...]:
    """The sales of the list `list_id`, from float32[n], the scores of the live sales at `places`, int32[n].

    Positions in `touches` are among all live sales. One without a score stands behind all that have one and
    were not bought, so that the list is as long whichever were scored.

    Ten, or all that are not excluded. By default they are the best, ties by id; the rules change that so:

    - an excluded sale is never listed;
    - a bought one stands behind all others, so it is listed only if there are not ten others;
    - with caps, a sale of a group that is full is passed over; only if fewer than ten can be had in this way
      do the ones passed over follow, best first, and then the bought ones, which no cap holds back;
    - with diversity, the sales stand in the order of maximal marginal relevance, not of their scores;
    - with exploration, the last place of a list that is full without any of these fillers may go to another
      sale that caps allow there. Without diversity this one has no better score than any before it.
    """
    settled, scored = np.empty(in_force.n_sales), np.empty(in_force.n_sales, np.int32)
    owned = bought(touches)
    _settle(scores, places, owned, in_force.excluded, settled, scored)
    rules, n_listable = in_force.rules, in_force.n_sales - len(in_force.excluded)
    if not (rules.caps or rules.diversity or rules.exploration):
        best = np.empty(min(LIST_LENGTH, n_listable), np.int64)
        _first(settled, best)
        listed, propensity = best.tolist(), CERTAIN
    else:
        order = np.argsort(-settled, kind="stable")[:n_listable]
        listed, propensity = _by_rules(order, settled, owned, in_force, list_id)
    propensities = [CERTAIN] * (len(listed) - 1) + [propensity]
    return tuple(map(Chosen, listed, scored[listed].tolist(), settled[listed].tolist(), propensities))


def bought(touches: Touches) -> NDArray[np.int32]:
    """Positions of the candidates that the visitor has bought, in the visit or as far as is remembered."""
    return touches.positions[(touches.counts[:, PURCHASE] > 0) & (touches.positions >= 0)]


@compiled(NOTHING(FLOAT32S, INT32S, INT32S, INT64S, FLOAT64S, INT32S))
def _settle(
    scores: NDArray[np.float32],
    places: NDArray[np.int32],
    owned: NDArray[np.int32],
    excluded: NDArray[np.int64],
    settled: NDArray[np.float64],
    scored: NDArray[np.int32],
) -> None:
    """Write by what a list is cut, and `Chosen.scored`, for each live sale.

    A score that is not finite sinks to the lowest finite one, or just below it with those of sales that have
    none; what was bought sinks to 1 below all others at least, and what is excluded below that.
    """
    lowest = math.inf
    for score in scores:
        if math.isfinite(score) and score < lowest:
            lowest = float(score)
    if not math.isfinite(lowest):
        lowest = 0.0
    elif len(scores) < len(settled):
        lowest -= WITHOUT_SCORE * (1.0 + abs(lowest))
    settled[:], scored[:] = lowest, NOWHERE
    for number in range(len(scores)):
        scored[places[number]] = number
        if math.isfinite(scores[number]):
            settled[places[number]] = scores[number]
    for position in owned:
        settled[position], scored[position] = lowest - 1.0 - abs(lowest), NOWHERE
    for position in excluded:
        settled[position] = -math.inf


@compiled(NOTHING(FLOAT64S, INT64S))
def _first(settled: NDArray[np.float64], best: NDArray[np.int64]) -> None:
    """Write the positions of the best, ties by position; there are at least so many sales."""
    n = 0
    for position in range(len(settled)):
        if n == len(best) and (n == 0 or settled[position] <= settled[best[n - 1]]):
            continue
        n = min(n + 1, len(best))
        place = n - 1
        while place > 0 and settled[position] > settled[best[place - 1]]:
            best[place] = best[place - 1]
            place -= 1
        best[place] = position


def _by_rules(
    order: NDArray[np.int64],
    settled: NDArray[np.float64],
    owned: NDArray[np.int32],
    in_force: RulesInForce,
    list_id: str,
) -> tuple[list[int], float]:
    """The positions to be listed, out of `order`, best first, and the propensity of the last of them."""
    is_bought = np.zeros(in_force.n_sales, np.bool_)
    is_bought[owned] = True
    fresh = order[~is_bought[order]]
    listed = _within_caps(fresh, settled, in_force)
    if len(listed) < LIST_LENGTH:
        fillers = [position for position in order.tolist() if position not in listed]
        return [*listed, *fillers[: LIST_LENGTH - len(listed)]], CERTAIN
    last, propensity = last_place(
        listed[-1], _others(listed, fresh, in_force), in_force.rules.exploration, list_id
    )
    return [*listed[:-1], last], propensity


def _within_caps(fresh: NDArray[np.int64], settled: NDArray[np.float64], in_force: RulesInForce) -> list[int]:
    """Up to ten of `fresh`, as many as caps allow: by diversity as far as its pool goes, then best first."""
    room = in_force.room()
    diversity = in_force.rules.diversity
    listed = diverse(fresh, settled, in_force.tags, diversity, room) if diversity else []
    for position in fresh.tolist():
        if len(listed) == LIST_LENGTH:
            break
        if room.open[position]:
            room.take(position)
            listed.append(position)
    return listed


def _others(listed: Sequence[int], fresh: NDArray[np.int64], in_force: RulesInForce) -> NDArray[np.int64]:
    """int64[m]: what may stand at the last place of the list instead of the one that has it by rank."""
    if not in_force.rules.exploration:
        return fresh[:0]
    room = in_force.room()
    for position in listed[:-1]:
        room.take(position)
    room.open[listed[-1]] = False
    return fresh[room.open[fresh]]


def _tags(sale: Sale | None) -> frozenset[str]:
    """The tags of a sale, its country among them."""
    if sale is None:
        return frozenset()
    return frozenset(sale.tags) | ({f"{COUNTRY}:{sale.country}"} if sale.country else frozenset())
