"""The demo, for real: a broker, two workers, visitors, and lists that are all right."""

import asyncio
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from demo.performance import ENDS
from demo.plan import Plan
from demo.run import ended_once, own_names, run
from reco.errors import SettingsError
from streams import clients
from streams.cli import tenfold
from streams.settings import Releases, Settings, Worker
from streams.supervisor import environment_of

pytestmark = pytest.mark.broker

TENFOLD = [sys.executable, "-c", "from streams.cli import main; main()"]


async def topic_names(settings: Settings) -> list[str]:
    async with clients.admin(settings.kafka) as client:
        return [name for name in await client.list_topics() if settings.topics.prefix in name]


def test_a_demo_takes_no_port_and_no_folder_of_workers_that_run_already(tmp_path: Path) -> None:
    installed = Settings(
        worker=Worker(data_dir=str(tmp_path), health_port=9100),
        releases=Releases(folder=str(tmp_path / "releases")),
    )
    with own_names(installed) as own:
        assert own.worker.health_port == 0
        assert own.data_dir().is_relative_to(tmp_path / "demo")
        assert own.releases_dir().is_relative_to(own.data_dir())


def test_two_demos_that_start_at_once_have_nothing_in_common(tmp_path: Path) -> None:
    installed = Settings(worker=Worker(data_dir=str(tmp_path)))
    with own_names(installed) as one, own_names(installed) as other:
        assert one.topics.prefix != other.topics.prefix
        assert one.group("scoring") != other.group("scoring")
        assert one.data_dir() != other.data_dir()


def test_what_a_demo_ends_with_is_not_cut_short_by_another_ctrl_c() -> None:
    handlers = [signal.getsignal(one) for one in ENDS]
    left: list[str] = []
    with suppress(KeyboardInterrupt), ended_once() as world:
        world.callback(left.append, "the broker is stopped")
        for one in ENDS:
            world.callback(signal.raise_signal, one)
        signal.raise_signal(signal.SIGINT)
    assert left == ["the broker is stopped"]
    assert [signal.getsignal(one) for one in ENDS] == handlers


def test_a_demo_gives_every_visitor_right_lists_and_leaves_nothing_behind(settings: Settings) -> None:
    plan = Plan(seconds=10, visitors=200, rate=50, seed=3)
    told = io.StringIO()
    figures = run(settings, plan, Console(file=told), headless=False)  # told nevertheless: it is no terminal
    assert "Labeller: training" in told.getvalue()
    assert figures["lists_invalid"] == 0, figures["invalid_examples"]
    assert figures["lists_unjudged"] == 0
    assert figures["dead_letters"] == 0
    assert figures["visitors_without_list"] == 0
    assert figures["clicks_unanswered"] == 0
    assert figures["restarts"] == 0
    assert (figures["labels"]["state"], figures["labels"]["sales"]) == ("training", 0)
    assert figures["events"] == pytest.approx(500, abs=25)
    assert figures["sessions"] == figures["visitors"] > 50
    assert figures["lists"] >= figures["clicks_answered"] > 150
    assert 0 < figures["click_to_list_ms"]["p50"] <= figures["click_to_list_ms"]["p99"]
    assert asyncio.run(topic_names(settings)) == []
    assert not (settings.data_dir() / "demo").exists()
    assert list(settings.data_dir().rglob("*.keras")) == []


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (["--images", "scenes"], "name a network that looks at the photographs"),
        (["--no-images", "--backbone", "VGG16"], "there are no images to look at"),
        (["--experiment", "--backbone", "VGG16"], "there are no images to look at"),
    ],
)
def test_photographs_need_a_network_and_a_network_needs_images(given: list[str], missing: str) -> None:
    refused = CliRunner().invoke(tenfold, ["demo", *given])
    assert refused.exit_code == 2
    assert missing in refused.output


NOT_SIMULATED = "an experiment is simulated, at its own speed, without a screen or images"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--experiment", "--seconds", "30"], NOT_SIMULATED),
        (["--experiment", "--headless"], NOT_SIMULATED),
        (["--experiment", "--rate", "100"], NOT_SIMULATED),
        (["--experiment", "--no-images"], NOT_SIMULATED),
        (["--experiment", "--images", "scenes"], "there are no images to look at"),
        (["--no-images", "--images", "scenes"], "there are no images to look at"),
        (["--no-images", "--weights", "random"], "there are no images to look at"),
        (["--experiment", "--visitors", "199"], "an experiment needs 200 or more"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, given: list[str], why: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    refused = CliRunner().invoke(tenfold, ["demo", *given])
    assert refused.exit_code == 2
    assert f"Invalid value for {given[1]}: " in refused.output
    assert why in refused.output


@pytest.fixture
def ends() -> Iterator[None]:
    """Gives signals back what they did before the command."""
    before = [(one, signal.getsignal(one)) for one in ENDS]
    yield
    for one, handler in before:
        signal.signal(one, handler)


@pytest.mark.usefixtures("ends")
def test_an_interrupted_experiment_does_not_end_as_if_it_had_a_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("TENFOLD_WORKER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("demo.experiment.experiment", interrupted)
    assert CliRunner().invoke(tenfold, ["demo", "--experiment"]).exit_code == 130


@pytest.mark.usefixtures("ends")
def test_an_experiment_whose_release_cannot_be_written_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "demo").touch()
    monkeypatch.setenv("TENFOLD_WORKER_DATA_DIR", str(tmp_path))
    ended = CliRunner().invoke(tenfold, ["demo", "--experiment"])
    assert isinstance(ended.exception, SettingsError)
    assert f"{tmp_path}/demo/releases cannot be written" in str(ended.exception)


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    report = tmp_path / "report.json"
    report.symlink_to(tmp_path / "gone" / "report.json")
    refused = CliRunner().invoke(tenfold, ["demo", "--report", str(report)])
    assert refused.exit_code == 2
    assert "gone/report.json cannot be written" in refused.output


def test_an_interrupted_demo_on_a_broker_of_its_own_ends_with_a_summary_and_a_report(
    tmp_path: Path,
) -> None:
    own = Settings(worker=Worker(data_dir=str(tmp_path / "data")))
    report = tmp_path / "report.json"
    command = [*TENFOLD, "demo", "--headless", "--report", str(report), "--rate", "20"]
    with subprocess.Popen(command, env=environment_of(own), stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert any("Ctrl-C ends it" in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        assert any("click to list" in line for line in demo.stdout)
        demo.send_signal(signal.SIGHUP)
        demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert json.loads(report.read_text())["parameters"]["broker"] == "embedded"
    assert not (own.data_dir() / "demo").exists()
