"""What tests share: one real broker for each process of the run, and settings of its own for each test."""

import importlib
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest

from infra.broker import Broker, start, stop
from reco.errors import BrokerError
from streams.clients import create_topics
from streams.settings import Kafka, Settings, Topics, Worker
from streams.topics import TopicSet, topic_set
from tests import quick_kafka

# The processes of the run, and those that they start, share the cores: threads that wait for each other would
# wait for tests, too.
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")
# Bytecode is kept, or each process that tests start would compile the packages that it imports, for seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# In a fresh clone all kernels have to be compiled, which takes 40 s, and what one process of the run has
# compiled the others find on the disk. So the second one begins where the first one ends; that one meanwhile
# makes Kafka quick. If there is no Kafka to be had, it is the tests that need it that say so.
if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
    with suppress(BrokerError):
        quick_kafka.keep_classes()
quick_kafka.use_kept_classes()
if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
    for module in ("reco.recommenders.session_knn", "reco.recommenders.similarity", "models.forest"):
        importlib.import_module(module)
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


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker, started once in each process of the test run and stopped with it."""
    data_dir = tmp_path_factory.mktemp("broker")
    yield start(data_dir, detached=False)
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
