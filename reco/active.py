"""The visitors that were active lately: their sessions, and which sales their newest lists hold."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from reco.catalogue import OPEN_END
from reco.lists import Provenance, TopTen
from reco.sessions import Session

MAX_ACTIVE = 30_000
"""Visitors kept, at most; beyond, the one whose list was emitted longest ago is let go. About 2 kB each."""


class Active(NamedTuple):
    """One active visitor: where they live, their session, and what matters of their newest list.

    Attributes:
        held: the sales of the list.
        holds_until: the moment until which it holds, ms since the epoch, UTC; None for ever.
        made_from: what it was computed from.
    """

    partition: int
    session: Session
    held: tuple[str, ...]
    holds_until: int | None
    made_from: Provenance


class ActiveVisitors:
    """Active visitors by id, in the order of their newest lists.

    Who holds a sale is looked up among all of them: sales close some hundred times a day, and an index by
    sale would take more memory than the visitors.

    >>> from reco.lists import Recommendation
    >>> active = ActiveVisitors()
    >>> made_from = Provenance(0, 7, 0, (5,), "blend-1")
    >>> sales = Recommendation("rome", 0.5), Recommendation("oslo", 0.2)
    >>> top = TopTen("list", "ann", 100, 200, sales, made_from)
    >>> active.emitted(0, Session("ann", offset=7), top)
    >>> sorted(active.holding("oslo")), active.offset("ann"), active.offset("bob")
    (['ann'], 7, -1)
    >>> active.overtaken(150, (5,), "blend-1"), active.overtaken(200, (5,), "blend-1")
    ([], ['ann'])
    >>> active.overtaken(150, (6,), "blend-1"), active.overtaken(150, (5,), "blend-2")
    (['ann'], ['ann'])
    >>> active.overtaken(150, (5,), "blend-1", "1a2b3c4d"), active.overtaken(150, (5,), "blend-1", "", (3,))
    (['ann'], ['ann'])
    """

    def __init__(self, limit: int = MAX_ACTIVE) -> None:
        self._limit = limit
        self._visitors: dict[str, Active] = {}
        self.next_end = OPEN_END
        """Before this moment no list ends that `ended` has not given yet, ms since the epoch, UTC."""

    def __len__(self) -> int:
        """How many visitors are active."""
        return len(self._visitors)

    def emitted(self, partition: int, session: Session, top: TopTen) -> None:
        """The list `top` was emitted for the visitor of `session`."""
        self.forget(session.visitor_id)
        held = tuple(one.sale_id for one in top.sales)
        self._visitors[session.visitor_id] = Active(partition, session, held, top.holds_until, top.made_from)
        if top.holds_until is not None:
            self.next_end = min(self.next_end, top.holds_until)
        if len(self._visitors) > self._limit:
            self.forget(next(iter(self._visitors)))

    def get(self, visitor_id: str) -> Active | None:
        """What is known of an active visitor."""
        return self._visitors.get(visitor_id)

    def offset(self, visitor_id: str) -> int:
        """The offset on `events` up to which the visitor's newest list is computed, or -1."""
        known = self._visitors.get(visitor_id)
        return -1 if known is None else known.session.offset

    def visitors(self) -> Iterator[str]:
        """All active visitors, the one with the newest list first."""
        return reversed(list(self._visitors))

    def holding(self, *sale_ids: str) -> frozenset[str]:
        """The active visitors whose newest lists hold one of the sales."""
        wanted = frozenset(sale_ids)
        return frozenset(one for one, active in self._visitors.items() if not wanted.isdisjoint(active.held))

    def overtaken(
        self,
        at: int,
        sales_offsets: tuple[int, ...],
        release: str,
        rules: str = "",
        labels_offsets: tuple[int, ...] = (),
    ) -> list[str]:
        """The visitors whose newest lists hold no more, or are of other sales, labels, rules or release.

        The one with the newest list first; `at` (ms), the states of the catalogue and the labels, the release
        and the rules are those of now.
        """
        now = (sales_offsets, release, rules, labels_offsets)
        return [one for one in self.visitors() if _is_overtaken(self._visitors[one], at, now)]

    def ended(self, at: int) -> list[str]:
        """The visitors whose newest lists hold no more at `at` (ms), the one with the newest list first.

        Nobody, if no list has ended since this was last asked.
        """
        if at < self.next_end:
            return []
        ends = [(one, self._visitors[one].holds_until) for one in self.visitors()]
        self.next_end = min((end for _, end in ends if end is not None and end > at), default=OPEN_END)
        return [one for one, end in ends if end is not None and end <= at]

    def forget(self, visitor_id: str) -> None:
        """Let one visitor go."""
        self._visitors.pop(visitor_id, None)

    def keep(self, partitions: Collection[int]) -> None:
        """Let the visitors of all other partitions go."""
        self._forget_all(one for one, active in self._visitors.items() if active.partition not in partitions)

    def expire(self, since: int) -> None:
        """Let those go whose last event is before `since`, ms since the epoch, UTC."""
        self._forget_all(one for one, active in self._visitors.items() if active.session.last_ts < since)

    def _forget_all(self, visitors: Iterable[str]) -> None:
        for visitor_id in list(visitors):
            self.forget(visitor_id)


def _is_overtaken(active: Active, at: int, now: tuple[tuple[int, ...], str, str, tuple[int, ...]]) -> bool:
    holds_no_more = active.holds_until is not None and active.holds_until <= at
    then = active.made_from
    return holds_no_more or (then.sales_offsets, then.release, then.rules, then.labels_offsets) != now
