"""What was recognised in the images of a sale: scene labels, topics, and an embedding."""

from typing import Annotated, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from reco.events import Id, ImageUrl, Millis

MAX_DIMENSIONS = 8192
"""Most dimensions of an embedding; backbones have 512 to 4,096."""

LONGEST_NAME = 256
"""Characters of the name of a label, a topic or a labeller, at most."""
Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Scored(Struct, frozen=True):
    """A scene label, or a topic, and its share; see `SaleLabels`."""

    name: Name
    share: Share


class SaleLabels(Struct, frozen=True):
    """A record of `sale-labels`: what one version of the labeller found in the images of a sale.

    Attributes:
        sale_id: the sale.
        labeller: the version of the labeller; embeddings and topics of two versions cannot be compared.
        image_urls: the images of the sale that are settled, looked at or refused for good; a sale with others
            is labelled anew.
        images: how many of them could be labelled; 0 if none, then there is nothing else.
        labels: the most probable scene labels, best first, with the mean probability over the images.
        topics: every topic of the labeller, in its order; shares sum to 1.
        embedding: float32[d], little-endian, of length 1: the direction of the mean over the images.
        labelled_at: when, ms since the epoch, UTC.
    """

    sale_id: Id
    labeller: Name
    image_urls: Annotated[tuple[ImageUrl, ...], Meta(max_length=32)]
    images: Annotated[int, Meta(ge=0, le=32)]
    labels: Annotated[tuple[Scored, ...], Meta(max_length=32)]
    topics: Annotated[tuple[Scored, ...], Meta(max_length=1024)]
    embedding: Annotated[bytes, Meta(max_length=4 * MAX_DIMENSIONS)]
    labelled_at: Millis

    def vector(self) -> NDArray[np.float32] | None:
        """float32[d], the embedding; None if there is none, or the bytes are no finite vector."""
        if not self.embedding or len(self.embedding) % 4:
            return None
        vector = np.frombuffer(self.embedding, "<f4").astype(np.float32)
        return vector if np.isfinite(vector).all() and vector.any() else None

    def topic_shares(self) -> NDArray[np.float32] | None:
        """float32[n_topics], shares in the labeller's order; None if there are none."""
        shares = np.array([topic.share for topic in self.topics], np.float32)
        return shares if shares.any() else None


class Unlabelled(Struct, frozen=True):
    """The labels of a sale were taken back: the tombstone of its key on `sale-labels`."""

    sale_id: Id


LabelsFact: TypeAlias = SaleLabels | Unlabelled
