"""What a simulated experiment compares: rankers, from one that draws by lot to one that knows everything."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from demo.catalogue import DemoSale
from demo.visitors import Visitor
from models.blend import Blend
from reco.catalogue import LiveSales
from reco.ranker import Ranker

SINGLES: Final = (
    "popularity.clicks_today",
    "popularity.purchases_lasting",
    "covisitation.near_lasting_visit",
    "session_knn.stan",
    "revisits.decayed",
    "similarity.text_last",
)
"""Recommenders that rank on their own, the best known one of each family."""
TIE_BREAK: Final = "popularity.clicks_today"
"""Settles what a recommender is undecided about, as for visitors that are not known yet."""
BLEND: Final = "fixed blend"
TRAINED: Final = "trained mix"
ORACLE: Final = "oracle"
RANDOM: Final = "random"

RankerFor: TypeAlias = Callable[[Visitor, LiveSales], Ranker]
"""The ranker of an arm, for a visitor and the sales that are open."""


class Single:
    """One recommender as a ranker; ties go to what is popular."""

    def __init__(self, feature: str) -> None:
        self.release = feature
        self.features = (feature, TIE_BREAK)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n_sales] from float32[2, n_sales]: how many sales stand behind each."""
        evidence, popular = np.nan_to_num(features, nan=-np.inf)
        scores = np.empty(len(evidence), np.float32)
        scores[np.lexsort((-np.arange(len(evidence)), popular, evidence))] = np.arange(len(evidence))
        return scores

    def contributions(self, features: NDArray[np.float32]) -> None:
        """None: its score is no probability."""


class Known:
    """A ranker that looks at no evidence: its scores are given, float32[n_sales] of the open sales."""

    features: tuple[str, ...] = ()

    def __init__(self, release: str, scores: NDArray[np.float32]) -> None:
        self.release = release
        self._scores = scores

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The given scores; all open sales of the demo are candidates."""
        if features.shape[1] != len(self._scores):
            raise ValueError(f"{features.shape[1]} candidates, {len(self._scores)} scores")
        return self._scores

    def contributions(self, features: NDArray[np.float32]) -> None:
        """None: nothing was looked at."""


def arms(trained: Ranker, sales: Sequence[DemoSale], seed: int) -> Mapping[str, RankerFor]:
    """All arms by name: first lists drawn by lot, last those of what each visitor is likeliest to buy."""
    by_id = {one.sale.sale_id: one for one in sales}
    random = np.random.default_rng(seed)

    def drawn(_: Visitor, live: LiveSales) -> Ranker:
        return Known(RANDOM, random.random(len(live.ids), np.float32))

    def all_knowing(visitor: Visitor, live: LiveSales) -> Ranker:
        return Known(ORACLE, np.array([visitor.worth(by_id[one]) for one in live.ids], np.float32))

    singles = {feature: _always(Single(feature)) for feature in SINGLES}
    return {
        RANDOM: drawn,
        **singles,
        BLEND: _always(Blend()),
        TRAINED: _always(trained),
        ORACLE: all_knowing,
    }


def arm_of(visitor_id: str, names: Sequence[str], seed: int) -> str:
    """The arm that a visitor is in, for the whole experiment: drawn by lot, a hash of the visitor."""
    digest = blake2b(f"{seed} {visitor_id}".encode(), digest_size=8).digest()
    return names[int.from_bytes(digest, "big") % len(names)]


def _always(ranker: Ranker) -> RankerFor:
    return lambda _, __: ranker
