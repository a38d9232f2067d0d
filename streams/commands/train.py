"""`tenfold train`: rankers trained by replaying history, as a release."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from streams.clock import now
from streams.commands.loading import loading
from streams.commands.log_options import Renames, Seconds, TimesFrom, Types, meaning_of
from streams.commands.logs import (
    ParametersFile,
    SalesFile,
    Sets,
    boosting_of,
    progress,
    read_catalogue,
    read_log,
    read_parameters,
)
from streams.commands.releases import promote_command
from streams.embedded import reachable
from streams.settings import load

if TYPE_CHECKING:
    from models.event_table import EventTable, Progress
    from models.log_columns import Meaning
    from reco.catalogue import Catalogue
    from reco.labels import SaleLabels

Target = Literal["purchase", "graded", "click"]
LogOrTopics = Annotated[
    Path | None,
    typer.Argument(metavar="[PATH]", help="A log to replay; without one, the topics of this installation."),
]


def train(
    path: LogOrTopics = None,
    *,
    target: Annotated[Target | None, typer.Option(help="Else the first with enough purchases.")] = None,
    window: Annotated[float, typer.Option(min=0.01, help="Hours within which a purchase counts.")] = 24.0,
    parameters: ParametersFile = None,
    sets: Sets = None,
    sales: SalesFile = None,
    promote: Annotated[bool, typer.Option("--promote", help="Make it live at once.")] = False,
    renames: Renames = None,
    types: Types = None,
    seconds: Seconds = False,
    times_from: TimesFrom = None,
) -> None:
    """Train rankers on history, and write them as a release.

    History is replayed once, in its order: at each moment the recommenders say what they knew by then, and
    what the visitor chose next is the answer. The newest moments calibrate, and say how good the release is.
    """
    console = Console()
    with loading(console):
        from models.release_training import Plan, train_release
        from models.releases import write_release
        from reco.features import FEATURES

    boosting, given = boosting_of(sets), read_parameters(parameters)
    meaning = meaning_of(renames, types, seconds, times_from)
    with progress(console, f"reading {path or 'the topics'}") as told:
        table, catalogue, labels = _history(path, sales, meaning, told, console)
    plan = Plan(target, window, boosting.seed)
    with progress(console, f"replaying {len(table):,} events, then training") as told:
        made = {"created_at": now(), "source": str(path or "topics"), "progress": told}
        training = train_release(table, catalogue, given, boosting, plan, labels=labels, **made)  # type: ignore[arg-type]
    release = write_release(load().releases_dir(), training, FEATURES).name
    metrics = (f"{name}: {value:.4f}" for name, value in training.metrics.items())
    said = f"release {release}; `tenfold releases promote {release}` makes it live."
    console.print(*metrics, said, sep="\n", highlight=False)
    if promote:
        promote_command(release, ranker="mix")


def _history(
    path: Path | None, sales: Path | None, meaning: "Meaning", told: "Progress", console: Console
) -> "tuple[EventTable, Catalogue | None, list[SaleLabels]]":
    from models.log_columns import Meaning
    from streams.history import read_history, read_labels

    if path is not None:
        return read_log(path, meaning, told, console), read_catalogue(sales), []
    if sales is not None or meaning != Meaning():
        belongs = "--sales, --map, --map-type, --seconds and --times-from belong to a log; name one"
        raise typer.BadParameter(f"{belongs}: the topics have their own sales, and say what they hold")
    settings = reachable(load())

    async def read() -> "tuple[EventTable, Catalogue, list[SaleLabels]]":
        return *await read_history(settings, told), await read_labels(settings)

    return asyncio.run(read())
