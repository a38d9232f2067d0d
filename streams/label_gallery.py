"""What was found in the images of all sales, as the topics have it now, and which live sales look alike."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.labelling.gallery import THUMBNAIL, Card, write_gallery
from models.labelling.thumbnails import small_jpeg
from models.sale_content import SaleContent
from reco.catalogue import Catalogue, LiveSales
from reco.errors import ImageRefusedError
from reco.events import Sale
from reco.label_book import LabelBook, book_of
from reco.labels import SaleLabels
from reco.recommenders.similarity import nearest
from streams.history import read_labels, read_sales
from streams.images.fetching import Fetcher
from streams.images.settings import Images
from streams.settings import Settings

NEAREST = 6
"""Sales that look alike, at each sale of the gallery."""


@dataclass(frozen=True, eq=False)
class LabelledCatalogue:
    """All sales, the newest labels of each, and the content of those that are compared: the live ones."""

    catalogue: Catalogue
    live: LiveSales
    labels: dict[str, SaleLabels]
    book: LabelBook
    content: SaleContent

    def nearest(self, sale_id: str, k: int) -> list[tuple[str, float]]:
        """The live sales whose images look most like those of a sale, best first, with cosines.

        There are none if the version of the labeller that is in use has not labelled the sale.
        """
        content, sale = self.content.content, self.catalogue.sale(sale_id)
        if sale is None or self.book.seen(sale_id) is None:
            return []
        if sale_id not in content:
            self.content.take(sale_id, sale)
        (row,), vectors = content.rows_of((sale_id,)), content.vectors("image")
        if vectors is None:
            return []
        found = zip(*nearest(content, "image", self.live, vectors[row], k + 1), strict=True)
        cosines = {self.live.ids[position]: float(cosine) for position, cosine in found}
        cosines.pop(sale_id, None)
        return list(cosines.items())[:k]

    def remark(self, sale: Sale) -> str:
        """Why the sale cannot be compared with others, as a sentence; empty if it can."""
        labels, in_use = self.labels.get(sale.sale_id), self.book.in_use
        found = labels is not None and labels.vector() is not None
        if not sale.image_urls and not found:
            return "It has no images; publish it with image_urls."
        if labels is None:
            return "It is not labelled yet; the labelling worker does that."
        if not found:
            return "None of its images could be labelled; those that never can be are on dead-letters."
        if in_use is not None and self.book.seen(sale.sale_id) is None:
            return (
                f"It was labelled by {labels.labeller}, which is not in use, since {in_use.labeller} has"
                " labelled more of the sales still to close; the two cannot be compared."
            )
        return ""


async def read_labelled_catalogue(settings: Settings, at: int) -> LabelledCatalogue:
    """Sales and labels as they stand on the topics; `at` says which sales are live, ms since the epoch.

    Raises:
        BrokerError: the broker cannot be reached, or the topics are not there.
    """
    catalogue, labels = await read_sales(settings), await read_labels(settings)
    live, book = catalogue.live(at), book_of(labels, catalogue)
    content = SaleContent(labels=book)
    for sale_id in live.ids:
        content.take(sale_id, catalogue.sale(sale_id))
    return LabelledCatalogue(catalogue, live, {one.sale_id: one for one in labels}, book, content)


async def write_label_gallery(
    sales: LabelledCatalogue, images: Images, path: Path, progress: Callable[[float], None]
) -> None:
    """Write a page of all live sales to `path`, with the first image of each, fetched as `images` allows.

    Args:
        sales: the sales.
        images: the settings of fetching.
        path: where to.
        progress: told the fraction of images that is done.
    """
    live = [sale for one in sales.live.ids if (sale := sales.catalogue.sale(one)) is not None]
    done = 0

    async def card(fetcher: Fetcher, sale: Sale) -> Card:
        nonlocal done
        picture = await _picture(fetcher, sale, images.max_pixels)
        done += 1
        progress(done / len(live))
        return _card(sales, sale, picture)

    async with Fetcher(images) as fetcher:
        cards = await asyncio.gather(*(card(fetcher, sale) for sale in live))
    write_gallery(cards, _lead(sales, live), path)


async def _picture(fetcher: Fetcher, sale: Sale, max_pixels: int) -> bytes | ImageRefusedError | None:
    """The first image of a sale that can be had, small; or why the first cannot; None if it has no images."""
    refused: ImageRefusedError | None = None
    for url in sale.image_urls:
        try:
            async with fetcher.fetched(url) as data:
                return await asyncio.to_thread(small_jpeg, data, THUMBNAIL, max_pixels)
        except ImageRefusedError as refusal:
            refused = refused or refusal
    return refused


def _card(sales: LabelledCatalogue, sale: Sale, picture: bytes | ImageRefusedError | None) -> Card:
    labels, remark = sales.labels.get(sale.sale_id), sales.remark(sale)
    refusal = (str(picture),) if isinstance(picture, ImageRefusedError) else ()
    return Card(
        sale_id=sale.sale_id,
        title=sale.title,
        picture=picture if isinstance(picture, bytes) else None,
        remarks=(*refusal, remark) if remark else refusal,
        labels=labels.labels if labels else (),
        topics=labels.topics if labels else (),
        nearest=sales.nearest(sale.sale_id, NEAREST),
    )


def _lead(sales: LabelledCatalogue, live: list[Sale]) -> str:
    """How many sales there are, and which version has labelled how many of them."""
    in_use = sales.book.in_use
    if in_use is None:
        return f"{len(live):,} live sales, none of them labelled yet."
    seen = sum(sales.book.seen(sale.sale_id) is not None for sale in live)
    return (
        f"{len(live):,} live sales, {seen:,} of them labelled by {in_use.labeller}, the version in use,"
        f" which knows {len(in_use.topics):,} topics. Bars are mean probabilities of labels, and shares of"
        " topics, over the images of a sale; numbers below pictures are cosines of embeddings."
    )
