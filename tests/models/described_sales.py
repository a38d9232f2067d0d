"""Small sales with words, a text model that knows most of them, and what recommenders see of content."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from models.text import FILE, TextModel
from reco.content import Content
from reco.events import Sale
from tests.models.small_models import release
from tests.reco.worlds import open_sales

WORDS = ("beach", "hotel", "museum", "old town", "skiing", "sauna", "wine", "garden", "castle", "island")
TITLES = tuple(f"A week of {first} and {second}" for first in WORDS for second in WORDS if first < second)
UNKNOWN = "Xyzzy!"
"""A title without any word that the text model knows."""

READING = (
    "similarity.text_best",
    "similarity.text_last",
    "similarity.text_profile~rank",
    "revisits.clicks",
    "popularity.clicks_today",
)


@cache
def text_model() -> TextModel:
    """One that knows the words of `TITLES`."""
    return TextModel.fit(TITLES, 8)


def titled(number: int) -> str:
    """The title of the sale with this number."""
    return TITLES[number * 7 % len(TITLES)]


def seen(content: Content, ids: Sequence[str]) -> list[bytes]:
    """All that recommenders see of these sales, to the last bit."""
    rows, vectors = content.rows_of(ids), content.vectors("text")
    dimensions = text_model().components.shape[1]
    texts = np.full((len(ids), dimensions), np.nan, np.float32)
    if vectors is not None:
        texts[rows >= 0] = vectors[rows[rows >= 0]]
    tags = [set(own) - {0} for own in content.attributes.tags[rows].tolist()]
    return [
        content.live(open_sales(sorted(ids))).price_ranks.tobytes(),
        *(np.where(rows < 0, 0, column[rows]).tobytes() for column in content.attributes[:3]),
        repr([sorted(own) for own, row in zip(tags, rows, strict=True) if row >= 0]).encode(),
        texts.tobytes(),
    ]


def renamed(sale: Sale, title: str) -> Sale:
    """The sale with another title, and so with another vector."""
    return replace(sale, title=title)


def reading_release(folder: Path, seed: int = 1) -> Path:
    """A release below `folder` whose rankers look at texts above all."""
    return release(folder, seed, READING, arrays={FILE: text_model().to_bytes()})
