"""`tenfold broker` starts, shows and stops the embedded broker, and leaves a configured one alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.broker import find, stop
from streams.commands.broker import app

pytestmark = pytest.mark.broker


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder that the settings name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENFOLD_WORKER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("TENFOLD_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    yield tmp_path / "data"
    stop(tmp_path / "data")


def tenfold_broker(command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [command])
    return result.exit_code, result.output


def test_start_leaves_a_broker_running_that_status_shows_and_stop_stops(data_dir: Path) -> None:
    code, started = tenfold_broker("start")
    broker = find(data_dir)
    assert code == 0
    assert broker is not None
    assert broker.parent is None

    code, shown = tenfold_broker("status")
    assert code == 0
    for output in (started, shown):
        for fact in (
            broker.bootstrap_servers,
            str(broker.pid),
            str(broker.folder),
            str(broker.log_file),
            "up for",
        ):
            assert fact in output

    assert tenfold_broker("stop") == (0, "The broker has stopped.\n")
    assert find(data_dir) is None


def test_status_and_stop_say_that_nothing_runs(data_dir: Path) -> None:
    nothing = f"No embedded broker runs in {data_dir}.\n"
    assert tenfold_broker("status") == (1, nothing)
    assert tenfold_broker("stop") == (0, nothing)


@pytest.mark.parametrize("command", ["start", "stop", "status"])
def test_a_configured_broker_is_named_and_nothing_is_started(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("TENFOLD_KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    code, output = tenfold_broker(command)
    assert code == 0
    assert "kafka.example:9092" in output
    assert not data_dir.exists()
