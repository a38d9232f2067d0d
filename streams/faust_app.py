"""A Faust application as tenfold runs it: one per agent, each its own consumer group.

One application an agent, so that workers of one agent scale, restart and are tried out without the other.
"""

import asyncio
import os
import ssl
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import SASLMechanism
from mode import CrashingSupervisor

from infra.data_folder import writing_to
from infra.file_lock import locked
from streams import clients
from streams.delivery.consumer import MAX_OUTSTANDING, LosslessApp
from streams.delivery.recovery import PositionRecovery
from streams.settings import Kafka, Settings
from streams.topic_check import require
from streams.topics import Topic, topic_set
from streams.vitals import Vitals, Work

SESSION_TIMEOUT = 6.0
"""Silence after which a worker loses its partitions, s; the least that brokers accept by default."""
REBALANCE_TIMEOUT = 20.0
"""How long a rebalance waits for a worker to finish its batch, s."""
LONGEST_WORK = 24 * 3600.0
"""How long a worker may work on what it has fetched, s.

aiokafka leaves the group after that, and never joins again: Faust, told to let go, fetches nothing more until
it has joined. A worker that stands still is the watchdog's to end.
"""
COMMIT_EVERY = 0.25
"""Time between two commits, s; who sends no faster than workers follow knows how far they are by these."""

LONGEST_STOP = 15.0
"""How long a worker may take to stop, s; without a broker, aiokafka would wait for one for ever."""
UNSTOPPED = 72
"""Exit status of a worker that did not end by itself in that time."""

ROCKSDB_OPTIONS: Mapping[str, int] = {
    "write_buffer_size": 8 * 1024 * 1024,
    "max_write_buffer_number": 2,
    "block_cache_size": 16 * 1024 * 1024,
    "block_cache_compressed_size": 4 * 1024 * 1024,
}
"""Session states are small and hot; Faust's defaults take hundreds of MB per partition."""

_held = ExitStack()
"""The locks of this process, until it ends."""


def new_app(settings: Settings, agent: str) -> LosslessApp:
    """The Faust application of one agent, in the consumer group of that agent."""
    app = LosslessApp(
        settings.group(agent),
        broker=[f"kafka://{server}" for server in settings.kafka.servers],
        broker_credentials=_credentials(settings.kafka),
        broker_session_timeout=SESSION_TIMEOUT,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=REBALANCE_TIMEOUT,
        broker_max_poll_interval=LONGEST_WORK,
        broker_commit_interval=COMMIT_EVERY,
        broker_max_poll_records=2000,
        consumer_auto_offset_reset="none",  # where it is to begin, it is told
        consumer_metadata_max_age_ms=round(clients.METADATA_AGE * 1000),
        stream_buffer_maxsize=2 * MAX_OUTSTANDING,
        stream_wait_empty=True,
        agent_supervisor=CrashingSupervisor,
        # Tables belong to their group: under a new prefix or application they begin anew.
        datadir=table_folder(settings.data_dir() / "tables" / settings.group(agent)),
        store="rocksdb://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        reply_create_topic=False,
        web_enabled=False,
    )
    recovery = PositionRecovery(app, app.tables, beacon=app.tables.beacon, loop=app.tables.loop)
    recovery.kafka = settings.kafka
    recovery.source = topic_set(settings.topics).events.name
    app.tables._recovery = recovery  # noqa: SLF001 - Faust has no setting for it
    app.before_start(partial(require, settings.kafka, topic_set(settings.topics)))
    return app


def watch(app: LosslessApp, group: str, vitals: Vitals, *topics: Topic) -> None:
    """Make the readiness of `app`, and its progress on `topics`, part of the worker's vital signs."""
    vitals.readiness[group] = lambda: app.tables.actives_ready

    def under_way() -> bool:
        return app.begun and not app.tables.recovery.restoring

    vitals.works.append(Work(group, app.positions, topics, group, app.member, under_way=under_way))


def raw_topic(app: LosslessApp, name: str, *, acks: bool = True) -> Any:
    """A Faust topic of raw bytes; with `acks`, its offsets are committed as agents acknowledge."""
    return app.topic(
        name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", acks=acks
    )


def table_folder(parent: Path) -> Path:
    """The first folder below `parent` that no running process holds; this one holds it while it runs.

    Raises:
        SettingsError: it cannot be written.
    """
    for number in range(1000):
        folder = parent / str(number)
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = _held.enter_context(locked(folder / "lock", wait=False))
        if lock is not None:
            return folder
    raise RuntimeError(f"1,000 processes hold folders below {parent}")


def _credentials(kafka: Kafka) -> Any:
    context: ssl.SSLContext | None = None
    if kafka.security_protocol.endswith("SSL"):
        context = clients.tls_context(kafka)
    if kafka.security_protocol.startswith("SASL"):
        return SASLCredentials(
            username=kafka.username,
            password=kafka.password,
            ssl_context=context,
            mechanism=SASLMechanism(kafka.sasl_mechanism),
        )
    return SSLCredentials(context) if context else None


class _EndingWorker(faust.Worker):  # type: ignore[misc]
    """A worker whose process ends soon after it was told to stop, or has crashed, whatever it waits for.

    Nothing is lost by that: what was not committed comes again.
    """

    async def stop(self) -> None:
        late = threading.Timer(LONGEST_STOP, os._exit, (UNSTOPPED,))
        late.daemon = True
        late.start()
        await super().stop()


def faust_worker(*apps: LosslessApp, log_level: str, loop: asyncio.AbstractEventLoop) -> Any:
    """A Faust worker that runs `apps` in one process, which it ends."""
    options: dict[str, Any] = {"console_port": 0, "debug": False, "quiet": True, "redirect_stdouts": False}
    worker = _EndingWorker(*apps, loglevel=log_level, loop=loop, **options)
    # It writes cursor codes even into files.
    worker.spinner = None
    return worker
