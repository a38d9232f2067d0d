"""Small rankers for tests: a few trees that LightGBM learned from random features."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from models.calibration import Calibration, Sigmoid
from models.release_promotion import RankerName
from models.releases import Learned, Training, write_release
from reco.features import FEATURES
from reco.parameters import Parameters

TRAINED_AT = 1_764_000_000_000
"""2025-11-24, ms."""
PLATT = Sigmoid(0.9, -1.0)
READ = tuple(FEATURES)[::16]
"""Some of the features that there are, whatever they are called."""


@cache
def forest_text(features: tuple[str, ...], seed: int = 1) -> str:
    """LightGBM's text of a few trees over these features, the first ones weighing most; NaN is among them."""
    import lightgbm

    random = np.random.default_rng(seed)
    rows = random.lognormal(0, 2, (500, len(features)))
    rows[random.random(rows.shape) < 0.1] = np.nan
    evidence = np.nan_to_num(np.log(rows)) / np.arange(1, len(features) + 1)
    bought = evidence.sum(axis=1) + random.normal(0, 0.5, 500) > 1
    given = lightgbm.Dataset(rows, bought.astype(float), feature_name=list(features))
    options = {"objective": "binary", "num_leaves": 6, "num_threads": 1, "verbosity": -1, "seed": seed}
    text: str = lightgbm.train(options, given, num_boost_round=20).model_to_string()
    return text


def learned(features: Sequence[str], seed: int = 1, calibration: Calibration = PLATT) -> Learned:
    """A small ranker over these features."""
    return Learned(forest_text(tuple(features), seed), tuple(features), calibration)


def training(features: Sequence[str], seed: int = 1, **changes: Any) -> Training:
    """What training hands over: the ranker `mix` over `features`, and `visits` over all but the last."""
    rankers: dict[RankerName, Learned] = {
        "mix": learned(features, seed),
        "visits": learned(features[:-1], seed + 1),
    }
    given: dict[str, Any] = {
        "created_at": TRAINED_AT + seed,
        "trained_on": {"source": "test", "rows": 500, "seed": seed},
        "parameters": Parameters(),
        "metrics": {"auc": 0.75, "log_loss": 0.125},
        "rankers": rankers,
    }
    return Training(**(given | changes))


def release(folder: Path, seed: int, features: Sequence[str] = READ, **changes: Any) -> Path:
    """A release below `folder` that workers serve; each seed gives another one."""
    return write_release(folder, training(features, seed, **changes), FEATURES)
