"""Kafka's jars are found in the cache without a network, and otherwise the error says what to do."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import pytest

from infra.file_lock import locked
from infra.kafka_jars import KAFKA_VERSION, cache_folder, classpath
from reco.errors import BrokerError
from tests.infra.processes import output_of


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that never fetched anything, and whose way to the network is a port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for variable in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(variable, proxy)
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def cached(*names: str) -> list[Path]:
    folder = cache_folder()
    jars = [folder / name for name in names]
    for jar in jars:
        jar.parent.mkdir(parents=True, exist_ok=True)
        jar.touch()
    (folder / "classpath.json").write_text(json.dumps(names))
    return jars


@pytest.mark.usefixtures("offline")
def test_first_use_without_a_network_says_what_is_missing_and_what_to_do() -> None:
    with pytest.raises(BrokerError) as failure:
        classpath()
    message = str(failure.value)
    assert f"Apache Kafka {KAFKA_VERSION}" in message
    assert str(cache_folder()) in message
    assert "Go online once" in message
    assert "kafka.bootstrap_servers" in message


@pytest.mark.usefixtures("offline")
def test_a_list_of_jars_that_was_cut_off_is_fetched_again() -> None:
    cached("kafka.jar")
    (cache_folder() / "classpath.json").write_text("")
    with pytest.raises(BrokerError, match="Go online once"):
        classpath()


@pytest.mark.usefixtures("offline")
def test_a_failed_fetch_leaves_nothing_that_could_pass_for_jars() -> None:
    with pytest.raises(BrokerError):
        classpath()
    assert [left.name for left in cache_folder().parent.iterdir()] == [f"kafka-{KAFKA_VERSION}.lock"]


@pytest.mark.usefixtures("offline")
def test_a_cache_that_cannot_be_written_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BrokerError, match=r"cannot be kept in .*/file/.* as XDG_CACHE_HOME"):
        classpath()


@pytest.mark.usefixtures("offline")
def test_cached_jars_need_no_network() -> None:
    jars = cached("org/kafka.jar", "org/scala.jar")
    assert classpath() == jars


@pytest.mark.usefixtures("offline")
def test_jars_are_found_from_any_folder_wherever_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    cached("org/kafka.jar")
    (jar,) = classpath()
    monkeypatch.chdir("/")
    assert jar.is_file()


@pytest.mark.usefixtures("offline")
def test_a_missing_jar_is_fetched_again() -> None:
    jars = cached("org/kafka.jar", "org/scala.jar")
    jars[1].unlink()
    with pytest.raises(BrokerError, match="could not be fetched"):
        classpath()


@pytest.mark.usefixtures("offline")
def test_who_waited_for_another_to_fetch_does_not_fetch_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, waits = cache_folder(), Event()
    folder.parent.mkdir()

    def noticed(path: Path, *, wait: bool) -> AbstractContextManager[int | None]:
        waits.set()
        return locked(path, wait=wait)

    monkeypatch.setattr("infra.kafka_jars.locked", noticed)
    with ThreadPoolExecutor() as threads:
        with locked(folder.with_name(f"{folder.name}.lock"), wait=True):
            waiting = threads.submit(classpath)
            assert waits.wait(10)
            jars = cached("org/kafka.jar")
        assert waiting.result() == jars


def test_the_resolver_is_not_even_imported_when_the_jars_are_cached() -> None:
    classpath()
    imported = "import sys; from infra.kafka_jars import classpath; classpath(); print('jgo' in sys.modules)"
    assert output_of(imported) == "False"


def test_one_version_of_each_jar_runs_kafka() -> None:
    artifacts = [jar.parent.parent for jar in classpath()]
    assert len(set(artifacts)) == len(artifacts)
    versions = {jar.parent.name for jar in classpath() if "org/apache/kafka/" in jar.as_posix()}
    assert versions == {KAFKA_VERSION}
