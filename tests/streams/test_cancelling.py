"""Who waits for what others cancel goes on; who is told to end ends, and what it waited for with it."""

import asyncio

import pytest

from streams.cancelling import until_ended


async def fail() -> None:
    raise ZeroDivisionError


async def test_who_waits_goes_on_when_only_what_it_waits_for_is_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(task.cancel)
    await until_ended(task)
    assert task.cancelled()


async def test_who_waits_is_told_what_went_wrong() -> None:
    with pytest.raises(ZeroDivisionError):
        await until_ended(asyncio.create_task(fail()))


async def test_who_is_told_to_end_ends_with_what_it_waits_for() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    waiting = asyncio.create_task(until_ended(task))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert task.cancelled()
