"""Evaluations as a whole, on a small shop: what is known is found, and the trained ranker finds it best."""

from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from msgspec import structs, to_builtins

from models.evaluation.protocols import Asked, next_click
from models.evaluation.results import Metric, Results
from models.evaluation.run import FORESTS, LISTED, Answers, Evaluation
from models.evaluation.scorers import Panel
from models.evaluation.tasks import Protocol, Task, asked_of, evaluate, not_tested
from models.evaluation.tuning import CUT, GROUPS, Given, Trial, before_the_test, measure, tune
from models.event_table import NO_SESSION, table_of
from models.progress import Progress
from models.targets import FEWEST_PURCHASES, REACHED, session_numbers
from models.training import Boosting
from models.training_set import Examples
from models.walk import NO_TARGET
from reco.catalogue import catalogue_of
from reco.errors import TrainingError
from reco.events import Purchase, Sale
from reco.parameters import Parameters
from reco.recommenders.protocol import CART, PURCHASE
from tests.models.histories import HOUR, MINUTE, did
from tests.models.shop_logs import shop_log

QUICK = Boosting(trees=40, num_leaves=15, min_data_in_leaf=20, threads=1)
ONE_TREE = structs.replace(QUICK, trees=1)


def task(protocol: Protocol, *, frozen: bool = False) -> Task:
    """A task that fits the log of a few days."""
    train = 0.5 if protocol == "purchase" else 0.25
    return Task(
        protocol=protocol,
        frozen=frozen,
        first_day=3,
        last_day=4,
        share=0.4 if protocol == "hourly" else 0.0,
        test=0.2,
        train=train,
        window=6.0,
    )


def anew(
    protocol: Protocol, *, frozen: bool = False, sessions: int = 500, progress: Progress = lambda _: None
) -> Results:
    table, asked = shop_log(sessions, buys=protocol != "hourly"), task(protocol, frozen=frozen)
    return evaluate(table, asked, Parameters(), QUICK, progress=progress)


run = cache(anew)
"""An evaluation takes seconds, so each is done once for all tests that name it alike."""


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("protocol", ["hourly", "next-click"])
def test_the_trained_ranker_is_at_least_as_good_as_the_best_single_recommender(
    protocol: Protocol,
    frozen: bool,  # noqa: FBT001
) -> None:
    results = run(protocol, frozen=frozen)
    summary = results.summary
    assert summary.best_single is not None
    by_order = 0 if protocol == "hourly" else 1  # of two dozen candidates nearly all are among the first 20
    figure = {row.scorer.name: row.figures[by_order].mean for row in summary.rows}
    assert figure["mix"] > 0.95 * figure[summary.rows[summary.best_single].scorer.name]
    assert figure["mix"] > 1.5 * figure["popularity.clicks_lasting"]
    assert (results.ranks[0] > 0).mean() > 0.9


def test_purchases_are_predicted_with_probabilities_that_hold() -> None:
    results = run("purchase")
    summary = results.summary
    assert summary.calibrated is not None
    assert summary.calibrated.error < 0.02
    asked = asked_of(shop_log(500), task("purchase"))
    settled = int((asked.tested & asked.settled).sum())
    assert summary.calibrated.examples == LISTED * settled < LISTED * int(asked.tested.sum())
    figure = {row.scorer.name: row.figures[0].mean for row in summary.rows}
    assert figure["mix"] > figure["fixed blend"]
    assert results.slices is not None
    assert set(results.slices.tolist()) <= {0, 1, 2, 3}


def test_probabilities_of_clicks_are_not_judged_as_if_they_were_of_purchases() -> None:
    table, told = shop_log(100), list[str]()
    assert 0 < (table.kinds == PURCHASE).sum() < FEWEST_PURCHASES
    results = evaluate(table, task("purchase"), Parameters(), ONE_TREE, tell=told.append)
    assert results.summary.calibrated is None
    assert results.about.training["target"] == "click"
    why = "fewer than 200 purchases come before the test, so that rankers learn clicks"
    assert told == [f"probabilities are not judged: {why}"]


