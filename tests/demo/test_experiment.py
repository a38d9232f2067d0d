"""A small simulated experiment, whole: first hours, a release, a randomised split, and the report."""

import io
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from rich.console import Console

from demo.arms import ORACLE, RANDOM, TRAINED, arms
from demo.experiment import experiment
from demo.trial import START, Tally, Trial, first_hours, split, world_after
from models.releases import Release, load_release
from reco.events import Event, Impression, Purchase
from reco.features import FEATURES

SMALL = Trial(first_visitors=100, visitors=300, trees=10, leaves=15)
TINY = replace(SMALL, first_visitors=30, visitors=20)


class Played(NamedTuple):
    report: dict[str, Any]
    printed: str
    release: Release


def nobody_waits(_: float) -> None:
    pass


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    releases = tmp_path_factory.mktemp("releases")
    console = Console(file=io.StringIO(), width=120, record=True)
    report = experiment(SMALL, releases, console)
    release = load_release(releases / report["release"]["id"], FEATURES)
    return Played(report, console.export_text(), release)


@cache
def hours() -> list[Event]:
    """The first hours of the tiny trial."""
    return first_hours(TINY, TINY.sales(), nobody_waits)


def tried(release: Release) -> Tally:
    """The tiny trial, after its first hours."""
    sales = TINY.sales()
    world = world_after(hours(), sales, release)
    return split(TINY, world, arms(release.ranker("mix"), sales, TINY.seed), nobody_waits)


@pytest.fixture(scope="module")
def tally(played: Played) -> Tally:
    return tried(played.release)


def per_list(played: Played) -> dict[str, float]:
    return {arm["name"]: arm["purchases_per_list"]["mean"] for arm in played.report["purchases_per_list"]}


def test_the_trained_mix_sells_more_than_chance_and_less_than_the_all_knowing(played: Played) -> None:
    sold = per_list(played)
    assert sold[ORACLE] > sold[TRAINED]
    assert sold[TRAINED] > 1.1 * sold[RANDOM]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_at_its_full_size_the_trained_mix_sells_more_than_the_blend_and_than_any_single_recommender(
    tmp_path: Path,
) -> None:
    report = experiment(Trial(), tmp_path, Console(file=io.StringIO()))
    assert report["uplift_of_trained_percent"]["over_fixed_blend"]["low"] > 0
    assert report["uplift_of_trained_percent"]["over_best_single"]["low"] > 0
    assert report["uplift_of_trained_percent"]["over_best_single"]["mean"] >= 7


def test_on_the_newest_first_hours_the_trained_mix_ranks_better_than_the_fixed_blend(played: Played) -> None:
    metrics = played.release.manifest.metrics
    assert metrics["mix ndcg@10"] > 1.05 * metrics["blend ndcg@10"]


def test_all_arms_have_about_as_many_visitors_who_see_about_as_many_lists(played: Played) -> None:
    counted = played.report["purchases_per_list"]
    visitors = [arm["visitors"] for arm in counted]
    assert sum(visitors) <= SMALL.visitors
    alike = sum(visitors) / len(visitors)
    # Who is in which arm is drawn alike, so counts are about Poisson: within four standard deviations.
    assert all(abs(number - alike) < 4 * alike**0.5 for number in visitors)
    lists_each = [arm["lists"] / arm["visitors"] for arm in counted]
    assert min(lists_each) > 0.75 * max(lists_each)


def test_the_release_is_whole_and_was_trained_on_the_first_hours_only(played: Played) -> None:
    trained_on = played.release.manifest.trained_on
    assert set(played.release.rankers) == {"mix", "visits", "content"}
    assert str(trained_on["source"]).startswith("simulated first hours")
    assert trained_on["last_event"] < played.release.manifest.created_at
    assert played.release.manifest.created_at == START + 100 * SMALL.first_events


def test_the_report_says_that_it_is_a_simulation_and_what_it_was_made_from(played: Played) -> None:
    report = json.loads(json.dumps(played.report))
    assert report["simulation"] is True
    assert "In this simulation" in report["verdict"]
    assert report["parameters"]["seed"] == SMALL.seed
    assert report["uplift_of_trained_percent"]["over_fixed_blend"].keys() == {"mean", "low", "high"}
    assert "Simulation" in played.printed
    assert report["best_single"] in played.printed


def test_the_same_seed_gives_the_same_first_hours_and_another_seed_others() -> None:
    other = replace(TINY, seed=2)
    assert first_hours(TINY, TINY.sales(), nobody_waits) == hours()
    assert first_hours(other, other.sales(), nobody_waits) != hours()


def test_the_same_seed_gives_the_same_experiment(played: Played, tally: Tally) -> None:
    assert tried(played.release) == tally


def test_nobody_of_the_first_hours_is_in_the_experiment(tally: Tally) -> None:
    assert tally.lists.keys().isdisjoint({event.visitor_id for event in hours()})
    assert len(tally.lists) == TINY.visitors


def test_people_of_the_first_hours_see_lists_and_buy() -> None:
    kinds = [type(event) for event in hours()]
    assert len(kinds) == TINY.first_events
    assert kinds.count(Impression) > 0.3 * len(kinds)
    assert Purchase in kinds
