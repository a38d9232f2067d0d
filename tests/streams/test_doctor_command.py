"""`tenfold doctor` looks at everything, says what to do, hides passwords, and starts nothing."""

import asyncio
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.broker import find
from models.labelling.labeller_files import HEAD, LABELLER, StoredBackbone
from streams import clients
from streams.checkup import check_data_folder, check_labeller, check_python
from streams.cli import tenfold
from streams.setting_list import all_settings
from streams.settings import PREFIX, Kafka, Labelling, Settings, Topics, Worker, load
from streams.topics import Topic, topic_set
from tests.streams.command_line import use


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def tenfold_doctor() -> Result:
    return CliRunner().invoke(tenfold, ["doctor"])


def lines(result: Result, verdict: str) -> list[str]:
    return [line for line in result.output.splitlines() if line.split()[1:2] == [verdict]]


def test_without_a_broker_the_doctor_says_so_and_starts_none(tmp_path: Path) -> None:
    result = tenfold_doctor()
    assert result.exit_code == 0
    assert any("No broker is configured and none runs" in line for line in lines(result, "warn"))
    assert find(tmp_path / ".tenfold") is None


def test_every_mistake_in_the_settings_is_a_failure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_TOPICS_PARTITIONS", "none")
    monkeypatch.setenv("TENFOLD_WORKER_LOG_LEVEL", "loud")
    monkeypatch.setenv("TENFOLD_TOPIC_PREFIX", "acme")
    result = tenfold_doctor()
    assert result.exit_code == 1
    failures = lines(result, "fail")
    assert len(failures) == 3
    for name in ("partitions = 'none'", "log_level = 'loud'", "TENFOLD_TOPIC_PREFIX"):
        assert any(name in line for line in failures)


def test_all_settings_are_listed_even_if_one_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_TOPICS_PARTITIONS", "none")
    output = tenfold_doctor().output
    for group, kind in {"kafka": Kafka, "worker": Worker}.items():
        for field in kind.__struct_fields__:
            assert f"{group}.{field}" in output


def test_findings_stand_below_the_settings_where_the_terminal_still_shows_them() -> None:
    shown = [line.split()[:1] for line in tenfold_doctor().output.splitlines()]
    settings = [number for number, word in enumerate(shown) if word == ["labelling.labeller"]]
    findings = [number for number, word in enumerate(shown) if word and word[0] in "✓!✗"]
    assert settings
    assert settings[-1] < findings[0]


def test_each_setting_tells_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "tenfold.toml").write_text("[topics]\npartitions = 8\nreplication = 3\n[worker]\n")
    environment = {"TENFOLD_TOPICS_PARTITIONS": "16", "TENFOLD_CONFIG": ""}
    assert load(environment).topics == Topics(partitions=16, replication=3)
    settings = {f"{one.group}.{one.field}": one for one in all_settings(environment)}
    assert settings["topics.partitions"][2:] == ("16", "environment")
    assert settings["topics.replication"][2:] == ("3", "file")
    assert settings["topics.prefix"][2:] == ("", "default")
    assert settings["kafka.security_protocol"][2:] == ("PLAINTEXT", "default")


def test_passwords_are_hidden_wherever_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tenfold.toml").write_text('[kafka]\nkey_password = "swordfish"\n')
    monkeypatch.setenv("TENFOLD_KAFKA_PASSWORD", "swordfish")
    monkeypatch.setenv("TENFOLD_KAFKA_BOOTSTRAP_SERVERS", "kafka://me:swordfish@kafka:9092")
    output = tenfold_doctor().output
    assert "swordfish" not in output
    assert output.count("(hidden)") == 3


def test_a_broker_that_does_not_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENFOLD_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    result = tenfold_doctor()
    assert result.exit_code == 1
    assert any("No broker answers at 127.0.0.1:9" in line for line in lines(result, "fail"))


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "fail")]
)
def test_only_supported_pythons_are_well(version: tuple[int, int], verdict: str) -> None:
    assert check_python(version).verdict == verdict


def test_a_data_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = check_data_folder(tmp_path / "file")
    assert finding.verdict == "fail"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write")
def test_that_a_data_folder_can_be_written_is_tried() -> None:
    (finding,) = check_data_folder(Path("/proc/tenfold"))
    assert finding.verdict == "fail"
    assert finding.text.startswith("/proc/tenfold cannot be written: ")
    assert finding.text.endswith("; change its owner or set worker.data_dir")


def test_a_data_folder_that_is_not_there_yet_is_not_created(tmp_path: Path) -> None:
    assert next(check_data_folder(tmp_path / "deep" / "data")).verdict == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_labeller_that_is_set_and_is_not_there_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENFOLD_LABELLING_LABELLER", str(tmp_path / "gone"))
    (failure,) = lines(tenfold_doctor(), "fail")
    assert f"{tmp_path / 'gone'}: there is no such folder; name the folder that" in failure
    files = dict.fromkeys((HEAD, "backbone.keras"), "0" * 64)
    network = StoredBackbone("small", "backbone.keras", dimensions=8)
    known = {"backbones": (network,), "classes": ("beach", "palace"), "temperature": 1.0, "files": files}
    about = {"created_at": 1_764_000_000_000, "trained_on": {}, "metrics": {}}
    manifest = LABELLER.seal(known | about)
    folder = tmp_path / manifest.id
    folder.mkdir()
    LABELLER.write_manifest(folder, manifest)
    monkeypatch.setenv("HOME", str(tmp_path))
    for place in (str(folder), f"~/{manifest.id}"):
        (found,) = check_labeller(Labelling(place))
        assert found == ("ok", f"labelling.labeller is {manifest.id}, of 2 classes")


@pytest.mark.broker
def test_with_broker_and_topics_in_order_nothing_fails(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, tmp_path, monkeypatch)
    asyncio.run(clients.create_topics(settings.kafka, topic_set(settings.topics)))
    result = tenfold_doctor()
    assert result.exit_code == 0
    assert lines(result, "fail") == []
    assert any(f"{settings.kafka.bootstrap_servers} answers in" in line for line in lines(result, "ok"))
    assert sum("4 partitions, kept as it should be" in line for line in lines(result, "ok")) == 6
    assert sum("releases: 1 partition, kept as it should be" in line for line in lines(result, "ok")) == 1


@pytest.mark.broker
def test_missing_topics_and_topics_made_otherwise_are_failures(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, tmp_path, monkeypatch)
    wanted = topic_set(settings.topics)
    events = Topic(
        wanted.events.name, 2, 1, dict(wanted.events.config) | {"message.timestamp.type": "CreateTime"}
    )
    asyncio.run(clients.create_topics(settings.kafka, [events, wanted.sessions]))
    result = tenfold_doctor()
    failures = "\n".join(lines(result, "fail"))
    assert result.exit_code == 1
    assert f"{events.name} has 2 partitions, the settings want 4" in failures
    assert f"{events.name} has message.timestamp.type=CreateTime, not LogAppendTime" in failures
    assert f"{wanted.sales.name} is missing" in failures
    assert "partitions differ" in failures
