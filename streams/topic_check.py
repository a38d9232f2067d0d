"""What the topics are like at the broker, and how that differs from what the settings want."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from reco.errors import BrokerError
from streams import clients
from streams.reading import reader
from streams.settings import Kafka
from streams.topics import APPEND_TIME, LARGEST_BATCH, MAX_MESSAGE, MIN_IN_SYNC, Topic, TopicSet, size

SHOWN = ("cleanup.policy", "retention.ms", "message.timestamp.type")
"""Configuration that is shown of every topic, wanted or not."""


@dataclass(frozen=True)
class TopicState:
    """One topic as it is.

    Attributes:
        wanted: the topic as the settings want it.
        partitions: how many there are; 0 if the topic is missing.
        config: its configuration at the broker, for the keys that are looked at;
            empty if it is not told.
        copies: how many there are of each partition, of the one with the fewest; 0 if that is not known.
        messages: from the oldest to the newest offset; compacted ones count until they are cleaned away.
        servers: where it was looked at, as a list for Kafka's own tools.
    """

    wanted: Topic
    partitions: int = 0
    config: Mapping[str, str] = field(default_factory=dict)
    copies: int = 0
    messages: int = 0
    servers: str = ""

    @property
    def missing(self) -> bool:
        """Whether the broker does not have the topic."""
        return self.partitions == 0

    @property
    def size(self) -> str:
        """The number of its partitions, in words."""
        return size(self.partitions)


async def inspect(kafka: Kafka, topics: Iterable[Topic]) -> list[TopicState]:
    """The state of each of `topics`, in their order.

    Raises:
        BrokerError: the broker cannot be reached, or hides one.
    """
    wanted = list(topics)
    async with clients.admin(kafka) as client:
        copies = await clients.partition_copies(client, [topic.name for topic in wanted])
        configs = await _configs(client, wanted)
    messages = await _messages(kafka, {name: len(numbers) for name, numbers in copies.items()})
    return [
        TopicState(
            topic,
            partitions=len(copies[topic.name]),
            config=configs[topic.name],
            copies=min(copies[topic.name].values(), default=0),
            messages=messages.get(topic.name, 0),
            servers=",".join(kafka.servers),
        )
        for topic in wanted
    ]


async def require(kafka: Kafka, topics: TopicSet, created: Collection[str] = ()) -> None:
    """Check that `topics` are as no worker can do without; those just `created`, not every broker knows yet.

    They are there with the partitions that the settings want, and the broker says when an event came, unless
    it does not tell: what a producer dates into the future would keep all after it from being learned.

    Raises:
        BrokerError: they are not; or the broker cannot be reached.
    """
    async with clients.admin(kafka) as client:
        copies = await clients.partition_copies(client, [topic.name for topic in topics])
        configs = await _configs(client, [topics.events])
    states = [TopicState(topic, len(copies[topic.name])) for topic in topics]
    wrong = [text for state in states if state.wanted.name not in created for text in _shape(state)]
    wrong += filter(None, [unequal(states, topics)])
    told = configs[topics.events.name]
    if told:
        state = TopicState(topics.events, config=told, servers=",".join(kafka.servers))
        wrong += _otherwise(state, APPEND_TIME)
    if wrong:
        raise BrokerError("\n".join(wrong))


def differences(state: TopicState) -> Iterator[str]:
    """What is not as the settings want it, each with what to do."""
    yield from _shape(state)
    name, copies = state.wanted.name, state.wanted.replication
    config = {MAX_MESSAGE: str(LARGEST_BATCH)} | dict(state.wanted.config)
    if state.copies not in (0, copies):
        brokers = f"{state.copies} broker{'s' if state.copies > 1 else ''}"
        yield (
            f"{name} is kept by {brokers}, the settings want {copies}; "
            "set [topics] replication to what is there, or move the topic with kafka-reassign-partitions.sh"
        )
        # It is for the copies that are wanted; if there are fewer, the broker would take no record.
        config.pop(MIN_IN_SYNC, None)
    if state.config:
        yield from _otherwise(state, config)
    elif not state.missing:
        yield f"how {name} is kept is not told; allow the account of [kafka] to DescribeConfigs of it"


def _otherwise(state: TopicState, config: Mapping[str, str]) -> Iterator[str]:
    """What of this configuration the topic does not have."""
    name = state.wanted.name
    for key, value in config.items():
        actual = state.config.get(key, "unset")
        if not _suits(key, actual, value):
            setting = f"'{key}=[{value}]'" if "," in value else f"{key}={value}"
            change = f"--alter --topic {name} --add-config {setting}"
            wanted = f"less than {value}" if key == MAX_MESSAGE else f"not {value}"
            yield (
                f"{name} has {key}={actual}, {wanted}; "
                f"kafka-configs.sh --bootstrap-server {state.servers} {change}"
            )


def _suits(key: str, actual: str, value: str) -> bool:
    """Whether what a topic has is as good as what is wanted."""
    if key == MAX_MESSAGE and actual.isdecimal():
        return int(actual) >= int(value)
    return set(actual.split(",")) == set(value.split(","))  # a list has no order


def _shape(state: TopicState) -> Iterator[str]:
    """Whether the topic is missing, or has other partitions."""
    wanted = state.wanted
    if state.missing:
        yield f"{wanted.name} is missing; create it with `tenfold topics --create`"
    elif state.partitions != wanted.partitions:
        yield wanted.otherwise(state.partitions)


def unequal(states: Iterable[TopicState], topics: TopicSet) -> str | None:
    """What is wrong if the topics that a visitor lives in differ in their number of partitions."""
    together = {topics.events.name, topics.sessions.name, topics.recommendations.name}
    counts = {
        state.wanted.name: state.partitions
        for state in states
        if state.wanted.name in together and not state.missing
    }
    if len(set(counts.values())) < 2:  # noqa: PLR2004 - two different numbers are one too many
        return None
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"partitions differ: {listed}; take another [topics] prefix, create the topics, and import again"


async def _configs(client: AIOKafkaAdminClient, topics: Iterable[Topic]) -> dict[str, dict[str, str]]:
    """The configuration of each topic, for the keys that are looked at; empty if it is not told."""
    keys = {topic.name: dict.fromkeys((*SHOWN, MAX_MESSAGE, *topic.config)) for topic in topics}
    answers = await client.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, those) for name, those in keys.items()]
    )
    return {
        name: {key: value for key, value, *_ in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


async def _messages(kafka: Kafka, partitions: Mapping[str, int]) -> dict[str, int]:
    everywhere = [TopicPartition(name, one) for name, count in partitions.items() for one in range(count)]
    if not everywhere:
        return {}
    async with reader(kafka) as consumer:
        oldest = await consumer.beginning_offsets(everywhere)
        newest = await consumer.end_offsets(everywhere)
    messages = dict.fromkeys(partitions, 0)
    for one in everywhere:
        messages[one.topic] += newest[one] - oldest[one]
    return messages
