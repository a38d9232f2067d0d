"""What a demo saw of labelling: how many sales are labelled, by what, and whether it is what they show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from demo.labelling import State
from reco.labels import SaleLabels, Scored

EXAMPLES = 5
"""Labelled sales that the report quotes, the newest ones."""
QUOTED = 3
"""Labels and topics that are quoted of each."""


@dataclass(frozen=True)
class Example:
    """What was found in the images of a sale; labels and topics with their shares, strongest first.

    Attributes:
        kind: what the images show, which only the simulation knows.
        is_right: whether the strongest label is the kind.
    """

    sale_id: str
    kind: str
    is_right: bool
    images: int
    labels: tuple[Scored, ...]
    topics: tuple[Scored, ...]


@dataclass(frozen=True)
class LabelsSeen:
    """Labels of sales that were received so far.

    Attributes:
        state: what labelling has come to.
        trained: how much of the labeller's training is done, 0 to 1.
        labeller: the version that labelled last; None if none has.
        sales: sales of which an image could be labelled.
        right: those of them whose strongest label is their kind.
        examples: some of them, the newest last.
    """

    state: State
    trained: float = 0.0
    labeller: str | None = None
    sales: int = 0
    right: int = 0
    examples: tuple[Example, ...] = ()


def labels_seen(
    state: State, labels: Iterable[SaleLabels], kinds: Mapping[str, str], trained: float = 0.0
) -> LabelsSeen:
    """What `labels`, the newest last, say about sales of these `kinds`."""
    labelled = [one for one in labels if one.images]
    return LabelsSeen(
        state,
        trained,
        labelled[-1].labeller if labelled else None,
        len(labelled),
        sum(one.labels[0].name == kinds[one.sale_id] for one in labelled),
        tuple(_example(one, kinds[one.sale_id]) for one in labelled[-EXAMPLES:]),
    )


def _example(one: SaleLabels, kind: str) -> Example:
    topics = sorted(one.topics, key=lambda topic: -topic.share)
    is_right = one.labels[0].name == kind
    return Example(one.sale_id, kind, is_right, one.images, one.labels[:QUOTED], tuple(topics[:QUOTED]))
