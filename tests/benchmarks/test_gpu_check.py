"""The check of a GPU: it says so where there is none, and tells labels that agree from others."""

import subprocess
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from benchmarks.gpu_check import (
    DIFFERENT,
    HIDDEN,
    NO_CARD,
    Load,
    Run,
    differences,
    labeller,
    load_of,
    run,
    told,
    without_card,
)
from benchmarks.machine import Figure, Report
from reco.labels import SaleLabels, Scored
from tests.models.image_ranker import SEA, STONE, looks

SHORT = ("--sales=4", "--images=2", "--rounds=1", "--seconds=1")


def some(share: float = 0.6, noise: float = 0.0) -> dict[str, SaleLabels]:
    sea = looks("sea", SEA)
    vector = sea.vector()
    assert vector is not None
    moved = ((1 - noise) * vector + noise * STONE).astype("<f4")
    scored = (Scored("coast", share), Scored("lake", 1 - share))
    moved /= np.linalg.norm(moved)
    return {"sea": replace(sea, embedding=moved.tobytes(), labels=scored)}


def test_what_rounding_leaves_is_the_same() -> None:
    assert differences(some(), some(share=0.601, noise=1e-3)) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (some(noise=0.2), "sea: embeddings have a cosine of 0.9"),
        (some(share=0.7), "sea: probabilities are 0.100 apart"),
        ({}, "sea: only one run labelled it"),
    ],
)
def test_what_differs_is_named(other: Mapping[str, SaleLabels], said: str) -> None:
    (found,) = differences(some(), other)
    assert found.startswith(said)


def test_the_load_is_read_from_whatever_a_card_tells() -> None:
    lines = ["37, 1024", "100, 2048", "[N/A], 2048", "[Not Supported], [N/A]", ""]
    assert load_of(lines) == Load([37, 100], [1024, 2048])


def test_the_exit_status_says_whether_labels_agree() -> None:
    report = Report(
        "labelling", {}, {}, (Figure("worker", "images/s", (300.0,)), Figure("bare", "images/s", (400,)))
    )
    slow = replace(report, figures=tuple(replace(one, rounds=(50.0,)) for one in report.figures))
    said = StringIO()
    console = Console(file=said, width=120)
    assert told(console, Run(report, some()), Run(slow, some()), Load([40, 80], [900, 1000])) == 0
    assert "worker: 6.0 times as fast on the card" in said.getvalue()
    assert "60 % on average" in said.getvalue()
    assert told(console, Run(report, some()), Run(slow, some(share=0.8)), Load([], [])) == DIFFERENT
    assert "nvidia-smi does not tell" in said.getvalue()


@pytest.mark.slow
def test_without_a_card_it_says_so_with_a_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HIDDEN.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "benchmarks.gpu_check"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout.strip()) == (NO_CARD, without_card())


@pytest.mark.slow
@pytest.mark.broker
def test_two_real_runs_with_one_labeller_say_the_same(tmp_path: Path) -> None:
    made = f"--labeller={labeller(str(tmp_path), ['--backbone=MobileNet', '--weights=random'])}"
    first, second = run(HIDDEN, [made, *SHORT]), run(HIDDEN, [made, *SHORT])
    assert len(first.labels) == 8
    assert differences(first.labels, second.labels) == []
    assert {one.unit for one in first.report.figures} == {"images/s", "%", "ms"}
    assert all(one.median > 0 for one in first.report.figures)
