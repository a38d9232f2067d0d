"""docker-compose.yml describes services that can start, checked without a Docker engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra import kafka_node
from infra.broker import Broker
from infra.kafka_jars import KAFKA_VERSION
from infra.ports import free_port
from streams.cli import tenfold
from streams.clients import admin
from streams.sentinel import Sentinel
from streams.settings import Kafka, Settings, Worker, load
from streams.vitals import Vitals
from streams.worker import AGENTS
from tests.infra.processes import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "infra" / "Dockerfile"
DESCRIPTION: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = DESCRIPTION["services"]
OURS = [name for name in SERVICES if name != "kafka"]
WORKERS = [name for name in OURS if SERVICES[name]["command"][0] == "worker"]

# What the Compose specification allows of what is used here.
SECTIONS = {"name", "services", "volumes", "networks", "configs", "secrets"}
SERVICE_KEYS = {
    "image",
    "build",
    "command",
    "environment",
    "depends_on",
    "restart",
    "init",
    "ports",
    "volumes",
    "healthcheck",
    "profiles",
    "stop_grace_period",
}
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
RESTARTS = re.compile(r"no|always|unless-stopped|on-failure(:\d+)?")
DURATION = re.compile(r"(\d+h)?(\d+m)?(\d+s)?")
PORT = re.compile(r"((\d{1,3}\.){3}\d{1,3}:)?\d{1,5}:\d{1,5}(/(tcp|udp))?")
VOLUME = re.compile(r"(?P<name>[a-z][a-z0-9_.-]+):(?P<target>/[^:]+)(:(ro|rw))?")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def instruction(name: str) -> str:
    """The last `name` instruction of the Dockerfile, its continuation lines joined."""
    lines = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return next(line.removeprefix(name).strip() for line in reversed(lines) if line.startswith(f"{name} "))


def environment_of(service: str) -> dict[str, str]:
    """What a process in the service's container finds in its environment."""
    image = dict(pair.split("=", 1) for pair in instruction("ENV").split())
    return image | {name: str(value) for name, value in SERVICES[service]["environment"].items()}


