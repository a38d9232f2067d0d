"""Batches hold what has arrived and is still this consumer's; they are done one by one in their order."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from streams.delivery.batches import micro_batches, overlapping


class Stream:
    """A stream in which events, of these generations of the consumer, have arrived; it is in generation 2."""

    def __init__(self, generations: Iterable[int]) -> None:
        self.tracked: list[Any] = []
        consumer = SimpleNamespace(track_message=self.tracked.append)
        self.app = SimpleNamespace(consumer=consumer, consumer_generation_id=2)
        self.channel = SimpleNamespace(queue=asyncio.Queue[Any]())
        for offset, generation in enumerate(generations):
            message = SimpleNamespace(offset=offset, generation_id=generation)
            self.channel.queue.put_nowait(SimpleNamespace(message=message))

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        """What Faust hands over: it leaves out and tracks by itself."""
        while not self.channel.queue.empty():
            yield self.channel.queue.get_nowait()


async def test_a_batch_is_what_has_arrived_up_to_the_limit() -> None:
    batches = [batch async for batch in micro_batches(Stream([2] * 5), limit=2)]
    assert [[event.message.offset for event in batch] for batch in batches] == [[0, 1], [2, 3], [4]]


async def test_what_came_before_a_rebalance_is_in_no_batch_and_is_not_tracked() -> None:
    stream = Stream([2, 1, 2, 1, 2])
    (batch,) = [batch async for batch in micro_batches(stream, limit=9)]
    assert [event.message.offset for event in batch] == [0, 2, 4]
    assert [message.offset for message in stream.tracked] == [2, 4]


class Desk:
    """Works on numbered batches, each as long as it is held; notes what happens."""

    def __init__(self, held: Sequence[int]) -> None:
        self.held = {batch: asyncio.Event() for batch in held}
        self.asked: list[int] = []
        self.begun: list[int] = []
        self.done: list[int] = []
        self.moved = asyncio.Event()

    async def batches(self, count: int) -> AsyncIterator[int]:
        for batch in range(count):
            self.asked.append(batch)
            yield batch

    async def work(self, batch: int) -> None:
        self.begun.append(batch)
        self.moved.set()
        if batch in self.held:
            await self.held[batch].wait()

    async def until_begun(self, batch: int) -> None:
        while batch not in self.begun:
            self.moved.clear()
            await self.moved.wait()


async def test_a_batch_is_begun_while_the_one_before_it_is_worked_on_and_done_after_it() -> None:
    desk = Desk(held=[0])
    working = asyncio.create_task(overlapping(desk.batches(3), desk.work, desk.done.append, at_once=2))

    await desk.until_begun(1)
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(9)))
    assert (desk.asked, desk.begun, desk.done) == ([0, 1], [0, 1], [])

    desk.held[0].set()
    await working
    assert (desk.begun, desk.done) == ([0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
async def test_no_more_than_asked_for_are_worked_on_at_a_time(at_once: int) -> None:
    desk = Desk(held=range(5))
    working = asyncio.create_task(overlapping(desk.batches(5), desk.work, desk.done.append, at_once))
    for batch in range(5):
        last = min(batch + at_once, 5) - 1
        await desk.until_begun(last)
        assert desk.asked == desk.begun == list(range(last + 1))
        desk.held[batch].set()
    await working
    assert desk.done == list(range(5))


async def test_work_that_fails_ends_all_other_work_and_nothing_after_it_is_done() -> None:
    desk = Desk(held=[0, 2])

    async def work(batch: int) -> None:
        await desk.work(batch)
        if batch == 1:
            desk.held[0].set()
            raise OSError("no broker")

    with pytest.raises(ExceptionGroup) as failed:
        await overlapping(desk.batches(3), work, desk.done.append, at_once=3)

    assert [str(error) for error in failed.value.exceptions] == ["no broker"]
    assert not set(desk.done) & {1, 2}


async def test_who_gives_up_ends_the_work() -> None:
    desk = Desk(held=[0, 1])
    working = asyncio.create_task(overlapping(desk.batches(2), desk.work, desk.done.append, at_once=2))
    await desk.until_begun(1)

    working.cancel()

    with pytest.raises(asyncio.CancelledError):
        await working
    assert desk.done == []
