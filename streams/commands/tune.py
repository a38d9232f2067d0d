"""`tenfold tune`: the parameters of the recommenders that suit a log or the topics, found before the test."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from streams.commands.history import LogOrTopics, read_history
from streams.commands.loading import loading
from streams.commands.log_options import Renames, Seconds, TimesFrom, Types, meaning_of
from streams.commands.logs import (
    ParametersFile,
    Protocol,
    SaleRenames,
    SalesFile,
    Sets,
    Tuned,
    asked_for,
    progress,
    read_parameters,
    sale_file,
    write_parameters,
)
from streams.commands.options import in_a_folder
from streams.terminal import say

if TYPE_CHECKING:
    from models.evaluation.tuning import Trial

Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", callback=in_a_folder, help="Where to write it, JSON."),
]


def tune(
    path: LogOrTopics = None,
    *,
    protocol: Protocol,
    output: Output,
    frozen: Annotated[bool, typer.Option("--frozen", help="As by `tenfold evaluate`.")] = False,
    parameters: ParametersFile = None,
    sets: Sets = None,
    sales: SalesFile = None,
    sale_renames: SaleRenames = None,
    renames: Renames = None,
    types: Types = None,
    seconds: Seconds = False,
    times_from: TimesFrom = None,
) -> None:
    """Find what suits a history: half-lives, neighbours, segments; then learning rate, leaves and trees.

    Each is tried at a few values, and judged at moments before the part that `tenfold evaluate` tests on,
    a recommender by what it finds alone. `--parameters` of `train` and `evaluate` takes the file.
    """
    console = Console()
    with loading(console):
        from models.evaluation import tasks
        from models.evaluation.forest_tuning import FOREST, tune_forest
        from models.evaluation.tuning import tune as find

    start, meaning = read_parameters(parameters), meaning_of(renames, types, seconds, times_from)
    task, boosting = asked_for(protocol, frozen, sets, start.boosting, sought=("trees",))
    table, catalogue, labels = read_history(path, sale_file(sales, sale_renames), meaning, console)

    tell = partial(_tell, console)
    asked, content = tasks.asked_of(table, task, catalogue), tasks.known_content(catalogue, labels, task.seed)
    found = find(asked, start.recommenders, tell, task.seed)
    write_parameters(output, Tuned(found, start.boosting))
    with progress(console, f"{len(table):,} events: learning, then growing forests") as told:
        grown = tune_forest(asked, found, boosting, content, tell=tell, progress=told)
    forest = {name: getattr(grown, name) for name in FOREST}
    write_parameters(output, Tuned(found, {**start.boosting, **forest}))
    say(console, f"parameters: {output}")


def _tell(console: Console, trial: "Trial") -> None:
    console.print(f"{trial.parameter} = {trial.value}: {trial.figure:.4f}", highlight=False)
