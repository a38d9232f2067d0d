"""Settings: small typed groups, from `tenfold.toml` and the environment, validated whole at start.

A field `partitions` of group `topics` is `[topics] partitions = 4` in the file and
`TENFOLD_TOPICS_PARTITIONS=4` in the environment; the environment wins. A list or a table is given there
as JSON: `TENFOLD_RULES_CAPS='{"country": 4}'`. Every mistake is reported at once, with its remedy.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from infra.data_folder import nearest
from reco.errors import SettingsError
from reco.lists import LIST_LENGTH
from reco.policy import COUNTRY, Rules
from streams.images.settings import Images

SETTINGS_FILE = "tenfold.toml"
FILE_VARIABLE = "TENFOLD_CONFIG"
PREFIX = "TENFOLD_"
LAST_PORT = 65_535

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[a-zA-Z0-9._-]+\Z")]


def is_secret(field: str, value: object) -> bool:
    """Whether a value must not be shown: a password, or servers with an @, before which one may stand."""
    return "password" in field or (field == "bootstrap_servers" and "@" in str(value))


class Kafka(Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach the broker; with no `bootstrap_servers`, tenfold starts an embedded one."""

    bootstrap_servers: str = ""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str = ""
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    key_password: str = ""

    @property
    def servers(self) -> list[str]:
        """The `bootstrap_servers` one by one; a comma too many names none."""
        return [name for name in map(str.strip, self.bootstrap_servers.split(",")) if name]

    def __repr__(self) -> str:
        return f"Kafka({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        given = [(name, getattr(self, name)) for name in self.__struct_fields__]
        return [(name, "(hidden)" if value and is_secret(name, value) else value) for name, value in given]


class Topics(Struct, frozen=True, forbid_unknown_fields=True):
    """Names and sizes of the topics; `partitions` bounds how many workers can share the load."""

    prefix: Annotated[str, Meta(max_length=100, pattern=r"^[a-zA-Z0-9._-]*\Z")] = ""
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 4
    replication: Annotated[int, Meta(ge=1, le=9)] = 1


class Worker(Struct, frozen=True, forbid_unknown_fields=True):
    """How a worker process runs.

    Attributes:
        application: consumer groups are named after it and the prefix of the topics; those of another begin
            anew, and write to the same topics.
        data_dir: folder of the embedded broker and of each worker's RocksDB tables.
        health_host, health_port: where `/health` and `/metrics` listen; port 0 takes a free one.
        stall_seconds: a worker that makes no progress for so long, while there is work, exits.
        log_level: the least severe messages that are logged.
    """

    application: Name = "tenfold"
    data_dir: Annotated[str, Meta(min_length=1)] = ".tenfold"
    health_host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    health_port: Annotated[int, Meta(ge=0, le=LAST_PORT)] = 0
    stall_seconds: Annotated[float, Meta(ge=2, le=3600)] = 20.0
    log_level: Literal["debug", "info", "warning", "error"] = "warning"


class Releases(Struct, frozen=True, forbid_unknown_fields=True):
    """Where releases of rankers are; every scoring worker must see the same folder at the same place.

    Attributes:
        folder: holds a folder for each release; by default `releases` in the data folder.
    """

    folder: str = ""


class Labelling(Struct, frozen=True, forbid_unknown_fields=True):
    """What looks at the images of sales.

    Attributes:
        labeller: folder of the labeller, as `tenfold labels train` writes it, until another is promoted.
    """

    labeller: str = ""

    def folder(self) -> Path:
        """The folder of the labeller."""
        return Path(self.labeller).expanduser()


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    worker: Worker = Worker()
    rules: Rules = Rules()
    releases: Releases = Releases()
    images: Images = Images()
    labelling: Labelling = Labelling()

    def group(self, agent: str) -> str:
        """The consumer group of an agent; installations with other topics never share one."""
        return f"{self.topics.prefix}{self.worker.application}-{agent}"

    def data_dir(self) -> Path:
        """The data folder, absolute."""
        return Path(self.worker.data_dir).expanduser().resolve()

    def releases_dir(self) -> Path:
        """The folder of releases, absolute."""
        given = self.releases.folder
        return Path(given).expanduser().resolve() if given else self.data_dir() / "releases"