def test_questions_are_told_apart_by_what_the_visitor_did_with_the_answer_before() -> None:
    results, asked = run("purchase"), asked_of(shop_log(500), task("purchase"))
    table, walk = asked.walk.table, asked.walk
    visits = session_numbers(replace(table, sessions=np.full(len(table), NO_SESSION, np.int32)))
    rows = np.array([~step for step in walk.steps if step < 0 and asked.tested[~step]])
    rows = rows[walk.targets[rows] != NO_TARGET]
    slices, bought = [], []
    for row in rows.tolist():
        before = np.flatnonzero((table.visitors == table.visitors[row]) & (np.arange(len(table)) <= row))
        touched = before[table.sales[before] == walk.targets[row]]
        in_basket = (table.kinds[touched] == CART).any()
        now = (visits[touched] == visits[row]).any()
        slices.append(0 if in_basket else 1 if now else 2 if len(touched) else 3)
        bought.append((table.kinds[touched] == PURCHASE).any())
    assert results.slices is not None
    assert results.slices.tolist() == slices
    assert set(slices) == {0, 1, 2, 3}
    assert results.about.slices[:2] == ("in the basket", "looked at in this visit")
    assert any(bought)
    assert not results.ranks[:, bought].any(), "what was bought is not listed again"


@pytest.mark.parametrize(("protocol", "log"), [("hourly", "G1 news"), ("next-click", "Diginetica")])
def test_each_published_figure_says_which_log_it_belongs_to(protocol: Protocol, log: str) -> None:
    published = run(protocol, frozen=True).about.published
    assert published
    assert all(log in name for name in published)


@pytest.mark.parametrize("protocol", ["hourly", "next-click"])
def test_nothing_published_stands_beside_what_a_stream_knows(protocol: Protocol) -> None:
    assert run(protocol, frozen=False).about.published == {}


def test_what_is_found_says_of_whom_and_when_it_was_asked_and_how() -> None:
    table, asked = shop_log(500), asked_of(shop_log(500), task("purchase"))
    purchases, clicks = run("purchase"), run("hourly", frozen=True)
    assert (purchases.about.protocol, clicks.about.protocol) == ("purchase, streaming", "hourly, frozen")
    assert purchases.windows is None
    assert clicks.windows is not None
    rows = np.flatnonzero(asked.tested & (asked.walk.targets != NO_TARGET))
    assert purchases.times is not None
    assert sorted(purchases.times.tolist()) == table.ts[rows].tolist()
    assert sorted(purchases.clusters.tolist()) == sorted(table.visitors[rows].tolist())
    assert sum(share for _, share in purchases.about.importance) == pytest.approx(1)
    cut = {"test": 0.2, "train": 0.5, "share": 1.0, "window": 6.0, "seed": 0}
    assert purchases.about.parameters == {"protocol": "purchase", "frozen": False, **cut}
    facts = purchases.about.training
    assert facts["moments learned from"] == int(asked.trained.sum())
    reached = float((purchases.ranks[0] > 0).mean())
    assert facts[REACHED] == pytest.approx(reached, abs=1e-4)


@pytest.mark.parametrize("protocol", ["next-click", "purchase"])
def test_of_a_long_log_a_share_of_the_sessions_tests_and_all_else_stays(protocol: Protocol) -> None:
    table = shop_log(300)
    whole, half, again, other = (
        asked_of(table, structs.replace(task(protocol), share=share, seed=seed))
        for share, seed in ((0.0, 0), (0.5, 0), (0.5, 0), (0.5, 1))
    )
    sessions = session_numbers(table)
    asked = set(sessions[half.tested].tolist())
    assert np.array_equal(half.tested, whole.tested & np.isin(sessions, list(asked))), "whole sessions"
    assert 0.35 < len(asked) / len(set(sessions[whole.tested].tolist())) < 0.65
    assert (half.share, whole.share) == (0.5, 1)
    assert np.array_equal(half.tested, again.tested)
    assert not np.array_equal(half.tested, other.tested)
    assert np.array_equal(half.trained, whole.trained)
    assert np.array_equal(half.walk.steps, whole.walk.steps)


