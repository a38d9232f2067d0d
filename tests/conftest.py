"""What tests share: one real broker for each process of the run, and settings of its own for each test."""

import os
import signal
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest

from infra import kafka_node
from infra.broker import Broker, start, stop
from streams.clients import create_topics
from streams.settings import Kafka, Settings, Topics, Worker
from streams.topics import TopicSet, topic_set
from tests import preparation, quick_kafka

# The processes of the run, and those that they start, share the cores: threads that wait for each other would
# wait for tests, too.
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")
# Bytecode is kept, or each process that tests start would compile the packages that it imports, for seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
quick_kafka.use_kept_classes()
# Large arrays of nothing but zeros, of which knowledge makes many, are pages that nobody has touched: if the
# allocator took them from memory that it keeps, each would have to be cleared. It asks when a process starts:
# so this is for those of the run, and for what they start.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 20))
# The size of a terminal that the processes do not have; the readline library leaves it in their environment.
for variable in ("COLUMNS", "LINES"):
    os.environ.pop(variable, None)
# A shell has what it starts in the background ignore Ctrl-C, and what tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes says how busy the machine is, and nothing about the code.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare a run of several processes, before they start."""
    if config.getoption("numprocesses", None):
        preparation.prepare()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have tests that wait for Kafka run beside tests that compute, file by file, so that no core is idle."""
    by_file = [list(those) for _, those in groupby(items, key=lambda item: item.path)]
    waiting = [those for those in by_file if _waits(those)]
    computing = [those for those in by_file if not _waits(those)]
    placed = [(place / len(part), those) for part in (waiting, computing) for place, those in enumerate(part)]
    items[:] = chain.from_iterable(those for _, those in sorted(placed, key=itemgetter(0)))


def _waits(items: Sequence[pytest.Item]) -> bool:
    return any(item.get_closest_marker("broker") for item in items)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker, started once in each process of the test run and stopped with it."""
    data_dir = quick_kafka.formatted(tmp_path_factory.mktemp("broker"))
    with pytest.MonkeyPatch.context() as patched:
        # As it is by default with brokers of others.
        patched.setitem(kafka_node.CONFIGURATION, "auto.create.topics.enable", "true")
        running = start(data_dir, detached=False)
    yield running
    stop(data_dir)


@pytest.fixture(scope="session")
def kafka(broker: Broker) -> Kafka:
    """How to reach the broker of this process."""
    return Kafka(bootstrap_servers=broker.bootstrap_servers)


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    """Settings that share nothing with another test: topics, consumer groups and data folder are new."""
    name = f"test-{uuid4().hex[:12]}"
    return Settings(
        kafka=kafka,
        topics=Topics(prefix=f"{name}-"),
        worker=Worker(application=name, data_dir=str(tmp_path / "data")),
    )


@pytest.fixture
async def topics(settings: Settings) -> TopicSet:
    """The topics of `settings`, created."""
    made = topic_set(settings.topics)
    await create_topics(settings.kafka, made)
    return made
