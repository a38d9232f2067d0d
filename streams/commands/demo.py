"""`tenfold demo`: the whole of tenfold at work for simulated visitors, on this machine."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from streams.settings import load

if TYPE_CHECKING:
    from demo.plan import Plan


VISITORS = 1000
"""Visitors of a demo, by default."""


def demo(
    *,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="How long visitors click; else until Ctrl-C.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Run without the live screen.")] = False,
    experiment: Annotated[
        bool,
        typer.Option(
            "--experiment",
            help="Instead, in a few minutes and without Kafka: train on simulated first hours, and compare "
            "what was trained with other rankers in a simulated randomised split.",
        ),
    ] = False,
    no_images: Annotated[
        bool,
        typer.Option("--no-images", help="Leave out images of sales, and the worker that looks at them."),
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
    visitors: Annotated[
        int | None, typer.Option(min=1, help="How many visitors there are: 1,000; 10,000 in an experiment.")
    ] = None,
    rate: Annotated[float, typer.Option(min=1, help="Events per second of all visitors together.")] = 100.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sales and visitors.")] = 1,
) -> None:
    """Show tenfold at work: 200 travel sales open and close, simulated visitors click and buy."""
    from demo.plan import Plan

    # While it starts, too, an end from outside must end the workers; later the demo has handlers of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        if experiment:
            figures = _experiment(visitors, seed)
        else:
            plan = Plan(seconds, visitors or VISITORS, rate, seed, images=not no_images)
            figures = _performance(plan, headless=headless)
        if report is not None:
            report.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _performance(plan: "Plan", *, headless: bool) -> dict[str, Any]:
    from demo.run import run

    return run(load(), plan, Console(), headless=headless)


def _experiment(visitors: int | None, seed: int) -> dict[str, Any]:
    from demo.experiment import experiment
    from demo.trial import Trial

    trial = Trial(seed=seed) if visitors is None else Trial(seed=seed, visitors=visitors)
    return experiment(trial, load().data_dir() / "demo" / "releases", Console())
