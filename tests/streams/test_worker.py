"""What a worker process says of what keeps it from starting."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.ports import free_port
from streams.settings import Kafka, Settings, Worker
from streams.supervisor import environment_of


@pytest.mark.parametrize("agent", ["sessions", "scoring"])
def test_a_broker_that_cannot_be_reached_is_told_in_words(agent: str, tmp_path: Path) -> None:
    kafka = Kafka(bootstrap_servers=f"127.0.0.1:{free_port()}")
    settings = Settings(kafka=kafka, worker=Worker(data_dir=str(tmp_path)))

    ended = subprocess.run(
        [sys.executable, "-m", "streams.worker", agent],
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert f"No broker answers at {kafka.bootstrap_servers}" in ended.stderr
    assert "tenfold doctor" in ended.stderr
    assert "Traceback" not in ended.stderr
