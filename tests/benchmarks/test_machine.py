"""What every benchmark asks for and reports: mistakes are told before anything is measured."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.agency_offline import data
from benchmarks.machine import parser, run_main, turns

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--rounds", "0"], "argument --rounds: '0' is no whole number from 1 up"),
        (["--rounds", "-1"], "argument --rounds: '-1' is no whole number from 1 up"),
        (["--rounds", "many"], "argument --rounds: 'many' is no whole number from 1 up"),
        (["--shared", "-1"], "argument --shared: '-1' is no whole number from 0 up"),
        (["--json", "nowhere/report.json"], "argument --json: 'nowhere/report.json' is no file in a folder"),
        (["--json", "."], "argument --json: '.' is no file in a folder"),
        (["nowhere"], "argument folder: 'nowhere' has no histories.csv.gz, items.csv.gz"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    given: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    reads = parser("Of speed.", rounds=3, shared=0)
    reads.add_argument("folder", type=data, nargs="?")
    with pytest.raises(SystemExit):
        reads.parse_args(given)
    assert said in capsys.readouterr().err


def test_numbers_and_a_file_in_a_folder_that_is_there_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = parser("Of speed.", rounds=3, shared=0).parse_args(["--rounds=1", "--shared=0", "--json=r.json"])
    assert (given.rounds, given.shared, given.json) == (1, 0, Path("r.json"))


@pytest.mark.parametrize(
    ("settings", "benchmark", "said"),
    [
        ({}, ["scenes", "nowhere"], "nowhere: is neither a folder of scenes nor a CSV file"),
        ({"TENFOLD_TOPICS_PARTITIONS": "none"}, ["click_to_list"], r"\[topics\] partitions = 'none'"),
    ],
)
def test_a_mistake_that_is_found_later_is_one_message(
    settings: dict[str, str],
    benchmark: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", benchmark)
    with pytest.raises(SystemExit, match=said):
        runpy.run_path(str(BENCHMARKS / f"{benchmark[0]}.py"), run_name="__main__")


def test_a_process_that_a_benchmark_started_and_that_has_said_why_it_failed_has_the_last_word() -> None:
    with pytest.raises(SystemExit) as ended:
        run_main(lambda: subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True).returncode)
    assert ended.value.code == 3


def test_each_round_is_said_before_it_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    rounds = [(number, capsys.readouterr().err) for number in turns(2, "baseline")]
    assert rounds == [(0, "baseline, round 1 of 2 ...\n"), (1, "baseline, round 2 of 2 ...\n")]
