"""A broker that asks for a password, TLS or permissions: workers run on it as on any other."""

import asyncio
import base64
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.protocol.admin import CreateAclsRequest
from msgspec.structs import replace

from infra import kafka_node
from infra.ports import free_ports
from reco.errors import BrokerError
from streams.clients import admin, create_topics, partitions
from streams.reading import reader
from streams.settings import Kafka, Settings
from streams.topic_check import differences, inspect
from streams.topics import topic_set
from tests.streams.imports import run_import, write_log
from tests.streams.world import clicks, count_of, newest_lists, newest_sessions, open_sales, world_of

pytestmark = pytest.mark.broker

USER, PASSWORD = "tenfold", "s3cret-enough"
LIMITED = "limited"
"""A user who may do nothing but what is allowed; the others may do everything."""
PROTOCOLS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key before it, signed by itself."""
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "broker.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(key.read_text() + cert.read_text())
    return both


def configuration(ports: Mapping[str, int], pem: Path) -> dict[str, str]:
    """One node that listens with every protocol, each at a port of its own."""
    listeners = {name: f"{name.replace('_', '')}://127.0.0.1:{port}" for name, port in ports.items()}
    protocols = ",".join(f"{name.replace('_', '')}:{name}" for name in PROTOCOLS)
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    own: dict[str, str] = {
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join(at for name, at in listeners.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": f"CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}",
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(pem),
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }
    for listener in ("saslplaintext", "saslssl"):
        prefix = f"listener.name.{listener}"
        users = " ".join(f'user_{one}="{PASSWORD}"' for one in (USER, LIMITED))
        own[f"{prefix}.plain.sasl.jaas.config"] = f"{plain} {users};"
        for mechanism in MECHANISMS[1:]:
            own[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = scram
    return kafka_node.CONFIGURATION | own


def listens(port: int) -> bool:
    """Whether somebody accepts connections at the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(folder: Path, properties: Mapping[str, str], ports: Mapping[str, int]) -> Iterator[None]:
    """A real node with this configuration, once it listens at all `ports`, which it opens one by one."""
    (folder / "server.properties").write_text(
        "".join(f"{key}={value}\n" for key, value in properties.items())
    )
    cluster = base64.urlsafe_b64encode(uuid.UUID(int=7).bytes).decode().rstrip("=")
    users = [f"--add-scram={kind}=[name={USER},password={PASSWORD}]" for kind in MECHANISMS[1:]]
    arguments = ("format", f"--cluster-id={cluster}", "--config", "server.properties", *users)
    subprocess.run(
        kafka_node.java("kafka.tools.StorageTool", *arguments), cwd=folder, check=True, capture_output=True
    )
    with (folder / "broker.log").open("wb") as log:
        node = subprocess.Popen(
            kafka_node.java("kafka.Kafka", "server.properties"), cwd=folder, stdout=log, stderr=log
        )
    try:
        while not (kafka_node.answers(ports["CLIENT"]) and all(map(listens, ports.values()))):
            assert node.poll() is None, (folder / "broker.log").read_text()
            time.sleep(0.02)
        yield
    finally:
        node.terminate()
        node.wait(30)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, int], Path]]:
    """The ports of a node that listens with every protocol, and the certificate to trust."""
    folder = tmp_path_factory.mktemp("secured")
    names = ("CLIENT", "CONTROLLER", *PROTOCOLS)
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    pem = certificate(folder)
    with running(folder, configuration(ports, pem), ports):
        yield ports, folder / "cert.pem"


def kafka_settings(
    secured: tuple[dict[str, int], Path], protocol: str, mechanism: str, password: str
) -> Kafka:
    ports, ca = secured
    sasl = protocol.startswith("SASL")
    return Kafka(
        bootstrap_servers=f"127.0.0.1:{ports[protocol]}",
        security_protocol=protocol,  # type: ignore[arg-type]
        sasl_mechanism=mechanism,  # type: ignore[arg-type]
        username=USER if sasl else "",
        password=password if sasl else "",
        ca_file=str(ca) if protocol.endswith("SSL") else "",
    )


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("SSL", "PLAIN"),
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("SASL_SSL", "SCRAM-SHA-512"),
    ],
)
async def test_a_worker_runs_on_a_secured_broker(
    secured: tuple[dict[str, int], Path], settings: Settings, tmp_path: Path, protocol: str, mechanism: str
) -> None:
    settings = replace(settings, kafka=kafka_settings(secured, protocol, mechanism, PASSWORD))
    topics = topic_set(settings.topics)
    await create_topics(settings.kafka, topics)
    async with world_of(settings, topics, tmp_path) as world:
        worker = await world.start("sessions").ready()
        await world.send(*clicks(1, 3))
        view = await world.view(topics.sessions)
        await view.until(lambda found: bool(found) and count_of(newest_sessions(found)["visitor-0"]) == 3)
        assert PASSWORD not in worker.log.read_text()


