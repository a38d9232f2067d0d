"""A Faust consumer that hands over each record of a partition once, in order and without a gap.

Faust 0.15.3 keeps its own books of what it read and acknowledged, and loses records where they go wrong:
after a rebalance it does not seek a partition that has no commit yet, it drops fetched records while a
rebalance runs, and it commits over gaps. Here the books are two numbers per partition:

- the next offset (`Books`): what is handed over next. It starts at the group's position at the broker,
  asked for at every assignment. A record below it is skipped, one above it makes the consumer seek back.
- `acknowledged`: what may be committed. It follows the agents, which acknowledge whole batches in order.

Only what is committed is read. The marker at the end of a transaction, and the records of one that was
aborted, have offsets and are never fetched; that they were passed shows in aiokafka's position alone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import faust
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP, EventT
from faust.types.transports import ConsumerCallback
from mode.utils.futures import notify

from reco.errors import DeliveryError, TenfoldError
from streams import clients, header_names
from streams.delivery.books import Books, Verdict
from streams.delivery.outbox import Outbox
from streams.settings import Kafka

MAX_OUTSTANDING = 4096
"""Records handed over and not acknowledged, at most; Faust's buffer must be larger."""
RECORDS_PER_TURN = 256
"""Records handed over before other tasks get a turn."""
FETCH_WAIT = 20
"""How long the broker may hold back an empty fetch, ms.

A partition whose records were just taken waits for the fetch in flight of all others, so this bounds what
a quiet partition costs a busy one. Faust has 1,500.
"""
MADE_ANEW = (
    "the topic was made anew, or lost records. Stop all workers, remove the topic `sessions`, create it "
    "again with `tenfold topics --create`, and set a new worker.application, so that states are built anew; "
    "or set a new topics.prefix, so that everything begins anew."
)
"""What it means that a topic ends before what was read of it, and what to do."""

Task = Callable[[], Coroutine[Any, Any, None]]


class Fetched(dict[Any, list[Any]]):
    """Fetched records by partition, and the positions of all partitions right after that fetch."""

    def __init__(self, records: Mapping[Any, list[Any]], positions: Mapping[TP, int]) -> None:
        super().__init__(records)
        self.positions = positions


class LosslessThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """The consumer's thread, which alone talks to aiokafka."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        header_names.take_any()
        consumer = super()._create_worker_consumer(transport)
        # Faust has no settings for these.
        consumer._fetch_max_wait_ms = FETCH_WAIT  # noqa: SLF001
        consumer._isolation_level = clients.ISOLATION  # noqa: SLF001
        return consumer

    def member(self) -> str:
        """The id in the group, empty while in none; other threads ask."""
        coordinator = getattr(self._consumer, "_coordinator", None)
        return str(getattr(coordinator, "member_id", ""))

    async def _fetch_records(self, consumer: Any, active_partitions: set[TP], **options: Any) -> Fetched:
        try:
            records = await super()._fetch_records(consumer, active_partitions, **options)
        except OffsetOutOfRangeError as error:
            await self._go_on_from_beginning(consumer, error.args[0])
            return Fetched({}, {})
        except NoOffsetForPartitionError as error:
            # Of a changelog, which the group never reads, or of a partition before `perform_seek`.
            self._seek(consumer, error.args[0], 0)
            return Fetched({}, {})
        # Nothing is awaited in between, or the positions could be those of another fetch.
        return Fetched(records, _positions(consumer, active_partitions))

    async def _go_on_from_beginning(self, consumer: Any, missing: Mapping[TP, int]) -> None:
        """Seek what is no more, because it was removed before it was read, to what is left.

        Raises:
            DeliveryError: something else is there in its place, or nothing yet.
        """
        first = await consumer.beginning_offsets(list(missing))
        for tp, offset in missing.items():
            if offset >= first[tp]:
                raise DeliveryError(
                    f"{tp.topic}[{tp.partition}] has no offset {offset}, up to which it was read: {MADE_ANEW}"
                )
            self._seek(consumer, tp, first[tp])

    def _seek(self, consumer: Any, tp: TP, offset: int) -> None:
        """Seek, unless the partition was revoked meanwhile."""
        if tp in consumer.assignment():
            consumer.seek(tp, offset)

    async def seek_to_group_position(self, topics: Iterable[str]) -> dict[TP, int]:
        """Seek each assigned partition of `topics` to the group's position, and return the positions."""
        return await self.call_thread(self._seek_to_group_position, frozenset(topics))  # type: ignore[no-any-return]

    async def _seek_to_group_position(self, topics: frozenset[str]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        partitions = [tp for tp in consumer.assignment() if tp.topic in topics]
        if not partitions:
            return {}
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        starts = {}
        for tp in partitions:
            committed = await consumer.committed(tp)
            start = max(committed or 0, first[tp])
            if committed is not None:
                self._tell_removed(tp, committed, first[tp])
            if start > end[tp]:
                raise DeliveryError(
                    f"{tp.topic}[{tp.partition}] ends at {end[tp]}, before the group's position {start}: "
                    f"{MADE_ANEW}"
                )
            consumer.seek(tp, start)
            starts[TP(tp.topic, tp.partition)] = start
        return starts

    async def seek_back(self, tp: TP, offset: int) -> None:
        """Fetch `tp` again from `offset` on."""
        await self.call_thread(self._seek_back, tp, offset)

    async def _seek_back(self, tp: TP, offset: int) -> None:
        consumer = self._ensure_consumer()
        first = await consumer.beginning_offsets([tp])
        self._tell_removed(tp, offset, first[tp])
        self._seek(consumer, tp, offset)

    def _tell_removed(self, tp: TP, expected: int, first: int) -> None:
        if expected < first:
            self.log.error(
                "%s[%s]: offsets %s to %s were removed before they were read; keep the topic for longer "
                "(retention.ms=-1; `tenfold doctor` checks it)",
                *(tp.topic, tp.partition, expected, first - 1),
            )


def _positions(consumer: Any, partitions: Iterable[TP]) -> dict[TP, int]:
    """Where the next fetch of each begins, if they are assigned; `consumer.position` may wait for it."""
    subscription = consumer._subscription.subscription  # noqa: SLF001
    assignment = None if subscription is None else subscription.assignment
    if assignment is None:
        return {}
    states = {tp: assignment.state_value(tp) for tp in partitions if tp in assignment.tps}
    return {tp: state.position for tp, state in states.items() if state.has_valid_position}


class LosslessConsumer(Consumer):  # type: ignore[misc]
    """Faust's consumer with books that cannot go wrong; see the top of this file."""

    def __init__(self, transport: Any, callback: ConsumerCallback, *args: Any, **options: Any) -> None:
        super().__init__(transport, callback, *args, **options)
        self._books = Books()
        self.acknowledged: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._outstanding = 0
        self._room = asyncio.Event()
        self._placed = asyncio.Event()
        self._moved: frozenset[TP] = frozenset()
        self._may_commit = False

    def _new_consumer_thread(self) -> LosslessThread:
        return LosslessThread(self, loop=self.loop, beacon=self.beacon)

    def member(self) -> str:
        """The id in the group, empty while in none; other threads ask."""
        return str(self._thread.member())

    # -- positions

    async def perform_seek(self) -> None:
        """Start each assigned partition at the group's position; called after every assignment.

        If that is revoked meanwhile, the next one counts, and its positions alone.
        """
        rebalance = self.app.rebalancing_count
        starts = await self._thread.seek_to_group_position(self.app.topics.acking_topics)
        if rebalance != self.app.rebalancing_count:
            return
        self._moved = frozenset(tp for tp, at in starts.items() if at > self.acknowledged.get(tp, at))
        self._books.open(starts)
        self.acknowledged = dict(starts)
        # Committed whether anything follows or not: what was removed before it was read waits for nobody.
        self._committed = {}
        self._outstanding = 0
        self._room.set()
        self._placed.set()
        self._may_commit = True

    async def moved(self) -> frozenset[TP]:
        """Of the partitions that this worker had and has, those that others went on with in between.

        Waits until the assignment is complete. A worker that was paused is thrown out of its group without
        being told.
        """
        await self._placed.wait()
        return self._moved

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Hand over nothing more until the next assignment; what was handed over is acknowledged yet.

        After that, nothing is committed until then: a worker that was paused may get a partition back that
        others went on with, and what it acknowledged there is behind the group's position.
        """
        self._books.close()
        self._placed.clear()
        await super().on_partitions_revoked(revoked)
        self._may_commit = False

    # -- handing over

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            records, _ = await self._wait_next_records(timeout=1.0)
            await asyncio.sleep(0)
            if isinstance(records, Fetched):
                for tp, position in records.positions.items():
                    await self._hand_over(tp, records.get(tp, ()), position)

    async def _hand_over(self, tp: TP, fetched: Iterable[Any], position: int) -> None:
        """Hand over the records of one fetch, after which aiokafka's position is this."""
        previous: int | None = None
        for count, record in enumerate(fetched, start=1):
            await self._wait_for_turn(count)
            verdict = self._books.judge(tp, record.offset, previous)
            if verdict is Verdict.CLOSED or not self.flow_active:
                return
            if verdict is Verdict.SEEK_BACK:
                await self._seek_back(tp, record.offset)
                return
            if verdict is Verdict.HAND_OVER:
                # Does not suspend: the flow is on, and the agent's buffer holds more than MAX_OUTSTANDING.
                await self.callback(self._to_message(tp, record))
                self._books.handed_over(tp, record.offset)
                self._outstanding += 1
            previous = record.offset
        await self._pass(tp, position, previous)

    async def _pass(self, tp: TP, position: int, previous: int | None) -> None:
        """Pass what is no record, from the last record of a fetch, `previous`, to the position after it.

        Or seek back, for it may be a record that was fetched before the flow was resumed, and thrown away.
        """
        if not self.flow_active:
            return
        verdict = self._books.judge(tp, position, previous)
        if verdict is Verdict.SEEK_BACK:
            await self._thread.seek_back(tp, self._books.next_offset(tp))
        elif verdict is Verdict.HAND_OVER:
            self._books.passed(tp, position)
            self.acknowledged[tp] = self._books.done(tp, self.acknowledged[tp])

    async def _seek_back(self, tp: TP, found: int) -> None:
        expected = self._books.next_offset(tp)
        self.log.warning("%s[%s]: expected offset %s, got %s: seek back", *tp, expected, found)
        await self._thread.seek_back(tp, expected)

    async def _wait_for_turn(self, count: int) -> None:
        if count % RECORDS_PER_TURN == 0:
            await asyncio.sleep(0)
        while self._outstanding >= MAX_OUTSTANDING and self.flow_active and not self.should_stop:
            self._room.clear()
            await self.wait_first(self._room.wait(), self.suspend_flow.wait())

    # -- acknowledging

    def acknowledge(self, events: Iterable[EventT]) -> None:
        """Take note that the effects of `events`, the next ones of their partitions in order, are done."""
        done: dict[TP, int] = {}
        count = 0
        for event in events:
            message = event.message
            message.acked = True
            self._unacked_messages.discard(message)
            done[message.tp] = message.offset + 1
            count += 1
        for tp, offset in done.items():
            if offset > self.acknowledged.get(tp, offset):
                self.acknowledged[tp] = self._books.done(tp, offset)
        self._outstanding = max(0, self._outstanding - count)
        self._room.set()
        notify(self._waiting_for_ack)

    async def wait_empty(self) -> None:
        """Wait until the batches that agents are working on are acknowledged, and commit."""
        while not self.should_stop and any(not message.acked for message in self._unacked_messages):
            await self._wait_for_ack(timeout=1)
        await self.commit_and_end_transactions()

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 - Faust's
        """Commit what was acknowledged."""
        offsets = {
            tp: offset for tp, offset in self.acknowledged.items() if offset > self._committed.get(tp, 0)
        }
        if not (offsets and self._may_commit and await self._commit(offsets)):
            return False
        self._committed.update(offsets)
        return True

    async def verify_all_partitions_active(self) -> None:
        """Nothing: the watchdog compares with the broker, which Faust's detector does not."""


class LosslessTransport(Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the consumer above."""

    Consumer = LosslessConsumer


class LosslessApp(faust.App):  # type: ignore[misc]
    """A Faust application on the transport above, with what must be open and running beside its agents."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._outboxes: list[Outbox] = []
        self._before: list[Task] = []
        self._beside: list[Task] = []
        self._running: list[asyncio.Future[None]] = []
        self.begun = False
        """Whether all is done that comes before the application joins its group."""
        super().__init__(*args, **options)

    def outbox(self, kafka: Kafka) -> Outbox:
        """A new outbox that is open while the application runs."""
        outbox = Outbox(kafka)
        self._outboxes.append(outbox)
        return outbox

    def before_start(self, task: Task) -> None:
        """Run `task` to its end before the application joins its group."""
        self._before.append(task)

    def alongside(self, task: Task) -> None:
        """Run `task` as long as the application; if it fails, so does the application."""
        self._beside.append(task)

    def positions(self) -> dict[TP, int]:
        """What is acknowledged, by partition; other threads ask, in which Faust must create nothing."""
        return {} if self._consumer is None else dict(self._consumer.acknowledged)

    def member(self) -> str:
        """The id in its group, empty while in none; asked like `positions`."""
        return "" if self._consumer is None else str(self._consumer.member())

    async def on_start(self) -> None:
        """Open, build, and start what runs alongside.

        Raises:
            SystemExit: what had to be done before raised an error on purpose. Faust would log any other error
                with its traceback; of this one, the text says all.
        """
        await super().on_start()
        try:
            for outbox in self._outboxes:
                with clients.answering(outbox.kafka):
                    await outbox.start()
            for task in self._before:
                await task()
        except TenfoldError as error:
            raise SystemExit(str(error)) from error
        self.begun = True
        self._running = [self.add_future(task()) for task in self._beside]

    async def on_stop(self) -> None:
        """End what runs alongside, before what it stands on."""
        for running in self._running:
            running.cancel()
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """Close the outboxes, after the agents."""
        await super().on_shutdown()
        for outbox in self._outboxes:
            await outbox.close()

    def _new_transport(self) -> LosslessTransport:
        return LosslessTransport(self.conf.broker_consumer, self)
