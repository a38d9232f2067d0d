"""Kafka clients from settings: SASL and TLS as the broker asks for them, with real TLS handshakes."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from infra.ports import free_port
from reco.errors import BrokerError, SettingsError
from streams.clients import admin, consumer, partition_copies, producer, security, started, tls_context
from streams.settings import Kafka, Settings
from streams.topics import topic_set

SECRET = "open sesame"  # noqa: S105  no door opens to it


class Certificate(NamedTuple):
    """A self-signed certificate for `localhost`, which is its own authority, and its key."""

    cert_file: str
    key_file: str


def self_signed(folder: Path, *protection: str) -> Certificate:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, so there are no certificates to test TLS with")
    folder.mkdir()
    made = Certificate(str(folder / "cert.pem"), str(folder / "key.pem"))
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *protection)
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2")
    command = [openssl, "req", "-x509", *key, *name, "-out", made.cert_file, "-keyout", made.key_file]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return made


@pytest.fixture(scope="module")
def of_broker(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("broker") / "tls", "-nodes")


@pytest.fixture(scope="module")
def of_client(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A client certificate whose key is protected by `SECRET`."""
    return self_signed(tmp_path_factory.mktemp("client") / "tls", "-passout", f"pass:{SECRET}")


def sasl(mechanism: str, protocol: str = "SASL_PLAINTEXT", **more: Any) -> Kafka:
    account: dict[str, Any] = {"username": "tenfold", "password": SECRET, "sasl_mechanism": mechanism}
    return Kafka(bootstrap_servers="kafka:9092", security_protocol=protocol, **account, **more)  # type: ignore[arg-type]


async def greeting(
    of_broker: Certificate, trusted: Kafka, host: str = "localhost", clients: str = ""
) -> bytes:
    """What a client set up by `trusted` reads from a TLS server, which asks for `clients` if given."""
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients or None)
    server_side.load_cert_chain(of_broker.cert_file, of_broker.key_file)
    server_side.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server_side)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client_side = security(trusted)["ssl_context"]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_side, server_hostname=host
        )
        try:
            return await reader.read()
        finally:
            writer.transport.abort()


def tls(**files: str) -> Kafka:
    return Kafka(bootstrap_servers="kafka:9093", security_protocol="SSL", **files)  # type: ignore[arg-type]


def test_without_security_only_the_protocol_is_given() -> None:
    assert security(Kafka()) == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_sasl_gives_the_mechanism_and_the_account(mechanism: str) -> None:
    assert security(sasl(mechanism)) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "tenfold",
        "sasl_plain_password": SECRET,
    }


def test_sasl_over_tls_gives_account_and_context() -> None:
    arguments = security(sasl("PLAIN", "SASL_SSL"))
    assert arguments["sasl_plain_username"] == "tenfold"
    assert isinstance(arguments["ssl_context"], ssl.SSLContext)


def test_the_broker_must_prove_who_it_is() -> None:
    context = tls_context(tls())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_a_broker_is_trusted_by_the_given_authority(of_broker: Certificate) -> None:
    assert await greeting(of_broker, tls(ca_file=of_broker.cert_file)) == b"hello"


def test_files_may_be_below_the_home_of_the_user(
    of_client: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(Path(of_client.cert_file).parent))
    names = {"ca_file": "~/cert.pem", "cert_file": "~/cert.pem", "key_file": "~/key.pem"}
    assert isinstance(tls_context(tls(key_password=SECRET, **names)), ssl.SSLContext)


async def test_a_broker_is_not_trusted_without_its_authority(of_broker: Certificate) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed"):
        await greeting(of_broker, tls())


async def test_a_broker_under_another_name_is_not_trusted(of_broker: Certificate) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await greeting(of_broker, tls(ca_file=of_broker.cert_file), host="elsewhere")


async def test_a_broker_that_asks_for_a_certificate_gets_it(
    of_broker: Certificate, of_client: Certificate
) -> None:
    ours = tls(ca_file=of_broker.cert_file, key_password=SECRET, **of_client._asdict())
    assert await greeting(of_broker, ours, clients=of_client.cert_file) == b"hello"


async def test_a_broker_that_asks_for_a_certificate_turns_away_who_has_none(
    of_broker: Certificate, of_client: Certificate
) -> None:
    read = b""
    with suppress(OSError):
        read = await greeting(of_broker, tls(ca_file=of_broker.cert_file), clients=of_client.cert_file)
    assert read == b""


@pytest.mark.parametrize("password", ["", "open barley"])
def test_a_wrong_password_of_the_key_is_a_mistake_in_the_settings(
    of_client: Certificate, password: str
) -> None:
    with pytest.raises(SettingsError, match="key_password"):
        security(tls(key_password=password, **of_client._asdict()))


def test_a_file_that_is_no_certificate_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="ca_file"):
        security(tls(ca_file=__file__))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_aiokafka_takes_the_arguments(mechanism: str, protocol: str) -> None:
    for client in (producer(sasl(mechanism, protocol)), consumer(sasl(mechanism, protocol))):
        await client.stop()


async def test_servers_that_do_not_answer_are_told_apart_by_commas_also_one_too_many() -> None:
    nobody = f"127.0.0.1:{free_port()} ,"
    with pytest.raises(BrokerError, match=rf"No broker answers at {nobody}.*Is it running\?"):
        async with admin(Kafka(bootstrap_servers=nobody)):
            pass


async def test_a_broker_that_does_not_answer_is_named_and_the_password_is_not() -> None:
    with socket.socket() as taken_and_left:
        taken_and_left.bind(("127.0.0.1", 0))
        port = taken_and_left.getsockname()[1]
    nobody = Kafka(
        bootstrap_servers=f"127.0.0.1:{port}",
        security_protocol="SASL_PLAINTEXT",
        username="tenfold",
        password=SECRET,
    )
    with pytest.raises(BrokerError) as caught:
        async with admin(nobody):
            pass
    assert f"No broker answers at 127.0.0.1:{port}" in str(caught.value)
    assert "Is it running?" in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_who_listens_and_turns_the_client_away_is_not_said_to_be_down() -> None:
    async def turn_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(turn_away, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BrokerError, match=r"Something listens there.*kafka\.security_protocol") as caught:
            async with admin(Kafka(bootstrap_servers=f"127.0.0.1:{free_port()}, 127.0.0.1:{port}")):
                pass
    assert "Is it running?" not in str(caught.value)


@pytest.mark.broker
async def test_no_broker_creates_a_topic_only_because_somebody_asks_about_it(settings: Settings) -> None:
    name = topic_set(settings.topics).events.name
    async with admin(settings.kafka) as client:
        assert await partition_copies(client, [name]) == {name: {}}
        async with started(consumer(settings.kafka, request_timeout_ms=2_000)) as asking:
            with pytest.raises(KafkaError):
                await asking.end_offsets([TopicPartition(name, 0)])
        assert name not in await client.list_topics()
