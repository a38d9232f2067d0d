"""Postcards come over HTTP as they are drawn, may be kept, and nothing else is served."""

import re
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import numpy as np
import pytest
from PIL import Image

from demo.image_server import FRESH, ImageServer
from demo.postcards import KINDS, draw


@pytest.fixture
async def server() -> AsyncIterator[ImageServer]:
    async with ImageServer() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_served_as_it_is_drawn(
    server: ImageServer, client: aiohttp.ClientSession, kind: str
) -> None:
    async with client.get(server.url(kind, 5)) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
        served = Image.open(BytesIO(await answer.read()))
    difference = np.abs(np.asarray(served, int) - np.asarray(draw(kind, 5), int))
    assert difference.mean() < 6  # what JPEG takes away


async def test_a_postcard_may_be_kept_and_is_not_sent_twice_to_who_has_it(
    server: ImageServer, client: aiohttp.ClientSession
) -> None:
    async with client.get(server.url("ski slope", 1)) as first:
        tag = first.headers["ETag"]
        assert f"max-age={FRESH}" in first.headers["Cache-Control"]
    async with client.get(server.url("ski slope", 1), headers={"If-None-Match": tag}) as again:
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    async with client.get(server.url("ski slope", 2), headers={"If-None-Match": tag}) as other:
        assert other.status == 200
        assert other.headers["ETag"] != tag


async def test_who_asks_for_the_head_gets_no_picture(
    server: ImageServer, client: aiohttp.ClientSession
) -> None:
    async with client.head(server.url("pool", 1)) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert answer.content_length is not None
        assert answer.content_length > 1000


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/postcards/moon/1.jpg",
        "/postcards/beach/one.jpg",
        "/postcards/beach/-1.jpg",
        "/postcards/beach/1.png",
        "/postcards/beach/1234567890123456.jpg",
        "/postcards/%2e%2e/%2e%2e/1.jpg",
    ],
)
async def test_anything_else_is_not_found(
    server: ImageServer, client: aiohttp.ClientSession, path: str
) -> None:
    base = re.sub(r"/postcards/.*", "", server.url("beach", 1))
    async with client.get(base + path) as answer:
        assert answer.status == 404


async def test_two_servers_have_two_ports_and_are_gone_afterwards(client: aiohttp.ClientSession) -> None:
    async with ImageServer() as one, ImageServer() as other:
        gone = one.url("golf", 1)
        assert gone != other.url("golf", 1)
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.get(gone)
