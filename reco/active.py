"""The visitors that were active lately: their sessions, and which sales their newest lists hold."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from reco.sessions import Session

MAX_ACTIVE = 30_000
"""Visitors kept, at most; beyond, the one whose list was emitted longest ago is let go. About 2 kB each."""


class Active(NamedTuple):
    """One active visitor: where they live, their session, and the sales of their newest list."""

    partition: int
    session: Session
    held: tuple[str, ...]


class ActiveVisitors:
    """Active visitors by id, in the order of their newest lists.

    Who holds a sale is looked up among all of them: sales close some hundred times a day, and an index by
    sale would take more memory than the visitors.

    >>> active = ActiveVisitors()
    >>> active.emitted(0, Session("ann", offset=7), ("rome", "oslo"))
    >>> sorted(active.holding("oslo")), active.offset("ann"), active.offset("bob")
    (['ann'], 7, -1)
    """

    def __init__(self, limit: int = MAX_ACTIVE) -> None:
        self._limit = limit
        self._visitors: dict[str, Active] = {}

    def __len__(self) -> int:
        """How many visitors are active."""
        return len(self._visitors)

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that active visitors live in."""
        return frozenset(active.partition for active in self._visitors.values())

    def emitted(self, partition: int, session: Session, held: tuple[str, ...]) -> None:
        """A list of the sales `held` was emitted for the visitor of `session`."""
        self.forget(session.visitor_id)
        self._visitors[session.visitor_id] = Active(partition, session, held)
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

    def holds_only(self, visitor_id: str, live: Collection[str]) -> bool:
        """Whether all sales of the visitor's newest list are among `live`; true for one who is not active."""
        known = self._visitors.get(visitor_id)
        return known is None or all(sale_id in live for sale_id in known.held)

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
