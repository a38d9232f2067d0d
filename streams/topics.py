"""The topics: names, keys, how long they are kept, and their creation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from reco.parameters import DAY
from streams.settings import Topics

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""A dead letter carries a whole refused record, which can be as large as the broker takes by default."""
MAX_MESSAGE = "max.message.bytes"
LARGEST_BATCH = 1_000_000
"""What each topic must take at once, bytes, compressed; brokers of all versions do by default.

A sale has up to 512 KiB, and small records are sent together; a batch is never taken apart.
"""
KEEP_FOR_EVER: Mapping[str, str] = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
COMPACTED: Mapping[str, str] = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(DAY)}
ERASURES_KEPT = 30 * DAY
"""How long an erasure stays on `sessions`, ms: the disks of workers still have the state."""
APPEND_TIME: Mapping[str, str] = {"message.timestamp.type": "LogAppendTime"}
MIN_IN_SYNC = "min.insync.replicas"


@dataclass(frozen=True)
class Topic:
    """One topic: its full name, number of partitions, and configuration at the broker."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]

    def otherwise(self, partitions: int) -> str:
        """What to say, and to do, where it has another number of partitions."""
        return (
            f"{self.name} has {size(partitions)}, the settings want {self.partitions}; "
            "set [topics] partitions to what is there, or take another [topics] prefix and import again: "
            "adding partitions would move visitors away from their sessions"
        )


def size(partitions: int) -> str:
    """A number of partitions, in words."""
    return f"{partitions} partition{'s' if partitions > 1 else ''}"


@dataclass(frozen=True)
class TopicSet:
    """All topics of one installation.

    `events`, `sessions` and `recommendations` have equally many partitions, and a visitor lives in the
    same one of each.
    """

    events: Topic
    sales: Topic
    sale_labels: Topic
    sessions: Topic
    recommendations: Topic
    releases: Topic
    dead_letters: Topic

    def __iter__(self) -> Iterator[Topic]:
        """The topics, in the order of the flow."""
        return (getattr(self, field.name) for field in fields(self))


def topic_set(settings: Topics) -> TopicSet:
    """The topics that `settings` describe."""

    def topic(name: str, *configs: Mapping[str, str], partitions: int = settings.partitions) -> Topic:
        # What `acks=all` waits for: with 3 replicas, one broker may be lost with all that it had.
        replicas = {MIN_IN_SYNC: str(max(1, settings.replication - 1))}
        merged = {key: value for config in (*configs, replicas) for key, value in config.items()}
        return Topic(settings.prefix + name, partitions, settings.replication, merged)

    thirty_days = {"retention.ms": str(30 * DAY)}
    return TopicSet(
        events=topic("events", KEEP_FOR_EVER, APPEND_TIME),
        sales=topic("sales", COMPACTED, APPEND_TIME),
        sale_labels=topic("sale-labels", COMPACTED, APPEND_TIME),
        sessions=topic("sessions", COMPACTED, APPEND_TIME, {"delete.retention.ms": str(ERASURES_KEPT)}),
        recommendations=topic(
            "recommendations", COMPACTED, thirty_days, APPEND_TIME, {"cleanup.policy": "compact,delete"}
        ),
        releases=topic("releases", COMPACTED, APPEND_TIME, partitions=1),
        # Room for a refused record that was as large as the broker takes, and its headers.
        dead_letters=topic(
            "dead-letters",
            {"cleanup.policy": "delete"},
            thirty_days,
            APPEND_TIME,
            {MAX_MESSAGE: str(MAX_RECORD_BYTES)},
        ),
    )
