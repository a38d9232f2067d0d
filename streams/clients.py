"""Kafka clients built from settings: producers, group-less consumers, the admin client."""

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiokafka.admin.client
import aiokafka.client
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from reco.errors import BrokerError, SettingsError
from streams import header_names
from streams.settings import Kafka
from streams.topics import MAX_RECORD_BYTES, Topic

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer)

ISOLATION = "read_committed"
"""What consumers see of transactions; the same for all, or workers would learn differently."""
METADATA_AGE = 5.0
"""Seconds after which a worker asks again which topics and partitions there are; by default, 300."""
LISTENS_WITHIN = 1.0
"""Time that a connection to a server may take, s, when nothing but its port is in question."""

# On debug level aiokafka logs every request, the one that holds the password among them.
logging.getLogger("aiokafka.conn").setLevel(logging.INFO)

# Most brokers create a topic that somebody asks about, with one partition and settings of their own, unless
# they are told not to; aiokafka has no option for it.
for _module in (aiokafka.client, aiokafka.admin.client):
    _module.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


class _Parting(ssl.SSLObject):
    """An end of a connection that says goodbye and does not wait for the broker's.

    A broker answers what it was asked before it looks at the goodbye, half a second later, and now and then
    it never looks: whoever closes a connection would wait for 30 s, and so would the start of a worker.
    """

    def unwrap(self) -> None:
        with suppress(ssl.SSLWantReadError):
            super().unwrap()


def security(kafka: Kafka) -> dict[str, Any]:
    """The security arguments of an aiokafka client."""
    arguments: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password,
        }
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = tls_context(kafka)
    return arguments


def tls_context(kafka: Kafka) -> ssl.SSLContext:
    """The TLS context: the given authorities or the system's, and the client certificate if there is one.

    Raises:
        SettingsError: a file cannot be used, or the password of the key is wrong.
    """
    ca_file, cert_file, key_file = (
        str(Path(path).expanduser()) if path else None
        for path in (kafka.ca_file, kafka.cert_file, kafka.key_file)
    )
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file:
            # Never None for the password: OpenSSL would ask for it on the terminal.
            context.load_cert_chain(cert_file, key_file, kafka.key_password)
    except OSError as error:
        mistake = (
            f"[kafka] ca_file, cert_file or key_file cannot be used: {error}; correct them, or key_password"
        )
        raise SettingsError([mistake]) from error
    context.sslobject_class = _Parting
    return context


def producer(kafka: Kafka, **options: Any) -> AIOKafkaProducer:
    """A producer that waits for all replicas; not started yet."""
    defaults: dict[str, Any] = {
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 0,
        "max_batch_size": 256 * 1024,
        "max_request_size": MAX_RECORD_BYTES,
        "compression_type": "lz4",
    }
    return AIOKafkaProducer(bootstrap_servers=kafka.servers, **security(kafka), **(defaults | options))


def consumer(kafka: Kafka, **options: Any) -> AIOKafkaConsumer:
    """A consumer without a group, which assigns and seeks for itself; not started yet.

    It reads what is committed, and an end is where the first transaction begins that is not over.
    """
    header_names.take_any()
    defaults: dict[str, Any] = {
        "isolation_level": ISOLATION,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": MAX_RECORD_BYTES,
    }
    return AIOKafkaConsumer(bootstrap_servers=kafka.servers, **security(kafka), **(defaults | options))


@asynccontextmanager
async def started(client: Client) -> AsyncIterator[Client]:
    """A producer or consumer that runs for the length of the block; what a producer sent has then arrived."""
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


@contextmanager
def answering(kafka: Kafka) -> Iterator[None]:
    """A block in which a client connects.

    Raises:
        BrokerError: it could not.
    """
    try:
        yield
    except (KafkaError, OSError) as error:
        reason = (
            "Something listens there, but the connection failed; "
            "check kafka.security_protocol, the port, ca_file and the account."
            if _listens(kafka)
            else "Is it running?"
        )
        raise BrokerError(
            f"No broker answers at {kafka.bootstrap_servers}: {error}. "
            f"{reason} `tenfold doctor` checks the settings."
        ) from error


def _listens(kafka: Kafka) -> bool:
    """Whether one of the servers takes connections, be they of another protocol."""
    for server in kafka.servers:
        host, _, port = server.rpartition(":")
        with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), LISTENS_WITHIN):
            return True
    return False


@asynccontextmanager
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, connected for the length of the block.

    Raises:
        BrokerError: the broker cannot be reached.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.servers, **security(kafka))
    try:
        with answering(kafka):
            await client.start()
        yield client
    finally:
        await client.close()


async def create_topics(kafka: Kafka, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that do not exist yet, and return their names.

    Raises:
        BrokerError: the broker cannot be reached, or refuses one; or one that exists has other partitions, so
            that those to be created would not fit.
    """
    wanted = list(topics)
    names = [topic.name for topic in wanted]
    async with admin(kafka) as client:
        there = {name: len(copies) for name, copies in (await partition_copies(client, names)).items()}
        missing = [topic for topic in wanted if not there[topic.name]]
        if not missing:
            return []
        wrong = [
            topic.otherwise(there[topic.name])
            for topic in wanted
            if there[topic.name] not in (0, topic.partitions)
        ]
        if wrong:
            raise BrokerError("\n".join([*wrong, "No topic is created beside it, so that all will fit."]))
        response = await client.create_topics(
            [
                NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.config))
                for topic in missing
            ]
        )
    for name, code, *messages in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            why = " ".join(filter(None, messages)) or for_code(code).__name__
            raise BrokerError(f"The broker refused to create {name}: {why}")
    return [topic.name for topic in missing]


async def partition_copies(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[int, int]]:
    """How many copies each partition of each topic has, by its number, rising; none of one that is missing.

    Raises:
        BrokerError: the account may not see one.
    """
    described = await client.describe_topics(list(names))
    denied = TopicAuthorizationFailedError.errno
    if hidden := sorted(one["topic"] for one in described if one["error_code"] == denied):
        what = f"The account of [kafka] may not see {', '.join(hidden)}"
        raise BrokerError(f"{what}; docs/delivery.md says what it must be allowed.")
    return {
        one["topic"]: dict(sorted((each["partition"], len(each["replicas"])) for each in one["partitions"]))
        for one in described
    }


def partitions(*topics: Topic) -> list[TopicPartition]:
    """All partitions of `topics`, as these describe them."""
    return [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]


async def behind(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> list[TopicPartition]:
    """The partitions whose position has not reached its end yet."""
    return [tp for tp, end in ends.items() if await consumer.position(tp) < end]
