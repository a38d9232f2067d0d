"""Training: what is drawn, what is learned, and that later moments calibrate."""

import re
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.challengers import LogisticRegression
from models.forest import Forest
from models.training import (
    CONTENT,
    IMAGES,
    Boosting,
    grow,
    newest,
    of_kinds,
    train_ranker,
)
from models.training_set import (
    FEWEST_DRAWN,
    NEGATIVES,
    NONE_SHOWN,
    Examples,
    TrainingSet,
    negatives_of,
)
from reco.errors import TrainingError
from reco.metrics import ndcg, target_rank

FEATURES = ("popularity.clicks_now", "revisits.clicks", "moment.hour")
QUICK = Boosting(trees=20, num_leaves=7, min_data_in_leaf=20, threads=1)


def moments(count: int, sales: int = 80, seed: int = 0) -> Examples:
    """Moments at which the sale with the most clicks tends to be chosen; the other features are noise."""
    random = np.random.default_rng(seed)
    training = TrainingSet(FEATURES, np.random.default_rng(seed))
    for _ in range(count):
        rows = random.normal(size=(len(FEATURES), sales)).astype(np.float32)
        target = int(np.argmax(rows[0] + random.normal(scale=0.5, size=sales)))
        training.add(rows, target, np.ones(sales, np.bool_))
    return training.complete()


