"""What goes on beside the visitors ends with them, and its errors end them."""

import asyncio

import pytest

from demo.performance import background
from reco.errors import BrokerError


async def for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def failing() -> None:
    raise BrokerError("gone")


async def test_what_goes_on_beside_the_visitors_ends_with_them() -> None:
    ended: list[str] = []
    async with background(for_ever(ended), for_ever(ended)):
        await asyncio.sleep(0)
    assert ended == ["ended", "ended"]


async def test_an_error_beside_the_visitors_ends_the_demo_with_that_error() -> None:
    ended: list[str] = []
    with pytest.raises(BrokerError, match="gone"):
        async with background(for_ever(ended), failing()):
            await asyncio.Event().wait()
    assert ended == ["ended"]


async def test_an_error_of_the_visitors_ends_what_goes_on_beside_them() -> None:
    ended: list[str] = []

    async def visit() -> None:
        async with background(for_ever(ended)):
            await asyncio.sleep(0)
            await failing()

    with pytest.raises(BrokerError, match="gone"):
        await visit()
    assert ended == ["ended"]
