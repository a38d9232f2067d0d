"""Click-to-list latency: from just before a click is produced to the first list that includes it."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

TENTHS = 10
"""Latencies are counted in tenths of a ms, so that hours of them fit in memory."""


@dataclass
class _Awaiting:
    """One visitor: clicks without a list, and the newest list."""

    clicks: deque[tuple[int, float]] = field(default_factory=deque)
    included: int = -1
    listed_at: float = 0.0


class ClickToList:
    """Latencies of all clicks, ms; every moment is a reading of one monotonic clock, s."""

    def __init__(self) -> None:
        self._visitors: defaultdict[str, _Awaiting] = defaultdict(_Awaiting)
        self._counts: Counter[int] = Counter()
        self.unanswered = 0
        """Clicks that no list includes yet."""

    def clicked(self, visitor_id: str, offset: int, sent_at: float) -> None:
        """A click sent at `sent_at` stands at `offset` of the visitor's partition of `events`."""
        visitor = self._visitors[visitor_id]
        if offset <= visitor.included:  # the list was here before the acknowledgement
            self._count(visitor.listed_at - sent_at)
        else:
            visitor.clicks.append((offset, sent_at))
            self.unanswered += 1

    def listed(self, visitor_id: str, session_offset: int, received_at: float) -> None:
        """A list that includes the visitor's events up to `session_offset` was received at `received_at`."""
        visitor = self._visitors[visitor_id]
        if session_offset > visitor.included:
            visitor.included, visitor.listed_at = session_offset, received_at
        while visitor.clicks and visitor.clicks[0][0] <= session_offset:
            self._count(received_at - visitor.clicks.popleft()[1])
            self.unanswered -= 1

    @property
    def answered(self) -> int:
        """Clicks that a list includes."""
        return self._counts.total()

    def percentile(self, percent: float) -> float | None:
        """The latency that `percent` of the answered clicks stay within, ms; None without any."""
        left = self.answered * percent / 100
        for tenths in sorted(self._counts):
            left -= self._counts[tenths]
            if left <= 0:
                return tenths / TENTHS
        return None

    def _count(self, seconds: float) -> None:
        self._counts[round(seconds * 1000 * TENTHS)] += 1
