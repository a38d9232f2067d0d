"""The command line has one command per job, starts quickly, and ends in one message when it cannot go on."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from models.evaluation.tasks import NUMBERS
from models.training import Boosting
from streams.cli import tenfold
from streams.settings import PREFIX
from tests.models.small_models import release
from tests.streams.command_line import TENFOLD

COMMANDS = (
    "demo",
    "up",
    "worker",
    "import",
    "publish",
    "watch",
    "refused",
    "erase",
    "train",
    "tune",
    "evaluate",
    "topics",
    "releases",
    "labels",
    "broker",
    "doctor",
)
HEAVY = ("numba", "pyarrow", "tensorflow", "faust", "jgo")
ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`tenfold` in a folder without settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(
        arguments,
        cwd=folder,
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command_and_no_other() -> None:
    result = CliRunner().invoke(tenfold, ["--help"])
    assert result.exit_code == 0
    assert sorted(get_command(tenfold).commands) == sorted(COMMANDS)  # type: ignore[attr-defined]
    for command in COMMANDS:
        assert f" {command} " in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(tenfold, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.split("Usage:")[1].splitlines()[2].strip()) > 20


def commands_of(command: Any) -> Iterator[Any]:
    """The command itself and all below it."""
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from commands_of(one)


def test_examples_in_help_are_whole_on_a_terminal_of_80_columns() -> None:
    helps = [command.help or "" for command in commands_of(get_command(tenfold))]
    lines = [line.strip() for text in helps for line in text.splitlines()]
    examples = [line for line in lines if line.startswith("tenfold ")]
    assert len(examples) > 10
    assert [one for one in examples if len(one) > 78] == []


def test_help_fills_the_terminal_and_examples_stand_on_lines_of_their_own() -> None:
    lines = CliRunner().invoke(tenfold, ["publish", "--help"], terminal_width=80).output.splitlines()
    text, examples = lines.index(next(one for one in lines if "Fields:" in one)), " tenfold publish"
    told = [len(one.strip()) for one in lines[text : text + 5]]
    assert min(told[:-1]) > 60
    assert [one.split()[2] for one in lines if one.startswith(examples)] == [
        "sales.jsonl",
        "sales.csv.gz",
        "--withdraw",
    ]


def bracketed(command: Any) -> Iterator[str]:
    """The texts of a command, and of those below it, from which Rich takes what it reads as markup."""
    texts = [command.help, *(getattr(one, "help", None) for one in command.params)]
    yield from (text for text in texts if text and "[" in text)
    for below in getattr(command, "commands", {}).values():
        yield from bracketed(below)


def test_help_loses_no_words_to_markup() -> None:
    assert list(bracketed(get_command(tenfold))) == []


@pytest.mark.parametrize(
    ("command", "numbers"),
    [
        ("train", Boosting.__struct_fields__),
        ("evaluate", {"seed", *chain(*NUMBERS.values())}),
        ("tune", {"seed", *chain(*NUMBERS.values())}),
    ],
)
def test_help_names_every_number_that_can_be_set(command: str, numbers: Collection[str]) -> None:
    (sets,) = (one for one in get_command(tenfold).commands[command].params if "--set" in one.opts)  # type: ignore[attr-defined]
    assert [name for name in numbers if name not in sets.help] == []


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from streams.cli import tenfold; "
        "CliRunner().invoke(tenfold, ['--help']); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = run(sys.executable, "-c", program, folder=tmp_path)
    assert result.stdout == "[]\n", result.stderr


def test_an_error_on_purpose_is_one_message_without_a_traceback(tmp_path: Path) -> None:
    result = run(*TENFOLD, "watch", folder=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("No broker is configured and none runs in ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments", [("watch",), ("topics",), ("releases", "rollback"), ("labels", "rollback")]
)
def test_what_would_find_nothing_on_a_new_broker_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(tenfold, arguments)
    assert str(result.exception).startswith(f"No broker is configured and none runs in {tmp_path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.broker
def test_a_broker_that_is_started_for_one_command_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = release(tmp_path / ".tenfold" / "releases", 1).name
    started = f"none runs: one is started in {tmp_path / '.tenfold'}, for this command only"
    for arguments in (["topics", "--create"], ["releases", "promote", name]):
        result = CliRunner().invoke(tenfold, arguments)
        assert result.exit_code == 0
        assert started in result.stderr


@pytest.mark.parametrize("command", ["erase", "watch", "publish --withdraw", "labels show", "labels taste"])
def test_an_id_that_is_no_text_is_refused(command: str) -> None:
    refused = CliRunner().invoke(tenfold, [*command.split(), os.fsdecode(b"caf\xe9")])
    assert refused.exit_code == 2
    assert "is not UTF-8 text" in " ".join(refused.output.split())


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    result = run(
        *TENFOLD, "topics", folder=tmp_path, TENFOLD_TOPICS_PARTITIONS="0", TENFOLD_WORKER_LOG_LEVEL="loud"
    )
    assert result.returncode == 1
    assert result.stderr.startswith("Settings cannot work:")
    assert result.stderr.count("  - ") == 2


def test_a_worker_for_an_agent_that_is_none_is_told_so_first(tmp_path: Path) -> None:
    result = run(*TENFOLD, "worker", "scorign", folder=tmp_path)
    assert result.returncode == 1
    assert "no agent 'scorign'; the agents are sessions, scoring, labelling" in result.stderr
    assert "broker" not in result.stderr


@pytest.mark.parametrize(
    ("agent", "environment", "message"),
    [
        ("sessions", {"TENFOLD_TOPICS_PARTITIONS": "0"}, "Settings cannot work:"),
        ("scoring", {}, "No broker is configured and none runs in "),
        ("labelling", {}, "No broker is configured and none runs in "),
    ],
)
def test_an_agent_that_fausts_own_command_cannot_start_is_one_message_without_a_traceback(
    tmp_path: Path, agent: str, environment: dict[str, str], message: str
) -> None:
    faust = (sys.executable, "-m", "faust", "-A", f"streams.faust_entry.{agent}", "worker")
    result = run(*faust, folder=tmp_path, **environment)
    assert result.returncode == 1
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.stderr


def test_no_command_shows_the_help(tmp_path: Path) -> None:
    assert "Usage:" in run(*TENFOLD, folder=tmp_path).stdout
