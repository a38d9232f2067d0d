"""The settings of fetching images: what may be fetched, from where, and how much of it."""

from typing import Annotated

from msgspec import Meta, Struct

MEBIBYTE = 1024 * 1024


class Images(Struct, frozen=True, forbid_unknown_fields=True):
    """How images of sales are fetched; with the defaults, from public web servers only.

    Attributes:
        files_root: images may also be files below this folder, as `file:` URLs or paths; empty: no files.
        allow_private: fetch from private, loopback and other addresses that are not public, too. Whoever
            publishes sales can then make the labelling worker send requests into your own network.
        max_bytes: largest accepted image file, also after its content encoding is undone.
        max_pixels: largest accepted picture, width times height, up to what Pillow decodes; one takes 4 bytes
            a pixel, 8 if some are transparent, 16 as WebP, for a moment. Large ones are decoded one by one.
        timeout_seconds: longest that one image may take, redirects included, waiting for its turn not.
        max_redirects: most redirects that are followed for one image.
        concurrency: most images that are fetched, and not decoded yet, at a time; they take up to twice
            `max_bytes` each.
        user_agent: how requests name their sender.
    """

    files_root: str = ""
    allow_private: bool = False
    max_bytes: Annotated[int, Meta(ge=1024, le=1024 * MEBIBYTE)] = 20 * MEBIBYTE
    max_pixels: Annotated[int, Meta(ge=1, le=89_478_485)] = 50_000_000
    timeout_seconds: Annotated[float, Meta(gt=0, le=600)] = 8.0
    max_redirects: Annotated[int, Meta(ge=0, le=20)] = 5
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 8
    user_agent: Annotated[str, Meta(max_length=200, pattern=r"^[ -~]+\Z")] = "tenfold"
