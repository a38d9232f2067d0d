"""Kafka's jars: fetched once from Maven Central by jgo, afterwards found without a network."""

import json
import logging
import os
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.file_lock import locked
from reco.errors import BrokerError

KAFKA_VERSION = "4.1.1"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka's own pom names no SLF4J backend, and without one it fails in silence. The version is that of
    # Kafka's log4j-core; the `!` keeps this pom from deciding the versions of Kafka's own jars.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!",
)
_log = logging.getLogger(__name__)

LISTING = "classpath.json"
"""Names the jars, relative to its own folder; written last, so that where it stands the folder is whole."""


def classpath() -> list[Path]:
    """The jars that run Kafka, fetched (45 MB) if they are not in the cache yet.

    Raises:
        BrokerError: they are not in the cache and cannot be fetched.
    """
    folder = cache_folder()
    return _listed(folder) or _fetch_once(folder)


def cache_folder() -> Path:
    """Where the jars of this version of Kafka are kept: a folder in the user's cache."""
    # Absolute, for Kafka runs in a folder of its own.
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()
    return caches / "tenfold" / f"kafka-{KAFKA_VERSION}"


def _listed(folder: Path) -> list[Path]:
    """The jars that the folder lists; none if its listing cannot be read, or if one of them is gone."""
    listing = folder / LISTING
    try:
        jars = [folder / name for name in json.loads(listing.read_text(encoding="utf-8"))]
    except (OSError, ValueError):  # not there, or cut off by a loss of power
        return []
    return jars if all(jar.exists() for jar in jars) else []


def _fetch_once(folder: Path) -> list[Path]:
    """Fetch, unless another process has done it meanwhile."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_name(f"{folder.name}.lock"), wait=True):
            return _listed(folder) or _fetch(folder)
    except OSError as error:
        raise BrokerError(
            f"Apache Kafka {KAFKA_VERSION} for the embedded broker cannot be kept in {folder}: {error}. "
            "Name a folder that can be written as XDG_CACHE_HOME, or set kafka.bootstrap_servers "
            "(TENFOLD_KAFKA_BOOTSTRAP_SERVERS) to a broker that runs already."
        ) from error


def _fetch(folder: Path) -> list[Path]:
    """Fetch into a fresh folder, which takes the place of `folder` only when it is whole."""
    # A warning, so that whoever waits for it sees why, however logging is set up.
    _log.warning(
        "Fetching Apache Kafka %s for the embedded broker from Maven Central: 45 MB, once.", KAFKA_VERSION
    )
    with TemporaryDirectory(dir=folder.parent, prefix="fetching-") as fresh:
        whole = Path(fresh) / "jars"
        names = [str(jar.relative_to(whole)) for jar in _download(whole)]
        (whole / LISTING).write_text(json.dumps(names), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
    return _listed(folder)


def _download(repository: Path) -> list[Path]:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=repository)
    try:
        wanted = [context.create_dependency(coordinate) for coordinate in COORDINATES]
        named, needed = context.resolver.resolve(wanted)
        run = [*named, *(one for one in needed if one.scope in ("compile", "runtime"))]
        jars = [Path(one.artifact.resolve()) for one in run]
    except (OSError, RuntimeError, SyntaxError) as error:  # network, repository, XML that is none
        raise _not_fetched(str(error)) from error
    broken = [jar.name for jar in jars if not zipfile.is_zipfile(jar)]
    if broken:
        raise _not_fetched(f"what came for {', '.join(broken)} is no jar")
    return jars


def _not_fetched(why: str) -> BrokerError:
    return BrokerError(
        f"Apache Kafka {KAFKA_VERSION} for the embedded broker is not in {cache_folder()} and could not be "
        f"fetched from Maven Central: {why}. Go online once and try again, or set kafka.bootstrap_servers "
        "(TENFOLD_KAFKA_BOOTSTRAP_SERVERS) to a broker that runs already."
    )
