"""`tenfold doctor`: lists all settings, and says what is right, what is wrong and what to do about it."""

import asyncio
import logging

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.checkup import Finding, checkup
from streams.setting_list import all_settings
from streams.terminal import borderless

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def doctor() -> None:
    """Check settings, machine, broker and topics; exit code 1 if something must be repaired."""
    # What the client logs on its way is what the findings say.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    # The findings come last, so that a failure is not scrolled away by what is as it was.
    console.print(setting_table())
    console.print()
    if not asyncio.run(_examine(console)):
        raise typer.Exit(1)


async def _examine(console: Console) -> bool:
    """Print each finding as it comes; whether there was no failure."""
    healthy = True
    async for finding in checkup():
        console.print(line(finding), soft_wrap=True)
        healthy = healthy and finding.verdict != "fail"
    return healthy


def line(finding: Finding) -> Text:
    """A finding on a line."""
    mark, colour = MARKS[finding.verdict]
    return Text.assemble((f"{mark} {finding.verdict:5}", colour), finding.text)


def setting_table() -> Table:
    """All settings with their values and where they come from."""
    table = borderless("setting", "value", "from")
    for setting in all_settings():
        style = None if setting.source == "default" else "bold"
        source = setting.variable if setting.source == "environment" else setting.source
        table.add_row(f"{setting.group}.{setting.field}", Text(setting.value), source, style=style)
    return table
