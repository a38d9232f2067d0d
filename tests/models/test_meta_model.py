"""The meta-model and its calibration: probabilities that are observed, in the order of the raw scores."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration import Calibration, Isotonic, Sigmoid, expit, fit_isotonic, fit_sigmoid, logit
from models.forest import Forest
from models.meta_model import MetaModel
from tests.models.small_models import forest_text

FEATURES = ("popularity", "covisitation", "revisits")

Fit: TypeAlias = Callable[..., Calibration]

scores = st.lists(st.floats(-12, 12), min_size=1, max_size=30).map(np.array)


@st.composite
def calibrations(draw: st.DrawFn) -> Calibration:
    if draw(st.booleans()):
        return Sigmoid(draw(st.floats(0.1, 5)), draw(st.floats(-5, 5)))
    x = sorted(draw(st.sets(st.integers(-80, 80), min_size=1, max_size=8)))
    y = sorted(draw(st.sets(st.integers(1, 999), min_size=len(x), max_size=len(x))))
    return Isotonic(tuple(one / 10 for one in x), tuple(one / 1000 for one in y))


def sample(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Raw scores whose true log odds are half of them less one, what was bought, and equal weights."""
    random = np.random.default_rng(seed)
    raw = random.normal(0, 2, n)
    return raw, random.random(n) < expit(raw / 2 - 1), np.ones(n)


@given(calibrations(), scores)
def test_a_calibration_never_changes_the_order(calibration: Calibration, raw: NDArray[np.float64]) -> None:
    found = expit(calibration.log_odds(np.sort(raw))).astype(np.float32)
    assert (np.diff(found) >= 0).all()
    assert ((found > 0) & (found <= 1)).all()


@given(calibrations(), st.integers(-800, 800), st.integers(1, 50))
def test_a_higher_raw_score_has_higher_log_odds(calibration: Calibration, at: int, more: int) -> None:
    low, high = calibration.log_odds(np.array([at / 100, (at + more) / 100]))
    assert low < high


def test_rounding_puts_no_score_that_is_just_below_a_centre_above_it() -> None:
    raw = np.array([np.nextafter(0.0, -1.0), 0.0])
    for per_cent in range(2, 100):
        below, centre = Isotonic((-1.0, 0.0), (0.01, per_cent / 100)).log_odds(raw)
        assert below <= centre


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=30).map(np.array))
def test_probabilities_are_those_of_the_logistic_function(log_odds: NDArray[np.float64]) -> None:
    expected = 1 / (1 + np.exp(-np.maximum(log_odds, -700)))
    assert expit(log_odds) == pytest.approx(expected, rel=1e-12, abs=1e-300)
    between = log_odds[np.abs(log_odds) < 30]
    assert logit(expit(between)) == pytest.approx(between, rel=1e-3, abs=1e-9)


@given(calibrations())
def test_a_calibration_is_read_as_it_was_written(calibration: Calibration) -> None:
    assert msgspec.json.decode(msgspec.json.encode(calibration), type=Isotonic | Sigmoid) == calibration


@given(calibrations().filter(lambda one: isinstance(one, Isotonic)), scores)
def test_an_isotonic_calibration_is_that_of_a_plain_interpolation(
    calibration: Isotonic, raw: NDArray[np.float64]
) -> None:
    x, log_odds = np.array(calibration.x), logit(np.array(calibration.y))
    plain = expit(np.interp(raw, x, log_odds) + raw - np.clip(raw, x[0], x[-1]))
    assert expit(calibration.log_odds(raw)) == pytest.approx(plain, rel=1e-9)


def test_an_isotonic_calibration_joins_the_centres_by_straight_lines_of_log_odds() -> None:
    calibration = Isotonic((-1.0, 1.0), (0.2, 0.6))
    raw = np.array([-1.0, 1.0, 0.0, -3.0, 2.5])
    middle = expit((logit(np.array([0.2])) + logit(np.array([0.6]))) / 2)[0]
    below, above = expit(logit(np.array([0.2, 0.6])) + np.array([-2.0, 1.5]))
    assert expit(calibration.log_odds(raw)) == pytest.approx([0.2, 0.6, middle, below, above])


def test_a_sigmoid_is_platts() -> None:
    raw = np.array([-2.0, 0.0, 3.0])
    assert Sigmoid(0.5, -1.0).log_odds(raw) == pytest.approx(0.5 * raw - 1)


@pytest.mark.parametrize("fit", [fit_sigmoid, fit_isotonic])
def test_a_fitted_calibration_finds_the_probabilities_behind_a_sample(
    fit: Fit,
) -> None:
    calibration = fit(*sample(40_000, seed=5))
    raw = np.linspace(-3, 3, 13)
    assert expit(calibration.log_odds(raw)) == pytest.approx(expit(raw / 2 - 1), abs=0.03)


def test_platt_scaling_finds_slope_and_intercept() -> None:
    fitted = fit_sigmoid(*sample(40_000, seed=5))
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.5, -1.0), abs=0.03)


