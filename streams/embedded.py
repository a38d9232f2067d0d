"""The broker that the settings ask for: the one they name, or the embedded one of the data folder."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from infra.broker import Broker, find, start, stop
from reco.errors import BrokerError, TenfoldError
from streams.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks whether the embedded broker answers."""


@contextmanager
def broker_for(
    settings: Settings, *, starting: Callable[[Path], None] = lambda _: None
) -> Iterator[Settings]:
    """Settings that name a broker which serves requests, for the length of the block.

    Brokers that `settings` name always win, and nothing is started. Otherwise it is the embedded broker of
    the data folder; one that is started here stops at the end of the block, and `starting` is told its folder
    before.

    Raises:
        SettingsError: the data folder cannot be written.
        BrokerError: the embedded broker cannot be started.
    """
    if settings.kafka.bootstrap_servers:
        yield settings
        return
    data_dir = settings.data_dir()
    running = find(data_dir)
    if running is None:
        starting(data_dir)
    broker = running or start(data_dir, detached=False)
    try:
        yield _naming(settings, broker)
    finally:
        if running is None and broker.is_ours:
            stop(data_dir)


class BrokerKeeper:
    """Starts the embedded broker again if it has ended; none if the settings name others."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._due = 0.0

    def __call__(self) -> Settings | None:
        """Look, if it is time to; settings that name the broker, which may have moved, if it is known."""
        now = time.monotonic()
        if self._settings.kafka.bootstrap_servers or now < self._due:
            return None
        data_dir = self._settings.data_dir()
        try:
            broker = find(data_dir)
            if broker is None:
                log.warning("no broker answers in %s; one is started", data_dir)
                broker = start(data_dir, detached=False)
        except (TenfoldError, OSError) as error:  # on a full disk, until there is room
            log.error("%s", error)  # noqa: TRY400 - it says all that there is to say
            return None
        finally:
            self._due = time.monotonic() + LOOK_EVERY
        return _naming(self._settings, broker)


def reachable(settings: Settings) -> Settings:
    """Settings that name a broker which runs already; nothing is started.

    Raises:
        BrokerError: none is configured, and no embedded one runs.
    """
    if settings.kafka.bootstrap_servers:
        return settings
    broker = find(settings.data_dir())
    if broker is None:
        raise BrokerError(
            f"No broker is configured and none runs in {settings.data_dir()}. "
            "Set kafka.bootstrap_servers, or start one: `tenfold broker start`."
        )
    return _naming(settings, broker)


def _naming(settings: Settings, broker: Broker) -> Settings:
    return replace(settings, kafka=replace(settings.kafka, bootstrap_servers=broker.bootstrap_servers))