def properties_of(environment: dict[str, Any]) -> dict[str, str]:
    """The server.properties that the image makes of KAFKA_A_B=c; no property named here has a `-` or `_`."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in environment.items()
    }


def test_the_sections_are_those_of_the_specification() -> None:
    assert {section for section in DESCRIPTION if not section.startswith("x-")} <= SECTIONS
    assert NAME.fullmatch(DESCRIPTION["name"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_well_formed(name: str) -> None:
    service = SERVICES[name]
    assert NAME.fullmatch(name)
    assert set(service) <= SERVICE_KEYS
    assert service["image"]
    assert RESTARTS.fullmatch(service["restart"])
    assert all(isinstance(word, str) for word in service.get("command", []))
    assert all(PORT.fullmatch(port) for port in service.get("ports", []))
    assert all(isinstance(value, (str, int)) for value in service["environment"].values())
    assert DURATION.fullmatch(service.get("stop_grace_period", ""))


@pytest.mark.parametrize("name", SERVICES)
def test_a_named_volume_is_declared(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        match = VOLUME.fullmatch(volume)
        assert match
        assert match["name"] in DESCRIPTION["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_health_check_is_well_formed(name: str) -> None:
    check = SERVICES[name].get("healthcheck", {})
    assert set(check) <= HEALTH_KEYS
    assert check.get("test", ["CMD"])[0] in {"CMD", "CMD-SHELL", "NONE"}
    for key in ("interval", "timeout", "start_period", "start_interval"):
        assert DURATION.fullmatch(check.get(key, "1s"))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_happen(name: str) -> None:
    for target, wait in SERVICES[name].get("depends_on", {}).items():
        assert wait["condition"] in CONDITIONS
        assert not SERVICES[target].get("profiles")
        if wait["condition"] == "service_healthy":
            assert "test" in SERVICES[target]["healthcheck"]
        if wait["condition"] == "service_completed_successfully":
            assert SERVICES[target]["restart"] in {"no", "on-failure"}


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_built_from_our_dockerfile(name: str) -> None:
    build = SERVICES[name]["build"]
    assert ROOT / build["context"] / build["dockerfile"] == DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_the_environment_is_settings_that_work(name: str) -> None:
    settings = load(environment_of(name))
    assert settings.kafka.bootstrap_servers in _advertised()
    assert settings.worker.data_dir in instruction("VOLUME")
    assert settings.worker.health_host == "0.0.0.0"  # noqa: S104  inside the container's own network


def _advertised() -> list[str]:
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    return [listener.partition("://")[2] for listener in listeners.split(",")]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_can_be_scaled_and_is_started_again(name: str) -> None:
    service = SERVICES[name]
    # A port of this machine or a name can belong to one container only, and what is in a volume, too; only
    # releases must be at one place for all.
    assert not {"ports", "container_name"} & set(service)
    assert service["volumes"] == [f"releases:{load(environment_of(name)).releases_dir()}"]
    assert service["restart"] == "unless-stopped"


def test_releases_can_be_written_into_their_volume() -> None:
    # An empty volume takes the owner of the folder of the image that it is mounted over.
    made, _, folders = instruction("RUN").partition("install --directory --owner tenfold --group tenfold ")
    assert "useradd" in made
    assert str(load(environment_of("scoring")).releases_dir()) in folders.split()
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert text.index("install --directory") < text.index("\nVOLUME ")


def test_labelling_starts_only_when_asked_for() -> None:
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["labelling"]
    assert SERVICES["labelling"]["profiles"] == ["labelling"]


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_of_tenfold(name: str) -> None:
    assert json.loads(instruction("ENTRYPOINT")) == ["tenfold"]
    commands: Any = typer.main.get_command(tenfold)
    first, *words = SERVICES[name]["command"]
    commands.commands[first].make_context(
        first, words
    )  # raises on an option or argument that it does not take


@pytest.mark.parametrize("name", [name for name in WORKERS if name != "labelling"])
def test_a_worker_runs_agents_that_exist(name: str) -> None:
    assert set(SERVICES[name]["command"][1:]) <= set(AGENTS)


def test_the_health_check_asks_the_port_where_a_worker_listens() -> None:
    port = load(environment_of("sessions")).worker.health_port
    assert f"http://127.0.0.1:{port}/health" in instruction("HEALTHCHECK")
    assert instruction("EXPOSE") == str(port)


def test_the_health_check_asks_the_worker_and_no_proxy() -> None:
    port = free_port()
    program = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])[-1]
    proxied = os.environ | {"http_proxy": f"http://127.0.0.1:{free_port()}", "no_proxy": ""}
    asked = [sys.executable, "-c", program.replace(":8080/", f":{port}/")]
    sentinel = Sentinel(Settings(worker=Worker(health_port=port)), Vitals())
    sentinel.start()
    done = subprocess.run(asked, env=proxied, capture_output=True, text=True, check=False)
    sentinel.stop()
    assert done.returncode == 0, done.stderr


def test_the_image_needs_no_root_and_copies_only_what_is_there() -> None:
    assert instruction("USER") == "tenfold"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert all((ROOT / path).exists() for paths in copied for path in paths.split())


def test_kafka_is_the_version_that_the_tests_run() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.broker
async def test_kafkas_environment_names_only_properties_that_kafka_has(broker: Broker, kafka: Kafka) -> None:
    async with admin(kafka) as client:
        [answer] = await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    known = {entry[0] for entry in answer.resources[0][-1]}
    assert set(properties_of(SERVICES["kafka"]["environment"])) <= known
    assert broker.bootstrap_servers == kafka.bootstrap_servers


def test_kafka_accepts_its_configuration(tmp_path: Path) -> None:
    wanted = properties_of(SERVICES["kafka"]["environment"]) | {"log.dirs": "log"}
    (tmp_path / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in wanted.items()))
    tool = kafka_node.java(
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id=4L6g3nShT-eMCtK--X86sw",
        "--config=server.properties",
    )
    done = subprocess.run(tool, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "log" / "meta.properties").exists()


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("the docker compose client is not installed")
    done = subprocess.run(
        [docker, "compose", "--file", COMPOSE, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
