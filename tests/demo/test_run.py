"""What is behind the screen of a demo logs into files, and is heard once the screen is given back."""

import sys

import msgspec
import pytest

from demo.labeller import Said, Task
from demo.labelling import Labelling
from demo.run import said_afterwards
from streams.settings import Settings
from streams.supervisor import Supervisor
from tests.infra.processes import wait_until

TRAINED = msgspec.json.encode(Said(1.0, "labeller")).decode()
FAILS = (
    sys.executable,
    "-c",
    f"import sys; print({TRAINED!r}) if sys.argv[1:] == ['demo.labeller'] else 1/0",
)
"""In place of a module: trains a labeller at once, and is no good as a worker."""


@pytest.fixture(autouse=True)
def _failing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("streams.supervisor", "demo.labelling"):
        monkeypatch.setattr(f"{module}.MODULE", FAILS)


def test_what_workers_log_is_said_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with said_afterwards() as said, Supervisor(Settings(), [("sessions",)], said=said) as workers:
        assert wait_until(lambda: workers.restarts > 0)
        assert "ZeroDivisionError" not in capfd.readouterr().err
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_why_a_labelling_worker_ended_is_said_afterwards(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Labelling(Settings(), Task("nowhere"), aside=True) as labelling:
        assert wait_until(lambda: labelling.restarts > 0)
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in capfd.readouterr().err
