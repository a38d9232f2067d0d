"""A worker process: the chosen agents, each a Faust application, and a sentinel that watches them.

`python -m streams.worker --supervised sessions scoring` is what the restart loop runs. The process ends
non-zero as soon as anything fails, and is started again.
"""

import asyncio
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from reco.errors import SettingsError, TenfoldError
from streams import logs
from streams.delivery.consumer import LosslessApp
from streams.faust_app import faust_worker
from streams.sentinel import Sentinel
from streams.settings import Settings, load
from streams.vitals import Vitals


def _sessions(settings: Settings, vitals: Vitals) -> LosslessApp:
    from streams.agents.sessions import sessions_app

    return sessions_app(settings, vitals)


def _scoring(settings: Settings, vitals: Vitals) -> LosslessApp:
    from streams.agents.scoring import scoring_app

    return scoring_app(settings, vitals)


def _labelling(settings: Settings, vitals: Vitals) -> LosslessApp:
    from streams.agents.labelling import labelling_app

    return labelling_app(settings, vitals)


AGENTS: Mapping[str, Callable[[Settings, Vitals], LosslessApp]] = {
    "sessions": _sessions,
    "scoring": _scoring,
    "labelling": _labelling,
}
"""The agents by name; each is imported only where it runs."""
SUPERVISED = "--supervised"
"""Says that the input is a pipe from the restart loop."""
LONGEST_STOP = 20
"""Seconds that a worker whose restart loop is gone has to end by itself."""


def event_loop() -> asyncio.AbstractEventLoop:
    """The one event loop of this process, which Faust would otherwise make anew per application."""
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are no agents', and an agent that is named twice.

    Raises:
        SettingsError: there is no such agent, or no name, or one again.
    """
    unknown = [name for name in names if name not in AGENTS]
    if unknown or not names:
        raise SettingsError(
            [f"no agent {name!r}; the agents are {', '.join(AGENTS)}" for name in unknown or ["(none)"]]
        )
    if again := [name for name, times in Counter(names).items() if times > 1]:
        raise SettingsError(
            [f"agent {name!r} is named twice; a second one needs a process of its own" for name in again]
        )


def build(names: Sequence[str], settings: Settings, vitals: Vitals) -> list[LosslessApp]:
    """The applications of the named agents.

    Raises:
        SettingsError: there is no such agent, or no name, or one again.
    """
    check_names(names)
    vitals.agents = tuple(names)
    return [AGENTS[name](settings, vitals) for name in names]


def run(names: Sequence[str], settings: Settings) -> None:
    """Run the named agents in this process until it is told to stop; does not return."""
    loop = event_loop()
    vitals = Vitals()
    apps = build(names, settings, vitals)
    logs.calm()
    sentinel = Sentinel(settings, vitals)
    sentinel.start()
    try:
        faust_worker(*apps, log_level=settings.worker.log_level, loop=loop).execute_from_commandline()
    finally:
        sentinel.stop()


def follow_parent() -> None:
    """Stop when the process that started this one has ended: the kernel closes its pipe, however it did."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    signal.alarm(LONGEST_STOP)
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str]) -> None:
    """Run the agents that the arguments of the process name."""
    supervised = arguments[:1] == [SUPERVISED]
    if supervised:
        threading.Thread(target=follow_parent, name="lifeline", daemon=True).start()
    try:
        run(arguments[1:] if supervised else arguments, load())
    except TenfoldError as mistake:
        sys.exit(str(mistake))


if __name__ == "__main__":
    main(sys.argv[1:])
