"""Training of a release: from history to a folder that a worker can serve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from models import release_training
from models.blend import Blend
from models.event_table import table_of
from models.forest import Forest
from models.meta_model import MetaModel
from models.release_promotion import RankerName
from models.release_training import PARTS, WARM_UP, Plan, _metrics, _moments, train_release
from models.releases import load_release, write_release
from models.targets import REACHED, Target, next_clicks, next_purchases
from models.text import FILE
from models.training import Boosting, Fitted, calibrate
from models.training_set import Examples, TrainingSet
from reco.catalogue import Catalogue, catalogue_of
from reco.errors import TrainingError
from reco.events import Click, Sale
from reco.features import FEATURES
from reco.parameters import DAY, HOUR, Parameters
from reco.reasons import kind_of
from reco.recommenders.protocol import CLICK, PURCHASE
from tests.models.shop_logs import SALES, START, shop_log
from tests.models.small_models import forest_text
from tests.reco.labelled import labels

QUICK = Boosting(trees=20, num_leaves=7, min_data_in_leaf=20, threads=1)
ONE_TREE = structs.replace(QUICK, trees=1)
NOW = START + 10 * 24 * 60 * 60_000


def catalogue() -> Catalogue:
    """The sales of the shop, open all the time, with a text each."""
    words = enumerate(("beach", "harbour", "castle", "vineyard")[number % 4] for number in range(SALES))
    return catalogue_of(
        Sale(f"sale{number:02}", f"The {word}", 1, description=f"A {word} by the sea", price=100.0 + number)
        for number, word in words
    )


def test_a_release_holds_a_mix_and_its_parts_and_is_served_as_it_was_trained(
    tmp_path: Path,
) -> None:
    training = train_release(
        shop_log(120), catalogue(), Parameters(), QUICK, Plan("purchase"), created_at=NOW, source="test"
    )
    release = load_release(write_release(tmp_path, training, FEATURES), FEATURES)
    assert set(release.rankers) == {"visits", "content", "mix"}
    assert FILE in release.arrays
    assert not any(name.startswith("popularity") for name in release.ranker("content").features)
    assert not any(name.startswith("similarity") for name in release.ranker("visits").features)
    mix = release.ranker("mix")
    rows = np.random.default_rng(0).random((len(mix.features), 12)).astype(np.float32)
    learned = training.rankers["mix"]
    assert mix.features == Forest.parse(learned.model).narrowed().features
    assert set(mix.features) < set(learned.features)
    assert ((mix.score(rows) > 0) & (mix.score(rows) < 1)).all()
    parts = mix.contributions(rows)
    log_odds = np.log(mix.score(rows) / (1 - mix.score(rows).astype(np.float64)))
    assert parts.sum(axis=1) == pytest.approx(log_odds, rel=1e-4, abs=1e-5)


def test_where_images_are_known_one_ranker_looks_at_them_alone() -> None:
    seen = [
        labels(f"sale{number:02}", np.eye(4)[number % 4].tolist(), np.eye(3)[number % 3].tolist())
        for number in range(SALES)
    ]
    table, plan = shop_log(100), Plan("click")
    training = train_release(
        table, catalogue(), Parameters(), QUICK, plan, created_at=NOW, source="test", labels=seen
    )
    assert set(training.rankers) == {"visits", "content", "images", "mix"}
    assert {kind_of(name) for name in training.rankers["images"].features} == {"image", "topics"}
    assert 0 < training.metrics["images ndcg@10"] < 1


def test_it_says_what_it_was_trained_on_and_how_good_it_is() -> None:
    table, told = shop_log(300), list[float]()
    training = train_release(
        table,
        None,
        Parameters(),
        QUICK,
        Plan("click"),
        created_at=NOW,
        source="a log",
        progress=told.append,
    )
    assert told == sorted(told)
    assert told[-1] == 1
    assert sum(PARTS[0][1] < done <= PARTS[1][1] for done in told) == 2 * QUICK.trees
    facts = training.trained_on
    assert (facts["source"], facts["target"], facts["events"]) == ("a log", "click", len(table))
    assert facts["first_event"] == table.ts.min()
    assert training.metrics["mix ndcg@10"] > training.metrics["blend ndcg@10"]
    single, popular = (
        one for name, one in training.metrics.items() if name.startswith(("best single", "best popularity"))
    )
    assert 1 > single > popular > 0
    assert training.metrics["lambdarank ndcg@10"] > training.metrics["blend ndcg@10"]
    assert training.metrics["logistic regression ndcg@10"] > popular
    assert 0 <= training.metrics["calibration error"] < 0.05
    assert set(training.rankers) == {"visits", "mix"}


def half_sold_then_a_tenth(n: int) -> tuple[Examples, dict[RankerName, tuple[MetaModel, Fitted]]]:
    """Moments of one candidate, which was chosen in half of the older ones; a ranker calibrated on all."""
    random, features = np.random.default_rng(0), Blend.features
    rows = random.random((len(features), n)).astype(np.float32)
    labels = (np.arange(n) % np.where(np.arange(n) < n // 2, 2, 10) == 0).astype(np.float32)
    examples = Examples(features, rows, labels, np.ones(n, np.float32), np.ones(n, np.int64))
    forest = Forest.parse(forest_text(features))
    mix = MetaModel("any", forest, calibrate(forest, examples))
    return examples, {"mix": (mix, Fitted("", 7, ()))}


def test_the_calibration_error_is_judged_on_moments_that_did_not_calibrate() -> None:
    examples, rankers = half_sold_then_a_tenth(1000)
    metrics = _metrics(examples, Boosting(held_out=1.0), rankers, {})
    assert metrics["calibration error"] == pytest.approx(0.5 - 0.1, abs=0.05)


def test_with_too_few_sales_chosen_nothing_is_said_about_calibration() -> None:
    examples, rankers = half_sold_then_a_tenth(980)
    metrics = _metrics(examples, Boosting(held_out=1.0), rankers, {})
    popularity = Blend.features[-1]
    best = {f"best {kind}, {popularity}, ndcg@10" for kind in ("single recommender", "popularity")}
    assert set(metrics) == {"mix ndcg@10", "blend ndcg@10", *best}


def test_the_best_single_recommender_and_popularity_are_named() -> None:
    features = (*Blend.features, "session_knn.stan")
    random, n, size = np.random.default_rng(0), 200, 5
    rows = random.random((len(features), n * size)).astype(np.float32)
    labels = (np.arange(n * size) % size == 0).astype(np.float32)
    popular = next(number for number, name in enumerate(features) if name.startswith("popularity."))
    rows[popular] += labels / 2
    rows[-1] += labels
    examples = Examples(features, rows, labels, np.ones(n * size, np.float32), np.full(n, size))
    forest = Forest.parse(forest_text(features))
    mix = MetaModel("any", forest, calibrate(forest, examples))
    metrics = _metrics(examples, Boosting(held_out=1.0), {"mix": (mix, Fitted("", 7, ()))}, {})
    assert metrics["best single recommender, session_knn.stan, ndcg@10"] == 1
    assert 0.5 < metrics[f"best popularity, {features[popular]}, ndcg@10"] < 1


@pytest.mark.parametrize(("sessions", "target"), [(150, "click"), (320, "graded")])
def test_few_purchases_teach_with_clicks_and_very_few_are_no_target(
    sessions: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_training, "MAX_MOMENTS", 100)
    table = shop_log(sessions)
    training = train_release(table, None, Parameters(), ONE_TREE, Plan(), created_at=NOW, source="a log")
    assert training.trained_on["target"] == target


def test_a_click_is_worth_as_many_purchases_as_there_are_for_it() -> None:
    table = shop_log(400)
    given, purchases = _moments(table, None, "graded", Plan()), next_purchases(table, 24 * 60 * 60_000)
    worth = (table.kinds == PURCHASE).sum() / (table.kinds == CLICK).sum()
    bought = purchases >= 0
    assert (given.grades[bought] == 1).all()
    assert (given.grades[~bought] == np.float32(worth)).all()
    assert (given.walk.targets[bought] == purchases[bought]).all()
    assert (given.walk.targets[~bought] == next_clicks(table)[~bought]).all()


def test_where_purchases_are_as_many_as_clicks_a_click_is_still_no_purchase() -> None:
    table = shop_log(400)
    kinds = np.where(np.arange(len(table)) % 3 == 0, CLICK, PURCHASE).astype(table.kinds.dtype)
    given = _moments(replace(table, kinds=kinds), None, "graded", Plan())
    assert set(given.grades.tolist()) == {0.5, 1.0}


def test_moments_that_are_left_out_are_stood_for_by_those_of_their_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However few are drawn, as large a share of the moments leads to a purchase as in the whole history."""
    table = shop_log(400)
    whole, rates = _moments(table, None, "purchase", Plan()), []
    monkeypatch.setattr(release_training, "MAX_MOMENTS", 40)
    for moments in (whole, _moments(table, None, "purchase", Plan())):
        rows = ~moments.walk.steps[moments.walk.steps < 0]
        led = moments.walk.targets[rows] >= 0
        rates.append(moments.weights[rows][led].sum() / moments.weights[rows].sum())
    assert len(rows) == 80
    assert rates[1] == pytest.approx(rates[0])


