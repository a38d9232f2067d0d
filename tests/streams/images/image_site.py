"""A web server with one good image and every bad habit that a server of images can have."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from ssl import SSLContext
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

IMAGE = bytes(range(256)) * 40
"""Bytes that stand for an image; fetching does not look into them."""
HOST = "127.0.0.1"
BLOCK = 64 * 1024
REDIRECTS = (301, 302, 303, 307, 308)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """A running site and what it saw.

    Attributes:
        at: its address, `http://127.0.0.1:port`.
        port: its port.
        asked: the requests so far, newest last.
        sent: bytes of endless bodies that it could send.
        gate: how many images of `/together` wait for each other.
        busiest: most images of `/together` that were asked for at a time.
    """

    port: int = 0
    asked: list[web.Request] = field(default_factory=list)
    sent: int = 0
    gate: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(1))
    running: int = 0
    busiest: int = 0

    @property
    def at(self) -> str:
        return f"http://{HOST}:{self.port}"

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._noted])
        habits: Mapping[str, Handler] = {
            "/good": _good,
            "/gzipped": _gzipped,
            "/gzip-bomb": _gzip_bomb,
            "/gzip-cut-short": _gzip_cut_short,
            "/no-gzip": _no_gzip,
            "/brotli": _brotli,
            "/huge": _huge,
            "/endless": self._endless,
            "/drip": _drip,
            "/soon": _soon,
            "/to": _to,
            "/cookie": _cookie,
            "/nowhere": _nowhere,
            "/together": self._together,
        }
        app.add_routes([web.get(path, habit) for path, habit in habits.items()])
        app.add_routes([web.get("/hop/{n}", _hop), web.get("/status/{status}", _status)])
        return app

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.asked.append(request)
        return await handler(request)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(BLOCK))
            self.sent += BLOCK

    async def _together(self, _: web.Request) -> web.StreamResponse:
        self.running += 1
        self.busiest = max(self.busiest, self.running)
        await self.gate.wait()
        self.running -= 1
        return web.Response(body=IMAGE)


async def _good(_: web.Request) -> web.StreamResponse:
    return web.Response(body=IMAGE, content_type="text/html")


async def _gzipped(_: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(IMAGE), headers={"Content-Encoding": "gzip"})


@cache
def bomb() -> bytes:
    """32 MiB of zeros as 32 kB of gzip."""
    return gzip.compress(bytes(32 * 1024 * 1024))


async def _gzip_bomb(_: web.Request) -> web.StreamResponse:
    return web.Response(body=bomb(), headers={"Content-Encoding": "gzip"})


async def _gzip_cut_short(_: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(IMAGE)[:-9], headers={"Content-Encoding": "gzip"})


async def _no_gzip(_: web.Request) -> web.StreamResponse:
    return web.Response(body=IMAGE, headers={"Content-Encoding": "gzip"})


async def _brotli(_: web.Request) -> web.StreamResponse:
    return web.Response(body=IMAGE, headers={"Content-Encoding": "br"})


async def _huge(request: web.Request) -> web.StreamResponse:
    """Declares a terabyte and sends nothing."""
    response = web.StreamResponse(headers={"Content-Length": str(10**12)})
    await response.prepare(request)
    await asyncio.Event().wait()
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    """Sends a byte now and then, so that no single wait is long."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.02)


async def _soon(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.2)
    return web.Response(body=IMAGE)


async def _to(request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": request.query["url"]})


async def _hop(request: web.Request) -> web.StreamResponse:
    """`/hop/n` leads to the image by n redirects; none of them is ever the last if n is negative."""
    left = int(request.match_info["n"])
    status = REDIRECTS[left % len(REDIRECTS)]
    return web.Response(status=status, headers={"Location": f"/hop/{left - 1}" if left != 1 else "/good"})


async def _nowhere(_: web.Request) -> web.StreamResponse:
    return web.Response(status=302)


async def _cookie(request: web.Request) -> web.StreamResponse:
    return web.Response(body=request.headers.get("Cookie", "").encode(), headers={"Set-Cookie": "seen=1"})


async def _status(request: web.Request) -> web.StreamResponse:
    """Names another place, too, whatever the status."""
    status = int(request.match_info["status"])
    return web.Response(status=status, body=IMAGE, headers={"Location": "/good"})


@asynccontextmanager
async def served(app: web.Application, ssl: SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """The free port at which an application is served for the length of the block."""
    runner = web.AppRunner(app, access_log=None, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, ssl_context=ssl).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def image_site() -> AsyncIterator[Site]:
    """The site, running at a free port."""
    site = Site()
    async with served(site.app(), shutdown_timeout=0.01) as site.port:
        yield site


@asynccontextmanager
async def raw_site(*parts: bytes, hold: bool = False, again: bool = False) -> AsyncIterator[str]:
    """A server that answers whatever it is asked with these bytes.

    Args:
        parts: what it sends.
        hold: whether it then keeps the connection open, silent.
        again: whether it sends them for ever, a while after each other.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.writelines(parts)
            while again:
                await writer.drain()
                await asyncio.sleep(0.01)
                writer.write(parts[-1])
            await writer.drain()
            if hold:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


class Names(AbstractResolver):
    """A resolver that knows what it is told; asked again, it gives the next answer, the last one for ever.

    Args:
        answers: the addresses of each host, one tuple for each time it is asked.
    """

    def __init__(self, answers: Mapping[str, list[tuple[str, ...]]]) -> None:
        self._answers = {host: list(known) for host, known in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The next answer about a host.

        Raises:
            OSError: nothing is known about it.
        """
        del family
        known = self._answers.get(host)
        if not known:
            raise OSError(socket.EAI_NONAME, "Name or service not known")
        addresses = known.pop(0) if len(known) > 1 else known[0]
        return [self._result(host, address, port) for address in addresses]

    @staticmethod
    def _result(host: str, address: str, port: int) -> ResolveResult:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        flags = socket.AI_NUMERICHOST
        return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)

    async def close(self) -> None:
        """Nothing is open."""
