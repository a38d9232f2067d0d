"""The labelling desk: images are fetched, decoded and labelled together, whichever sale they belong to."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from models.labelling.labeller import Labelled, Labeller
from models.labelling.pictures import Sight, decode_views
from reco.errors import ImageRefusedError
from reco.events import Sale
from reco.labels import SaleLabels, Scored
from streams.images.folder import shown_place

KEPT_LABELS = 32
"""Scene labels that are kept of a sale, the most probable; topics of a catalogue are found in them."""
PICTURES_AT_ONCE = 8
"""Pictures that go through the network together: more are no faster on a CPU, where VGG16 takes 3 s for 8."""
LONGEST_WORK = 120
"""Seconds of one thing in a thread that count as progress: a large network takes 30 for a step on a CPU.

A picture that is not decoded by then is refused for good: its thread goes on, so no other is started."""

Result = TypeVar("Result")
Fetched: TypeAlias = Callable[[str], AbstractAsyncContextManager[bytes]]
Picture: TypeAlias = NDArray[np.uint8]


class Found(NamedTuple):
    """What was found in the images of a sale.

    Attributes:
        sale: the sale, as it was when it was asked for.
        labels: of the images that could be looked at.
        refused: why the others were not, by URL.
    """

    sale: Sale
    labels: SaleLabels
    refused: Mapping[str, ImageRefusedError]


class LabellingDesk:
    """Labels sales, a batch with one labeller; decoding and the network run in threads, fetching goes on.

    Of batches that are labelled at the same time, one is with the network while others are being fetched.

    Attributes:
        labeller: labels from the next batch on; a batch that is under way is labelled as it began.
        steps: how many images were fetched, and times the network was asked, so far; grows as work proceeds.
        seconds: of which threads were seen to work on one thing, so far; grows within steps that take long.
    """

    def __init__(
        self,
        labeller: Labeller,
        fetched: Fetched,
        *,
        max_pixels: int,
        clock: Callable[[], int],
        patience: float | None = None,
    ) -> None:
        """Set up a desk.

        Args:
            labeller: what recognises.
            fetched: gives the bytes of an image until they are decoded, or raises ImageRefusedError.
            max_pixels: of a picture; larger ones are refused.
            clock: the present, ms since the epoch, UTC.
            patience: how long `label` waits for images, s; one that is not there by then is `too-slow`.
        """
        self.steps = self.seconds = 0
        self.labeller = labeller
        self._fetched = fetched
        self._max_pixels = max_pixels
        self._clock = clock
        self._patience = patience
        self._network = asyncio.Lock()

    async def label(self, sales: Sequence[Sale]) -> list[Found]:
        """What is found in the images of `sales`, in their order."""
        labeller = self.labeller
        urls = dict.fromkeys(url for sale in sales for url in sale.image_urls)
        pictures, refused = await self._pictures(urls, labeller.sight)
        async with self._network:
            labelled = await self._look_at(list(pictures.values()), labeller) if pictures else None
        row_of = {url: row for row, url in enumerate(pictures) if _is_seen(labelled, row)}
        unseen = "what the network finds in it is not finite; train with another"
        refused |= {url: _refusal(url, "not-finite", unseen) for url in pictures if url not in row_of}
        found = []
        for sale in sales:
            own = dict.fromkeys(sale.image_urls)
            rows = [row_of[url] for url in own if url in row_of]
            labels = self._record(sale, labeller)
            if labelled and rows:
                labels = _with_mean(labels, labeller, labelled, rows)
            found.append(Found(sale, labels, {url: refused[url] for url in own if url in refused}))
        return found

    async def _pictures(
        self, urls: Mapping[str, None], sight: Sight
    ) -> tuple[dict[str, Picture], dict[str, ImageRefusedError]]:
        """The views of the picture at each URL, or why there is none."""
        pictures: dict[str, Picture] = {}
        refused = {url: _refusal(url, "too-slow", "it was not there in time") for url in urls}

        async def get(url: str) -> None:
            try:
                async with self._fetched(url) as data, asyncio.timeout(LONGEST_WORK):
                    pictures[url] = await self._decoded(url, data, sight)
                del refused[url]
            except ImageRefusedError as refusal:
                refused[url] = refusal
            except TimeoutError:
                refused[url] = _refusal(url, "too-costly", f"it takes over {LONGEST_WORK} s to decode")
            self.steps += 1

        try:
            async with asyncio.timeout(self._patience), asyncio.TaskGroup() as tasks:
                for url in urls:
                    tasks.create_task(get(url))
        except TimeoutError:
            pass  # what is not there by now stays refused
        return pictures, refused

    async def _decoded(self, url: str, data: bytes, sight: Sight) -> Picture:
        """The views of a picture; a refusal names the image, as those of fetching do."""
        try:
            return await self._in_thread(decode_views, data, sight, self._max_pixels)
        except ImageRefusedError as error:
            raise _refusal(url, error.reason, error.detail) from error

    async def _look_at(self, pictures: Sequence[Picture], labeller: Labeller) -> Labelled:
        """What the labeller recognises on each picture."""
        parts = []
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            batch = np.stack(pictures[start : start + PICTURES_AT_ONCE])
            parts.append(await self._in_thread(labeller.label, batch))
            self.steps += 1
        return Labelled(*(np.concatenate(one) for one in zip(*parts, strict=True)))

    async def _in_thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """What `work` returns; meanwhile `seconds` grows, until it takes longer than anything should."""
        counting = asyncio.create_task(self._count_seconds())
        try:
            return await asyncio.to_thread(work, *arguments)
        finally:
            counting.cancel()

    async def _count_seconds(self) -> None:
        for _ in range(LONGEST_WORK):
            await asyncio.sleep(1)
            self.seconds += 1

    def _record(self, sale: Sale, labeller: Labeller) -> SaleLabels:
        """The record of a sale in whose images nothing was found."""
        return SaleLabels(
            sale_id=sale.sale_id,
            labeller=labeller.version,
            image_urls=sale.image_urls,
            images=0,
            labels=(),
            topics=(),
            embedding=b"",
            labelled_at=self._clock(),
        )


def _refusal(url: str, reason: str, why: str) -> ImageRefusedError:
    return ImageRefusedError(reason, f"{shown_place(url)}: {why}")


def _is_seen(labelled: Labelled | None, row: int) -> bool:
    """Whether something was found in a picture: where numbers are short, a network may run out of them."""
    return labelled is not None and bool(np.isfinite(labelled.embeddings[row]).all())


def _with_mean(record: SaleLabels, labeller: Labeller, labelled: Labelled, rows: Sequence[int]) -> SaleLabels:
    """The record of a sale: the mean over its images, which are these rows."""
    scores, topics, embeddings = (one[rows].mean(axis=0, dtype=np.float64) for one in labelled)
    best = np.argsort(-scores, kind="stable")[:KEPT_LABELS]
    length = float(np.linalg.norm(embeddings))
    return replace(
        record,
        images=len(rows),
        labels=tuple(_scored(labeller.classes[one], scores[one]) for one in best.tolist()),
        topics=tuple(map(_scored, labeller.topic_names, topics.tolist())),
        embedding=(embeddings / length).astype("<f4").tobytes() if length else b"",
    )


def _scored(name: str, share: float) -> Scored:
    return Scored(name, min(max(float(share), 0.0), 1.0))
