"""The server of the demo's images, in a process of its own: drawing must not slow down what is measured.

`python -m demo.image_process COUNT` reads a line with photographs, as JSON, or null for so many postcards of
each kind. It prints the URLs of the images of each kind, as JSON, and serves them until its standard input
ends: so it never outlives the demo.
"""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

import msgspec

from demo.image_server import ImageServer
from demo.photographs import Photographs
from reco.errors import TenfoldError
from streams.supervisor import MODULE

Urls = Mapping[str, tuple[str, ...]]
"""The URLs of images, by kind."""


class ImageProcess:
    """The process, from entering the context until leaving it; it gets ready while others start."""

    def __init__(self, per_kind: int, photographs: Photographs | None = None) -> None:
        self._per_kind = per_kind
        self._photographs = photographs
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        command = [*MODULE, "demo.image_process", str(self._per_kind)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)  # noqa: S603
        if self._process.stdin:
            with suppress(BrokenPipeError):  # it ended; `urls` says so
                self._process.stdin.write(msgspec.json.encode(self._photographs) + b"\n")
                self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def urls(self) -> Urls:
        """Where the images are, once they are served.

        Raises:
            TenfoldError: the server did not start.
        """
        said = self._process.stdout.readline() if self._process.stdout else b""
        if not said:
            raise TenfoldError("the server of the demo's images did not start; its error is above")
        return msgspec.json.decode(said, type=dict[str, tuple[str, ...]])


async def _serve(per_kind: int) -> None:
    photographs = msgspec.json.decode(sys.stdin.readline(), type=Photographs | None)
    async with ImageServer(photographs) as server:
        print(msgspec.json.encode(server.urls(per_kind)).decode(), flush=True)  # noqa: T201 - the demo reads it
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
