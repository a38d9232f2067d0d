"""Knowledge: everything learned from all visitors, advanced second by second of broker append time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reco.candidates import Candidates, Query, candidates_in, candidates_of, query_of
from reco.catalogue import LiveSales
from reco.content import Content
from reco.events import Action, Event, Impression
from reco.features import Part, compare, plan, recommenders, split, whole
from reco.parameters import Parameters
from reco.recommenders.protocol import Actions, FromTouches, Recommender, SaysToMany
from reco.recommenders.similarity import nearest_to_touched
from reco.retries import RetryWindow
from reco.retrieval import HOT, LED, MAX_SCORED, NEAR, best_of
from reco.sale_index import MAX_SALES, SaleIndex
from reco.segments import SegmentIndex
from reco.sessions import Session
from reco.visits import MAX_VISITORS, RunningVisits
from reco.waiting import WaitingActions

LEARN_AT_ONCE = 16_384
"""Actions that may wait to be learned; many small seconds are cheaper to learn together."""
MAX_KEPT = 256
"""Sets of features, some 100 kB each, and choices that are kept at most because many visitors share them."""
Key: TypeAlias = tuple[tuple[str, ...] | tuple[int, ...], ...]

_BY_TIME = itemgetter(0, 1, 2)


class Knowledge:
    """What the recommenders know, as of a second: a function of the log up to it alone.

    Events appended in one second are learned together, in the order of event time, partition and offset.
    How and when they were handed over before that changes nothing, not one bit. An event time after the
    append is a wrong clock, and taken as the second of the append: it would make all others look old.
    """

    def __init__(
        self,
        parameters: Parameters | None = None,
        max_sales: int = MAX_SALES,
        max_visitors: int = MAX_VISITORS,
        content: Content | None = None,
    ) -> None:
        self.parameters = parameters or Parameters()
        self.content = Content() if content is None else content
        self.second = 0
        """The last second of broker append time that is included, s since the epoch; 0 before any."""
        self._index = SaleIndex(max_sales)
        self._visits = RunningVisits(max_visitors)
        self._segments = SegmentIndex(self.parameters.segments)
        self._recommenders: dict[str, Recommender] = {
            recommender.name: recommender
            for recommender in recommenders(self.parameters, max_sales, self.content)
        }
        # Asked once: to compare a recommender with a protocol takes 10 us.
        self._with_sources = {
            name: one for name, one in self._recommenders.items() if isinstance(one, FromTouches)
        }
        self._saying_to_many = {
            name: one for name, one in self._recommenders.items() if isinstance(one, SaysToMany)
        }
        self._retries = RetryWindow()
        self._waiting = WaitingActions()
        self._candidates: Candidates | None = None
        """The newest ones, until a sale gets or loses a slot."""
        self._kept: dict[Key, NDArray[Any]] = {}
        """What was made for many of the present candidates, by features and by what the visitors share."""

    def advance(self, second: int, appended: Sequence[tuple[int, int, Event]]) -> None:
        """Learn what was appended in `second` of broker append time: (partition, offset, event) in any order.

        Raises:
            ValueError: `second` is not after the last one.
        """
        if second <= self.second:
            raise ValueError(f"second {second} comes after {self.second}; knowledge only goes forward")
        latest = second * 1000 + 999
        for event in _in_order(appended):
            if self._retries.is_new(event.visitor_id, event.event_id):
                self._add(event, min(event.ts, latest))
        self.second = second
        if len(self._waiting) >= LEARN_AT_ONCE:
            self._learn()

    def candidates(self, live: LiveSales) -> Candidates:
        """All live sales; valid until knowledge advances."""
        self._learn()
        if self._candidates is None or self._candidates.live is not live:
            self._candidates = candidates_of(live, self._index.slots, self._index.capacity)
            self._kept.clear()
        return self._candidates

    def everything(self) -> Candidates:
        """All sales that anything was learned about, as if they were live; valid until knowledge advances."""
        self._learn()
        live = self._index.as_if_live()
        if self._candidates is None or self._candidates.live is not live:
            slots = np.fromiter(self._index.slots.values(), np.int32, len(live.ids))
            self._candidates = candidates_in(live, self._index.slots, slots, self._index.capacity)
            self._kept.clear()
        return self._candidates

    def query(self, session: Session | None, candidates: Candidates, at: int) -> Query:
        """What is asked for the visitor of `session` at `at` (ms since the epoch, UTC)."""
        segments = self._segments.known(session.context if session else {})
        return query_of(session, candidates, segments, at)

    def retrieve(self, query: Query) -> Query:
        """`query` for the candidates that are worth a full score.

        All of them, up to `MAX_SCORED`. Of more: what the visitor touched, the best of the recommenders that
        start from there, what looks or reads like it, and the best of what everybody touched lately.
        """
        if len(query.candidates.slots) <= MAX_SCORED:
            return query
        led = best_of(self.describe(query, tuple(LED)), LED)
        hot = self._kept_for_many(query, self._saying_to_many, tuple(HOT), lambda: self._hot(query))
        own = query.touches.positions[query.touches.positions >= 0]
        near = [nearest_to_touched(self.content, space, query, k) for space, k in NEAR.items()]
        return query.only(np.unique(np.concatenate((own, led, hot, *near))))

    def _hot(self, query: Query) -> NDArray[np.int32]:
        """int32[n]: positions of the best of what everybody touched lately."""
        lately = np.sort(query.candidates.positions[self._index.touched_lately()])
        lately = lately[lately >= 0]
        return lately[best_of(self.describe(query.only(lately), tuple(HOT)), HOT)]

    def describe(self, query: Query, features: tuple[str, ...]) -> NDArray[np.float32]:
        """float32[n_features, n_sales]: what the recommenders say about the candidates of `query`.

        Raises:
            KeyError: a feature is not known.
        """
        parts = split(features)
        if not (self._is_of_now(query) and parts.shared):
            return self._described(query, features)
        described = np.empty((len(features), len(query.candidates.slots)), np.float32)
        for family, part in parts.shared.items():
            described[part.places] = self._said_to_many(query, family, part.features)
        self._describe(query, parts.own, described)
        return described

    def _said_to_many(self, query: Query, family: str, features: tuple[str, ...]) -> NDArray[np.float32]:
        """What a family says to all visitors alike who are asked for at the same state of knowledge."""
        return self._kept_for_many(query, (family,), features, lambda: self._described(query, features))

    def _is_of_now(self, query: Query) -> bool:
        """Whether it is about all present candidates."""
        return query.candidates is self._candidates

    def _kept_for_many(
        self,
        query: Query,
        families: Iterable[str],
        features: tuple[str, ...],
        made: Callable[[], NDArray[Any]],
    ) -> NDArray[Any]:
        """What these families make for all visitors alike, kept until knowledge or the candidates change."""
        if not self._is_of_now(query):
            return made()
        key: Key = (features, *(self._saying_to_many[family].shared(query) for family in families))
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            kept = self._kept[key] = made()
        return kept

    def _described(self, query: Query, features: tuple[str, ...]) -> NDArray[np.float32]:
        """What is said of `features`, whether or not it was said before."""
        described = np.empty((len(features), len(query.candidates.slots)), np.float32)
        self._describe(query, whole(features), described)
        return described

    def _describe(self, query: Query, part: Part, described: NDArray[np.float32]) -> None:
        steps = plan(part.features)
        rows = np.empty((steps.n_rows, len(query.candidates.slots)), np.float32)
        for name, start in zip(steps.families, steps.starts, strict=True):
            recommender = self._recommenders[name]
            recommender.score(query, rows[start : start + len(recommender.features)])
        compare(rows, steps.jobs, part.places, described)

    def sources(
        self, query: Query, positions: NDArray[np.int32], features: tuple[str, ...]
    ) -> Mapping[str, list[str | None]]:
        """By kind of evidence, the touched sale that speaks most for each of `positions` (int32[k]).

        Of the kinds of `features` that start from what the visitor touched.

        Raises:
            KeyError: a feature is not known.
        """
        found = {}
        for name in plan(features).families:
            if name not in self._with_sources:
                continue
            for kind, touches in self._with_sources[name].sources(query, positions).items():
                found[kind] = [query.touched[one] if one >= 0 else None for one in touches.tolist()]
        return found

    def _add(self, event: Action, ts: int) -> None:
        slot = self._index.slots.get(event.sale_id)
        if slot is None:
            if self._index.is_full:
                self._make_room()
            slot = self._index.add(event.sale_id)
            self._candidates = None
        number = self._visits.number(event.visitor_id)
        self._waiting.add(number, slot, event, ts, self._segments.learn(event.context))

    def _make_room(self) -> None:
        """Forget the stalest sales, once all that waits is learned."""
        self._learn()
        dropped = self._index.drop_stalest()
        self._visits.forget(dropped)
        for recommender in self._recommenders.values():
            recommender.forget(dropped)

    def _learn(self) -> None:
        if not len(self._waiting):
            return
        numbers, slots, kinds, ts, segments = self._waiting.take()
        self._kept.clear()
        self._index.touch(slots, ts)
        visits, companions, owned, repeated = self._visits.follow(numbers, slots, kinds, ts)
        actions = Actions(slots, kinds, ts, visits, companions, owned, repeated, segments)
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