GROUPS: Mapping[str, type[Struct]] = {one.name: one.type for one in msgspec.structs.fields(Settings)}

REMEDIES: Mapping[tuple[str, str], str] = {
    ("kafka", "bootstrap_servers"): "write one text, host:port separated by commas,",
    ("rules", "caps"): f'write {COUNTRY}, or the beginning of tags with its colon, such as "brand:", '
    f"and a number from 1 to {LIST_LENGTH},",
}
"""What to do about a field whose type does not say it, by group and name."""


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file (if there is one) and the environment.

    Raises:
        SettingsError: with every mistake and its remedy.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(FILE_VARIABLE)
    path = Path(named or SETTINGS_FILE)
    mistakes: list[str] = []
    if named and not path.exists():
        mistakes.append(f"{path}: there is no such file; correct {FILE_VARIABLE} or create it")
    given = _from_file(path, mistakes) if path.exists() else {}
    _add_environment(given, environment, mistakes)
    groups: dict[str, Any] = {name: _group(name, given.get(name, {}), mistakes) for name in GROUPS}
    settings = Settings(**groups)
    mistakes.extend(_contradictions(settings))
    if mistakes:
        raise SettingsError(mistakes)
    return settings


def _from_file(path: Path, mistakes: list[str]) -> dict[str, dict[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        mistakes.append(f"{path}: {error}; correct the TOML")
        return {}
    given: dict[str, dict[str, Any]] = {}
    for group, fields in content.items():
        if group not in GROUPS or not isinstance(fields, dict):
            mistakes.append(f"{path}: no group [{group}]; the groups are {', '.join(GROUPS)}")
            continue
        given[group] = fields
    return given


def _add_environment(
    given: dict[str, dict[str, Any]], environment: Mapping[str, str], mistakes: list[str]
) -> None:
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        group, _, field = variable.removeprefix(PREFIX).lower().partition("_")
        if group not in GROUPS or field not in GROUPS[group].__struct_fields__:
            mistakes.append(
                f"{variable}: no such setting; `tenfold doctor` lists them; unset it or correct its name"
            )
            continue
        try:
            given.setdefault(group, {})[field] = _unwritten(group, field, value)
        except (msgspec.DecodeError, UnicodeError) as error:
            mistakes.append(f"{variable} = {value!r}: {error}; {_remedy(group, field)}")


def written(value: object) -> str:
    """A value as it is written in the environment: text as it is, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _unwritten(group: str, field: str, value: str) -> Any:
    return msgspec.json.decode(value) if _is_json(group, field) else value


def _is_json(group: str, field: str) -> bool:
    """Whether a field is a list or a table."""
    return get_origin(get_type_hints(GROUPS[group])[field]) in {tuple, dict}


def _group(name: str, given: dict[str, Any], mistakes: list[str]) -> Struct:
    """The group with every field that is right; each wrong one is a mistake of its own."""
    kind = GROUPS[name]
    right: dict[str, Any] = {}
    for field, value in given.items():
        if field not in kind.__struct_fields__:
            # Its value is not shown: it may be a password under a misspelt name.
            mistakes.append(
                f"[{name}] {field}: no such setting; there are {', '.join(kind.__struct_fields__)}"
            )
            continue
        try:
            msgspec.convert({field: value}, kind, strict=False)
        except (msgspec.ValidationError, UnicodeError) as error:
            shown = "(hidden)" if is_secret(field, value) else repr(value)
            mistakes.append(f"[{name}] {field} = {shown}: {error}; {_remedy(name, field)}")
        else:
            right[field] = value
    return msgspec.convert(right, kind, strict=False)


def _remedy(group: str, field: str) -> str:
    kind = get_type_hints(GROUPS[group])[field]
    generic = f"set it to one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else "correct it"
    json = ", as JSON" if _is_json(group, field) else ""
    todo = REMEDIES.get((group, field), generic)
    return f"{todo} in the file, or as {PREFIX}{group.upper()}_{field.upper()}{json}"


def _contradictions(settings: Settings) -> Iterator[str]:
    """What only several fields together can be wrong about."""
    kafka = settings.kafka
    if kafka.security_protocol != "PLAINTEXT" and not kafka.bootstrap_servers:
        yield "[kafka] security_protocol is set without bootstrap_servers; the embedded broker is PLAINTEXT"
    yield from _sasl_contradictions(kafka)
    yield from _tls_contradictions(kafka)
    yield from _no_folders(settings)
    if settings.labelling.labeller:
        yield from late_images(settings)
    yield from _no_servers(kafka)


def _no_servers(kafka: Kafka) -> Iterator[str]:
    if "@" in kafka.bootstrap_servers:
        yield "[kafka] bootstrap_servers has an @; write host:port, and an account as username and password"
        return
    for server in kafka.servers or filter(None, [kafka.bootstrap_servers]):
        host, _, port = server.rpartition(":")
        if not host or "/" in host or not port.isdecimal() or not 1 <= int(port) <= LAST_PORT:
            yield f"[kafka] bootstrap_servers: {server!r} is not host:port; write for example kafka:9092"


def _no_folders(settings: Settings) -> Iterator[str]:
    folders = {
        "[worker] data_dir": settings.worker.data_dir,
        "[releases] folder": settings.releases.folder,
        "[images] files_root": settings.images.files_root,
        "[labelling] labeller": settings.labelling.labeller,
    }
    for name, given in folders.items():
        try:
            there = nearest(Path(given).expanduser().resolve())
        except (RuntimeError, ValueError) as error:  # of a user whom nobody knows, or no name of a file
            yield f"{name} = {given!r}: {error}; name another folder"
            continue
        if not there.is_dir():
            yield f"{name} = {given!r}: {there} is no folder; name one, which need not exist yet"


def late_images(settings: Settings) -> Iterator[str]:
    """What a labelling worker cannot work with: waiting for images, it must not look as if it stood still."""
    patience, stall = settings.images.timeout_seconds, settings.worker.stall_seconds
    if patience > stall / 2:
        yield (
            f"[images] timeout_seconds = {patience:g}: must be at most half of [worker] stall_seconds"
            f" ({stall:g}); lower it, or raise that"
        )


def _sasl_contradictions(kafka: Kafka) -> Iterator[str]:
    sasl = kafka.security_protocol.startswith("SASL")
    if sasl and not (kafka.username and kafka.password):
        yield f"[kafka] security_protocol = {kafka.security_protocol} needs username and password; set both"
    for name in ("username", "password"):
        if getattr(kafka, name) and not sasl:
            yield f"[kafka] {name} is set but security_protocol has no SASL; use SASL_SSL or SASL_PLAINTEXT"


def _tls_contradictions(kafka: Kafka) -> Iterator[str]:
    tls = kafka.security_protocol.endswith("SSL")
    for name in ("ca_file", "cert_file", "key_file"):
        path = getattr(kafka, name)
        if path and not tls:
            yield f"[kafka] {name} is set but security_protocol has no TLS; use SSL or SASL_SSL"
        if path and not _is_file(path):
            yield f"[kafka] {name} = {path!r}: there is no such file; correct the path"
    if kafka.key_file and not kafka.cert_file:
        yield "[kafka] key_file is set without cert_file; set both"


def _is_file(path: str) -> bool:
    """Whether there is such a file, as far as one may look."""
    try:
        return Path(path).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False
