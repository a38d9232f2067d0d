"""Caps: at most so many sales of one country, or with one tag of a kind, in a list."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.policy import COUNTRY


class CappedGroups(NamedTuple):
    """The groups of sales that are capped.

    Attributes:
        of_sale: the numbers of the groups that each sale is in, by position.
        members: int64[n], the positions of the sales of each group.
        caps: how many of each group a list may hold.
    """

    of_sale: Sequence[Sequence[int]]
    members: Sequence[NDArray[np.int64]]
    caps: Sequence[int]


class Room:
    """What may still be listed: sales that are not listed yet and of whose groups none is full.

    Attributes:
        open: bool[n_sales], whether the sale at each position may be listed.
    """

    def __init__(self, n_sales: int, groups: CappedGroups) -> None:
        self.open = np.ones(n_sales, np.bool_)
        self._groups = groups
        self._left = list(groups.caps)

    def take(self, position: int) -> None:
        """List the sale at `position`; whoever is in a group that is full now may not be listed any more."""
        self.open[position] = False
        if not self._left:
            return
        for group in self._groups.of_sale[position]:
            self._left[group] -= 1
            if self._left[group] == 0:
                self.open[self._groups.members[group]] = False


def capped_groups(tags: Sequence[AbstractSet[str]], caps: Mapping[str, int]) -> CappedGroups:
    """The groups that `caps` makes of sales with these tags, by position; none if there are no caps.

    >>> capped_groups([{"country:IT"}, {"country:FR"}, {"country:IT", "old town"}], {"country": 2}).of_sale
    [[0], [1], [0]]
    """
    if not caps:
        return CappedGroups((), (), ())
    members: dict[tuple[str, str], list[int]] = {}
    of_sale: list[list[int]] = []
    for position, own in enumerate(tags):
        groups = [(name, tag) for name in caps for tag in sorted(own) if tag.startswith(_prefix(name))]
        for group in groups:
            members.setdefault(group, []).append(position)
        of_sale.append([])
    for number, positions in enumerate(members.values()):
        for position in positions:
            of_sale[position].append(number)
    return CappedGroups(
        of_sale=of_sale,
        members=[np.array(positions, np.int64) for positions in members.values()],
        caps=[caps[name] for name, _ in members],
    )


def _prefix(name: str) -> str:
    return f"{COUNTRY}:" if name == COUNTRY else name
