"""A web server of postcards for tests of labelling, some of which are broken, missing, or late."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from io import BytesIO

from aiohttp import web

from demo.postcards import draw
from tests.streams.images.image_site import HOST, served
from tests.streams.labellers import SIDE

LARGE = 320
"""Height and width of the large picture, pixels."""


class PostcardSite:
    """A running site, and what it was asked for.

    Attributes:
        asked: how often, by path.
        holding: how many requests for held images wait at the moment.
        gate: held images wait until it is open.
        opens_at: with so many that wait, the gate opens by itself; 0 for never.
        works: until it is set, the images that may be busy answer 503.
    """

    def __init__(self) -> None:
        self.port = 0
        self.asked: Counter[str] = Counter()
        self.holding = self.opens_at = 0
        self.gate = asyncio.Event()
        self.works = asyncio.Event()

    def postcard(self, kind: str, seed: int) -> str:
        return self._url(f"at-once/{kind}/{seed}")

    def held(self, kind: str, seed: int) -> str:
        """One that comes only while the gate is open."""
        return self._url(f"held/{kind}/{seed}")

    def busy(self, kind: str, seed: int) -> str:
        """One that comes only once the site works."""
        return self._url(f"busy/{kind}/{seed}")

    def late(self, kind: str, seed: int, seconds: float) -> str:
        return self._url(f"late/{kind}/{seed}?seconds={seconds}")

    def broken(self) -> str:
        return self._url("broken")

    def large(self) -> str:
        """One of `LARGE` x `LARGE` pixels."""
        return self._url("large")

    def missing(self) -> str:
        return self._url("missing")

    def _url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}/{path}"

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{how}/{kind}/{seed}", self._postcard)
        app.router.add_get("/broken", self._broken)
        app.router.add_get("/large", self._large)
        return app

    async def _postcard(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        how = request.match_info["how"]
        if how == "busy" and not self.works.is_set():
            raise web.HTTPServiceUnavailable
        if how == "held":
            await self._hold()
        if how == "late":
            await asyncio.sleep(float(request.query["seconds"]))
        picture = jpeg(request.match_info["kind"], int(request.match_info["seed"]))
        return web.Response(body=picture, content_type="image/jpeg")

    async def _hold(self) -> None:
        self.holding += 1
        if self.holding == self.opens_at:
            self.gate.set()
        try:
            await self.gate.wait()
        finally:
            self.holding -= 1

    async def _large(self, _: web.Request) -> web.Response:
        return web.Response(body=jpeg("skyline", 1, LARGE), content_type="image/jpeg")

    async def _broken(self, _: web.Request) -> web.Response:
        return web.Response(text="no image", content_type="image/jpeg")


@cache
def jpeg(kind: str, seed: int, side: int = SIDE) -> bytes:
    file = BytesIO()
    draw(kind, seed, side).save(file, "JPEG", quality=95)
    return file.getvalue()


@asynccontextmanager
async def postcard_site() -> AsyncIterator[PostcardSite]:
    site = PostcardSite()
    async with served(site.app(), handler_cancellation=True, shutdown_timeout=0) as site.port:
        try:
            yield site
        finally:
            site.gate.set()
