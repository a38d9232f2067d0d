"""The command line: one command per job, each in a file of its own."""

import inspect
import sys

import typer
from rich.console import Console

from reco.errors import TenfoldError
from streams import logs
from streams.commands.broker import app as broker
from streams.commands.demo import demo
from streams.commands.doctor import doctor
from streams.commands.erase import erase
from streams.commands.evaluate import evaluate
from streams.commands.import_log import import_log
from streams.commands.labels import app as labels
from streams.commands.labels_live import promote, rollback
from streams.commands.labels_show import show
from streams.commands.labels_taste import taste
from streams.commands.labels_topics import topics as labels_topics
from streams.commands.publish import publish
from streams.commands.refused import refused
from streams.commands.releases import app as releases
from streams.commands.topics import topics
from streams.commands.train import train
from streams.commands.tune import tune
from streams.commands.up import up
from streams.commands.watch import watch
from streams.commands.worker import worker
from streams.terminal import say

tenfold = typer.Typer(
    help="The ten live sales each visitor is most likely to buy, refreshed after every click.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
tenfold.command()(demo)
tenfold.command()(up)
tenfold.command()(worker)
tenfold.command("import")(import_log)
tenfold.command()(publish)
tenfold.command()(watch)
tenfold.command()(refused)
tenfold.command()(erase)
tenfold.command()(train)
tenfold.command()(tune)
tenfold.command()(evaluate)
tenfold.command()(topics)
tenfold.add_typer(releases, name="releases")
labels.command()(show)
labels.command()(taste)
labels.command("topics")(labels_topics)
labels.command()(promote)
labels.command()(rollback)
tenfold.add_typer(labels, name="labels")
tenfold.add_typer(broker, name="broker")
tenfold.command()(doctor)


def _let_help_flow(app: typer.Typer) -> None:
    """Have help fill the terminal: of docstrings, Typer keeps the line ends, and the mark before examples."""
    for command in app.registered_commands:
        paragraphs = inspect.getdoc(command.callback).split("\n\n")  # type: ignore[union-attr]
        command.help = "\n\n".join(
            one.removeprefix("\b\n") if one.startswith("\b") else one.replace("\n", " ") for one in paragraphs
        )


for _app in (tenfold, releases, labels, broker):
    _let_help_flow(_app)


def main() -> None:
    """Run the command line; an error that tenfold raises on purpose is one message and exit code 1."""
    logs.calm_commands()
    try:
        tenfold()
    except TenfoldError as error:
        say(Console(stderr=True), str(error), "red")
        sys.exit(1)
