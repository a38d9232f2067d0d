"""Micro-batches: whatever has arrived, without waiting for more."""

from collections.abc import AsyncIterator
from typing import Any

from faust.types import EventT


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