def area_under_the_curve(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    """How often a chosen sale scores above another."""
    chosen, others = scores[labels], scores[~labels]
    return float((chosen[:, None] > others[None, :]).mean())


@pytest.mark.parametrize(("count", "most", "leaves"), [(4_500, 31, 9), (300, 31, 7), (4_500, 4, 4)])
def test_of_few_chosen_sales_trees_are_small(count: int, most: int, leaves: int) -> None:
    fitted = grow(moments(count, sales=12), Boosting(trees=3, num_leaves=most, threads=1))
    sizes = re.findall(r"^num_leaves=(\d+)$", fitted.text, re.MULTILINE)
    assert fitted.leaves == max(map(int, sizes)) == leaves


def test_the_target_comes_with_others_that_weigh_as_many_candidates_as_they_stand_for() -> None:
    training = TrainingSet(FEATURES, np.random.default_rng(0))
    rows = np.arange(3 * 181, dtype=np.float32).reshape(3, 181)
    training.add(rows, 7, np.ones(181, np.bool_))
    examples = training.complete()
    assert examples.groups.tolist() == [1 + NEGATIVES]
    assert examples.labels.tolist() == [1] + [0] * NEGATIVES
    assert examples.rows[:, 0].tolist() == rows[:, 7].tolist()
    assert 7 not in examples.rows[0, 1:]
    assert len(set(examples.rows[0].tolist())) == 1 + NEGATIVES
    assert examples.weights.sum() == pytest.approx(181)


@example(0, {0}, 0)
@example(0, set(range(80)), 0)
@given(st.integers(-1, 199), st.sets(st.integers(0, 199), max_size=100), st.integers(0, 2**32))
def test_all_that_was_shown_is_there_once_and_the_others_stand_for_the_rest(
    target: int, shown: set[int], seed: int
) -> None:
    training = TrainingSet(FEATURES, np.random.default_rng(seed))
    allowed = np.arange(200) % 7 < 6
    rows = np.tile(np.arange(200, dtype=np.float32), (3, 1))
    training.add(rows, target, allowed, shown=np.array(sorted(shown), np.intp))
    examples = training.complete()
    taken = examples.rows[0].astype(int).tolist()
    seen = {one for one in shown if allowed[one] and one != target}
    assert len(set(taken)) == len(taken)
    assert seen <= set(taken)
    assert all(weight == 1 for one, weight in zip(taken, examples.weights, strict=True) if one in seen)
    found = target >= 0 and bool(allowed[target])
    others = int(allowed.sum()) - found
    assert examples.weights[~examples.chosen()].sum() == pytest.approx(others)
    assert examples.labels.sum() == found
    assert len(taken) == found + min(others, max(NEGATIVES, len(seen) + FEWEST_DRAWN))


def test_very_many_moments_have_fewer_others_each() -> None:
    assert [negatives_of(n) for n in (0, 50_000, 100_000, 200_000, 10_000_000)] == [60, 60, 30, 15, 15]
    training = TrainingSet(FEATURES, np.random.default_rng(0), negatives_of(200_000))
    training.add(np.zeros((3, 181), np.float32), 7, np.ones(181, np.bool_))
    examples = training.complete()
    assert examples.groups.tolist() == [1 + 15]
    assert examples.weights.sum() == pytest.approx(181)


MEMORY_OF_MOMENTS = """
import numpy as np
from psutil import Process
from models.training_set import TrainingSet

training = TrainingSet(tuple(f"{n}" for n in range(200)), np.random.default_rng(0))
rows, allowed, others = np.ones((200, 61), np.float32), np.ones(61, np.bool_), []
for _ in range(1500):
    training.add(rows, 0, allowed)
    others.append(bytes(1000))  # as the replay leaves things between them
before = Process().memory_info().rss
examples = training.complete()
assert Process().memory_info().rss - before < examples.rows.nbytes / 2
"""


def test_memory_of_the_moments_comes_back_when_they_are_complete() -> None:
    """In a process of its own: what other tests have left may take memory meanwhile."""
    subprocess.run([sys.executable, "-c", MEMORY_OF_MOMENTS], check=True)


def test_lightgbm_gets_some_of_the_moments_and_features_as_they_lie_in_memory() -> None:
    examples = moments(20)
    for some in (examples.moments(3, 9), examples.only(FEATURES[1:]).moments(3, 9)):
        assert some.rows.T.flags.c_contiguous
    assert np.shares_memory(examples.moments(3, 9).rows, examples.rows)


def test_the_newest_moments_calibrate_and_teach_the_trees_nothing() -> None:
    examples = moments(400)
    held = int(examples.groups[: newest(examples, QUICK)].sum())
    fewer = examples.labels.copy()
    fewer[held:] *= np.arange(len(fewer) - held) % 2  # half of what was chosen then was not
    model, fitted = train_ranker(examples, FEATURES, QUICK)
    other, refitted = train_ranker(replace(examples, labels=fewer), FEATURES, QUICK)
    assert refitted.text == fitted.text
    rows = np.ascontiguousarray(examples.rows[:, held:])
    assert other.score(rows).mean() < 0.8 * model.score(rows).mean()


def test_a_moment_without_a_target_has_others_only_and_what_is_not_allowed_is_never_drawn() -> None:
    training = TrainingSet(FEATURES, np.random.default_rng(0))
    rows = np.tile(np.arange(10, dtype=np.float32), (3, 1))
    training.add(rows, -1, np.arange(10) < 4)
    examples = training.complete()
    assert sorted(examples.rows[0].tolist()) == [0, 1, 2, 3]
    assert not examples.labels.any()


def test_what_was_chosen_and_could_not_be_listed_is_no_target() -> None:
    training = TrainingSet(FEATURES, np.random.default_rng(0))
    allowed = np.arange(9) != 4
    training.add(np.tile(np.arange(9, dtype=np.float32), (3, 1)), 4, allowed)
    examples = training.complete()
    assert examples.labels.tolist() == [0.0] * 8
    assert sorted(examples.rows[0].tolist()) == [0, 1, 2, 3, 5, 6, 7, 8]


def test_a_moment_that_stands_for_several_weighs_as_many() -> None:
    training = TrainingSet(FEATURES, np.random.default_rng(0))
    rows = np.zeros((3, 100), np.float32)
    training.add(rows, 7, np.ones(100, np.bool_), shown=np.array([3]), weight=2.5)
    examples = training.complete()
    assert examples.weights[:2].tolist() == [2.5, 2.5]
    assert examples.weights.sum() == pytest.approx(250)


def test_what_was_shown_weighs_as_little_as_it_stands_for_and_without_it_all_weigh_alike() -> None:
    training = TrainingSet(FEATURES, np.random.default_rng(0), negatives=20)
    rows = np.zeros((3, 101), np.float32)
    for target in (7, -1):
        training.add(rows, target, np.ones(101, np.bool_), shown=np.arange(10), weight=2.5)
    training.add(rows, 7, np.ones(101, np.bool_))
    training.add(rows, -1, np.zeros(101, np.bool_))
    training.add(rows, 7, np.arange(101) == 7)
    relative = training.complete().relative_weights().tolist()
    drawn = [20 - 9, 20 - 10]
    assert relative == pytest.approx(
        [1, *[drawn[0] / 91] * 9, *[1] * drawn[0], *[drawn[1] / 91] * 10, *[1] * drawn[1], *[1] * 21, 1]
    )


def test_only_moments_with_a_target_have_a_rank_of_whatever_grade_it_is() -> None:
    labels = np.array([0.3, 0, 0, 0, 0, 1, 0], np.float32)
    groups = np.array([3, 0, 2, 2, 0])
    examples = Examples(FEATURES, np.zeros((3, 7), np.float32), labels, np.ones(7, np.float32), groups)
    assert examples.ranks(np.array([0.5, 0.9, 0.1, 0.7, 0.8, 0.2, 0.1])).tolist() == [2, 1]


def test_lists_that_were_shown_do_not_teach_that_what_they_list_is_chosen_seldom() -> None:
    """Choices by the first feature, whatever the list holds; the best of it are shown, as a ranker would."""
    random = np.random.default_rng(0)
    sets = [TrainingSet(FEATURES, np.random.default_rng(1), negatives=20) for _ in range(2)]
    fresh = []
    for moment in range(1500):
        rows = random.normal(size=(3, 300)).astype(np.float32)
        worth = np.exp(2 * rows[0].astype(float))
        target = int(random.choice(300, p=worth / worth.sum()))
        if moment >= 1000:
            fresh.append((rows, target))
            continue
        for training, shown in zip(sets, (np.argsort(-rows[0])[:10], NONE_SHOWN), strict=True):
            training.add(rows, target, np.ones(300, np.bool_), shown=shown)
    forests = [Forest.parse(grow(training.complete(), QUICK).text) for training in sets]
    found = [
        ndcg(np.array([target_rank(forest.raw_scores(rows), target) for rows, target in fresh]), 10).mean()
        for forest in forests
    ]
    assert found[0] > 0.9 * found[1]


def test_what_was_chosen_in_part_teaches_but_is_not_what_is_predicted() -> None:
    """Three in ten are bought, as the first feature tells; what the second tells is only clicked."""
    random, examples = np.random.default_rng(0), []
    for seed in (0, 1):
        training = TrainingSet(FEATURES, np.random.default_rng(seed))
        for _ in range(2000):
            rows = random.normal(size=(3, 20)).astype(np.float32)
            is_bought = random.random() < 0.3
            target = int(np.argmax(rows[0 if is_bought else 1]))
            training.add(rows, target, np.ones(20, np.bool_), grade=1.0 if is_bought else 0.3)
        examples.append(training.complete())
    ranker, fitted = train_ranker(examples[0], FEATURES, QUICK)
    gains = dict(fitted.importance)
    assert min(gains["popularity.clicks_now"], gains["revisits.clicks"]) > 3 * gains["moment.hour"]
    expected = float((ranker.score(np.ascontiguousarray(examples[1].rows)) * examples[1].weights).sum())
    assert expected == pytest.approx(examples[1].chosen().sum(), rel=0.25)


def test_a_forest_finds_what_leads_to_a_choice() -> None:
    training, later = moments(400), moments(100, seed=1)
    for objective in ("binary", "lambdarank"):
        ranker, fitted = train_ranker(training, FEATURES, QUICK, objective)
        assert fitted.importance[0][0] == "popularity.clicks_now"
        assert sum(share for _, share in fitted.importance) == pytest.approx(1)
        assert area_under_the_curve(ranker.score(np.ascontiguousarray(later.rows)), later.chosen()) > 0.9


def test_a_release_of_the_same_seed_is_the_same_to_the_last_bit() -> None:
    first, again = (grow(moments(200), QUICK).text for _ in range(2))
    assert first == again


def test_probabilities_add_up_to_what_was_chosen_among_all_candidates() -> None:
    training, later = moments(800), moments(300, seed=1)
    ranker, _ = train_ranker(training, FEATURES, QUICK)
    expected = float((ranker.score(np.ascontiguousarray(later.rows)) * later.weights).sum())
    assert expected == pytest.approx(later.labels.sum(), rel=0.2)


def test_calibration_keeps_the_order() -> None:
    training = moments(400)
    ranker, _ = train_ranker(training, FEATURES, QUICK)
    rows = np.ascontiguousarray(moments(5, seed=2).rows)
    raw, calibrated = ranker.forest.raw_scores(rows), ranker.score(rows)
    order = np.argsort(raw)
    assert (np.diff(calibrated[order]) >= 0).all()


def test_logistic_regression_learns_it_too_and_takes_what_is_unknown_as_average() -> None:
    examples, later = moments(300), moments(100, seed=1)
    regression = LogisticRegression(examples)
    assert area_under_the_curve(regression.score(later.rows), later.chosen()) > 0.9
    unknown = later.rows.copy()
    unknown[2] = np.nan
    assert np.isfinite(regression.score(unknown)).all()


def test_too_few_choices_are_refused_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"only 10 of the moments .* longer history, or .* next-click"):
        grow(moments(10), QUICK)


