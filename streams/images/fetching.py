"""Fetching images from the web, which is not trusted: every limit is kept, every refusal has a reason.

Any port may be asked. The type that a server declares says nothing: decoding decides what is an image.
Size and number of header lines are limited by aiohttp.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from reco.errors import ImageRefusedError
from streams.images.addresses import ForbiddenAddressError, is_public, sockets_to
from streams.images.folder import read_below, shown_place
from streams.images.lookups import SystemResolver
from streams.images.settings import Images
from streams.images.urls import checked, redirected, shown

PER_HOST = 4
"""Most images that are fetched from one host at a time."""

_OK = 200
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MAY_PASS = frozenset(("unreachable", "too-slow", "cut-short", "http-408", "http-425", "http-429"))
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_ENCODINGS = frozenset(("gzip", "x-gzip", "deflate"))
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
"""zlib finds out itself which of the two it is."""
_REASONS: Mapping[type[Exception], str] = {
    aiohttp.ClientConnectorCertificateError: "bad-certificate",
    aiohttp.InvalidURL: "bad-url",
    aiohttp.ClientPayloadError: "cut-short",
    aiohttp.ClientResponseError: "bad-response",
    aiohttp.ClientError: "unreachable",
    OSError: "unreachable",
    ValueError: "bad-url",
}
"""The reason for an error of aiohttp: that of the first kind which it is."""


def may_pass(error: ImageRefusedError) -> bool:
    """Whether the same image may be had later: network or server failed, it was not against the rules."""
    return error.reason in _MAY_PASS or error.reason.startswith("http-5")


class Fetcher:
    """Fetches images, within the limits of `Images`; one for the whole worker, as a context.

    Args:
        images: the settings.
        resolver: looks up the addresses of a host; by default that of the system.
        permitted: whether an IP address may be connected to; by default `is_public`, or any
            with `allow_private`.

    Example:
        async with Fetcher(Images()) as fetcher:
            async with fetcher.fetched("https://shop.example/beach.jpg") as data:
                picture = whole(data, (224, 224))
    """

    def __init__(
        self,
        images: Images,
        *,
        resolver: AbstractResolver | None = None,
        permitted: Callable[[str], bool] | None = None,
    ) -> None:
        self._images = images
        self._root = Path(images.files_root).expanduser() if images.files_root else None
        self._resolver = resolver or SystemResolver()
        self._permitted = permitted or (_any_address if images.allow_private else is_public)
        self._turns = asyncio.Semaphore(images.concurrency)
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=self._images.concurrency,
            resolver=self._resolver,
            socket_factory=sockets_to(self._permitted),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            # Encoded bodies are decoded here, to a limit; a megabyte on the wire can become a gigabyte.
            auto_decompress=False,
            headers={"User-Agent": self._images.user_agent, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),  # none of its own; `fetched` limits the whole
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @asynccontextmanager
    async def fetched(self, url: str) -> AsyncIterator[bytes]:
        """The bytes of an image, which keep their turn until one is done with them; none says that it is one.

        So those that wait to be decoded are never more than may be fetched at a time.

        Args:
            url: `http:` or `https:`; or, if there is a `files_root`, a `file:` URL or path below it.

        Raises:
            ImageRefusedError: it is not fetched. Its detail shows neither the query of a URL nor credentials.
                Reasons that may pass: `unreachable` `too-slow` `cut-short` `http-5xx` `http-408` `http-425`
                `http-429`. Those that will not: `bad-url` `not-allowed-scheme` `private-address`
                `too-many-redirects` `insecure-redirect` `bad-certificate` `bad-response`
                `content-encoding` `too-large`, every other `http-` status than 200, and for files
                `outside-root` `no-such-file`.
        """
        scheme = _SCHEME.match(url)
        if not scheme or scheme[1].lower() == "file":
            root = self._files_root(url)
            async with self._turns:
                yield await self._in_time(
                    asyncio.to_thread(read_below, root, url, self._images.max_bytes), shown_place(url)
                )
            return
        start = checked(url)
        async with self._turn_at(start):
            yield await self._in_time(self._follow(start), shown(start))

    def _files_root(self, place: str) -> Path:
        if self._root is None:
            detail = f"{shown_place(place)} is no http or https URL; files need [images] files_root"
            raise ImageRefusedError("not-allowed-scheme", detail)
        return self._root

    async def _in_time(self, fetching: Awaitable[bytes], place: str) -> bytes:
        try:
            async with asyncio.timeout(self._images.timeout_seconds):
                return await fetching
        except TimeoutError:
            took = f"{place} took more than {self._images.timeout_seconds:g} s"
            raise ImageRefusedError("too-slow", took) from None

    @asynccontextmanager
    async def _turn_at(self, url: URL) -> AsyncIterator[None]:
        """Wait for a turn: at the host first, so that those who wait for a busy host hold up no others."""
        at_host = self._hosts.setdefault(url.raw_host or "", asyncio.Semaphore(PER_HOST))
        async with at_host, self._turns:
            yield

    async def _follow(self, url: URL) -> bytes:
        """The image at a URL or where it leads; each step is checked like the first."""
        for _ in range(self._images.max_redirects + 1):
            found = await self._get(url)
            if isinstance(found, bytes):
                return found
            url = found
        raise ImageRefusedError("too-many-redirects", f"{shown(url)} is one redirect too many")

    async def _get(self, url: URL) -> bytes | URL:
        """The body of a response, or where it redirects to."""
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status in _REDIRECTS and location is not None:
                    return redirected(url, location)
                if response.status != _OK:
                    raise ImageRefusedError(f"http-{response.status}", shown(url))
                return await self._body(response, url)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _refused(error, url) from None

    async def _body(self, response: aiohttp.ClientResponse, url: URL) -> bytes:
        self._limit(response.content_length or 0, url)
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            self._limit(len(body), url)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in {"", "identity"}:
            return bytes(body)
        if encoding not in _ENCODINGS:
            raise ImageRefusedError("content-encoding", f"{shown(url)} is encoded, which was not asked for")
        return await asyncio.to_thread(self._decoded, body, url)

    def _decoded(self, body: bytearray, url: URL) -> bytes:
        decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            decoded = decoder.decompress(body, self._images.max_bytes + 1)
        except zlib.error:
            raise ImageRefusedError("bad-response", f"{shown(url)} is not encoded as it declares") from None
        self._limit(len(decoded), url)
        if not decoder.eof:
            raise ImageRefusedError("cut-short", f"{shown(url)} ends before its encoded content does")
        return decoded

    def _limit(self, n_bytes: int, url: URL) -> None:
        if n_bytes > self._images.max_bytes:
            limit = f"{self._images.max_bytes:,} bytes"
            raise ImageRefusedError("too-large", f"{shown(url)} has more than {limit}")


def _any_address(_: str) -> bool:
    return True


def _refused(error: Exception, url: URL) -> ImageRefusedError:
    """An error of aiohttp as a refusal; its text is left out, for it may hold the whole URL."""
    reason = next(reason for kind, reason in _REASONS.items() if isinstance(error, kind))
    cause: object = getattr(error, "os_error", error)
    if isinstance(cause, ForbiddenAddressError):
        return ImageRefusedError("private-address", f"{shown(url)} is at an address that is not public")
    said = cause.strerror if isinstance(cause, OSError) else None
    return ImageRefusedError(reason, f"{shown(url)}: {said or type(cause).__name__}")
