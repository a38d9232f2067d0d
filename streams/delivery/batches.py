"""Micro-batches: whatever has arrived, without waiting for more; and work on several of them at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from faust.types import EventT

Batch = TypeVar("Batch")


async def micro_batches(stream: Any, limit: int) -> AsyncIterator[list[EventT]]:
    """Batches of the stream's events, none acknowledged, at most `limit` long.

    Waits for the first event of a batch only: at a low rate an event is handled as it comes, at a high rate
    a batch holds what came while the last one was handled.
    """
    app = stream.app
    queue = stream.channel.queue
    async for event in stream.noack().events():
        batch = [event]
        while len(batch) < limit and not queue.empty():
            waiting = queue.get_nowait()
            if waiting.message.generation_id == app.consumer_generation_id:
                app.consumer.track_message(waiting.message)
                batch.append(waiting)
        yield batch


async def overlapping(
    batches: AsyncIterator[Batch],
    work: Callable[[Batch], Awaitable[None]],
    done: Callable[[Batch], None],
    at_once: int,
) -> None:
    """Work on the batches, `at_once` of them at a time, and be done with them one by one, in their order.

    A batch is asked for when there is a turn for it. If the work on one fails, that on all others ends, and
    none after it is done.

    Raises:
        ExceptionGroup: of what `work` failed with.
    """
    turns = asyncio.Semaphore(at_once - 1)  # the batch that is asked for has one

    async def handle(batch: Batch, before: asyncio.Task[None] | None) -> None:
        await work(batch)
        if before:
            await before
        done(batch)
        turns.release()

    async with asyncio.TaskGroup() as tasks:
        last: asyncio.Task[None] | None = None
        async for batch in batches:
            last = tasks.create_task(handle(batch, last))
            await turns.acquire()
