"""Very many records no faster than running workers follow, so that live visitors do not wait behind them.

How far a worker is, is known from what its group has committed: four times a second.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

from streams import clients, reading
from streams.bulk import Bulk, bulk
from streams.groups import members
from streams.settings import Settings
from streams.topics import topic_set

PIECE = 500
"""Records that are sent before running workers are looked at again."""
MOST_BEHIND = 1_000
"""Records of a topic that may wait for a running worker when the next piece is sent."""
UNTOLD = (
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
    GroupLoadInProgressError,
    GroupAuthorizationFailedError,
)
"""Why a broker may not tell of a group: it has none yet, or moves it, or this client may not ask."""
LOOK_EVERY = 0.05
"""Time between two looks at workers that are too far behind, s."""


class Followed:
    """Sends to `events`; see the top of this file."""

    def __init__(
        self,
        events: Bulk,
        groups: dict[str, list[TopicPartition]],
        admin: AIOKafkaAdminClient,
        consumer: AIOKafkaConsumer,
        found: Callable[[], None],
    ) -> None:
        """`groups` are those of the workers with the partitions that each reads.

        `found` is called when the first running worker is.
        """
        self._events = events
        self._groups = groups
        self._admin = admin
        self._consumer = consumer
        self._found = found
        self._told = False

    async def deliver(self, records: Iterable[tuple[bytes, bytes]]) -> dict[int, int]:
        """Send records like `Bulk.deliver`, and return the same."""
        left, ends = list(records), dict[int, int]()
        while left:
            count = PIECE if await self._wait() else len(left)
            ends |= await self._events.deliver(left[:count])
            del left[:count]
        return ends

    async def _wait(self) -> bool:
        """Wait until no running worker is far behind; whether any is running."""
        while behind := await self._behind():
            if not self._told:
                self._told = True
                self._found()
            if max(behind) <= MOST_BEHIND:
                return True
            await asyncio.sleep(LOOK_EVERY)
        return False

    async def _behind(self) -> list[int]:
        """How many records wait for each group that has a member, as far as the broker tells."""
        behind = []
        for group, partitions in self._groups.items():
            with suppress(*UNTOLD):
                if await members(self._admin, group):
                    behind.append(await self._waiting(group, partitions))
        return behind

    async def _waiting(self, group: str, partitions: list[TopicPartition]) -> int:
        committed = await self._admin.list_consumer_group_offsets(group)
        ends = await self._consumer.end_offsets(partitions)
        return sum(max(0, end - committed[tp].offset) if tp in committed else end for tp, end in ends.items())


@asynccontextmanager
async def followed(settings: Settings, found: Callable[[], None]) -> AsyncIterator[Followed]:
    """A sender to `events`, connected for the length of the block."""
    topics, group = topic_set(settings.topics), settings.group
    # Who imports may have other settings than the workers: the topics say what is there.
    there = await reading.partitions_of(settings.kafka, topics.events.name, topics.sessions.name)
    groups = {group("sessions"): there[topics.events.name], group("scoring"): there[topics.sessions.name]}
    async with (
        bulk(settings.kafka, topics.events.name) as events,
        reading.reader(settings.kafka) as consumer,
        clients.admin(settings.kafka) as admin,
    ):
        yield Followed(events, groups, admin, consumer, found)
