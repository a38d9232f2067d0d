"""`tenfold train`: rankers trained by replaying history, as a release."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

import typer
from rich.console import Console

from infra.data_folder import try_writing
from reco.errors import TrainingError
from reco.parameters import LONGEST_WINDOW
from streams.clock import now
from streams.commands.history import LogOrTopics, read_history
from streams.commands.loading import loading
from streams.commands.log_options import Renames, Seconds, TimesFrom, Types, meaning_of
from streams.commands.logs import (
    ParametersFile,
    SaleRenames,
    SalesFile,
    boosting_of,
    progress,
    read_parameters,
    sale_file,
)
from streams.commands.releases import promote_command
from streams.settings import load
from streams.terminal import say

Target = Literal["purchase", "graded", "click"]
TARGET = typer.Option(
    help="What lists are to lead to; graded: a purchase, or else a click, which is worth less. By default "
    "the first of these that there are enough purchases for."
)
Numbers = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A number of LightGBM: trees, num_leaves, learning_rate, feature_fraction, min_data_in_leaf, "
        "lambda_l2, held_out, seed or threads. Repeatable.",
    ),
]
Window = Annotated[
    float, typer.Option(min=0.01, max=LONGEST_WINDOW, help="Hours within which a purchase counts.")
]
Promote = Annotated[
    bool, typer.Option("--promote", help="Make it live, if it ranks better than the fixed blend.")
]


def train(
    path: LogOrTopics = None,
    *,
    target: Annotated[Target | None, TARGET] = None,
    window: Window = 24.0,
    parameters: ParametersFile = None,
    sets: Numbers = None,
    sales: SalesFile = None,
    sale_renames: SaleRenames = None,
    promote: Promote = False,
    renames: Renames = None,
    types: Types = None,
    seconds: Seconds = False,
    times_from: TimesFrom = None,
) -> None:
    """Train rankers on history, and write them as a release.

    History is replayed once, in its order: at each moment the recommenders say what they knew by then, and
    what the visitor chose next is the answer. The newest moments calibrate, and say how good the release is.
    From some 60,000 events on it takes 6 GB of memory, for fewer of them less, down to half a GB.
    """
    console = Console()
    with loading(console):
        from models.release_training import Plan, train_release
        from models.releases import write_release
        from reco.features import FEATURES

    given = read_parameters(parameters)
    boosting = boosting_of(sets, given.boosting)
    meaning, folder = meaning_of(renames, types, seconds, times_from), load().releases_dir()
    try_writing(folder, "releases.folder")
    table, catalogue, labels = read_history(path, sale_file(sales, sale_renames), meaning, console)
    plan, fit = Plan(target, window, boosting.seed), given.fit(partial(say, console))
    with progress(console, f"replaying {len(table):,} events, then training") as told:
        made = {"created_at": now(), "source": str(path or "topics"), "labels": labels, "progress": told}
        training = train_release(table, catalogue, given.recommenders, boosting, plan, fit=fit, **made)  # type: ignore[arg-type]
    release = write_release(folder, training, FEATURES).name
    _show(console, release, training.metrics)
    if promote:
        _make_live(release, training.metrics)


def _make_live(release: str, metrics: Mapping[str, float]) -> None:
    """Promote it; raises TrainingError if the fixed blend, which needs no training, ranks better."""
    mix, blend = (metrics[f"{name} ndcg@10"] for name in ("mix", "blend"))
    if mix < blend:
        raise TrainingError(
            f"{release} is not promoted: on the newest moments it ranks worse than the fixed blend (NDCG@10 "
            f"{mix:.4f}, {blend:.4f}). Train again when there is more history; `tenfold releases promote "
            f"{release}` makes it live all the same."
        )
    promote_command(release, ranker="mix")


def _show(console: Console, release: str, metrics: Mapping[str, float]) -> None:
    figures = (f"{name}: {value:.4f}" for name, value in metrics.items())
    said = f"release {release}; `tenfold releases promote {release}` makes it live."
    console.print(*figures, said, sep="\n", highlight=False)
    single = next(name for name in metrics if name.startswith("best single recommender, "))
    if metrics[single] > metrics["mix ndcg@10"]:
        alone = f"{single.split(', ')[1]} alone ranks better than the mix on the newest moments"
        say(console, f"{alone}: a longer history may help", "yellow")
