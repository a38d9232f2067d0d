"""`tenfold demo --experiment`: what training on the demo's own first hours is worth, in simulation."""

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from demo.arms import arms
from demo.report import machine
from demo.trial import EVERY, Trial, first_hours, split, trained_on, world_after
from demo.verdict import Verdict, judge, sentence, shown
from models.releases import ALWAYS, Release, load_release, write_release
from reco.features import FEATURES
from reco.parameters import HOUR
from streams.commands.logs import progress


def experiment(trial: Trial, releases: Path, console: Console) -> dict[str, Any]:
    """Simulate first hours, train on them, compare in a randomised split; print that, return the report.

    The release is written below `releases`, and what is compared is loaded from there.

    Raises:
        TrainingError: too little happens in the first hours.
    """
    sales = trial.sales()
    with progress(console, f"simulating the first {hours(trial.first_events):.1f} hours") as told:
        history = first_hours(trial, sales, told)
    with progress(console, f"replaying {len(history):,} simulated events, then training") as told:
        training = trained_on(history, trial, sales, told)
    release = load_release(write_release(releases, training, FEATURES), FEATURES)
    compared = arms(release.ranker(ALWAYS), sales, trial.seed)
    with progress(console, f"simulating an experiment of {hours(trial.events):.1f} hours") as told:
        tally = split(trial, world_after(history, sales, release), compared, told)
    verdict = judge(tally, tuple(compared), trial.seed)
    console.print(shown(verdict))
    return report(trial, release, verdict)


def hours(events: int) -> float:
    """How long so many events take on the simulated site."""
    return events * EVERY / HOUR


def report(trial: Trial, release: Release, verdict: Verdict) -> dict[str, Any]:
    """The report of an experiment, ready for JSON."""
    manifest = release.manifest
    return {
        "simulation": True,
        "verdict": sentence(verdict),
        "purchases_per_list": msgspec.to_builtins(verdict.arms),
        "uplift_of_trained_percent": {
            "over_fixed_blend": msgspec.to_builtins(verdict.over_blend),
            "over_best_single": msgspec.to_builtins(verdict.over_best_single),
            "over_oracle": msgspec.to_builtins(verdict.over_oracle),
        },
        "best_single": verdict.best_single,
        "release": {"id": manifest.id, "trained_on": manifest.trained_on, "metrics": manifest.metrics},
        "parameters": msgspec.to_builtins(trial)
        | {"first_hours": hours(trial.first_events), "hours": hours(trial.events)},
        "machine": machine(),
    }
