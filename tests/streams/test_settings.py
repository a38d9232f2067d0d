"""Settings: where they come from, what is refused with which remedy, and that passwords stay secret."""

import traceback
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict
from rich.pretty import pretty_repr

from reco.errors import SettingsError
from reco.policy import Rules
from streams.setting_list import Setting, all_settings
from streams.settings import GROUPS, Kafka, Settings, Topics, Worker, load, written

SECRET = "open sesame"  # noqa: S105  no door opens to it


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, so that no file of the person who tests is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str, name: str = "tenfold.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(**environment: str) -> list[str]:
    """What is wrong with the file in the folder and `environment`."""
    with pytest.raises(SettingsError) as caught:
        load(environment)
    return caught.value.mistakes


def only_mistake(**environment: str) -> str:
    (mistake,) = mistakes(**environment)
    return mistake


def test_with_nothing_configured_the_defaults_hold_and_no_broker_is_named() -> None:
    assert load({}) == Settings()
    assert load({}).kafka.bootstrap_servers == ""


def test_the_file_in_the_working_folder_is_read() -> None:
    write('[topics]\npartitions = 8\n[worker]\napplication = "shadow"\nstall_seconds = 5.5\n')
    assert load({}) == Settings(
        topics=Topics(partitions=8), worker=Worker(application="shadow", stall_seconds=5.5)
    )


def test_the_file_may_begin_with_a_byte_order_mark() -> None:
    write("\ufeff[topics]\npartitions = 8\n")
    assert load({}).topics.partitions == 8
    assert Setting("topics", "partitions", "8", "file") in all_settings({})


def test_the_environment_wins_over_the_file_field_by_field() -> None:
    write('[topics]\npartitions = 8\nprefix = "shop-"\n')
    assert load({"TENFOLD_TOPICS_PARTITIONS": "16"}).topics == Topics(partitions=16, prefix="shop-")


def test_another_file_can_be_named_in_the_environment() -> None:
    write("[topics]\npartitions = 8\n")
    other = write("[topics]\npartitions = 2\n", name="other.toml")
    assert load({"TENFOLD_CONFIG": str(other)}).topics.partitions == 2


def test_a_named_file_that_is_missing_is_a_mistake_and_an_unnamed_one_is_not() -> None:
    assert only_mistake(TENFOLD_CONFIG="gone.toml").startswith("gone.toml: there is no such file")


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load({"PATH": "/bin", "TENFOLDER_X": "1", "KAFKA_PASSWORD": SECRET}) == Settings()


@pytest.mark.parametrize(
    ("group", "field"), [(g, f) for g, kind in GROUPS.items() for f in kind.__struct_fields__]
)
def test_every_setting_can_be_given_in_the_environment(group: str, field: str) -> None:
    default = getattr(getattr(Settings(), group), field)
    given = {"TENFOLD_" + f"{group}_{field}".upper(): written(default)}
    assert load(given) == Settings()


RULES = Rules(
    excluded_tags=("adults only",), caps={"country": 4, "brand:": 2}, diversity=0.3, exploration=0.05
)


def test_rules_are_lists_and_tables_in_the_file() -> None:
    write(
        '[rules]\nexcluded_tags = ["adults only"]\ncaps = { country = 4, "brand:" = 2 }\n'
        "diversity = 0.3\nexploration = 0.05\n"
    )
    assert load({}).rules == RULES


def test_lists_and_tables_are_json_in_the_environment() -> None:
    given = {f"TENFOLD_RULES_{name}".upper(): written(value) for name, value in asdict(RULES).items()}
    assert given["TENFOLD_RULES_CAPS"] == '{"country":4,"brand:":2}'
    assert load(given).rules == RULES


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("excluded_tags", "adults only", "JSON is malformed"),
        ("excluded_tags", '"adults only"', "Expected `array`, got `str`"),
        ("excluded_sales", '["rome", 5]', "Expected `str`, got `int` - at `$.excluded_sales[1]`"),
        ("caps", '{"brand": 2}', "matching regex '^(country|.+:)$'"),
        ("caps", '{"country": 0}', "Expected `int` >= 1"),
        ("caps", "4", "Expected `object`, got `int`"),
        ("caps", "\udcff", "surrogates not allowed"),
        ("diversity", "1.5", "Expected `float` <= 1.0"),
        ("exploration", "nan", "Expected `float` >= 0.0"),
        ("exploration", "0.3", "Expected `float` <= 0.2"),
    ],
)
def test_a_rule_that_cannot_be_obeyed_is_a_mistake(field: str, value: str, what: str) -> None:
    variable = f"TENFOLD_RULES_{field.upper()}"
    mistake = only_mistake(**{variable: value})
    assert what in mistake
    assert variable in mistake
    assert mistake.endswith(", as JSON") == (field not in {"diversity", "exploration"})


def test_the_data_folder_is_absolute_and_knows_the_home_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert load({}).data_dir() == folder / ".tenfold"
    assert load({"TENFOLD_WORKER_DATA_DIR": "~/elsewhere"}).data_dir() == folder / "elsewhere"