def test_more_moments_than_are_asked_unless_all_are_wanted_are_drawn_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, some, told = shop_log(300), structs.replace(task("next-click"), train=0.1), list[str]()
    tested = int(asked_of(table, some).tested.sum())
    monkeypatch.setattr("models.evaluation.tasks.MAX_TESTED", tested // 2)
    drawn = evaluate(table, some, Parameters(), ONE_TREE, tell=told.append)
    share = asked_of(table, some).share
    assert drawn.about.parameters["share"] == share == pytest.approx(0.5, abs=0.01)
    assert told == [f"{100 * share:.3g} % of the sessions that test are asked; all of them by --set share=1"]
    assert 0.35 * tested < len(drawn.ranks[0]) < 0.65 * tested
    whole = structs.replace(some, share=1.0)
    assert len(evaluate(table, whole, Parameters(), ONE_TREE, tell=told.append).ranks[0]) == tested
    assert len(told) == 1


def test_days_after_the_last_one_that_tests_are_told() -> None:
    table, hours = shop_log(300, days=12.0), Task(protocol="hourly", share=1.0)
    assert list(not_tested(asked_of(table, hours), hours)) == [
        "days 4 to 10 of 12 test; for later ones --set last_day=12"
    ]
    for task in (structs.replace(hours, last_day=12), structs.replace(hours, protocol="next-click")):
        assert not list(not_tested(asked_of(table, task), task))
    tenth = "10 % of the sessions that test are asked; all of them by --set share=1"
    assert tenth in not_tested(asked_of(table, Task(protocol="hourly")), Task(protocol="hourly"))


@pytest.mark.parametrize("protocol", ["hourly", "next-click", "purchase"])
def test_rankers_learn_nothing_of_what_happens_once_the_test_has_begun(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Examples] = []

    def noted(_: Panel, examples: Examples, *__: object) -> tuple[tuple[str, float], ...]:
        learned.append(examples)
        return ()

    monkeypatch.setattr("models.evaluation.run.trained", noted)
    monkeypatch.setattr("models.targets.FEWEST_PURCHASES", 1)
    table, some = shop_log(150), structs.replace(task(protocol), window=24.0)
    asked = asked_of(table, some)
    steps = asked.walk.steps
    begun = int(np.flatnonzero((steps < 0) & asked.tested[np.where(steps < 0, ~steps, 0)])[0])
    sought, later = ~steps[:begun][steps[:begun] < 0], steps[begun:][steps[begun:] >= 0]
    future, sales = np.setdiff1d(later, sought), table.sales.copy()
    sales[future] = sales[future][::-1]
    assert (sales != table.sales).sum() > 50
    for log in (table, replace(table, sales=sales)):
        Evaluation(asked_of(log, some), Parameters(), QUICK).run()
    known, again = learned
    assert len(known.labels) > 300
    for name in ("rows", "labels", "weights"):
        assert getattr(known, name).tobytes() == getattr(again, name).tobytes()


def test_the_same_seed_gives_the_same_ranks_and_progress_goes_on_while_forests_grow() -> None:
    told = list[float]()
    again = anew("next-click", sessions=150, progress=told.append)
    assert np.array_equal(again.ranks, anew("next-click", sessions=150).ranks)
    assert told == sorted(told)
    assert len(set(told)) > 2 * QUICK.trees
    assert FORESTS < told[-1] <= 1


def test_a_log_without_a_test_is_refused() -> None:
    with pytest.raises(TrainingError, match="hourly finds no moment to train on"):
        asked_of(shop_log(50, days=1), Task(protocol="hourly"))


@pytest.mark.parametrize("protocol", ["hourly", "next-click", "purchase"])
def test_a_history_without_events_is_refused(protocol: Protocol) -> None:
    with pytest.raises(TrainingError, match="there is no event to learn from yet"):
        asked_of(table_of([]), Task(protocol=protocol))


@pytest.mark.parametrize("protocol", ["hourly", "next-click"])
def test_a_log_in_which_every_event_has_another_visitor_is_refused(protocol: Protocol) -> None:
    alone = table_of([did("oslo", hour * HOUR, f"v{hour}") for hour in range(200)])
    with pytest.raises(TrainingError, match="no session of this log has two clicks"):
        asked_of(alone, Task(protocol=protocol))


def test_a_log_in_which_nobody_buys_is_refused_by_the_protocol_of_purchases() -> None:
    with pytest.raises(TrainingError, match="are purchases among its event types"):
        evaluate(shop_log(300, buys=False), Task(protocol="purchase"), Parameters(), Boosting())


def test_purchases_after_nothing_else_are_told_from_none_at_all() -> None:
    alone = [did("oslo", hour * HOUR, f"v{hour}", kind=Purchase) for hour in range(200)]
    seen = [did("rome", hour * HOUR, f"w{hour}") for hour in range(200)]
    with pytest.raises(TrainingError, match="no purchase comes after something else"):
        evaluate(table_of([*alone, *seen]), Task(protocol="purchase"), Parameters(), Boosting())


def test_a_history_whose_sales_had_all_closed_before_the_test_is_refused() -> None:
    table = shop_log(100)
    begun = int(table.ts[asked_of(table, task("purchase")).tested].min())
    closed = catalogue_of(Sale(sale, sale, int(table.ts.min()) - 1, begun) for sale in table.sale_ids)
    with pytest.raises(TrainingError, match="no sale was open at the moments that test"):
        evaluate(table, task("purchase"), Parameters(), ONE_TREE, catalogue=closed)


def test_moments_at_which_no_sale_was_open_say_nothing_about_probabilities() -> None:
    answers = Answers(probabilities=[np.empty(0, np.float32)], labels=[np.empty(0, np.bool_)])
    assert answers.calibration() is None


def test_there_is_no_tuning_on_a_log_in_which_nothing_is_to_be_found() -> None:
    asked = asked_of(shop_log(300, buys=False), Task(protocol="purchase"))
    with pytest.raises(TrainingError, match="there is nothing to find"):
        tune(asked, Parameters())


def side_by_side() -> Asked:
    """Four sessions side by side, of which the last one to begin tests and the others train."""
    log = [
        did(sale, start * MINUTE + place * HOUR, f"v{start}", f"s{start}")
        for start in range(4)
        for place, sale in enumerate("abc")
    ]
    return next_click(table_of(log), 0.25, 0.75, frozen=False)


def test_only_what_tests_is_answered_although_sessions_that_train_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.evaluation.run.trained", lambda *_: ())
    asked = side_by_side()
    evaluation = Evaluation(asked, Parameters(), QUICK)
    evaluation.run()
    assert evaluation.learned_from == 3
    assert evaluation.answers.rows == np.flatnonzero(asked.tested).tolist()


def test_nothing_is_tuned_on_that_is_asked_once_the_test_has_begun() -> None:
    asked = side_by_side()
    assert asked.trained.sum() == 6
    begun = asked.walk.asked_at[asked.tested].min()
    walk = before_the_test(asked, asked.trained, 100, seed=0).walk
    asked_at = walk.asked_at[~walk.steps[walk.steps < 0]]
    assert len(asked_at) == 3
    assert (asked_at < begun).all()
    late = asked.trained & (asked.walk.asked_at >= begun)
    with pytest.raises(TrainingError, match="there is nothing to find"):
        before_the_test(asked, late, 100, seed=0)


@pytest.mark.parametrize("names", [("region",), ("region", "platform")])
def test_segments_are_found_in_a_log_with_few_columns(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.evaluation.tuning.MAX_ASKED", 30)
    monkeypatch.setattr("models.evaluation.tuning.GROUPS", {})
    table = shop_log(300)
    contexts = [{name: f"{name} {number}" for name in names} for number in range(5)]
    told = replace(table, context_values=contexts, contexts=(table.visitors % 5).astype(np.int32))
    found = tune(asked_of(told, task("next-click")), Parameters()).segments
    assert set(names) <= set(found)
    assert len(set(found)) == 3


def test_tuning_judges_a_recommender_as_an_evaluation_does() -> None:
    results, asked = (
        run("hourly", frozen=True),
        asked_of(shop_log(500, buys=False), task("hourly", frozen=True)),
    )
    asked = replace(asked, walk=asked.walk.only(asked.tested))
    measured = measure(asked, to_builtins(Parameters()))
    metric, names = Metric("NDCG", CUT), [scorer.name for scorer in results.about.scorers]
    for name in ("covisitation.near_now_visit", "session_knn.vsknn"):
        judged = metric.of(results.ranks[names.index(name)]).mean()
        assert measured[name] == pytest.approx(judged)
        assert 0 < judged < 1


def test_a_value_is_kept_unless_another_one_is_better_by_what_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a shop in which nothing but the half-life of co-visitation now makes any difference."""
    better = GROUPS["covisitation"]["now"][1]

    def measured(_: Asked, given: Given) -> dict[str, float]:
        judged = 0.5 + 0.1 * (given["covisitation"]["now"] == better)
        return defaultdict(lambda: 0.5, {"covisitation.near_now_visit": judged})

    monkeypatch.setattr("models.evaluation.tuning.measure", measured)
    asked = asked_of(shop_log(300), task("hourly"))
    start = Parameters()
    found = tune(asked, start)
    assert found.covisitation == structs.replace(start.covisitation, now=better)
    assert (found.session_knn, found.popularity, found.revisits) == (
        start.session_knn,
        start.popularity,
        start.revisits,
    )


def test_tuning_tries_every_parameter_and_looks_at_nothing_of_the_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.evaluation.tuning.MAX_ASKED", 60)
    table = shop_log(150)
    asked = asked_of(table, task("hourly"))
    trials: list[Trial] = []
    found = tune(asked, Parameters(), trials.append)
    tried = {trial.parameter for trial in trials}
    every = {f"{group}.{name}".rstrip(".") for group, values in GROUPS.items() for name in values}
    assert tried == every | {"segments"}
    best = max(
        (trial for trial in trials if trial.parameter == "covisitation.now"), key=lambda trial: trial.figure
    )
    assert found.covisitation.now == best.value
    future = table.ts > table.ts[asked.trained].max() + 60_000
    changed = shop_log(150)
    changed.sales[future] = changed.sales[future][::-1]
    assert tune(asked_of(changed, task("hourly")), Parameters()) == found
