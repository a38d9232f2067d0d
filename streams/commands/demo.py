"""`tenfold demo`: the whole of tenfold at work for simulated visitors, on this machine."""

import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from infra.data_folder import try_writing
from streams.commands.loading import loading
from streams.commands.options import BACKBONE, WEIGHTS, in_a_folder
from streams.settings import load

if TYPE_CHECKING:
    from demo.plan import Plan
    from models.labelling.networks import Network

VISITORS = 1000
"""Visitors of a demo, by default."""
RATE = 100.0
"""Events per second of a demo, by default."""
FEWEST = 200
"""Visitors of an experiment, at least: its ten arms share them, and none may be without one."""

Seconds = Annotated[float | None, typer.Option(min=1, help="How long visitors click; else until Ctrl-C.")]
Headless = Annotated[bool, typer.Option("--headless", help="Run without the live screen.")]
Experiment = Annotated[
    bool,
    typer.Option(
        "--experiment",
        help="Instead, in a few minutes and without Kafka: train on simulated first hours, and compare "
        "what was trained with other rankers in a simulated randomised split.",
    ),
]
NoImages = Annotated[
    bool, typer.Option("--no-images", help="Leave out images of sales, and the worker that looks at them.")
]
Photographs = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Sales show photographs: a folder with one for each class."),
]
Report = Annotated[
    Path | None, typer.Option(callback=in_a_folder, help="Write the figures to this file, as JSON.")
]
Visitors = Annotated[
    int | None,
    typer.Option(min=1, help="How many visitors there are: 1,000; in an experiment 10,000, at least 200."),
]
Rate = Annotated[
    float | None, typer.Option(min=1, help="Events per second of all visitors together, else 100.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same sales and visitors.")]


def demo(
    *,
    seconds: Seconds = None,
    headless: Headless = False,
    experiment: Experiment = False,
    no_images: NoImages = False,
    images: Photographs = None,
    backbones: Annotated[list[str] | None, BACKBONE] = None,
    weights: Annotated[list[str] | None, WEIGHTS] = None,
    report: Report = None,
    visitors: Visitors = None,
    rate: Rate = None,
    seed: Seed = 1,
) -> None:
    """Show tenfold at work: 200 travel sales open and close, simulated visitors click and buy.

    Sales have postcards, or photographs of yours, and are labelled by what is trained on others of them.

    \b
    tenfold demo --images scenes/ --backbone EfficientNetB0
    """  # noqa: D301 - \b keeps the example on a line of its own
    from demo.plan import Plan

    photographed = {"--images": images, "--backbone": backbones, "--weights": weights}
    if experiment:
        performed = {"--seconds": seconds, "--headless": headless, "--rate": rate, "--no-images": no_images}
        _refuse(performed, "an experiment is simulated, at its own speed, without a screen or images")
    if experiment or no_images:
        _refuse(photographed, "there are no images to look at")
    networks = _networks(images, backbones or (), weights or ())
    folder = str(images) if images else None
    plan = Plan(seconds, visitors or VISITORS, rate or RATE, seed, not no_images, folder, networks)
    # While it starts, too, an end from outside must end the workers; later the demo has handlers of its own.
    for end in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(end) is not signal.SIG_IGN:
            signal.signal(end, signal.default_int_handler)
    figures = _experiment(visitors, seed) if experiment else _performance(plan, headless=headless)
    if report is not None:
        report.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse options that were given, and would change nothing.

    Raises:
        typer.BadParameter: one was given.
    """
    for name, given in options.items():
        if given:
            raise typer.BadParameter(f"leave it out: {why}", param_hint=name)


def _networks(images: Path | None, backbones: Sequence[str], weights: Sequence[str]) -> "tuple[Network, ...]":
    """The networks that look at images; refuses photographs that nothing looks at.

    Raises:
        typer.BadParameter: there are `images`, and no `backbones`.
        LabellingError: the weights are not those of the networks.
    """
    from models.labelling.networks import networks

    if images and not backbones:
        raise typer.BadParameter("name a network that looks at the photographs", param_hint="--backbone")
    return networks(backbones, weights)


def _performance(plan: "Plan", *, headless: bool) -> dict[str, Any]:
    from demo.run import run

    return run(load(), plan, Console(), headless=headless)


def _experiment(visitors: int | None, seed: int) -> dict[str, Any]:
    if visitors is not None and visitors < FEWEST:
        why = f"an experiment needs {FEWEST} or more, since all rankers that it compares share them"
        raise typer.BadParameter(why, param_hint="--visitors")
    console, releases = Console(), load().data_dir() / "demo" / "releases"
    try_writing(releases)  # before minutes of work that would be lost
    with loading(console):
        from demo.experiment import experiment
        from demo.trial import Trial

    trial = Trial(seed=seed) if visitors is None else Trial(seed=seed, visitors=visitors)
    return experiment(trial, releases, console)
