"""Images of two kinds, and a release whose ranker lists what looks like what the visitor touched."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.releases import Learned
from reco.labels import SaleLabels
from tests.models.small_models import PLATT, release
from tests.reco.labelled import labels
from tests.reco.worlds import NOON

LOOKING = ("similarity.image_profile", "similarity.image_best")

SEA, STONE = np.eye(8)[:2]
"""What the sea, and what a city looks like."""


def looks(
    sale_id: str, like: NDArray[np.float64], labeller: str = "v1", seed: int = 1, at: int = NOON
) -> SaleLabels:
    """Labels of a sale whose images are much like this; each `seed` is another image."""
    random = np.random.default_rng([seed, *sale_id.encode()])
    return labels(
        sale_id, (like + random.normal(scale=0.1, size=len(like))).tolist(), labeller=labeller, at=at
    )


def looking_release(folder: Path, seed: int = 1) -> Path:
    """A release below `folder`: a cosine above a half is bought, one that is not known is not."""
    import lightgbm

    random = np.random.default_rng(seed)
    cosines = random.uniform(-1, 1, (2000, len(LOOKING)))
    cosines[:500] = np.nan
    bought = (cosines[:, 0] > 0.5).astype(float)
    options = {"objective": "binary", "num_leaves": 6, "num_threads": 1, "verbosity": -1, "seed": seed}
    given = lightgbm.Dataset(cosines, bought, feature_name=list(LOOKING))
    text = lightgbm.train(options, given, num_boost_round=30).model_to_string()
    return release(folder, seed, LOOKING, rankers={"mix": Learned(text, LOOKING, PLATT)})
