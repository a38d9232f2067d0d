"""How much of the network's speed the labelling worker keeps, and how soon a new sale's images are evidence.

    python -m benchmarks.labelling
    python -m benchmarks.labelling --backbone ../shared/weights/backbones.py:mobilenet_v1_100q

Throughput: sales are published to a running worker, which fetches their images over HTTP, decodes and labels
them, and writes `sale-labels`. After each round the bare network, in this process, takes as many pictures
that are decoded; a round and its baseline are a pair, and the claim is the median of the pairs' ratios.

Latency: sales with one image each are published at a steady rate, from the send until the FAISS index that a
scoring worker keeps holds the embedding, in this process on one clock. The baseline is the same for the sale
itself, which needs no labels. Broker, web server, worker and baseline share the machine.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec.structs import replace
from numpy.typing import NDArray

from benchmarks import networks
from benchmarks.image_shop import Site, decoded, jpegs, labeller
from benchmarks.installation import cpu_seconds, installation, producing, reading, workers
from benchmarks.machine import (
    Figure,
    Report,
    machine,
    parser,
    percentile,
    publish,
    run_main,
    step,
    to_write,
    turns,
)
from models.labelling.backbones import Backbone
from models.labelling.labeller import Labeller, load_labeller
from models.labelling.networks import RANDOM
from models.sale_content import SaleContent
from reco.catalogue import Catalogue
from reco.events import Sale
from reco.label_book import LabelBook
from reco.labels import SaleLabels
from streams.clock import now
from streams.codecs import decode_labels, encode
from streams.feeds import CatalogueFeed
from streams.images.settings import Images
from streams.label_feed import LabelFeed
from streams.settings import Labelling, Settings
from streams.supervisor import Supervisor
from streams.topics import topic_set
from streams.vitals import Vitals

PICTURES = 64
"""Different pictures, each at any number of addresses."""
BATCHES = (8, 64)
"""Pictures that may go through the bare network at once: few suit a CPU, many a graphics card."""
PATIENCE = 60.0
"""Longest wait for sales that are being labelled, s."""


class Pair(NamedTuple):
    """A round of the worker, and its baseline: images per second, and processor time per image, ms."""

    worker: float
    bare: float
    worker_ms: float
    bare_ms: float


class Rounds(NamedTuple):
    """All pairs, and the labels of all sales."""

    pairs: Sequence[Pair]
    labels: Sequence[SaleLabels]


class BareNetwork:
    """The baseline: networks and pictures, decoded already, at the batch that is fastest on this machine."""

    def __init__(self, backbones: Sequence[Backbone], pictures: NDArray[np.uint8]) -> None:
        self._backbones = backbones
        self._pictures = pictures
        for batch in BATCHES:
            self._look(PICTURES, batch)
        self._batch = min(BATCHES, key=lambda batch: self._look(PICTURES, batch)[0])

    def take(self, images: int) -> tuple[float, float]:
        """Seconds, and seconds of processor time, for so many pictures."""
        return self._look(images, self._batch)

    def _look(self, images: int, batch: int) -> tuple[float, float]:
        taken = np.resize(self._pictures, (images, *self._pictures.shape[1:]))
        began, before = time.perf_counter(), time.process_time()
        for start in range(0, images, batch):
            for backbone in self._backbones:
                backbone.features(taken[start : start + batch])
        return time.perf_counter() - began, time.process_time() - before


class SeenContent(SaleContent):
    """The content of a scoring worker, which notes when it took over a sale, and indexed its embedding.

    Attributes:
        sales: when each sale was, s.
        embeddings: when its embedding was.
        changed: set with each of them.
    """

    def __init__(self, book: LabelBook, catalogue: Catalogue) -> None:
        super().__init__(labels=book)
        self._catalogue = catalogue
        self.sales: dict[str, float] = {}
        self.embeddings: dict[str, float] = {}
        self.changed = asyncio.Event()

    def take(self, sale_id: str, sale: Sale | None) -> None:
        """Take over a sale, and note it."""
        super().take(sale_id, sale)
        self.sales.setdefault(sale_id, time.perf_counter())

    def take_labels(self, sale_ids: Iterable[str]) -> None:
        """Take over labels, and note of which sales the index has an embedding by now."""
        super().take_labels(sale_ids)
        live = self._catalogue.live(now())
        indexed = self.content.indexed("image", live)
        for position in () if indexed is None else indexed.positions.tolist():
            self.embeddings.setdefault(live.ids[position], time.perf_counter())
        self.changed.set()


async def throughput(
    settings: Settings, running: Supervisor, loaded: Labeller, given: argparse.Namespace
) -> Rounds:
    """Pairs of a round of the worker and its baseline, after one to warm up."""
    topics, files, images = topic_set(settings.topics), jpegs(PICTURES), given.sales * given.images
    network = BareNetwork(loaded.recognition.backbones, decoded(files, loaded.sight))
    pairs, labels = [], list[SaleLabels]()
    async with (
        Site(files) as site,
        producing(settings) as producer,
        reading(settings, topics.sale_labels) as seen,
    ):
        for number in turns(1 + given.rounds):
            sales = list(site.sales(f"round-{number}", given.sales, given.images))
            before, began = cpu_seconds(running)[0], time.perf_counter()
            labels += await _labelled(producer, seen, topics.sales.name, sales)
            seconds, used = time.perf_counter() - began, cpu_seconds(running)[0] - before
            bare, bare_used = await asyncio.to_thread(network.take, images)
            per_image = 1000 / images
            pairs.append(Pair(images / seconds, images / bare, used * per_image, bare_used * per_image))
    return Rounds(pairs[1:], labels)


async def _labelled(
    producer: AIOKafkaProducer, seen: AIOKafkaConsumer, topic: str, sales: Sequence[Sale]
) -> list[SaleLabels]:
    """Publish sales, and wait for the labels of all."""
    for sale in sales:
        await producer.send(topic, encode(sale), sale.sale_id.encode())
    found: dict[str, SaleLabels] = {}
    async with asyncio.timeout(PATIENCE):
        while len(found) < len(sales):
            for records in (await seen.getmany(timeout_ms=200)).values():
                facts = (decode_labels(record.key, record.value) for record in records)
                found |= {fact.sale_id: fact for fact in facts if isinstance(fact, SaleLabels)}
    if short := [one.sale_id for one in found.values() if one.images < len(one.image_urls)]:
        raise SystemExit(f"{len(short)} sales lack images, such as {short[0]}: the figure would be too good")
    return list(found.values())


@asynccontextmanager
async def scoring_side(settings: Settings) -> AsyncIterator[SeenContent]:
    """The feeds of a scoring worker, with a content that follows them."""
    topics = topic_set(settings.topics)
    sales = Catalogue(topics.sales.partitions)
    catalogue = CatalogueFeed(settings.kafka, topics.sales, sales)
    labels = LabelFeed(settings.kafka, topics.sale_labels, catalogue, Vitals())
    content = SeenContent(labels.book, sales)
    catalogue.keep(content)
    await catalogue.build()
    await labels.build()
    following = [asyncio.create_task(feed.follow()) for feed in (catalogue, labels)]
    try:
        yield content
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        for feed in (catalogue, labels):
            await feed.close()


class Latencies(NamedTuple):
    """From the send of each sale, ms: until the scoring side has it, and until it has its embedding."""

    sales: list[float]
    embeddings: list[float]


async def latency(settings: Settings, rate: int, seconds: int) -> Latencies:
    """Sales with one image each, at `rate` per second for `seconds`, until each is known."""
    topic, sent = topic_set(settings.topics).sales.name, dict[str, float]()
    async with (
        Site(jpegs(PICTURES)) as site,
        producing(settings, linger_ms=0) as producer,
        scoring_side(settings) as content,
    ):
        began = time.perf_counter()
        for number, sale in enumerate(site.sales("single", rate * seconds, images=1)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            sent[sale.sale_id] = time.perf_counter()
            await producer.send(topic, encode(sale), sale.sale_id.encode())
        async with asyncio.timeout(PATIENCE):
            while not sent.keys() <= content.embeddings.keys():
                content.changed.clear()
                await content.changed.wait()
        at = [(content.sales[one], content.embeddings[one], sent[one]) for one in sent]
    return Latencies([1000 * (sale - s) for sale, _, s in at], [1000 * (vector - s) for _, vector, s in at])


def figures(rounds: Rounds, latencies: Latencies) -> tuple[Figure, ...]:
    """What is claimed, and its baselines."""
    worker, bare, worker_ms, bare_ms = (tuple(one) for one in zip(*rounds.pairs, strict=True))
    ratios = tuple(100 * one.worker / one.bare for one in rounds.pairs)
    sales, embeddings = latencies
    return (
        Figure("labelling worker", "images/s", worker),
        Figure("baseline: the bare network, pictures decoded", "images/s", bare),
        Figure("worker, of the bare network, in pairs", "%", ratios),
        Figure("processor time of the worker per image", "ms", worker_ms),
        Figure("baseline: processor time of the bare network", "ms", bare_ms),
        Figure("sale published to embedding in the index, p50", "ms", (percentile(embeddings, 0.50),)),
        Figure("sale published to embedding in the index, p99", "ms", (percentile(embeddings, 0.99),)),
        Figure("baseline: the sale itself, p50", "ms", (percentile(sales, 0.50),)),
        Figure("baseline: the sale itself, p99", "ms", (percentile(sales, 0.99),)),
    )


def main() -> None:
    """Measure, print, and write the report."""
    reads = parser(__doc__, sales=48, images=4, rounds=5, rate=4, seconds=25)
    networks.add_arguments(reads, backbone="MobileNet", weights=RANDOM)
    reads.add_argument("--labeller", type=Path, help="folder of a labeller, instead of one on these networks")
    reads.add_argument("--labels", type=to_write, help="file to write what was recognised to, as JSON Lines")
    given = reads.parse_args()
    with TemporaryDirectory(prefix="tenfold-labeller-") as folder, installation(0) as bare:
        place = given.labeller or labeller(Path(folder), networks.load(given), given.views)
        loaded = load_labeller(place)
        labelling = Labelling(labeller=str(place))
        settings = replace(bare, images=Images(allow_private=True), labelling=labelling)
        with workers(settings, [("labelling",)]) as running:
            rounds = asyncio.run(throughput(settings, running, loaded, given))
            step(f"publishing for {given.seconds} s")
            latencies = asyncio.run(latency(settings, given.rate, given.seconds))
    parameters = {name: getattr(given, name) for name in ("sales", "images", "rounds", "rate", "seconds")}
    network = " + ".join(backbone.name for backbone in loaded.recognition.backbones)
    parameters |= {"network": network, "views": loaded.sight.views, "device": networks.device()}
    publish(Report("labelling", machine(), parameters, figures(rounds, latencies)), given.json)
    if given.labels:
        given.labels.write_bytes(b"\n".join(map(msgspec.json.encode, rounds.labels)))


if __name__ == "__main__":
    run_main(main)
