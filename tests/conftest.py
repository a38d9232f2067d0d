"""What tests share: one real broker for the whole run, and settings of its own for each test."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from infra.broker import Broker, start, stop
from streams.clients import create_topics
from streams.settings import Kafka, Settings, Topics, Worker
from streams.topics import TopicSet, topic_set


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker, started once and stopped with the test run."""
    data_dir = tmp_path_factory.mktemp("broker")
    yield start(data_dir, detached=False)
    stop(data_dir)


@pytest.fixture(scope="session")
def kafka(broker: Broker) -> Kafka:
    """How to reach the broker of the test run."""
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
