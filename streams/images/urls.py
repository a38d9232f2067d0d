"""Which URLs are asked for images: the rules that can be told from a URL itself."""

import re
from ipaddress import IPv6Address

from yarl import URL

from reco.errors import ImageRefusedError
from streams.images.folder import LONGEST_SHOWN

_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")


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
    except (ValueError, IndexError):  # yarl raises the second for `a://[]@`; both may quote the whole URL
        raise ImageRefusedError("bad-url", "not a URL that can be read") from None
    return parsed


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
