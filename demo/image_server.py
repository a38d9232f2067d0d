"""Serves the images of the demo's sales over HTTP: postcards, drawn when somebody asks, or photographs."""

import asyncio
import mimetypes
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from aiohttp import ETag, web

from demo.photographs import Photographs
from demo.postcards import KINDS, jpeg
from reco.errors import ImageRefusedError
from streams.images.folder import read_below
from streams.images.settings import Images

HOST: Final = "127.0.0.1"
FRESH: Final = 24 * 60 * 60
"""How long, in s, whoever has an image need not ask for it again."""
_drawn = lru_cache(maxsize=512)(jpeg)
"""Postcards of about 20 KB each, kept: the demo has about 200 sales."""


class ImageServer:
    """A server on a free port of this machine, from entering its context until leaving it.

    It answers `/postcards/<kind>/<seed>.jpg` for every kind and every seed of up to 15 digits; with
    photographs, `/photographs/<number of the kind>/<number>` for each that is shown; else 404. No file is
    asked for by its name, and none is read that is outside the folder of the photographs by then.
    """

    def __init__(self, photographs: Photographs | None = None) -> None:
        self._photographs = photographs
        app = web.Application()
        app.router.add_get(r"/postcards/{kind}/{seed:\d{1,15}}.jpg", _postcard)
        app.router.add_get(r"/photographs/{kind:\d{1,15}}/{number:\d{1,15}}", self._photograph)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def url(self, kind: str, seed: int) -> str:
        """Where the postcard is; only while the server runs."""
        return self._url(f"postcards/{quote(kind)}/{seed}.jpg")

    def urls(self, per_kind: int) -> Mapping[str, list[str]]:
        """Where the photographs of each kind are, or else so many postcards; only while the server runs."""
        if self._photographs is None:
            return {kind: [self.url(kind, seed) for seed in range(per_kind)] for kind in KINDS}
        return {
            kind: [self._url(f"photographs/{place}/{number}") for number in range(len(files))]
            for place, (kind, files) in enumerate(self._photographs.shown.items())
        }

    def _url(self, path: str) -> str:
        port = self._runner.addresses[0][1]
        return f"http://{HOST}:{port}/{path}"

    async def _photograph(self, request: web.Request) -> web.Response:
        if self._photographs is None:
            raise web.HTTPNotFound
        folder, shown = Path(self._photographs.folder), [*self._photographs.shown.values()]
        try:
            file = shown[int(request.match_info["kind"])][int(request.match_info["number"])]
        except IndexError:
            raise web.HTTPNotFound from None
        try:
            picture = await asyncio.to_thread(read_below, folder, file, Images().max_bytes)
        except ImageRefusedError as refusal:
            raise web.HTTPNotFound(text=refusal.reason) from None
        return _answer(request, picture, mimetypes.guess_type(file)[0] or "application/octet-stream")


async def _postcard(request: web.Request) -> web.Response:
    kind, seed = request.match_info["kind"], int(request.match_info["seed"])
    if kind not in KINDS:
        raise web.HTTPNotFound(text=f"no kind {kind!r}; take one of {', '.join(KINDS)}")
    # Drawing takes some milliseconds, in which the event loop has others to serve.
    return _answer(request, await asyncio.to_thread(_drawn, kind, seed), "image/jpeg")


def _answer(request: web.Request, picture: bytes, content_type: str) -> web.Response:
    """The picture, unless whoever asks has it already."""
    tag = blake2b(picture, digest_size=12).hexdigest()
    headers = {"Cache-Control": f"public, max-age={FRESH}, immutable"}
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(body=picture, content_type=content_type, headers=headers)
    response.etag = ETag(tag)
    return response
