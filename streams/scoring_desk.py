"""The scoring desk: computes and emits lists, and emits again those that a change overtakes.

One list at a time is computed and sent, under a lock, so that a visitor's newest list is always the one
computed last.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial

from aiokafka.partitioner import murmur2

from reco.active import ActiveVisitors
from reco.catalogue import OPEN_END, Catalogue, LiveSales
from reco.knowledge import Knowledge
from reco.label_book import LabelBook, Version
from reco.lists import DEFAULT_VISITOR, TopTen
from reco.policy import Rules
from reco.rules import LiveRules
from reco.sessions import VISIT_SILENCE, Session
from reco.top_ten import Serving, top_ten
from streams.clock import now
from streams.codecs import encode
from streams.delivery.outbox import Outbox
from streams.topics import Topic
from streams.vitals import Vitals

AGAIN_AT_ONCE = 8
"""Lists emitted again before new clicks get their turn."""
DEFAULT_EVERY = 5
"""Seconds of knowledge after which the default list is computed again."""
LABELS_EVERY = 1.0
"""Seconds between two times that lists are emitted again because of labels, which come one by one."""
BEFORE_A_CHANGE = 50
"""No list is computed so shortly, in ms, before a sale opens or closes: on its way it would be overtaken."""
LONGEST_WAIT = 1.0
"""Longest wait for a change of the catalogue, s; then the default list may be due."""
EXPIRE_EVERY = 30_000
"""Time between two clearances of visitors that are not active any more, ms."""


class ScoringDesk:
    """Emits lists for the visitors of the partitions that it owns."""

    def __init__(
        self,
        lists: Topic,
        outbox: Outbox,
        *,
        serving: Serving,
        catalogue: Catalogue,
        labels: LabelBook,
        rules: Rules,
        vitals: Vitals,
        clock: Callable[[], int] = now,
    ) -> None:
        self._lists = lists
        self._outbox = outbox
        self._serving = serving
        self._catalogue = catalogue
        self._labels = labels
        self._rules = LiveRules(rules, catalogue)
        self._counts = vitals.counts
        self._clock = clock
        self._lock = asyncio.Lock()
        self._default_partition = (murmur2(DEFAULT_VISITOR.encode()) & 0x7FFFFFFF) % lists.partitions
        self._default_due = 0
        self._expired_at = 0
        self._labels_due = 0.0
        self._labeller: Version | None = None
        self._live: LiveSales | None = None
        self._listed: frozenset[str] = frozenset()
        """The sales that could be in any list since `follow` last looked; also those that are gone again."""
        self.live_sales = 0
        """How many sales were open when the catalogue last changed; read by other threads."""
        self.active = ActiveVisitors()
        self.owned: frozenset[int] = frozenset()
        self._known: frozenset[int] = frozenset()
        self.forgotten: set[tuple[int, bytes]] = set()
        """Who was erased, and where, while active visitors of partitions were still being restored."""

    # -- ownership

    def own_nothing(self) -> None:
        """Emit nothing more on its own, until partitions are assigned again."""
        self.owned = frozenset()

    def own(self, partitions: Iterable[int], moved: Iterable[int] = ()) -> frozenset[int]:
        """Take these partitions over; those whose visitors are not known here yet.

        What is known of those that have `moved`, which others went on with, is out of date. The others are
        known once they were `restored`, not with a first click that comes before.
        """
        self.owned = frozenset(partitions)
        self._known = self._known.intersection(self.owned).difference(moved)
        self.active.keep(self.owned.difference(moved))
        self.forgotten.clear()
        self._default_due = 0
        return self.owned - self._known

    def restored(self) -> None:
        """The active visitors of all partitions that are owned are known now."""
        self._known = self.owned
        self.forgotten.clear()

    # -- what lists are computed with

    @property
    def release(self) -> str:
        """The ranker that serves."""
        return self._serving.ranker.release

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge that serves."""
        return self._serving.knowledge

    async def serve(self, serving: Serving) -> None:
        """Compute all lists from now on with `serving`; the swap falls between two lists."""
        async with self._lock:
            self._serving = serving
            self._default_due = 0

    # -- lists of visitors

    async def refresh(self, sessions: Iterable[tuple[int, Session]]) -> None:
        """Emit a list for each session (with its partition), and wait until all have arrived."""
        async with self._lock:
            for count, (partition, session) in enumerate(sessions, start=1):
                if self.active.offset(session.visitor_id) <= session.offset:
                    await self._emit(partition, session)
                if count % AGAIN_AT_ONCE == 0:
                    await asyncio.sleep(0)
            await self._outbox.settle()

    async def forget(self, partition: int, visitor: bytes) -> None:
        """An erased session: erase its list too."""
        async with self._lock:
            name = visitor.decode(errors="replace")
            known = self.active.get(name)
            if known is not None and known.partition == partition:
                self.active.forget(name)
            if self._known != self.owned:
                self.forgotten.add((partition, visitor))
            await self._outbox.send(self._lists.name, visitor, None, partition)
            await self._outbox.settle()

    async def _emit(self, partition: int, session: Session | None) -> TopTen:
        at = await self._moment()
        live = self._catalogue.live(at)
        if live is not self._live:
            self._live = live
            self._listed |= self._listable(live)
        in_force = self._rules.of(live)
        top = top_ten(session, partition, self._serving, self._catalogue, in_force, at, self._labels.offsets)
        await self._outbox.send(self._lists.name, top.visitor_id.encode(), encode(top), partition)
        self._counts["lists"] += 1
        if session is not None:
            self.active.emitted(partition, session, top)
        return top

    async def _moment(self) -> int:
        """Now, or if a sale is about to open or close, the moment at which it has."""
        change = self._catalogue.live(self._clock()).valid_until
        wait = 0 if change is None else change - self._clock()
        if 0 < wait <= BEFORE_A_CHANGE:
            await asyncio.sleep((wait + 1) / 1000)
        return self._clock()

    # -- changes that overtake lists

    async def follow(self, changed: asyncio.Event, relabelled: set[str]) -> None:
        """Emit again what changes of the catalogue overtake, and the default list, for ever.

        `relabelled` are sales whose labels have changed; those that were looked at are taken out.
        """
        live, self._labeller = self._catalogue.live(self._clock()), self._labels.in_use
        listable, waiting = self._listable(live), list[str]()
        self._listed |= listable
        while True:
            await self._wait_for_change(changed, live)
            self._expire()
            async with self._lock:  # whose first list is on its way is not among the active visitors yet
                live, before = self._catalogue.live(self._clock()), live
                ended = self.active.ended(self._clock())
                if live is not before or ended:
                    self._default_due = 0
                    listable, before_it = self._listable(live), listable
                    waiting = self._overtaken(before_it, listable, [*ended, *waiting])
                    self._listed = listable
            self.live_sales = len(live.ids)
            waiting = await self._again(waiting, self._gone)
            await self._follow_labels(relabelled, live)
            await self._renew_default()

    def _expire(self) -> None:
        if self._clock() - self._expired_at > EXPIRE_EVERY:
            self._expired_at = self._clock()
            self.active.expire(self._expired_at - VISIT_SILENCE)

    async def _wait_for_change(self, changed: asyncio.Event, live: LiveSales) -> None:
        change = min(OPEN_END if live.valid_until is None else live.valid_until, self.active.next_end)
        wait = min(LONGEST_WAIT, max(0.0, (change - self._clock()) / 1000))
        try:
            await asyncio.wait_for(changed.wait(), wait)
        except TimeoutError:
            return
        changed.clear()

    def _listable(self, live: LiveSales) -> frozenset[str]:
        """The live sales that the rules do not exclude."""
        excluded = self._rules.of(live).excluded.tolist()
        return frozenset(live.ids).difference(live.ids[place] for place in excluded)

    def _changed(self, live: LiveSales) -> bool:
        """Whether these are not the live sales any more."""
        return self._catalogue.live(self._clock()) is not live

    def _gone(self) -> bool:
        """Whether a sale that was listed since the last look cannot be listed any more."""
        return not self._listed <= self._listable(self._catalogue.live(self._clock()))

    def _overtaken(
        self, before: frozenset[str], listable: frozenset[str], waiting: Iterable[str]
    ) -> list[str]:
        """Visitors whose lists hold a sale that is gone, first; then those that wait, for whatever reason.

        Then, if sales have opened, all others.
        """
        gone = self._listed - listable
        holders = dict.fromkeys(sorted(self.active.holding(*gone)))
        others = dict.fromkeys(self.active.visitors()) if listable - before else {}
        return list(holders | dict.fromkeys(waiting) | others)

    async def _follow_labels(self, relabelled: set[str], live: LiveSales) -> None:
        """Emit all lists again if labels of a live sale, or the version in use, have changed.

        At most once a second, and not while `live` is overtaken: lists with a sale that is gone come first.
        """
        if time.monotonic() < self._labels_due:
            return
        looked_at = [sale_id for sale_id in relabelled if sale_id in live.position]
        relabelled.clear()
        labeller = self._labels.in_use
        if looked_at or labeller != self._labeller:
            self._labels_due = time.monotonic() + LABELS_EVERY
            async with self._lock:  # as in `follow`
                visitors = list(self.active.visitors())
            if await self._again(visitors, partial(self._changed, live)):
                relabelled.update(looked_at)
            else:
                self._labeller = labeller

    async def refresh_overtaken(self) -> None:
        """Emit again the lists of active visitors that sales, labels, a promotion or new rules overtook."""
        rules = self._rules.rules.digest()
        labels = self._labels.offsets
        await self._again(
            self.active.overtaken(self._clock(), self._catalogue.offsets, self.release, rules, labels)
        )

    async def _again(self, visitors: list[str], until: Callable[[], bool] = lambda: False) -> list[str]:
        """Emit lists again, in at most half of the time, so that clicks never wait long for theirs.

        It ends when `until` is so; the visitors whose lists were not emitted then. The default list does not
        wait for all of them.
        """
        for start in range(0, len(visitors), AGAIN_AT_ONCE):
            if until():
                return visitors[start:]
            await self._renew_default()
            began = time.monotonic()
            async with self._lock:
                for visitor in visitors[start : start + AGAIN_AT_ONCE]:
                    await self._emit_again(visitor)
                await self._outbox.settle()
            await asyncio.sleep(time.monotonic() - began)
        return []

    async def _emit_again(self, visitor: str) -> None:
        known = self.active.get(visitor)
        if known is None or known.partition not in self.owned:
            return
        if known.session.last_ts >= self._clock() - VISIT_SILENCE:
            await self._emit(known.partition, known.session)
            self._counts["lists_again"] += 1

    # -- the list of visitors that are not known yet

    async def _renew_default(self) -> None:
        """Emit the list of visitors that are not known yet, if it is due."""
        async with self._lock:
            if self._default_partition in self.owned and self.knowledge.second >= self._default_due:
                top = await self._emit(self._default_partition, None)
                await self._outbox.settle()
                self._default_due = top.made_from.knowledge_second + DEFAULT_EVERY
