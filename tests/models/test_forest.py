"""The fast forest gives LightGBM's own scores, bit for bit, and refuses whatever it could not serve."""

import re
import subprocess
import sys
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from models import lightgbm_text
from models.forest import BLOCK, Forest
from models.lightgbm_text import TreeText
from reco.errors import ReleaseError
from tests.source_tree import ROOT

NUMERIC = ("visit.dwell~own", "price_ratio", "popularity.6h", "few.values", "often.zero", "constant", "huge")
FEATURES = (*NUMERIC, "country", "day_of-week")
CATEGORICAL = [len(NUMERIC), len(NUMERIC) + 1]
TINY = (0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-35, 1.1e-35, -1.1e-35, 1e-44)
ODD = (*TINY, np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e10, -0.5, -1.0, 0.5, 31.0, 32.0, 200.0)


def table(rng: Generator, rows: int) -> NDArray[np.float32]:
    """float32[rows, n_features]: features of every kind, of which some are missing."""
    columns = np.stack(
        [
            rng.normal(size=rows),
            rng.normal(size=rows).round(1),
            rng.exponential(size=rows),
            rng.integers(-2, 3, rows),
            rng.normal(size=rows) * (rng.random(rows) < 0.4),
            np.full(rows, 7.0),
            rng.choice([-np.inf, -1e30, -1e-30, 0, 1e-30, 1e30, np.inf], rows),
            rng.integers(0, 90, rows),
            rng.integers(0, 7, rows),
        ],
        axis=1,
    ).astype(np.float32)
    columns[rng.random(columns.shape) < rng.choice([0, 0.2, 0.6], len(FEATURES))] = np.nan
    return columns


