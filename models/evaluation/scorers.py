"""What is compared in an evaluation: each recommender on its own, hand rules, the blend, and the trained."""

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.blend import Blend
from models.challengers import Ranking, challengers
from models.evaluation.results import Kind, Scorer
from models.progress import Progress, between
from models.training import CONTENT, IMAGES, VISITS, Boosting, of_kinds, train_rankers
from models.training_set import Examples
from reco.features import FAMILIES
from reco.metrics import target_rank

NOT_EVIDENCE: Final = frozenset(("moment", "attributes"))
"""Families that describe the moment or the sale, and recommend nothing."""
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "visits only": VISITS,
    "images and descriptions only": CONTENT,
    "images only": IMAGES,
}
"""Rankers that look at a part of the evidence, and its kinds."""


class CartFirst:
    """A hand rule: what is in the basket first, then what was looked at last; nothing else."""

    features = ("revisits.carts", "revisits.purchases", "revisits.sales_ago")

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales], above 0 for what the visitor touched."""
        carts, purchases, sales_ago = rows
        newest = 1 / (2 + np.nan_to_num(sales_ago, nan=np.inf))
        scores: NDArray[np.float32] = np.where(newest > 0, newest + (carts > purchases), 0).astype(np.float32)
        return scores


class NewestFirst:
    """A hand rule: what was looked at last."""

    features = ("revisits.sales_ago",)

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales], above 0 for what the visitor touched."""
        scores: NDArray[np.float32] = (1 / (2 + np.nan_to_num(rows[0], nan=np.inf))).astype(np.float32)
        return scores


def singles(features: Collection[str]) -> tuple[str, ...]:
    """Those of `features` that recommend on their own: all evidence that is compared, as it is."""
    return tuple(
        f"{family.name}.{feature}"
        for family in FAMILIES
        if family.name not in NOT_EVIDENCE
        for feature in family.features
        if feature in family.compared and f"{family.name}.{feature}" in features
    )


class Panel:
    """All scorers of an evaluation over one matrix of features."""

    def __init__(self, features: tuple[str, ...]) -> None:
        self._row_of: Mapping[str, int] = {name: row for row, name in enumerate(features)}
        recommending = singles(features)
        self._singles = np.array([self._row_of[name] for name in recommending])
        self.scorers: list[Scorer] = [Scorer(name, "recommender") for name in recommending]
        self._rankings: list[tuple[Ranking, NDArray[np.intp]]] = []
        self.add("newest first", "rule", NewestFirst())
        self.add("cart first, then newest", "rule", CartFirst())
        self.add("fixed blend", "baseline", Blend())

    def add(self, name: str, kind: Kind, ranking: Ranking) -> None:
        """One more scorer."""
        self.scorers.append(Scorer(name, kind))
        self._rankings.append((ranking, np.array([self._row_of[one] for one in ranking.features])))

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_scorers, n_sales], in the order of `scorers`; NaN where a recommender does not know."""
        ranked = [ranking.score(np.ascontiguousarray(rows[chosen])) for ranking, chosen in self._rankings]
        return np.concatenate((rows[self._singles], np.stack(ranked)))

    def ranks(
        self, scores: NDArray[np.float32], target: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """int32[n_scorers]: the pessimistic rank of the target among `allowed` candidates (bool[n_sales]).

        What is not known ranks last.
        """
        place = int(allowed[:target].sum())
        return np.array([target_rank(row, place) for row in scores[:, allowed]], np.int32)


def trained(
    panel: Panel, examples: Examples, boosting: Boosting, progress: Progress = lambda _: None
) -> tuple[tuple[str, float], ...]:
    """Train all rankers and challengers, and add them to `panel`; what the mix looks at.

    A ranker that would be the mix again, or would know the moment only, is left out.

    Raises:
        TrainingError: there are too few chosen sales to learn from.
    """
    every = examples.features
    read = {name: of_kinds(every, kinds) for name, kinds in PARTS.items()}
    read = {
        name: own for name, own in read.items() if own != every and set(own) > set(of_kinds(own, ("moment",)))
    }
    read["mix"] = every
    share = len(read) / (len(read) + 1)
    forests, rest = between(progress, 0, share), between(progress, share, 1)
    rankers = train_rankers(examples, read, boosting, forests)
    for name, challenger in challengers(examples, boosting, rest).items():
        panel.add(name, "challenger", challenger)
    for name, (ranker, _) in rankers.items():
        panel.add(name, "ranker", ranker)
    return rankers["mix"][1].importance
