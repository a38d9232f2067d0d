"""Images from files: below one folder, and by no way out of it."""

import errno
import os
import stat
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from reco.errors import ImageRefusedError

LONGEST_SHOWN = 200
"""Characters of a place that an error shows."""

_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
# The last step may not be a link any more, links were followed before; a pipe would never end.
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_below(root: Path, place: str, max_bytes: int) -> bytes:
    """The bytes of a file at `place`, a `file:` URL or a path; a relative path starts at `root`.

    Links are followed, as long as they stay below `root`.

    Raises:
        ImageRefusedError: `bad-url`, `outside-root`, `no-such-file`, `too-large`, or `unreachable` if the
            file is there but cannot be read.
    """
    try:
        # Not Path.resolve: it raises RuntimeError for links in a circle, until Python 3.13.
        folder, path = (Path(os.path.realpath(part)) for part in (root, root / _path(place)))
        if not path.is_relative_to(folder):
            raise ImageRefusedError("outside-root", f"{shown_place(place)} is not below the folder of images")
        return _read(path, place, max_bytes)
    except ValueError:
        raise ImageRefusedError("bad-url", f"{shown_place(place)} cannot be the name of a file") from None
    except OSError as error:
        reason = "no-such-file" if error.errno in _MISSING else "unreachable"
        raise ImageRefusedError(reason, f"{shown_place(place)}: {error.strerror}") from None


def shown_place(place: str) -> str:
    """A place as an error may show it: no query, which may hold a token, and nothing with a password."""
    path = place.partition("?")[0].partition("#")[0]
    return "(hidden, it has an @)" if "@" in path else repr(path[:LONGEST_SHOWN])


def _path(place: str) -> str:
    if not place.lower().startswith("file:"):
        return place
    url = urlsplit(place)
    if url.netloc.lower() not in {"", "localhost"}:
        raise ImageRefusedError("bad-url", "a file: URL names another host; write file:///path")
    return url2pathname(url.path)


def _read(path: Path, place: str, max_bytes: int) -> bytes:
    with open(path, "rb", opener=lambda name, _: os.open(name, _OPEN)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ImageRefusedError("no-such-file", f"{shown_place(place)} is no plain file")
        value = file.read(max_bytes + 1)
    if len(value) > max_bytes:
        raise ImageRefusedError("too-large", f"{shown_place(place)} has more than {max_bytes:,} bytes")
    return value
