"""The content of sales as a release sees it: attributes, texts by its text model, and what images show."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.text import TextModel, text_of
from reco.catalogue import Catalogue
from reco.content import Content, Index
from reco.events import Sale
from reco.label_book import LabelBook, book_of
from reco.labels import SaleLabels

FEWEST_TEXTS = 20
"""Fewer sales than this do not make a text model."""


class SaleContent:
    """Content that follows a catalogue and a book of labels: a function of both, however they came to be so.

    A vector of the text of a sale takes some 0.5 ms, and up to 5 ms for the longest descriptions; that of its
    images takes some 0.05 ms.

    Attributes:
        content: what is kept in step with the catalogue.
    """

    def __init__(self, text_model: TextModel | None = None, labels: LabelBook | None = None) -> None:
        self.content = Content(_index_of)
        self._text_model = text_model
        self._labels = LabelBook(partitions=0) if labels is None else labels
        self._version = self._labels.in_use

    def take(self, sale_id: str, sale: Sale | None) -> None:
        """Take over a sale as it is now in the catalogue; None if it is not in it any more."""
        if sale is None:
            self.content.remove(sale_id)
        else:
            self.content.put(sale)
            if self._text_model is not None:
                self._put("text", sale_id, self._text_model.vector(text_of(sale)))
        self.take_labels((sale_id,))

    def take_labels(self, sale_ids: Iterable[str]) -> None:
        """Take over what the book of labels now says of these sales; of all, if it uses another version."""
        if self._version != self._labels.in_use:
            self._version = self._labels.in_use
            self.content.empty("image")
            self.content.empty("topics")
            sale_ids = self._labels.sale_ids()
        for sale_id in sale_ids:
            if sale_id in self.content:
                seen = self._labels.seen(sale_id)
                self._put("image", sale_id, seen and seen.embedding)
                self._put("topics", sale_id, seen and seen.shares)

    def _put(self, space: str, sale_id: str, vector: NDArray[np.floating] | None) -> None:
        if vector is None:
            self.content.drop_vector(space, sale_id)
        else:
            self.content.put_vector(space, sale_id, vector)


def _index_of(vectors: NDArray[np.float32]) -> Index:
    from models.image_index import FlatIndex  # 0.4 s and 36 MB, which small catalogues do without

    return FlatIndex(vectors)


def content_of(
    catalogue: Catalogue | None, seed: int, labels: Iterable[SaleLabels] = ()
) -> tuple[Content, TextModel | None]:
    """What the sales of a catalogue are by themselves, and a text model if texts have words in common.

    `labels` are the newest of each sale. Images do not change with visits: they are evidence at any moment.
    """
    sales = list(catalogue.sales()) if catalogue is not None else []
    text = _text_model(sales, seed)
    described = SaleContent(text, book_of(labels, catalogue))
    for sale in sales:
        described.take(sale.sale_id, sale)
    return described.content, text


def _text_model(sales: Sequence[Sale], seed: int) -> TextModel | None:
    if len(sales) < FEWEST_TEXTS:
        return None
    try:
        return TextModel.fit([text_of(sale) for sale in sales], seed=seed)
    except ValueError:  # titles that are mere numbers have no word in common
        return None
