"""The shop that benchmarks of labelling use: pictures on a web server, sales with them, and a labeller.

`python -m benchmarks.image_shop FOLDER --backbone MobileNet` makes such a labeller, and prints where it is.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Self

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from benchmarks import networks
from benchmarks.machine import run_main
from demo.postcards import KINDS, jpeg
from models.labelling.backbones import Backbone
from models.labelling.head import HeadOptions, train_head
from models.labelling.labeller import Provenance, Recognition, write_labeller
from models.labelling.networks import RANDOM
from models.labelling.pictures import Sight, decode_views
from models.labelling.topics import TopicOptions, fit_topics
from reco.events import Sale
from reco.parameters import HOUR
from streams.clock import now

HOST = "127.0.0.1"
SIDE = 640
"""Height and width of the pictures, pixels: those of a web page, some 60 KB each."""
TAUGHT = 6
"""Postcards of each kind that the head learns from."""
EPOCHS = 5
"""Passes of the head: it is as fast as a good one, and need not be good."""


def jpegs(count: int, start: int = 0, side: int = SIDE) -> list[bytes]:
    """So many postcards as files, of all kinds in turn; others from another `start`."""
    return [
        jpeg(kind, seed, side) for seed, kind in islice(product(range(start, start + count), KINDS), count)
    ]


def decoded(files: Sequence[bytes], sight: Sight) -> NDArray[np.uint8]:
    """uint8[n, views, height, width, 3]: pictures as a labeller takes them."""
    return np.stack([decode_views(file, sight) for file in files])


def labeller(folder: Path, backbones: Sequence[Backbone], views: int) -> Path:
    """A labeller below `folder` on these networks, its head of the usual size, trained for a moment."""
    pictures = decoded(jpegs(TAUGHT * len(KINDS), start=10_000), Sight(backbones[0].size, views))
    features = np.hstack([backbone.features(pictures) for backbone in backbones])
    labels = np.tile(np.arange(len(KINDS), dtype=np.int32), TAUGHT)
    blocks = [backbone.dimensions for backbone in backbones]
    learned = train_head(features, labels, tuple(KINDS), HeadOptions(epochs=EPOCHS), blocks=blocks)
    topics = fit_topics(learned.unseen, tuple(KINDS), TopicOptions(numbers=(4,)))
    recognition = Recognition(tuple(backbones), learned.head, topics, views)
    return write_labeller(folder, recognition, Provenance(now(), {"images": "postcards, for a benchmark"}))


class Site:
    """A web server of pictures on this machine; each has any number of addresses."""

    def __init__(self, pictures: Sequence[bytes]) -> None:
        self._pictures = pictures
        self._numbers = iter(range(10**9))
        app = web.Application()
        app.router.add_get(r"/{number:\d+}.jpg", self._answer)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def sales(self, name: str, count: int, images: int) -> Iterator[Sale]:
        """So many open sales, each with so many images at addresses that nobody was ever asked for."""
        port = self._runner.addresses[0][1]
        for number in range(count):
            urls = [f"http://{HOST}:{port}/{one}.jpg" for one in islice(self._numbers, images)]
            title = f"Journey {name} {number}"
            yield Sale(f"{name}-{number}", title, now() - HOUR, now() + 24 * HOUR, image_urls=tuple(urls))

    async def _answer(self, request: web.Request) -> web.Response:
        picture = self._pictures[int(request.match_info["number"]) % len(self._pictures)]
        return web.Response(body=picture, content_type="image/jpeg")


def main() -> None:
    """Make a labeller."""
    reads = argparse.ArgumentParser(description=__doc__)
    reads.add_argument("folder", type=Path)
    networks.add_arguments(reads, backbone="MobileNet", weights=RANDOM)
    given = reads.parse_args()
    print(labeller(given.folder, networks.load(given), given.views))


if __name__ == "__main__":
    run_main(main)
