"""Which URLs are asked for images: the rules that can be told from a URL itself."""

import re
from ipaddress import IPv6Address
from urllib.parse import unquote, urlsplit

from yarl import URL

from reco.errors import ImageRefusedError
from streams.images.folder import LONGEST_SHOWN

_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
"""A path or a query as it may be sent (RFC 3986, sections 3.3 and 3.4)."""


def checked(url: str) -> URL:
    """A URL that may be asked for.

    Raises:
        ImageRefusedError: `bad-url` or `not-allowed-scheme`.
    """
    return _allowed(_parsed(url))


def _parsed(url: str) -> URL:
    try:
        parsed = URL(url)
        if ":" in (host := parsed.raw_host or ""):  # yarl takes `a://[:b]/`, but cannot show or join it
            IPv6Address(host)
        return _as_written(parsed, url)
    except (ValueError, IndexError):  # yarl raises the second for `a://[]@`; both may quote the whole URL
        raise ImageRefusedError("bad-url", "not a URL that can be read") from None


def _as_written(parsed: URL, url: str) -> URL:
    """`parsed` with the escapes of `url`: yarl undoes those that need not be, but a signature covers them."""
    written = urlsplit(url)
    path, query = written.path or parsed.raw_path, written.query
    if not _ESCAPED.fullmatch(path + query) or unquote(path) != unquote(parsed.raw_path):
        return parsed
    return URL.build(
        scheme=parsed.scheme, authority=parsed.raw_authority, path=path, query_string=query, encoded=True
    )


def _allowed(parsed: URL) -> URL:
    if parsed.scheme not in {"http", "https"}:
        raise ImageRefusedError("not-allowed-scheme", "images are fetched by http or https")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise ImageRefusedError("bad-url", "the URL has a user or a password; publish it without")
    if not _HOST.fullmatch(parsed.raw_host or ""):
        raise ImageRefusedError("bad-url", "the URL has no host, or one that cannot be")
    return parsed


def redirected(url: URL, location: str) -> URL:
    """Where a response from `url` redirects to; to the web only, and never out of encryption.

    Raises:
        ImageRefusedError: `bad-url`, `not-allowed-scheme` or `insecure-redirect`.
    """
    target = _allowed(url.join(_parsed(location)))
    if url.scheme == "https" and target.scheme == "http":
        raise ImageRefusedError("insecure-redirect", f"{shown(url)} redirects from https to http")
    return target


def shown(url: URL) -> str:
    """A URL as an error may show it: without its query, which may hold a token."""
    return f"{url.origin()}{url.raw_path}"[:LONGEST_SHOWN]