def test_a_clock_of_years_ago_leaves_a_short_history_moments_to_learn_from() -> None:
    table = shop_log(400, days=0.5)
    old = np.where(np.arange(len(table)) == 0, table.ts - 3650 * DAY, table.ts)
    counts = [
        (_moments(one, None, "purchase", Plan()).walk.steps < 0).sum()
        for one in (table, replace(table, ts=old, appended=old))
    ]
    assert counts[0] > 1000
    assert counts[1] == pytest.approx(counts[0], rel=0.01)


def test_what_was_bought_before_is_no_answer_that_could_be_reached() -> None:
    table = shop_log(120)
    repeated = replace(
        table, sales=np.where(table.visitors % 2, table.sales % 2, table.sales).astype(np.int32)
    )
    usual, fewer = (
        train_release(
            one, None, Parameters(), ONE_TREE, Plan("purchase"), created_at=NOW, source="a log"
        ).metrics[REACHED]
        for one in (table, repeated)
    )
    assert fewer < usual - 0.05


@pytest.mark.parametrize(
    ("target", "window", "unknown"),
    [("purchase", 5.0, 5 * HOUR), ("graded", 5.0, 5 * HOUR), ("purchase", 240.0, None), ("click", 5.0, 0)],
)
def test_moments_that_no_purchase_is_known_of_yet_are_not_learned_from(
    target: Target, window: float, unknown: int | None
) -> None:
    """The newest ones, as long as a purchase may take; but of a short history a tenth at most."""
    table = shop_log(400)
    walk = _moments(table, None, target, Plan(target, window)).walk
    asked = np.sort(table.appended[~walk.steps[walk.steps < 0]])
    left_out = round(np.ptp(table.appended) * WARM_UP) if unknown is None else unknown
    assert table.appended.max() - asked[-1] == pytest.approx(left_out, abs=HOUR)
    assert table.appended.max() - asked[-1] >= left_out


