"""The sessions agent: folds events into session states, which are its table and the topic `sessions` at once.

The topic is the table's changelog: one send per visitor and batch, and nothing that can disagree.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from faust.types import EventT, Message

from reco.errors import RefusedRecordError, UnknownTypeError
from reco.events import Action, Erasure, Impression
from reco.sessions import Session, fold
from streams.codecs import decode_event, decode_sale, decode_session, encode
from streams.dead_letters import bury
from streams.delivery.batches import micro_batches
from streams.delivery.consumer import LosslessApp
from streams.delivery.outbox import Outbox
from streams.delivery.recovery import StateTable, erased_at, grave, send_state
from streams.faust_app import ROCKSDB_OPTIONS, new_app, raw_topic, watch
from streams.settings import Settings
from streams.topics import TopicSet, topic_set
from streams.vitals import Vitals

BATCH = 256
"""Events folded before their states are sent, at most."""
COUNTED = ("events", "unknown_types", "dead_letters", "impressions", "erasures", "sessions", "sales")
"""What is counted, from 0 on."""


class Erased(NamedTuple):
    """What is left of the session of a visitor who is to be forgotten: the offset that says so."""

    offset: int


States = dict[int, dict[bytes, Session | Erased]]
"""New session states by partition and key."""


class SessionKeeper:
    """Folds batches of events into the table."""

    def __init__(self, topics: TopicSet, table: StateTable, outbox: Outbox, vitals: Vitals) -> None:
        self._topics = topics
        self._table = table
        self._outbox = outbox
        self._counts = vitals.counts

    async def take(self, batch: Iterable[EventT]) -> None:
        """Fold the events, send the new states, wait until they have arrived, write the table."""
        states: States = {}
        for event in batch:
            told = await self._told(event.message)
            if told is not None:
                self._fold(states, event.message, told)
        encoded = await self._send(states)
        arrived = await self._outbox.settle()
        for partition, values in encoded.items():
            offsets = (
                at.offset
                for at in arrived
                if (at.topic, at.partition) == (self._topics.sessions.name, partition)
            )
            self._table.add(partition, values, offsets)

    async def _told(self, message: Message) -> Action | Erasure | None:
        """The click, cart, purchase or erasure in a record; None for what changes no session."""
        self._counts["events"] += 1
        try:
            event = decode_event(message.key, message.value, int(message.timestamp * 1000))
        except UnknownTypeError:
            self._counts["unknown_types"] += 1
            return None
        except RefusedRecordError as refusal:
            self._counts["dead_letters"] += 1
            await bury(self._outbox, self._topics.dead_letters, message, refusal)
            return None
        if isinstance(event, Impression):
            self._counts["impressions"] += 1
            return None
        return event

    def _fold(self, states: States, message: Message, told: Action | Erasure) -> None:
        changed, key = states.setdefault(message.partition, {}), message.key
        before = changed[key] if key in changed else self._stored(message.partition, key)
        if isinstance(told, Erasure):
            self._counts["erasures"] += 1
            # An erasure goes to all partitions; where the visitor never was, there is nothing to be said.
            if before is not None and before.offset < message.offset:
                changed[key] = Erased(message.offset)
            return
        if isinstance(before, Erased):
            if message.offset < before.offset:
                return
            before = None
        after = fold(before, told, message.offset)
        if after is not before:
            changed[key] = after

    def _stored(self, partition: int, key: bytes) -> Session | Erased | None:
        value = self._table.get(partition, key)
        offset = erased_at(value)
        if offset is not None:
            return Erased(offset)
        return None if value is None else decode_session(value)

    async def _send(self, states: States) -> dict[int, dict[bytes, bytes]]:
        encoded: dict[int, dict[bytes, bytes]] = {}
        for partition, changed in states.items():
            for key, session in changed.items():
                value = grave(session.offset) if isinstance(session, Erased) else encode(session)
                encoded.setdefault(partition, {})[key] = value
                await send_state(self._outbox, self._topics.sessions.name, key, value, partition)
                self._counts["sessions"] += 1
        return encoded


def sessions_app(settings: Settings, vitals: Vitals) -> LosslessApp:
    """The Faust application of the sessions agent."""
    app = new_app(settings, "sessions")
    topics = topic_set(settings.topics)
    outbox, checks = app.outbox(settings.kafka), app.outbox(settings.kafka)
    keeper = SessionKeeper(topics, _table(app, topics), outbox, vitals)
    watch(app, settings.group("sessions"), vitals, topics.events, topics.sales)
    vitals.count(*COUNTED)

    @app.agent(raw_topic(app, topics.events.name), concurrency=1)  # type: ignore[untyped-decorator]
    async def sessions(events: Any) -> None:
        """Keep the session state of every visitor."""
        async for batch in micro_batches(events, BATCH):
            await keeper.take(batch)
            app.consumer.acknowledge(batch)

    @app.agent(raw_topic(app, topics.sales.name), concurrency=1)  # type: ignore[untyped-decorator]
    async def sales_check(sales: Any) -> None:
        """Dead-letter the sales that no scoring worker can read."""
        async for batch in micro_batches(sales, BATCH):
            for event in batch:
                await _check_sale(event.message, topics, checks, vitals)
            await checks.settle()
            app.consumer.acknowledge(batch)

    return app


def _table(app: LosslessApp, topics: TopicSet) -> StateTable:
    changelog = raw_topic(app, topics.sessions.name, acks=False)
    return StateTable(
        app.Table(
            "sessions",
            key_type=bytes,
            value_type=bytes,
            partitions=topics.sessions.partitions,
            changelog_topic=changelog,
            options=dict(ROCKSDB_OPTIONS),
        )
    )


async def _check_sale(message: Message, topics: TopicSet, outbox: Outbox, vitals: Vitals) -> None:
    vitals.counts["sales"] += 1
    try:
        decode_sale(message.key, message.value)
    except RefusedRecordError as refusal:
        vitals.counts["dead_letters"] += 1
        await bury(outbox, topics.dead_letters, message, refusal)