FOLDERS = ("TENFOLD_WORKER_DATA_DIR", "TENFOLD_RELEASES_FOLDER", "TENFOLD_IMAGES_FILES_ROOT")


@pytest.mark.parametrize("variable", FOLDERS)
def test_the_home_folder_of_nobody_is_a_mistake(variable: str) -> None:
    assert "= '~nobody here/data': " in only_mistake(**{variable: "~nobody here/data"})


@pytest.mark.parametrize("place", ["file", "file/below/it"])
@pytest.mark.parametrize("variable", FOLDERS)
def test_a_file_is_no_folder(folder: Path, variable: str, place: str) -> None:
    (folder / "file").touch()
    assert f"{folder / 'file'} is no folder; name one" in only_mistake(**{variable: place})


def test_a_number_that_is_not_utf_8_is_a_mistake() -> None:
    assert "partitions = '\\udcff'" in only_mistake(TENFOLD_TOPICS_PARTITIONS="\udcff")


@pytest.mark.parametrize("setting", ["TOPICS_PREFIX", "WORKER_APPLICATION", "IMAGES_USER_AGENT"])
def test_a_name_does_not_end_with_the_line_end_of_a_file_that_it_came_from(setting: str) -> None:
    assert "Expected `str` matching regex" in only_mistake(**{f"TENFOLD_{setting}": "acme\n"})


def test_every_mistake_is_reported_at_once_with_its_remedy() -> None:
    write('[topics]\npartitions = 0\n[worker]\nlog_level = "loud"\n[broker]\n[kafka]\nserver = "a:1"\n')
    got = mistakes(TENFOLD_WORKER_HEALTH_PORT="http", TENFOLD_SPEED="fast", TENFOLD_KAFKA_CA_FILE="gone.pem")
    expected = [
        ("[topics] partitions = 0", "correct it in the file, or as TENFOLD_TOPICS_PARTITIONS"),
        ("[worker] log_level = 'loud'", "set it to one of debug, info, warning, error"),
        ("[worker] health_port = 'http'", "as TENFOLD_WORKER_HEALTH_PORT"),
        ("no group [broker]", "the groups are kafka, topics, worker"),
        ("[kafka] server: no such setting", "there are bootstrap_servers,"),
        ("TENFOLD_SPEED: no such setting", "correct its name"),
        ("[kafka] ca_file is set but security_protocol has no TLS", "use SSL or SASL_SSL"),
        ("[kafka] ca_file = 'gone.pem'", "correct the path"),
    ]
    for what, remedy in expected:
        assert [mistake for mistake in got if what in mistake and remedy in mistake], what
    assert len(got) == len(expected)


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        (
            "[rules]\ncaps = { brand = 2 }",
            'country, or the beginning of tags with its colon, such as "brand:"',
        ),
        (
            "[rules]\ncaps = { country = 40 }",
            "and a number from 1 to 10, in the file, or as TENFOLD_RULES_CAPS",
        ),
        (
            '[kafka]\nbootstrap_servers = ["a:1"]',
            "; write one text, host:port separated by commas, in the file",
        ),
    ],
)
def test_the_remedy_says_how_a_setting_is_written_if_its_type_does_not(setting: str, remedy: str) -> None:
    write(setting)
    assert remedy in only_mistake()


def test_the_error_shows_all_mistakes_in_its_text() -> None:
    error = SettingsError(["one", "two"])
    assert str(error) == "Settings cannot work:\n  - one\n  - two"


@pytest.mark.parametrize(
    "text", ["[kafka", "partitions = 4", "kafka = 5", "[kafka]\nusername = 5", "[[topics]]"]
)
def test_a_file_that_is_not_settings_is_a_mistake(text: str) -> None:
    write(text)
    assert mistakes()


def test_a_file_that_is_not_utf8_is_a_mistake() -> None:
    Path("tenfold.toml").write_bytes(b"\xff\xfe")
    assert "correct the TOML" in only_mistake()


SASL = {
    "TENFOLD_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "TENFOLD_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "TENFOLD_KAFKA_USERNAME": "tenfold",
    "TENFOLD_KAFKA_PASSWORD": SECRET,
}


