"""The broker that the settings ask for: the one they name, or the embedded one of the data folder."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from infra.broker import Broker, find, start, stop
from reco.errors import BrokerError
from streams.settings import Settings


@contextmanager
def broker_for(settings: Settings, *, detached: bool = False) -> Iterator[Settings]:
    """Settings that name a broker which serves requests, for the length of the block.

    Brokers that `settings` name always win, and nothing is started. Otherwise it is the embedded broker of
    the data folder; one that is started here stops at the end of the block, unless it is `detached`.

    Raises:
        BrokerError: the embedded broker cannot be started.
    """
    if settings.kafka.bootstrap_servers:
        yield settings
        return
    data_dir = settings.data_dir()
    running = find(data_dir)
    broker = running or start(data_dir, detached=detached)
    try:
        yield _naming(settings, broker)
    finally:
        if running is None and broker.is_ours:
            stop(data_dir)


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
