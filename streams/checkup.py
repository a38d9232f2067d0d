"""The checkup: everything that tenfold needs, looked at one by one, each with what to do if it is not so."""

import importlib.metadata
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from infra.data_folder import nearest, try_writing
from reco.errors import BrokerError, LabellingError, SettingsError
from streams import clients
from streams.embedded import reachable
from streams.settings import Kafka, Labelling, Settings, load
from streams.topic_check import differences, inspect, unequal
from streams.topics import topic_set

GIGABYTE = 1024**3
SCARCE_DISK = 5 * GIGABYTE
"""Free space below which the data folder deserves a warning, bytes."""
NO_DISK = GIGABYTE // 2
"""Free space below which a broker or a state table soon fails, bytes."""
SLOW_BROKER = 100.0
"""Round trip to the broker, ms, above which a list cannot follow its click within milliseconds."""
ROUND_TRIPS = 5
"""Round trips that the fastest is taken of."""
_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^;\s]+)")


class Finding(NamedTuple):
    """One thing that was looked at; a finding that is not ok says what to do."""

    verdict: Literal["ok", "warn", "fail"]
    text: str


async def checkup() -> AsyncIterator[Finding]:
    """Look at everything; starts no broker, creates no topic, leaves no file behind."""
    for finding in (check_python(), *check_packages(), check_rocksdb()):
        yield finding
    try:
        settings = load()
    except SettingsError as error:
        for mistake in error.mistakes:
            yield Finding("fail", mistake)
        return
    yield Finding("ok", "settings are complete and agree with each other")
    for finding in (*check_data_folder(settings.data_dir()), *check_labeller(settings.labelling)):
        yield finding
    async for finding in check_broker(settings):
        yield finding


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Whether this Python is one that tenfold supports."""
    name = f"Python {version[0]}.{version[1]}"
    if (3, 11) <= version < (3, 14):
        return Finding("ok", name)
    return Finding("fail", f"{name} is not supported; use Python 3.11, 3.12 or 3.13")


def check_packages() -> Iterator[Finding]:
    """Whether the packages that are pinned to one version have it."""
    try:
        requirements = importlib.metadata.requires("tenfold") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "warn", "tenfold is not installed as a package, so its pins are unknown; `uv sync` installs it"
        )
        return
    for pin in filter(None, map(_PIN.match, requirements)):
        name, wanted = pin["name"], pin["version"]
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        if found == wanted:
            yield Finding("ok", f"{name} {wanted}")
        else:
            yield Finding("fail", f"{name} is {found}, tenfold needs {wanted}; install {name}=={wanted}")


def check_rocksdb() -> Finding:
    """Whether the session tables have their storage engine."""
    try:
        import rocksdict  # noqa: F401 - the import is the check
    except ImportError as error:
        return Finding("fail", f"RocksDB cannot be loaded ({error}); reinstall rocksdict")
    return Finding("ok", "RocksDB loads")


def check_data_folder(folder: Path) -> Iterator[Finding]:
    """Whether the data folder can be written and has room."""
    try:
        try_writing(folder)
    except SettingsError as error:
        yield from (Finding("fail", mistake) for mistake in error.mistakes)
        return
    yield Finding("ok", f"{folder} can be written")
    existing = nearest(folder)
    free = shutil.disk_usage(existing).free
    left = f"{free / GIGABYTE:.1f} GiB free in {existing}"
    if free < NO_DISK:
        yield Finding("fail", f"{left}; make room or set worker.data_dir to another disk")
    elif free < SCARCE_DISK:
        yield Finding("warn", f"{left}; events are kept for ever, so make room in time")
    else:
        yield Finding("ok", left)


def check_labeller(settings: Labelling) -> Iterator[Finding]:
    """Whether the labeller that is set is there; that it is whole, and can be used, its worker finds out."""
    if not settings.labeller:
        return
    from models.labelling.labeller_files import LABELLER

    try:
        manifest = LABELLER.read_manifest(settings.folder())
    except LabellingError as error:
        yield Finding("fail", f"labelling.labeller: {error}")
    else:
        yield Finding("ok", f"labelling.labeller is {manifest.id}, of {len(manifest.classes)} classes")


async def check_broker(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the broker answers, and has the topics as they should be."""
    try:
        named = reachable(settings)
    except BrokerError as error:
        yield Finding("warn", str(error))
        return
    try:
        yield await _round_trip(named.kafka)
        async for finding in check_topics(named):
            yield finding
    except BrokerError as error:
        yield Finding("fail", str(error))


async def _round_trip(kafka: Kafka) -> Finding:
    """Whether the broker answers, and how fast."""
    times = []
    async with clients.admin(kafka) as client:
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            cluster = await client.describe_cluster()
            times.append((time.perf_counter() - began) * 1000)
    nodes = len(cluster["brokers"])
    text = (
        f"{kafka.bootstrap_servers} answers in {min(times):.1f} ms ({nodes} node{'s' if nodes > 1 else ''})"
    )
    if min(times) > SLOW_BROKER:
        return Finding(
            "warn", f"{text}; every list waits for several round trips: run the workers nearer to it"
        )
    return Finding("ok", text)


async def check_topics(settings: Settings) -> AsyncIterator[Finding]:
    """Whether each topic is there as the settings want it."""
    topics = topic_set(settings.topics)
    states = await inspect(settings.kafka, topics)
    for state in states:
        wrong = list(differences(state))
        for difference in wrong:
            yield Finding("fail", difference)
        if not wrong:
            yield Finding("ok", f"{state.wanted.name}: {state.size}, kept as it should be")
    unequal_partitions = unequal(states, topics)
    if unequal_partitions:
        yield Finding("fail", unequal_partitions)