def test_what_a_visitor_has_bought_cannot_be_listed_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    purchases, listable = tuple(FEATURES).index("revisits.purchases"), []
    add = TrainingSet.add

    def spy(self: TrainingSet, rows: Any, target: int, allowed: Any, **given: Any) -> None:
        listable.extend(allowed[rows[purchases] > 0])
        assert allowed[rows[purchases] == 0].all()
        add(self, rows, target, allowed, **given)

    monkeypatch.setattr(TrainingSet, "add", spy)
    train_release(shop_log(100), None, Parameters(), ONE_TREE, Plan("click"), created_at=NOW, source="test")
    assert listable
    assert not any(listable)


def test_a_history_without_events_is_refused() -> None:
    with pytest.raises(TrainingError, match="no event to learn from yet"):
        train_release(table_of([]), None, Parameters(), ONE_TREE, Plan(), created_at=NOW, source="topics")


def test_a_history_of_visits_to_one_sale_each_is_refused() -> None:
    alone = table_of([Click(f"e{n}", f"v{n}", "oslo", START + n) for n in range(9)])
    with pytest.raises(
        TrainingError, match="no click of the history comes after something else within the visit"
    ):
        train_release(alone, None, Parameters(), ONE_TREE, Plan(), created_at=NOW, source="log.csv")


def test_a_history_of_one_second_in_which_nothing_is_known_before_is_asked_for_its_times() -> None:
    log = shop_log(30)
    at_once = np.full(len(log), START)
    table = replace(log, ts=at_once, appended=at_once)
    with pytest.raises(TrainingError, match="does ts tell when each event happened"):
        train_release(table, None, Parameters(), ONE_TREE, Plan("click"), created_at=NOW, source="log.csv")


def test_a_history_without_choices_is_refused() -> None:
    with pytest.raises(TrainingError):
        train_release(
            shop_log(5, buys=False),
            None,
            Parameters(),
            ONE_TREE,
            Plan("purchase"),
            created_at=NOW,
            source="x",
        )


def test_what_a_visitor_was_shown_and_did_not_choose_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    clicks = shop_log(100, buys=False)
    shown, row = [], int(np.flatnonzero(next_clicks(clicks) >= 0)[200])
    table = replace(clicks, shown_after=np.array([row, row]), shown=np.array([1, 2], np.int32))
    add = TrainingSet.add

    def spy(self: TrainingSet, rows: Any, target: int, allowed: Any, **given: Any) -> None:
        shown.append(len(given["shown"]))
        add(self, rows, target, allowed, **given)

    monkeypatch.setattr(TrainingSet, "add", spy)
    train_release(table, None, Parameters(), ONE_TREE, Plan("click"), created_at=NOW, source="test")
    assert sorted(shown)[-2:] == [0, 2]
