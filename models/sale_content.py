"""The content of sales as a release sees it: attributes, and vectors that its text model makes of texts."""

from collections.abc import Sequence

from models.text import TextModel, text_of
from reco.catalogue import Catalogue
from reco.content import Content
from reco.events import Sale

FEWEST_TEXTS = 20
"""Fewer sales than this do not make a text model."""


class SaleContent:
    """Content that follows a catalogue: a function of the sales in it, however they came to be so.

    A vector of the text of a sale takes some 0.5 ms, and up to 5 ms for the longest descriptions.

    Attributes:
        content: what is kept in step with the catalogue.
    """

    def __init__(self, text_model: TextModel | None = None) -> None:
        self.content = Content()
        self._text_model = text_model

    def take(self, sale_id: str, sale: Sale | None) -> None:
        """Take over a sale as it is now in the catalogue; None if it is not in it any more."""
        if sale is None:
            self.content.remove(sale_id)
            return
        self.content.put(sale)
        if self._text_model is None:
            return
        vector = self._text_model.vector(text_of(sale))
        if vector is None:
            self.content.drop_vector("text", sale_id)
        else:
            self.content.put_vector("text", sale_id, vector)


def content_of(catalogue: Catalogue | None, seed: int) -> tuple[Content, TextModel | None]:
    """What the sales of a catalogue are by themselves, and a text model if texts have words in common."""
    sales = list(catalogue.sales()) if catalogue is not None else []
    text = _text_model(sales, seed)
    described = SaleContent(text)
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