@pytest.mark.parametrize("name", ["learning_rate", "lambda_l2", "feature_fraction", "held_out"])
@pytest.mark.parametrize("value", ["inf", "nan", "-1"])
def test_a_number_that_no_forest_can_be_grown_with_is_refused(name: str, value: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: value}, Boosting, strict=False)


def test_where_no_candidate_was_chosen_at_all_the_sale_ids_are_asked_about() -> None:
    nobody = moments(60)
    nobody.labels[:] = 0
    with pytest.raises(TrainingError, match=r"only 0 of the moments .* sale ids of events and sales"):
        grow(nobody, QUICK)


def test_newest_moments_at_which_no_sale_was_open_are_refused() -> None:
    some = moments(200)
    closed = replace(some, groups=np.concatenate((some.groups, np.zeros(60, np.int64))))
    with pytest.raises(TrainingError, match="no sale was open at the newest moments"):
        train_ranker(closed, FEATURES, QUICK)


def test_lambdarank_learns_from_grades_that_are_no_whole_numbers() -> None:
    graded = moments(300)
    graded.labels[(graded.labels == 0) & (graded.rows[1] > 2)] = 0.05
    fitted = grow(graded, QUICK, "lambdarank")
    scores = Forest.parse(fitted.text).raw_scores(np.ascontiguousarray(graded.rows))
    chosen, none = graded.labels == 1, graded.labels == 0
    assert scores[chosen].mean() > scores[~chosen & ~none].mean() > scores[none].mean()


def test_features_are_chosen_by_their_kind_of_evidence() -> None:
    assert of_kinds(FEATURES, ("moment", "revisits")) == ("revisits.clicks", "moment.hour")
    similar = ("similarity.text_best", "similarity.image_best~rank", "similarity.topics_last")
    assert of_kinds(similar, IMAGES) == similar[1:]
    assert of_kinds(similar, CONTENT) == similar