@cache
def trained(seed: int, **parameters: Any) -> lightgbm.Booster:
    """A small model with parameters drawn by `seed`."""
    rng = default_rng(seed)
    rows = int(rng.integers(60, 1500))
    values = table(rng, rows)
    wanted = np.nan_to_num(values[:, 0]) + np.nan_to_num(values[:, 4]) + (np.nan_to_num(values[:, 7]) % 3)
    drawn = {
        "objective": rng.choice(["binary", "lambdarank"]),
        "num_leaves": int(rng.integers(2, 64)),
        "min_data_in_leaf": int(rng.choice([1, 5, 20])),
        "use_missing": bool(rng.random() < 0.8),
        "zero_as_missing": bool(rng.random() < 0.3),
        "max_bin": int(rng.choice([15, 255])),
        "min_data_per_group": 5,
        "cat_smooth": 1,
        "max_cat_to_onehot": int(rng.choice([1, 4])),
        "learning_rate": float(rng.choice([0.05, 0.3])),
        "boosting": rng.choice(["gbdt", "dart"]),
        "sigmoid": float(rng.choice([1.0, 0.7])),
    } | parameters
    quiet = {"verbose": -1, "num_threads": 1, "seed": seed, "deterministic": True}
    labels = (wanted + rng.normal(size=rows) > np.median(wanted)).astype(int)
    data = lightgbm.Dataset(
        values,
        labels,
        feature_name=list(FEATURES),
        categorical_feature=CATEGORICAL if rng.random() < 0.6 else [],
        group=[rows // 4] * 3 + [rows - 3 * (rows // 4)] if drawn["objective"] == "lambdarank" else None,
    )
    return lightgbm.train(drawn | quiet, data, int(rng.integers(1, 41)))


def probes(text: str, rng: Generator, sales: int) -> NDArray[np.float32]:
    """float32[n_features, sales]: ordinary values, odd ones, thresholds and their float32 neighbours."""
    rows = np.ascontiguousarray(table(rng, sales).T)
    for tree in lightgbm_text.parse(text).trees:
        for feature, threshold in zip(tree.split_feature, tree.threshold, strict=True):
            with np.errstate(over="ignore"):
                near = np.float32(threshold)
            rows[feature, rng.integers(sales)] = np.nextafter(
                near, rng.choice([-np.inf, np.inf]), dtype=np.float32
            )
            rows[feature, rng.integers(sales)] = near
    odd = rng.random(rows.shape) < 0.15
    rows[odd] = rng.choice(np.array(ODD, np.float32), odd.sum())
    return rows


def by_lightgbm(booster: lightgbm.Booster, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    predicted = booster.predict(np.ascontiguousarray(rows.T), raw_score=True, num_threads=1)
    return np.asarray(predicted, np.float64)


def plain_score(trees: tuple[TreeText, ...], values: NDArray[np.float32]) -> float:
    """One sale's raw score, as `include/LightGBM/tree.h` decides: the slow and plain way."""
    score = 0.0
    for tree in trees:
        node = 0 if len(tree.threshold) else -1
        while node >= 0:
            left = goes_left(tree, node, float(values[tree.split_feature[node]]))
            node = int(tree.left_child[node] if left else tree.right_child[node])
        score += float(tree.leaf_value[-1 - node])
    return score


def goes_left(tree: TreeText, node: int, value: float) -> bool:
    decision, threshold = int(tree.decision_type[node]), float(tree.threshold[node])
    value = 0.0 if abs(value) <= np.float32(1e-35) else value
    if decision & 1:
        words = tree.categories[int(threshold)]
        known = -1 < value < 32 * len(words)
        return known and bool(int(words[int(value) // 32]) >> (int(value) % 32) & 1)
    if np.isnan(value) and decision >> 2 != 2:
        value = 0.0
    if np.isnan(value) or (decision >> 2 == 1 and value == 0):
        return bool(decision & 2)
    return value <= threshold


@pytest.mark.parametrize("seed", range(60))
def test_scores_are_those_of_lightgbm_to_the_last_bit(seed: int) -> None:
    booster = trained(seed)
    forest = Forest.parse(booster.model_to_string())
    rows = probes(booster.model_to_string(), default_rng(seed), 300)
    assert np.array_equal(forest.raw_scores(rows), by_lightgbm(booster, rows))


@pytest.mark.parametrize("leaves", [31, 32, 33, 64, 65, 97, 300])
def test_trees_with_more_leaves_than_a_word_has_bits_are_scored_alike(leaves: int) -> None:
    booster = trained(leaves, num_leaves=leaves, min_data_in_leaf=1, min_sum_hessian_in_leaf=0)
    rows = probes(booster.model_to_string(), default_rng(leaves), 200)
    assert np.array_equal(
        Forest.parse(booster.model_to_string()).raw_scores(rows), by_lightgbm(booster, rows)
    )


@pytest.mark.parametrize("boost_from_average", [True, False])
def test_a_tree_of_one_leaf_scores_all_sales_alike(boost_from_average: bool) -> None:  # noqa: FBT001
    parameters = {"objective": "binary", "boosting": "gbdt", "boost_from_average": boost_from_average}
    booster = trained(4, min_gain_to_split=1e9, **parameters)
    forest = Forest.parse(booster.model_to_string())
    rows = np.ascontiguousarray(table(default_rng(4), 20).T)
    assert len(lightgbm_text.parse(booster.model_to_string()).trees[0].leaf_value) == 1
    assert np.array_equal(forest.raw_scores(rows), by_lightgbm(booster, rows))
    assert np.array_equal(forest.contributions(rows)[:, -1], forest.raw_scores(rows))
    narrow = forest.narrowed()
    assert narrow.features == ()
    assert np.array_equal(narrow.raw_scores(rows[:0]), forest.raw_scores(rows))


@pytest.mark.parametrize("sales", [0, 1, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_any_number_of_sales_is_scored(sales: int) -> None:
    booster = trained(1)
    rows = np.ascontiguousarray(table(default_rng(sales), sales).T)
    expected = by_lightgbm(booster, rows) if sales else np.zeros(0)
    assert np.array_equal(Forest.parse(booster.model_to_string()).raw_scores(rows), expected)


@pytest.mark.parametrize("seed", range(20))
def test_features_that_all_sales_share_change_no_bit(seed: int) -> None:
    booster, rng = trained(seed), default_rng(seed)
    rows = probes(booster.model_to_string(), rng, 100)
    shared = rng.random(len(rows)) < rng.choice([0.3, 0.7, 1.0])
    rows[shared] = rows[shared, :1]
    assert np.array_equal(
        Forest.parse(booster.model_to_string()).raw_scores(rows), by_lightgbm(booster, rows)
    )


def test_a_split_of_what_is_missing_from_all_the_rest_keeps_infinities_with_the_rest() -> None:
    values = np.array([[1.0, -1.0, np.nan, np.nan] * 50], np.float32).T
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(values, np.isnan(values[:, 0]).astype(int)), 3)
    text = booster.model_to_string()
    assert lightgbm_text.parse(text).trees[0].threshold == np.inf
    rows = np.array([[1.0, np.inf, -np.inf, np.nan, np.finfo(np.float32).max]], np.float32)
    scores = Forest.parse(text).raw_scores(rows)
    assert np.array_equal(scores, by_lightgbm(booster, rows))
    assert scores[1] == scores[0] < scores[3]


def test_missing_values_zeros_categories_and_small_and_large_trees_all_occur_in_these_tests() -> None:
    trees = [t for seed in range(60) for t in lightgbm_text.parse(trained(seed).model_to_string()).trees]
    decisions = {int(decision) for tree in trees for decision in tree.decision_type}
    assert decisions >= {1, 2, 4, 6, 8, 10}
    assert {2, 33} <= {len(tree.leaf_value) for tree in trees}
    assert max(len(words) for tree in trees for words in tree.categories) == 3


@pytest.mark.parametrize("seed", range(6))
def test_narrowed_it_reads_what_its_trees_ask_about_and_no_bit_differs(seed: int) -> None:
    text = trained(seed).model_to_string(num_iteration=1)
    forest, rows = Forest.parse(text), probes(text, default_rng(seed), 40)
    asked = sorted({int(one) for tree in lightgbm_text.parse(text).trees for one in tree.split_feature})
    narrow, own = forest.narrowed(), np.ascontiguousarray(rows[asked])
    assert len(asked) < len(FEATURES)
    assert narrow.features == tuple(FEATURES[one] for one in asked)
    assert narrow.raw_scores(own).tobytes() == forest.raw_scores(rows).tobytes()
    parts, whole = narrow.contributions(own), forest.contributions(rows)
    assert parts.tobytes() == np.ascontiguousarray(whole[:, [*asked, -1]]).tobytes()
    assert not np.delete(whole[:, :-1], asked, axis=1).any()


def test_it_says_what_it_reads_and_of_how_many_trees_it_is() -> None:
    booster = trained(3)
    forest = Forest.parse(booster.model_to_string())
    assert forest.features == FEATURES
    assert forest.trees == booster.num_trees()


def test_rows_of_other_features_are_refused() -> None:
    forest = Forest.parse(trained(1).model_to_string())
    for wrong in (len(FEATURES) - 1, len(FEATURES) + 1):
        with pytest.raises(ValueError, match=f"reads {len(FEATURES)} features, and was given {wrong}"):
            forest.raw_scores(np.zeros((wrong, 3), np.float32))


@pytest.mark.parametrize("seed", range(20))
def test_contributions_sum_to_the_score(seed: int) -> None:
    booster = trained(seed)
    forest = Forest.parse(booster.model_to_string())
    rows = probes(booster.model_to_string(), default_rng(seed), 40)
    contributions = forest.contributions(rows)
    assert contributions.shape == (40, len(FEATURES) + 1)
    assert np.allclose(contributions.sum(axis=1), forest.raw_scores(rows), rtol=1e-9, atol=1e-12)


def test_each_split_on_the_path_is_credited_to_its_feature() -> None:
    booster = trained(5, objective="binary", boosting="gbdt", num_leaves=20)
    text = booster.model_to_string()
    rows = probes(text, default_rng(5), 20)
    expected = np.zeros((20, len(FEATURES) + 1))
    for tree in lightgbm_text.parse(text).trees:
        for sale in range(20):
            node, value = 0, tree.internal_value[0]
            expected[sale, -1] += value
            while node >= 0:
                feature = tree.split_feature[node]
                left = goes_left(tree, node, float(rows[feature, sale]))
                node = int(tree.left_child[node] if left else tree.right_child[node])
                after = tree.internal_value[node] if node >= 0 else tree.leaf_value[-1 - node]
                expected[sale, feature] += after - value
                value = after
    assert np.allclose(Forest.parse(text).contributions(rows), expected, rtol=1e-12, atol=1e-14)
    assert not expected[:, FEATURES.index("constant")].any()


def test_values_of_nodes_are_on_the_scale_of_the_leaves() -> None:
    booster = trained(7, objective="binary", boosting="gbdt", learning_rate=0.05)
    for tree in lightgbm_text.parse(booster.model_to_string()).trees:
        for node in range(len(tree.threshold)):
            children = (int(tree.left_child[node]), int(tree.right_child[node]))
            around = [tree.internal_value[c] if c >= 0 else tree.leaf_value[-1 - c] for c in children]
            assert min(around) - 1e-5 <= tree.internal_value[node] <= max(around) + 1e-5


@pytest.mark.parametrize(
    ("what", "parameters"),
    [
        ("several classes", {"objective": "multiclass", "num_class": 2, "boosting": "gbdt"}),
        ("averages", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
        (
            "linear",
            {"objective": "binary", "linear_tree": True, "boosting": "gbdt", "zero_as_missing": False},
        ),
    ],
)
def test_models_that_are_no_sum_of_plain_trees_are_refused(what: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ReleaseError, match=what):
        Forest.parse(trained(2, **parameters).model_to_string())


MODEL = trained(11, objective="binary", boosting="gbdt", num_leaves=8).model_to_string()


def put(key: str, place: int, value: str, text: str = MODEL) -> str:
    """The model with one number of the first tree's line `key` replaced."""
    words = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)[1].split()  # type: ignore[index]
    words[place] = value
    return re.sub(rf"^{key}=.*$", f"{key}={' '.join(words)}", text, count=1, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("cut off", ""),
        ("cut off", MODEL[: MODEL.index("end of trees")]),
        ("not the text of a tree model", MODEL.replace("version=v4", "version=v5")),
        ("trees are announced", MODEL.replace("Tree=1\n", "Wood=1\n")),
        ("another tree stands in its place", MODEL.replace("Tree=1\n", "Tree=2\n")),
        ("feature_names are not as many", MODEL.replace("price_ratio", "country")),
        ("feature_names are not as many", MODEL.replace("max_feature_idx=8", "max_feature_idx=7")),
        ("tree 0: left_child and right_child do not hold every", put("left_child", 0, "0")),
        ("tree 0: left_child and right_child do not hold every", put("right_child", 0, "-99")),
        ("tree 0: split_feature holds a number outside 0 to 8", put("split_feature", 0, "9")),
        ("tree 0: split_feature holds a number outside 0 to 8", put("split_feature", 0, "-1")),
        ("tree 0: split_feature is not made of numbers", put("split_feature", 0, "9" * 40)),
        ("tree 0: threshold is not made of numbers", put("threshold", 0, "1.2.3")),
        ("tree 0: threshold has 6 values, not 7", put("threshold", 0, "")),
        ("tree 0: threshold is not made of numbers", put("threshold", 0, "nan")),
        ("tree 0: leaf_value holds a number that is not finite", put("leaf_value", 0, "-inf")),
        ("tree 0: decision_type holds an unknown kind", put("decision_type", 0, "12")),
        ("tree 0: decision_type holds a number outside", put("decision_type", 0, "16")),
        ("tree 0: num_leaves is 0", put("num_leaves", 0, "0")),
        ("tree 0: num_cat is negative", put("num_cat", 0, "-1")),
        ("tree 0: cat_boundaries do not divide", put("cat_boundaries", 0, "1")),
        ("tree 0: cat_boundaries do not divide", put("cat_boundaries", 1, "2")),
        ("tree 0: cat_boundaries do not divide", put("cat_boundaries", 1, "0 3", put("num_cat", 0, "2"))),
        ("tree 0: cat_threshold holds a number outside", put("cat_threshold", 0, str(1 << 32))),
        ("tree 0: threshold holds a number outside 0 to 0", put("threshold", 0, "1")),
        ("tree 0: threshold of a categorical node is not the place", put("threshold", 0, "0.5")),
        ("tree 0: internal_value is missing", MODEL.replace("internal_value=", "shape=")),
    ],
)
def test_what_is_wrong_is_said(what: str, text: str) -> None:
    with pytest.raises(ReleaseError, match=what):
        Forest.parse(text)


def test_a_node_that_leads_back_to_itself_is_refused() -> None:
    tree = lightgbm_text.parse(MODEL).trees[0]
    last = len(tree.threshold) - 1
    key, places = "left_child", np.flatnonzero(tree.left_child == last)
    if not len(places):
        key, places = "right_child", np.flatnonzero(tree.right_child == last)
    without = put(key, int(places[0]), str(tree.left_child[last]))
    with pytest.raises(ReleaseError, match="tree 0: left_child or right_child leads back to an earlier node"):
        Forest.parse(put("left_child", last, str(last), without))


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_text_is_refused_or_means_the_same_to_a_plain_reader(seed: int) -> None:
    rng = default_rng(seed)
    text = trained(seed + 20, num_leaves=6).model_to_string(num_iteration=5)
    text = text[: text.index("parameters:")]
    rows = probes(text, rng, 5)
    refused = 0
    for _ in range(150):
        wrong = damaged(text, rng)
        try:
            forest = Forest.parse(wrong)
        except ReleaseError:
            refused += 1
            continue
        trees = lightgbm_text.parse(wrong).trees
        plain = [plain_score(trees, values) for values in rows.T]
        assert np.array_equal(forest.raw_scores(rows), plain)
    assert 0 < refused < 150


def damaged(text: str, rng: Generator) -> str:
    """One thing wrong: cut off, a byte changed, a number replaced by another, or two lines exchanged."""
    at = int(rng.integers(len(text)))
    match int(rng.integers(4)):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + str(rng.choice(list("0123456789-. =\ne"))) + text[at + 1 :]
        case 2:
            numbers = list(re.finditer(r"-?\d+(\.\d+)?", text))
            one, two = rng.choice(len(numbers), 2)
            return text[: numbers[one].start()] + str(numbers[two][0]) + text[numbers[one].end() :]
        case _:
            lines = text.split("\n")
            one, two = rng.choice(len(lines), 2)
            lines[one], lines[two] = lines[two], lines[one]
            return "\n".join(lines)


def test_scoring_loads_no_lightgbm() -> None:
    code = "import sys, models.forest; sys.exit('lightgbm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
