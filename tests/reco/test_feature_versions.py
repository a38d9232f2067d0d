"""A feature that changes its meaning gets another version, so that no release reads it as what it was."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reco.content import Content
from reco.features import FAMILIES, VERSIONS
from reco.knowledge import Knowledge
from tests.reco.contents import sale
from tests.reco.worlds import (
    HOUR,
    NOON,
    SALES,
    VISITORS,
    described,
    features_of,
    learned,
    long_log,
    open_sales,
    session_of,
)

GOLDEN = Path(__file__).parent / "feature_values.json"
"""The version of each family, and what each of its features said, in one number, when it got it."""
NAMES = tuple(family.name for family in FAMILIES)


def content() -> Content:
    """Prices, countries, tags and vectors of the first ten sales, of which the last have no images."""
    made, random = Content(), np.random.default_rng(0)
    for number, sale_id in enumerate(SALES[:10]):
        country, tags = ("FR", "IT")[number % 2], ("sea", "spa", "old town")[: number % 4]
        made.put(sale(sale_id, 90.0 + number**2, country=country, tags=tags))
        made.put_vector("text", sale_id, random.normal(size=4))
        if number < 8:
            made.put_vector("image", sale_id, random.normal(size=6))
            made.put_vector("topics", sale_id, random.uniform(size=3))
    return made


@cache
def said() -> dict[str, Any]:
    """The version of each family, and a mean of what each feature says, with 0 where it is not known."""
    log = long_log(seed=4, length=2000, sales=len(SALES))
    knowledge = learned(log, knowledge=Knowledge(max_sales=64, max_visitors=64, content=content()))
    at, live = NOON + 6 * HOUR, open_sales()
    found: dict[str, Any] = {}
    for name in NAMES:
        rows: dict[str, list[float]] = {}
        for visitor in VISITORS:
            session = session_of([action for action in log if action.visitor_id == visitor])
            for feature, row in described(knowledge, session, live, features_of(name), at).items():
                rows.setdefault(feature, []).extend(row.tolist())
        found[name] = {
            "version": VERSIONS.get(name, 1),
            "features": {feature: f"{_weighted(row):.6g}" for feature, row in rows.items()},
        }
    return found


def _weighted(row: list[float]) -> float:
    """A mean in which each place has a weight of its own, as ranks and shares have the same plain mean."""
    weights = np.random.default_rng(1).uniform(size=len(row))
    return float(np.average(np.nan_to_num(row), weights=weights))


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_says_what_it_said_when_its_family_got_its_version(name: str) -> None:
    golden, now = json.loads(GOLDEN.read_text())[name], said()[name]
    assert now["version"] == golden["version"], "write the golden file anew, as its last lines say"
    for feature in golden["features"].keys() & now["features"].keys():
        expected, got = float(golden["features"][feature]), float(now["features"][feature])
        what = f"{feature} has changed its meaning: raise the version of its family in reco/features.py"
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-9), what


def test_the_golden_file_has_every_feature() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert {name: set(one["features"]) for name, one in golden.items()} == {
        name: set(one["features"]) for name, one in said().items()
    }


if (
    __name__ == "__main__"
):  # after a version was raised, or a feature added: python -m tests.reco.test_feature_versions
    GOLDEN.write_text(json.dumps(said(), indent=1) + "\n")
