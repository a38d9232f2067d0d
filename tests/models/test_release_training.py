"""Training of a release: from history to a folder that a worker can serve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.release_training import Plan, train_release
from models.releases import load_release, write_release
from models.targets import next_clicks
from models.text import FILE
from models.training import Boosting
from models.training_set import TrainingSet
from reco.catalogue import Catalogue
from reco.errors import TrainingError
from reco.events import Sale
from reco.features import FEATURES
from reco.parameters import Parameters
from tests.models.shop_logs import SALES, START, shop_log

QUICK = Boosting(trees=20, num_leaves=7, min_data_in_leaf=20, threads=1)
NOW = START + 10 * 24 * 60 * 60_000


def catalogue() -> Catalogue:
    """The sales of the shop, open all the time, with a text each."""
    sales = Catalogue(partitions=1)
    for number in range(SALES):
        word = ("beach", "harbour", "castle", "vineyard")[number % 4]
        sales.apply(
            Sale(
                f"sale{number:02}", f"The {word}", 1, description=f"A {word} by the sea", price=100.0 + number
            ),
            0,
            number,
        )
    return sales


def test_a_release_holds_three_rankers_and_is_served_as_it_was_trained(tmp_path: Path) -> None:
    training = train_release(
        shop_log(800), catalogue(), Parameters(), QUICK, Plan("purchase"), created_at=NOW, source="test"
    )
    release = load_release(write_release(tmp_path, training, FEATURES), FEATURES)
    assert set(release.rankers) == {"visits", "content", "mix"}
    assert FILE in release.arrays
    assert not any(name.startswith("popularity") for name in release.ranker("content").features)
    assert not any(name.startswith("similarity") for name in release.ranker("visits").features)
    mix = release.ranker("mix")
    rows = np.random.default_rng(0).random((len(mix.features), 12)).astype(np.float32)
    learned = training.rankers["mix"]
    assert mix.features == learned.features
    assert ((mix.score(rows) > 0) & (mix.score(rows) < 1)).all()
    parts = mix.contributions(rows)
    log_odds = np.log(mix.score(rows) / (1 - mix.score(rows).astype(np.float64)))
    assert parts.sum(axis=1) == pytest.approx(log_odds, rel=1e-4, abs=1e-5)


def test_it_says_what_it_was_trained_on_and_how_good_it_is() -> None:
    table = shop_log(800)
    training = train_release(table, None, Parameters(), QUICK, Plan("click"), created_at=NOW, source="a log")
    facts = training.trained_on
    assert (facts["source"], facts["target"], facts["events"]) == ("a log", "click", len(table))
    assert facts["first_event"] == table.ts.min()
    assert training.metrics["mix ndcg@10"] > training.metrics["blend ndcg@10"]
    assert 0 <= training.metrics["calibration error"] < 0.05
    assert set(training.rankers) == {"visits", "mix"}


def test_few_purchases_are_no_target_unless_they_are_asked_for() -> None:
    training = train_release(shop_log(400), None, Parameters(), QUICK, Plan(), created_at=NOW, source="a log")
    assert training.trained_on["target"] == "click"


def test_a_history_without_choices_is_refused() -> None:
    with pytest.raises(TrainingError):
        train_release(
            shop_log(5, buys=False), None, Parameters(), QUICK, Plan("purchase"), created_at=NOW, source="x"
        )


def test_what_a_visitor_was_shown_and_did_not_choose_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    clicks = shop_log(300, buys=False)
    shown, row = [], int(np.flatnonzero(next_clicks(clicks) >= 0)[200])
    table = replace(clicks, shown_after=np.array([row, row]), shown=np.array([1, 2], np.int32))
    add = TrainingSet.add

    def spy(self: TrainingSet, rows: Any, target: int, allowed: Any, seen: Any) -> None:
        shown.append(len(seen))
        add(self, rows, target, allowed, seen)

    monkeypatch.setattr(TrainingSet, "add", spy)
    train_release(table, None, Parameters(), QUICK, Plan("click"), created_at=NOW, source="test")
    assert sorted(shown)[-2:] == [0, 2]
