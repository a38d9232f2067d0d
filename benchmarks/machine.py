"""What every benchmark reports: machine, commit, parameters, and each figure as the median of rounds."""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec

from models.evaluation.commit import commit
from reco.errors import TenfoldError

PACKAGES = ("numpy", "numba", "msgspec", "lightgbm", "tensorflow", "faust-streaming", "aiokafka")
"""Packages whose versions speed depends on."""


class Figure(msgspec.Struct, frozen=True):
    """One measured figure: what is claimed, its unit, and the value of each round."""

    name: str
    unit: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value to cite."""
        return median(self.rounds)


class Report(msgspec.Struct, frozen=True):
    """One run of a benchmark."""

    benchmark: str
    machine: Mapping[str, str]
    parameters: Mapping[str, int | float | str]
    figures: tuple[Figure, ...]


def machine() -> dict[str, str]:
    """The machine, the versions and the commit that figures were measured on."""
    described = {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit(),
    }
    return described | {package: version(package) for package in PACKAGES}


def step(what: str) -> None:
    """Say what comes next, on the standard error and once: a bar would move while something is measured."""
    sys.stderr.write(f"{what} ...\n")


def turns(rounds: int, what: str = "measuring") -> Iterator[int]:
    """The number of each round, from 0, each said as a step."""
    for number in range(rounds):
        step(f"{what}, round {number + 1} of {rounds}")
        yield number


def per_second(work: Callable[[], int], rounds: int) -> tuple[float, ...]:
    """The rate of `work`, which returns how much it did, in each round after one to warm up."""
    work()
    rates = []
    for _ in range(rounds):
        started = time.perf_counter()
        done = work()
        rates.append(done / (time.perf_counter() - started))
    return tuple(rates)


def arguments(description: str, **defaults: int) -> argparse.Namespace:
    """The arguments of a benchmark: its numbers, each an option with a default, and `--json FILE`."""
    return parser(description, **defaults).parse_args()


def parser(description: str, **defaults: int) -> argparse.ArgumentParser:
    """What reads the `arguments`, for a benchmark that adds some of its own.

    Numbers are from 1 up, or from 0 up where that is the default.
    """
    reads = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in defaults.items():
        reads.add_argument(
            f"--{name}", type=_from(min(default, 1)), default=default, help=f"default {default}"
        )
    reads.add_argument("--json", type=to_write, help="file to write the report to")
    return reads


def _from(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} up")
        return int(text)

    return whole_number


def to_write(text: str) -> Path:
    """A file to be written, once it is known that it can be: before anything is measured.

    Raises:
        argparse.ArgumentTypeError: there is no folder for it, or it is a folder itself.
    """
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no file in a folder that is there")
    return path


def run_main(main: Callable[[], int | None]) -> None:
    """Run a benchmark to its exit status; an error that is raised on purpose is one message, and status 1."""
    try:
        sys.exit(main())
    except TenfoldError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:  # the process has said why
        sys.exit(error.returncode)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of `values` do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def publish(report: Report, file: Path | None) -> None:
    """Print the report as a table, and write it as JSON if a file is given."""
    sys.stdout.write(table(report))
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def table(report: Report) -> str:
    """The report for a reader: parameters, machine, and median, minimum and maximum of each figure."""
    lines = [f"{report.benchmark}: {in_words(report.parameters)}", f"  {in_words(report.machine)}"]
    width = max(len(figure.name) for figure in report.figures)
    lines.append(f"  {'':{width}}  {'median':>12} {'min':>12} {'max':>12}")
    for figure in report.figures:
        values = f"{figure.median:12,.1f} {min(figure.rounds):12,.1f} {max(figure.rounds):12,.1f}"
        lines.append(f"  {figure.name:{width}}  {values}  {figure.unit}")
    return "\n".join(lines) + "\n"


def in_words(facts: Mapping[str, object]) -> str:
    """Facts for a reader, such as parameters or the machine, in one line."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _cpu() -> str:
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    found = (line.partition(":")[2].strip() for line in names if line.startswith("model name"))
    return next(found, platform.processor() or platform.machine())
