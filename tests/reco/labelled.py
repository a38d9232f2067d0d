"""Labels of sales for tests: a few numbers for what images show."""

from collections.abc import Sequence

import numpy as np

from reco.labels import SaleLabels, Scored
from tests.reco.worlds import NOON

TOPICS = ("Beach", "Old town", "Ski")


def labels(
    sale_id: str,
    embedding: Sequence[float] = (1.0,),
    topics: Sequence[float] = (),
    *,
    labeller: str = "v1",
    at: int = NOON,
) -> SaleLabels:
    """Labels with this embedding, and these shares of `TOPICS`; without an embedding, of no image."""
    return SaleLabels(
        sale_id=sale_id,
        labeller=labeller,
        image_urls=(f"{sale_id}.jpg",),
        images=1 if embedding else 0,
        labels=(),
        topics=tuple(Scored(*one) for one in zip(TOPICS, topics, strict=False)),
        embedding=np.array(embedding, "<f4").tobytes(),
        labelled_at=at,
    )
