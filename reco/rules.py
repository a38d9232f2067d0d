"""How a list is cut from a ranking: exclusions, what was bought, caps, diversity and exploration, in turn."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Touches
from reco.caps import CappedGroups, Room, capped_groups
from reco.catalogue import Catalogue, LiveSales
from reco.diversity import diverse
from reco.events import Sale
from reco.exploration import last_place
from reco.lists import CERTAIN, LIST_LENGTH
from reco.policy import COUNTRY, Rules
from reco.recommenders.protocol import PURCHASE

WITHOUT_SCORE = 1e-6
"""By how much a sale without a score stands below the lowest of those with one, relative to 1 and to that."""


class Chosen(NamedTuple):
    """A sale of a list: its position among the live sales, its score, and how likely it was to be listed."""

    position: int
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
    settled = obey(_of_all(scores, places, in_force.n_sales), touches)
    settled[in_force.excluded] = -np.inf
    order = np.argsort(-settled, kind="stable")[: in_force.n_sales - len(in_force.excluded)]
    rules = in_force.rules
    if not (rules.caps or rules.diversity or rules.exploration):
        listed, propensity = order[:LIST_LENGTH].tolist(), CERTAIN
    else:
        listed, propensity = _by_rules(order, settled, touches, in_force, list_id)
    propensities = [CERTAIN] * (len(listed) - 1) + [propensity]
    return tuple(map(Chosen, listed, settled[listed].tolist(), propensities))


def bought(touches: Touches) -> NDArray[np.int32]:
    """Positions of the candidates that the visitor has bought, in the visit or as far as is remembered."""
    return touches.positions[(touches.counts[:, PURCHASE] > 0) & (touches.positions >= 0)]


def obey(scores: NDArray[np.floating], touches: Touches) -> NDArray[np.float64]:
    """float64[n_sales]: the scores by which a list is cut.

    A score that is not finite sinks to the lowest finite one. Bought sales sink below all others, by at
    least 1: they fill up a list only if there are not ten others.
    """
    settled = scores.astype(np.float64)
    finite = np.isfinite(settled)
    lowest = float(settled.min(where=finite, initial=np.inf))
    lowest = lowest if np.isfinite(lowest) else 0.0
    settled[~finite] = lowest
    settled[bought(touches)] = lowest - 1.0 - abs(lowest)
    return settled


def _of_all(scores: NDArray[np.float32], places: NDArray[np.int32], n_sales: int) -> NDArray[np.floating]:
    """float[n_sales]: the scores of all live sales; just below the lowest finite one for those without."""
    if len(scores) == n_sales:
        return scores
    lowest = float(scores.min(where=np.isfinite(scores), initial=np.float32(np.inf)))
    everyone = np.full(
        n_sales, lowest - WITHOUT_SCORE * (1.0 + abs(lowest))
    )  # not a number, if none is finite
    everyone[places] = scores
    return everyone


def _by_rules(
    order: NDArray[np.int64],
    settled: NDArray[np.float64],
    touches: Touches,
    in_force: RulesInForce,
    list_id: str,
) -> tuple[list[int], float]:
    """The positions to be listed, out of `order`, best first, and the propensity of the last of them."""
    is_bought = np.zeros(in_force.n_sales, np.bool_)
    is_bought[bought(touches)] = True
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
