"""Waiting for what others may cancel."""

import asyncio
from contextlib import suppress
from typing import Any


async def until_ended(task: asyncio.Future[Any]) -> None:
    """Wait for `task`, which others may cancel; cancelled itself, this cancels it.

    Raises:
        Exception: what `task` failed with.
        asyncio.CancelledError: if the waiting one was told to end, not if only `task` was.
    """
    with suppress(asyncio.CancelledError):
        await task
    waiting = asyncio.current_task()
    if waiting is not None and waiting.cancelling():
        raise asyncio.CancelledError
