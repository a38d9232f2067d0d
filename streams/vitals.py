"""The vital signs of a worker process: what it counted, what it is ready for, and how far it is.

Written by the agents in the main thread, read by the sentinel in its own: what it calls must look up a
value and compute nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streams.topics import Topic

Positions = Mapping[tuple[str, int], int]
"""Next offset to work on, by topic and partition."""


@dataclass(frozen=True)
class Work:
    """Something that must make progress while its topics hold more, or something else waits.

    Attributes:
        name: what it is, for the log.
        positions: how far it is; only of the partitions that are this worker's.
        topics: the topics it works on.
        group: the consumer group that shares the work, None if this worker does all of it.
        member: its id in the group; empty while it is in none.
        waiting: how much waits beside what the topics hold.
        under_way: whether it is to make progress now; what is begun only later does not stand still.
    """

    name: str
    positions: Callable[[], Positions]
    topics: tuple[Topic, ...]
    group: str | None = None
    member: Callable[[], str] = str
    waiting: Callable[[], int] = lambda: 0
    under_way: Callable[[], bool] = lambda: True


@dataclass
class Vitals:
    """The vital signs of one process."""

    agents: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    readiness: dict[str, Callable[[], bool]] = field(default_factory=dict)
    gauges: dict[str, Callable[[], float]] = field(default_factory=dict)
    names: dict[str, Callable[[], str]] = field(default_factory=dict)
    works: list[Work] = field(default_factory=list)

    def count(self, *names: str) -> None:
        """Count these from 0: of what begins with its first 1, who watches an increase sees none."""
        self.counts.update(dict.fromkeys(names, 0))

    def ready(self) -> bool:
        """Whether everything that must be ready is."""
        return all(is_ready() for is_ready in self.readiness.values())
