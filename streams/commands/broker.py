"""`tenfold broker`: start, stop and look at the embedded broker."""

import time
from datetime import timedelta

import typer
from rich.console import Console
from rich.markup import escape

from infra.broker import Broker, find, start, stop
from streams.settings import Settings, load

app = typer.Typer(no_args_is_help=True, help="The embedded Kafka broker: start it, stop it, see how it is.")

_console = Console(highlight=False, soft_wrap=True)


@app.command("start")
def start_command() -> None:
    """Start the embedded broker of the data folder; it runs until `tenfold broker stop`."""
    settings = load()
    if _is_configured(settings):
        return
    _show(start(settings.data_dir(), detached=True))


@app.command("stop")
def stop_command() -> None:
    """Stop the embedded broker of the data folder; what it holds is kept."""
    settings = load()
    if _is_configured(settings):
        return
    stopped = stop(settings.data_dir())
    _console.print("The broker has stopped." if stopped else _not_running(settings))


@app.command("status")
def status_command() -> None:
    """Show the embedded broker of the data folder; exit code 1 if it does not run."""
    settings = load()
    if _is_configured(settings):
        return
    broker = find(settings.data_dir())
    if broker is None:
        _console.print(_not_running(settings))
        raise typer.Exit(1)
    _show(broker)


def _is_configured(settings: Settings) -> bool:
    """Whether the settings name brokers, so that there is no embedded one; says so."""
    servers = settings.kafka.bootstrap_servers
    if servers:
        _console.print(f"The settings name a broker, {servers}; there is no embedded one to start or stop.")
    return bool(servers)


def _not_running(settings: Settings) -> str:
    return f"No embedded broker runs in {escape(str(settings.data_dir()))}."


def _show(broker: Broker) -> None:
    up = timedelta(seconds=round(time.time() - broker.started_at / 1000))
    until = "it is stopped" if broker.parent is None else f"process {broker.parent} ends"
    facts = {
        "bootstrap servers": broker.bootstrap_servers,
        "process": broker.pid,
        "data folder": broker.folder,
        "log file": broker.log_file,
        "up for": up,
        "runs until": until,
    }
    for name, fact in facts.items():  # not a table: that would break long paths
        _console.print(f"[bold]{name:<17}[/bold]  {escape(str(fact))}")
