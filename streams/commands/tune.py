"""`tenfold tune`: the parameters of the recommenders that suit a log or the topics, found before the test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from streams.commands.history import LogOrTopics, name_of, read_history
from streams.commands.loading import loading
from streams.commands.log_options import Renames, Seconds, TimesFrom, Types, meaning_of
from streams.commands.logs import (
    ParametersFile,
    Protocol,
    SalesFile,
    Sets,
    progress,
    read_parameters,
    task_of,
)
from streams.commands.options import in_a_folder

if TYPE_CHECKING:
    from models.evaluation.tuning import Trial


def tune(
    path: LogOrTopics = None,
    *,
    protocol: Protocol,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", callback=in_a_folder, help="Where to write them, JSON."
        ),
    ],
    frozen: Annotated[bool, typer.Option("--frozen", help="As by `tenfold evaluate`.")] = False,
    parameters: ParametersFile = None,
    sets: Sets = None,
    sales: SalesFile = None,
    renames: Renames = None,
    types: Types = None,
    seconds: Seconds = False,
    times_from: TimesFrom = None,
) -> None:
    """Find the parameters of the recommenders that suit a history: half-lives, neighbours, segments.

    Each is tried at a few values, and judged by its own recommender at the moments before the part that
    `tenfold evaluate` tests on; nothing of the test is looked at. `--parameters` of `train` and `evaluate`
    takes the file.
    """
    console = Console()
    with loading(console):
        from models.evaluation import tasks
        from models.evaluation.tuning import tune as find

    task = task_of(protocol, frozen, sets)
    start, meaning = read_parameters(parameters), meaning_of(renames, types, seconds, times_from)
    with progress(console, f"reading {name_of(path)}") as told:
        table, catalogue, _ = read_history(path, sales, meaning, told, console)
    asked = tasks.asked_of(table, task, catalogue)
    found = find(asked, start, lambda trial: console.print(_line(trial), highlight=False), task.seed)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    console.print(f"parameters: {output}", highlight=False)


def _line(trial: "Trial") -> str:
    return f"{trial.parameter} = {trial.value}: {trial.figure:.4f}"