async def test_a_connection_over_tls_is_closed_while_the_broker_still_works_on_an_answer(
    secured: tuple[dict[str, int], Path], settings: Settings
) -> None:
    kafka = kafka_settings(secured, "SSL", "PLAIN", "")
    topics = topic_set(settings.topics)
    await create_topics(kafka, [topics.events])
    async with asyncio.timeout(25):  # asyncio would wait for 30 s
        async with reader(kafka, fetch_max_wait_ms=120_000) as consumer:
            consumer.assign(partitions(topics.events))
            consumer.seek(partitions(topics.events)[0], 0)
            await consumer.getmany(timeout_ms=500)


TOPIC, GROUP = 2, 3
PREFIXED, ALLOW = 4, 3
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "DescribeConfigs": 10}
"""Kafka's codes."""


def documented() -> list[tuple[int, int]]:
    """Resource and operation of each permission that the docs name."""
    page = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (topic|group) \| ([\w, ]+) \|", page, re.MULTILINE)
    codes = {"topic": TOPIC, "group": GROUP}
    return [(codes[kind], OPERATIONS[one]) for kind, several in lines for one in several.split(", ")]


async def allow(kafka: Kafka, user: str, prefix: str, permissions: Iterable[tuple[int, int]]) -> None:
    """Allow `user` these operations on all topics and groups whose names begin with `prefix`."""
    async with admin(kafka) as client:
        for resource, operation in permissions:
            request = CreateAclsRequest(resource, prefix, PREFIXED, f"User:{user}", "*", operation, ALLOW)
            answer = await client._send_request(request)
            assert [code for code, _ in answer.creation_responses] == [0]


async def test_what_the_docs_say_an_account_must_be_allowed_is_enough(
    secured: tuple[dict[str, int], Path], settings: Settings, tmp_path: Path
) -> None:
    unlimited = kafka_settings(secured, "SASL_PLAINTEXT", "PLAIN", PASSWORD)
    settings = replace(settings, kafka=replace(unlimited, username=LIMITED))
    topics = topic_set(settings.topics)
    assert len(documented()) == 5
    await allow(unlimited, LIMITED, settings.topics.prefix, documented())
    await create_topics(settings.kafka, topics)
    async with world_of(settings, topics, tmp_path) as world:
        await world.start("sessions", "scoring").ready()
        await world.publish(*open_sales(12))
        await world.send(*clicks(1, 3))
        view = await world.view(topics.recommendations)
        await view.until(lambda found: "visitor-0" in newest_lists(found))
        done = await run_import(settings, write_log(tmp_path / "log.csv", rows=100))
        assert done.progress.sent == 100
    assert [text for state in await inspect(settings.kafka, topics) for text in differences(state)] == []


async def test_topics_that_an_account_may_not_see_are_not_said_to_be_missing(
    secured: tuple[dict[str, int], Path], settings: Settings
) -> None:
    kafka = kafka_settings(secured, "SASL_PLAINTEXT", "PLAIN", PASSWORD)
    topics = topic_set(settings.topics)
    await create_topics(kafka, topics)
    with pytest.raises(BrokerError, match=f"may not see .*{topics.events.name}, .*docs/delivery.md"):
        await inspect(replace(kafka, username=LIMITED), topics)


FAUST = (
    "import runpy, sys; "
    "sys.argv[1:] = '-A streams.faust_entry.sessions worker --loglevel debug --without-web'.split(); "
    "runpy.run_module('faust', run_name='__main__')"
)
"""Faust's own command."""


async def test_a_password_is_not_logged_on_debug_level(
    secured: tuple[dict[str, int], Path], settings: Settings, tmp_path: Path
) -> None:
    settings = replace(settings, kafka=kafka_settings(secured, "SASL_PLAINTEXT", "PLAIN", PASSWORD))
    topics = topic_set(settings.topics)
    await create_topics(settings.kafka, topics)
    async with world_of(settings, topics, tmp_path) as world:
        worker = world.start_altered(FAUST)
        await world.send(*clicks(1, 3))
        await (await world.view(topics.sessions)).until(bool)
        logged = worker.log.read_text()
    assert "DEBUG" in logged
    assert PASSWORD not in logged


async def test_a_wrong_password_is_refused_with_what_to_do(
    secured: tuple[dict[str, int], Path], settings: Settings
) -> None:
    kafka = kafka_settings(secured, "SASL_PLAINTEXT", "PLAIN", "n0t-the-one")
    with pytest.raises(BrokerError, match="doctor") as refused:
        await create_topics(kafka, topic_set(settings.topics))
    assert "n0t-the-one" not in str(refused.value)


@pytest.mark.parametrize(
    ("listener", "protocol"),
    [("CLIENT", "SSL"), ("CLIENT", "SASL_PLAINTEXT"), ("SSL", "PLAINTEXT"), ("SASL_PLAINTEXT", "PLAINTEXT")],
)
async def test_a_broker_that_listens_with_another_protocol_is_not_said_to_be_down(
    secured: tuple[dict[str, int], Path], listener: str, protocol: str
) -> None:
    given = Kafka() if protocol == "PLAINTEXT" else kafka_settings(secured, protocol, "PLAIN", PASSWORD)
    wrong = replace(given, bootstrap_servers=f"127.0.0.1:{secured[0][listener]}")
    with pytest.raises(BrokerError, match=r"Something listens there.*kafka\.security_protocol"):
        await create_topics(wrong, topic_set(Settings().topics))
