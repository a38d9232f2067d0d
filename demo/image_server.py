"""Serves postcards over HTTP, drawn when somebody asks for them: the images of the demo's sales."""

import asyncio
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from aiohttp import ETag, web

from demo.postcards import KINDS, draw
from demo.postcards.album import QUALITY

HOST: Final = "127.0.0.1"
FRESH: Final = 24 * 60 * 60
"""How long, in s, whoever has a postcard need not ask for it again."""
_KEPT: Final = 512
"""So many postcards are kept, of about 20 KB each; the demo has about 200 sales."""


class ImageServer:
    """A server on a free port of this machine, from entering its context until leaving it.

    It answers `/postcards/<kind>/<seed>.jpg` for every kind and every seed of up to 15 digits, else 404.
    """

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_get(r"/postcards/{kind}/{seed:\d{1,15}}.jpg", _answer)
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
        port = self._runner.addresses[0][1]
        return f"http://{HOST}:{port}/postcards/{quote(kind)}/{seed}.jpg"


async def _answer(request: web.Request) -> web.Response:
    kind, seed = request.match_info["kind"], int(request.match_info["seed"])
    if kind not in KINDS:
        raise web.HTTPNotFound(text=f"no kind {kind!r}; take one of {', '.join(KINDS)}")
    # Drawing takes some milliseconds, in which the event loop has others to serve.
    picture = await asyncio.to_thread(_jpeg, kind, seed)
    tag = blake2b(picture, digest_size=12).hexdigest()
    headers = {"Cache-Control": f"public, max-age={FRESH}, immutable"}
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(body=picture, content_type="image/jpeg", headers=headers)
    response.etag = ETag(tag)
    return response


@lru_cache(_KEPT)
def _jpeg(kind: str, seed: int) -> bytes:
    file = BytesIO()
    draw(kind, seed).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