@pytest.mark.parametrize(
    ("changed", "mistake"),
    [
        ({"PASSWORD": ""}, "SASL_SSL needs username and password"),
        ({"USERNAME": ""}, "SASL_SSL needs username and password"),
        ({"SECURITY_PROTOCOL": "SSL", "PASSWORD": ""}, "username is set but security_protocol has no SASL"),
        ({"SECURITY_PROTOCOL": "SSL", "USERNAME": ""}, "password is set but security_protocol has no SASL"),
        (
            {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "CA_FILE": __file__},
            "ca_file is set but security_protocol has no TLS",
        ),
        ({"BOOTSTRAP_SERVERS": ""}, "security_protocol is set without bootstrap_servers"),
        ({"KEY_FILE": __file__}, "key_file is set without cert_file"),
        ({"CERT_FILE": "gone.pem"}, "cert_file = 'gone.pem': there is no such file"),
        ({"CA_FILE": "~nobody here/ca.pem"}, "ca_file = '~nobody here/ca.pem': there is no such file"),
        ({"CA_FILE": "x" * 256}, "there is no such file"),
        ({"SASL_MECHANISM": "KERBEROS"}, "set it to one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ({"BOOTSTRAP_SERVERS": "kafka"}, "'kafka' is not host:port"),
        ({"BOOTSTRAP_SERVERS": "a:1, :9092"}, "':9092' is not host:port"),
        ({"BOOTSTRAP_SERVERS": "a:1,b:70000"}, "'b:70000' is not host:port"),
        ({"BOOTSTRAP_SERVERS": "http://a:1"}, "'http://a:1' is not host:port"),
        ({"BOOTSTRAP_SERVERS": "me@a:1"}, "bootstrap_servers has an @; write host:port, and an account as"),
        ({"BOOTSTRAP_SERVERS": " ,"}, "' ,' is not host:port"),
        ({"BOOTSTRAP_SERVERS": "a:0"}, "'a:0' is not host:port"),
        ({"BOOTSTRAP_SERVERS": "a:²"}, "'a:²' is not host:port"),
    ],
)
def test_what_contradicts_itself_is_refused(changed: dict[str, str], mistake: str) -> None:
    environment = SASL | {f"TENFOLD_KAFKA_{name}": value for name, value in changed.items()}
    assert mistake in only_mistake(**environment)


def test_a_labelling_worker_may_not_wait_so_long_for_images_that_it_seems_to_stand_still() -> None:
    late, labels = {"TENFOLD_IMAGES_TIMEOUT_SECONDS": "10.5"}, {"TENFOLD_LABELLING_LABELLER": "labeller"}
    assert load(late).images.timeout_seconds == 10.5
    told = "[images] timeout_seconds = 10.5: must be at most half of [worker] stall_seconds (20)"
    assert told in only_mistake(**late, **labels)
    assert load(labels | {"TENFOLD_IMAGES_TIMEOUT_SECONDS": "10"}).images.timeout_seconds == 10


@pytest.mark.parametrize("servers", ["kafka:9092", "a:1,b:2", " a:1 , b:2 ,", "[::1]:65535"])
def test_servers_are_named_as_host_and_port(servers: str) -> None:
    assert load(SASL | {"TENFOLD_KAFKA_BOOTSTRAP_SERVERS": servers}).kafka.bootstrap_servers == servers


def test_an_authority_and_a_certificate_with_its_key_are_taken() -> None:
    files = {f"TENFOLD_KAFKA_{name}": __file__ for name in ("CA_FILE", "CERT_FILE", "KEY_FILE")}
    assert load(SASL | files).kafka.key_file == __file__


def everything_shown(value: object) -> str:
    return "".join((str(value), repr(value), f"{value}", pretty_repr(value)))


@pytest.mark.parametrize(
    "kafka",
    [Kafka(password=SECRET), Kafka(key_password=SECRET), Kafka(bootstrap_servers=f"me:{SECRET}@kafka:9092")],
)
def test_a_password_is_in_no_text_of_the_settings(kafka: Kafka) -> None:
    assert SECRET not in everything_shown(kafka) + everything_shown(Settings(kafka=kafka))
    assert "='(hidden)'" in repr(kafka)


SPOILT: list[dict[str, Any]] = [
    {"file": f'[kafka]\npassword = "{SECRET}"\nsecurity_protocol = "SSL"\n'},
    {"file": f'[kafka]\npasswort = "{SECRET}"\n'},
    {"file": f'[kafka]\npassword = ["{SECRET}"]\n'},
    {"file": f'[kafka]\nkey_password = {{a = "{SECRET}"}}\n'},
    {"file": f'kafka_password = "{SECRET}"\n'},
    {"file": f'[kafka]\npassword = "{SECRET}\n'},
    {"file": f'[kafka]\npassword = "{SECRET}"\npassword = "{SECRET}"\n'},
    {"file": f'[kafka]\nbootstrap_servers = ["me:{SECRET}@kafka:9092"]\n'},
    {"file": f'[kafka]\nbootstrap_servers = "kafka://me:{SECRET}@kafka:9092"\n'},
    {"file": "", "TENFOLD_KAFKA_BOOTSTRAP_SERVERS": f"me:{SECRET}@kafka:9092"},
    {"file": "", "TENFOLD_KAFKA_PASWORD": SECRET},
    {"file": "", "TENFOLD_KAFKA_PASSWORD": SECRET},
]


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_password_is_in_no_error_even_if_its_setting_is_wrong(spoilt: dict[str, str]) -> None:
    write(spoilt["file"])
    environment = {name: value for name, value in spoilt.items() if name != "file"}
    with pytest.raises(SettingsError) as caught:
        load(environment)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + everything_shown(caught.value)
