"""Knowledge: everything learned from all visitors, advanced second by second of broker append time."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Candidates, Touches, candidates_of
from reco.catalogue import LiveSales
from reco.events import Action, Event, Impression
from reco.recommenders.covisitation import CoVisitation
from reco.recommenders.popularity import Popularity
from reco.recommenders.protocol import Actions, Recommender
from reco.recommenders.revisits import Revisits
from reco.retries import RetryWindow
from reco.sale_index import MAX_SALES, SaleIndex
from reco.visits import MAX_VISITORS, RunningVisits
from reco.waiting import WaitingActions

LEARN_AT_ONCE = 16_384
"""Actions that may wait to be learned; many small seconds are cheaper to learn together."""

_BY_TIME = itemgetter(0, 1, 2)


class Knowledge:
    """What the recommenders know, as of a second: a function of the log up to it alone.

    Events appended in one second are learned together, in the order of event time, partition and offset.
    How and when they were handed over before that changes nothing, not one bit.
    """

    def __init__(self, max_sales: int = MAX_SALES, max_visitors: int = MAX_VISITORS) -> None:
        self.second = 0
        """The last second of broker append time that is included, s since the epoch; 0 before any."""
        self._index = SaleIndex(max_sales)
        self._visits = RunningVisits(max_visitors)
        self._recommenders: dict[str, Recommender] = {
            recommender.name: recommender
            for recommender in (Popularity(max_sales), CoVisitation(max_sales), Revisits())
        }
        self._retries = RetryWindow()
        self._waiting = WaitingActions()
        self._candidates: tuple[int, Candidates] | None = None

    def advance(self, second: int, appended: Sequence[tuple[int, int, Event]]) -> None:
        """Learn what was appended in `second` of broker append time: (partition, offset, event) in any order.

        Raises:
            ValueError: `second` is not after the last one.
        """
        if second <= self.second:
            raise ValueError(f"second {second} comes after {self.second}; knowledge only goes forward")
        for event in _in_order(appended):
            if self._retries.is_new(event.visitor_id, event.event_id):
                self._add(event)
        self.second = second
        if len(self._waiting) >= LEARN_AT_ONCE:
            self._learn()

    def candidates(self, live: LiveSales) -> Candidates:
        """The live sales, to be scored; valid until knowledge advances."""
        if len(self._waiting):
            self._learn()
        known = self._candidates
        if known is None or known[1].live is not live or known[0] != self._index.version:
            candidates = candidates_of(live, self._index.slots, self._index.capacity)
            self._candidates = known = (self._index.version, candidates)
        return known[1]

    def describe(
        self, candidates: Candidates, touches: Touches, features: Iterable[str]
    ) -> NDArray[np.float32]:
        """float32[n_sales, n_features]: the scores of the recommenders named by `features`, in columns."""
        scores = [self._recommenders[name].score(candidates, touches) for name in features]
        return np.stack(scores).T

    def _add(self, event: Action) -> None:
        slot = self._index.slots.get(event.sale_id)
        if slot is None:
            if self._index.is_full:
                self._make_room()
            slot = self._index.add(event.sale_id)
        self._waiting.add(self._visits.number(event.visitor_id), slot, event)

    def _make_room(self) -> None:
        """Forget the stalest sales, once all that waits is learned."""
        self._learn()
        dropped = self._index.drop_stalest()
        self._visits.forget(dropped)
        for recommender in self._recommenders.values():
            recommender.forget(dropped)

    def _learn(self) -> None:
        numbers, slots, kinds, ts = self._waiting.take()
        self._index.touch(slots, ts)
        companions, repeated = self._visits.follow(numbers, slots, ts)
        actions = Actions(slots, kinds, ts, companions, repeated)
        for recommender in self._recommenders.values():
            recommender.learn(actions)


def _in_order(appended: Iterable[tuple[int, int, Event]]) -> list[Action]:
    """The events that recommenders learn from, by event time, partition and offset."""
    actions = [
        (event.ts, partition, offset, event)
        for partition, offset, event in appended
        if not isinstance(event, Impression)
    ]
    actions.sort(key=_BY_TIME)
    return [action[-1] for action in actions]
