"""`tenfold demo`: the whole of tenfold at work for simulated visitors, on this machine."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.settings import load


def demo(
    *,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="How long visitors click; else until Ctrl-C.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Run without the live screen.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
    visitors: Annotated[int, typer.Option(min=1, help="How many visitors there are.")] = 1000,
    rate: Annotated[float, typer.Option(min=1, help="Events per second of all visitors together.")] = 100.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sales and visitors.")] = 1,
) -> None:
    """Show tenfold at work: 200 travel sales open and close, simulated visitors click and buy."""
    from demo.plan import Plan
    from demo.run import run

    # While it starts, too, an end from outside must end the workers; later the demo has handlers of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan(seconds, visitors, rate, seed)
    with suppress(KeyboardInterrupt):
        figures = run(load(), plan, Console(), headless=headless)
        if report is not None:
            report.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