def test_isotonic_blocks_are_those_of_pooling_adjacent_violators() -> None:
    raw = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 5.0])
    labels = np.array([0, 1, 0, 0, 1, 1, 1], bool)
    weights = np.array([3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    fitted = fit_isotonic(raw, labels, weights)
    assert fitted.x == pytest.approx((0.0, 2.0, (4 + 4 + 10) / 4))
    # A first block without a purchase gets half a one, a last one of nothing else misses half a one.
    assert fitted.y == pytest.approx((0.5 / 4, 1 / 3, 1 - 0.5 / 5))


def test_two_isotonic_blocks_that_are_nearly_alike_keep_half_their_distance_from_certainty() -> None:
    labels, weights = np.array([False, True, False]), np.array([1.0, 1.0, 999.0])
    assert fit_isotonic(np.array([0.0, 1.0, 1.0]), labels, weights).y == pytest.approx((0.0005, 0.001))
    assert fit_isotonic(np.array([0.0, -1.0, -1.0]), ~labels, weights).y == pytest.approx((0.999, 0.9995))


@given(st.integers(1, 60), st.integers(0, 1000))
def test_whatever_the_sample_an_isotonic_calibration_fits(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    raw = random.integers(-4, 4, n).astype(float)
    fitted = fit_isotonic(raw, random.random(n) < 0.5, random.integers(1, 5, n).astype(float))
    assert len(fitted.x) <= len(np.unique(raw))


@given(st.floats(-12, 12), st.lists(st.floats(0.01, 60), min_size=6, max_size=12))
def test_neighbouring_scores_without_another_between_them_make_blocks_that_increase(
    score: float, weights: list[float]
) -> None:
    raw = np.where(np.arange(len(weights)) < 3, score, np.nextafter(score, 13))
    fitted = fit_isotonic(raw, raw > score, np.array(weights))
    assert fitted.x == (score, np.nextafter(score, 13))


def test_weights_count_as_repetitions_would() -> None:
    raw, labels, _ = sample(300, seed=2)
    times = np.random.default_rng(3).integers(1, 4, 300)
    repeated = np.repeat(raw, times), np.repeat(labels, times), np.ones(times.sum())
    for fit in (fit_sigmoid, fit_isotonic):
        at = np.linspace(-2, 2, 9)
        weighted = fit(raw, labels, times.astype(float)).log_odds(at)
        assert expit(weighted) == pytest.approx(expit(fit(*repeated).log_odds(at)), rel=1e-4)


@pytest.mark.parametrize("right", [True, False])
def test_platt_scaling_of_scores_without_worth_gives_about_the_rate_that_there_is(right: bool) -> None:  # noqa: FBT001
    raw, labels, _ = sample(1000, seed=1)
    labels &= right
    weights = np.where(labels, 5.0, 1.0)
    got = expit(fit_sigmoid(-raw, labels, weights).log_odds(np.sort(-raw)))
    assert got == pytest.approx(np.average(labels, weights=weights), abs=0.01)
    assert (np.diff(got) > 0).all()


def test_platt_scaling_of_few_examples_is_not_sure() -> None:
    one_score = fit_sigmoid(np.zeros(4), np.array([True, True, True, False]), np.ones(4))
    assert expit(one_score.log_odds(np.zeros(1))) == pytest.approx([(3 * 4 / 5 + 1 / 3) / 4])


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((0.0, 0.0), (0.1, 0.2)),
        ((1.0, 0.0), (0.1, 0.2)),
        ((0.0, 1.0), (0.2, 0.2)),
        ((0.0, 1.0), (0.3, 0.2)),
        ((0.0, 1.0), (0.0, 0.2)),
        ((0.0, 1.0), (0.5, 1.0)),
        ((0.0, float("inf")), (0.1, 0.2)),
        ((0.0, float("nan")), (0.1, 0.2)),
        ((0.0, 1.0), (0.1, float("nan"))),
        ((0.0, 1.0), (0.1,)),
    ],
)
def test_what_is_not_increasing_and_finite_is_no_isotonic_calibration(
    x: tuple[float, ...], y: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="must"):
        Isotonic(x, y)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))]
)
def test_what_is_not_increasing_and_finite_is_no_sigmoid(slope: float, intercept: float) -> None:
    with pytest.raises(ValueError, match="must"):
        Sigmoid(slope, intercept)


def test_the_meta_model_is_its_forest_calibrated() -> None:
    forest = Forest.parse(forest_text(FEATURES))
    model = MetaModel("2025-11-24-00000000/mix", forest, Sigmoid(0.5, -1.0))
    rows = np.random.default_rng(1).lognormal(0, 2, (3, 50)).astype(np.float32)
    rows[0, :5] = np.nan
    found = model.score(rows)
    assert found.dtype == np.float32
    assert found == pytest.approx(expit(0.5 * forest.raw_scores(rows) - 1.0), rel=1e-6)
    assert len(np.unique(found)) > 20
    assert model.score(rows).tobytes() == found.tobytes()


def test_the_meta_model_keeps_the_order_of_its_forest() -> None:
    forest = Forest.parse(forest_text(FEATURES))
    rows = np.random.default_rng(2).lognormal(0, 2, (3, 200)).astype(np.float32)
    raw = forest.raw_scores(rows)
    for calibration in (Sigmoid(0.3, 1.0), Isotonic((-2.0, 0.0, 1.0), (0.01, 0.02, 0.7))):
        found = MetaModel("any", forest, calibration).score(rows)
        assert (np.diff(found[np.argsort(raw)]) >= 0).all()
        assert len(np.unique(found)) == len(np.unique(raw))


def test_contributions_add_up_to_the_log_odds_however_sure_the_calibration_is() -> None:
    forest = Forest.parse(forest_text(FEATURES))
    rows = np.random.default_rng(3).lognormal(0, 2, (3, 50)).astype(np.float32)
    calibration = Sigmoid(500.0, 100.0)
    expected = calibration.log_odds(forest.raw_scores(rows))
    assert (expected > 40).any(), "whose probability is 1 in a float64"
    assert MetaModel("any", forest, calibration).contributions(rows).sum(axis=1) == pytest.approx(expected)
