"""Topics fitted again, to what was recognised in the images of a catalogue's sales."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.labelling.topics import TopicOptions, Topics, fit_topics
from reco.errors import LabellingError
from reco.labels import SaleLabels

FEWEST_SALES = 30
"""Fewer sales are no catalogue to find topics in: as many as the largest number of topics that is tried."""


@dataclass(frozen=True, eq=False)
class Refit:
    """Topics of a catalogue, and how they continue those before.

    Attributes:
        topics: with the numbers of the topics before that they continue.
        shares: float64[n_topics], the mean share of each over the sales.
        before: the names of the topics before, by their numbers.
        sales: how many sales they were fitted to, those in whose images something was recognised.
    """

    topics: Topics
    shares: NDArray[np.float64]
    before: dict[int, str]
    sales: int

    @property
    def gone(self) -> list[str]:
        """The names of topics before that no topic continues."""
        return [name for number, name in self.before.items() if number not in self.topics.ids]


def refit_topics(
    sales: Sequence[SaleLabels], classes: Sequence[str], before: Topics | None, options: TopicOptions
) -> Refit:
    """Fit topics to the labels of sales, and give them the numbers of the topics `before` that they continue.

    Of each sale the most probable labels are known, which are what a topic is made of; others count as 0.

    Args:
        sales: what one version of the labeller has recognised in their images; without an image, none.
        classes: its labels.
        before: its topics.
        options: how.

    Raises:
        LabellingError: too few sales are labelled, or a label is none of `classes`.
    """
    seen = [one for one in sales if one.labels]
    if len(seen) < FEWEST_SALES:
        raise LabellingError(
            f"{len(seen)} sales are labelled by this labeller; topics of a catalogue need {FEWEST_SALES}:"
            " publish more sales with images, and let the labelling worker look at them"
        )
    scores = _scores(seen, classes)
    fitted = fit_topics(scores, classes, options)
    topics = fitted if before is None else fitted.matched(before)
    names = {} if before is None else dict(zip(before.ids, before.names, strict=True))
    return Refit(topics, topics.shares(scores).mean(axis=0, dtype=np.float64), names, len(seen))


def _scores(sales: Sequence[SaleLabels], classes: Sequence[str]) -> NDArray[np.float32]:
    """float32[n_sales, n_classes]: the probabilities of labels, 0 for those that a record leaves out."""
    column = {name: number for number, name in enumerate(classes)}
    scores = np.zeros((len(sales), len(classes)), np.float32)
    for row, sale in enumerate(sales):
        for label in sale.labels:
            if label.name not in column:
                raise LabellingError(
                    f"{label.name}, a label of {sale.sale_id}, is none of {sale.labeller};"
                    " have the sales labelled by it again"
                )
            scores[row, column[label.name]] = label.share
    return scores
