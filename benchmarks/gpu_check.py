"""Whether labelling uses the graphics card: speed on it and without it, and that both say the same.

    python -m benchmarks.gpu_check
    python -m benchmarks.gpu_check --backbone EfficientNetB0 --weights imagenet

`benchmarks.labelling` runs twice with one labeller, on the card and with the card hidden from TensorFlow;
nvidia-smi tells how busy the card is; what else is given, goes to both runs. Labels agree if embeddings point
the same way, and probabilities are as near as the rounding of a card leaves them (TF32 has 10 bits).

Exit status: 0, all is well; 1, the labels do not agree; 3, TensorFlow sees no card.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import numpy as np
from rich.console import Console

from benchmarks import networks
from benchmarks.machine import Report, run_main, table
from models.labelling.networks import RANDOM
from reco.labels import SaleLabels

DIFFERENT, NO_CARD = 1, 3
"""Exit statuses; argparse uses 2."""
LEAST_COSINE, MOST_APART = 0.999, 0.02
"""Of the embeddings of a sale, and between the probabilities of a label, on the card and without it."""
HIDDEN: Mapping[str, str] = {"CUDA_VISIBLE_DEVICES": "-1"}
SHARED: Mapping[str, str] = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
"""The baseline leaves the worker its part of the card, as the worker does by itself."""
QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits")
EVERY = ("--loop-ms=500",)


class Run(NamedTuple):
    """What a run of `benchmarks.labelling` reported, and the labels of each sale."""

    report: Report
    labels: Mapping[str, SaleLabels]


def device(environment: Mapping[str, str]) -> str:
    """What TensorFlow computes on in this environment."""
    return _last_line(["-c", "from benchmarks.networks import device; print(device())"], environment)


def labeller(folder: str, arguments: Sequence[str]) -> str:
    """A labeller below `folder`, made without the card."""
    return _last_line(["-m", "benchmarks.image_shop", folder, *arguments], HIDDEN)


def _last_line(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a Python process says at its end; one of its own, for TensorFlow keeps a card until it ends."""
    command, whole = [sys.executable, *arguments], os.environ | environment
    told = subprocess.run(command, env=whole, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return told.stdout.splitlines()[-1]


def without_card() -> str:
    """Why there may be no card, in words."""
    if shutil.which("nvidia-smi") is None:
        return (
            "TensorFlow sees no GPU, and there is no nvidia-smi: this machine has no NVIDIA card or no driver"
        )
    remedy = 'CUDA libraries are missing; `uv pip install "tensorflow[and-cuda]"` brings them'
    return f"TensorFlow sees no GPU, though nvidia-smi is there: {remedy}"


def run(environment: Mapping[str, str], arguments: Sequence[str]) -> Run:
    """Run `benchmarks.labelling` in this environment."""
    with TemporaryDirectory(prefix="tenfold-gpu-check-") as folder:
        report, labels = Path(folder, "report.json"), Path(folder, "labels.jsonl")
        own = ["--json", str(report), "--labels", str(labels)]
        command = [sys.executable, "-m", "benchmarks.labelling", *arguments, *own]
        subprocess.run(command, env=os.environ | environment, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        facts = [msgspec.json.decode(line, type=SaleLabels) for line in labels.read_bytes().splitlines()]
        return Run(msgspec.json.decode(report.read_bytes(), type=Report), {one.sale_id: one for one in facts})


class Load(NamedTuple):
    """How busy the card was: per cent of the time, and memory in MiB, in each sample."""

    busy: Sequence[float]
    memory: Sequence[float]


@contextmanager
def watched() -> Iterator[list[str]]:
    """Lines of what `nvidia-smi` says within the block, once it is over; none where it cannot be asked."""
    lines: list[str] = []
    if shutil.which(QUERY[0]) is None:
        yield lines
        return
    with subprocess.Popen([*QUERY, *EVERY], stdout=subprocess.PIPE, text=True) as asked:  # noqa: S603
        try:
            yield lines
        finally:
            asked.terminate()
            lines += asked.communicate()[0].splitlines()


def load_of(lines: Sequence[str]) -> Load:
    """The samples in lines such as `37, 1024`; what a card does not tell is `[N/A]`, and left out."""
    cells = [[cell.strip() for cell in line.split(",")] for line in lines]
    told = [
        (float(cell[0]), float(cell[1])) for cell in cells if len(cell) == 2 and all(map(_is_number, cell))
    ]
    return Load([busy for busy, _ in told], [memory for _, memory in told])


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdigit()


def differences(one: Mapping[str, SaleLabels], other: Mapping[str, SaleLabels]) -> list[str]:
    """Each sale of which the two runs say something else, and what."""
    missing = [f"{sale_id}: only one run labelled it" for sale_id in sorted(one.keys() ^ other.keys())]
    compared = (
        (sale_id, _difference(one[sale_id], other[sale_id])) for sale_id in sorted(one.keys() & other.keys())
    )
    return missing + [f"{sale_id}: {found}" for sale_id, found in compared if found]


def _difference(one: SaleLabels, other: SaleLabels) -> str:
    vector, again = one.vector(), other.vector()
    if vector is None or again is None:
        return "it has no embedding"
    if (cosine := float(vector @ again)) < LEAST_COSINE:
        return f"embeddings have a cosine of {cosine:.4f}"
    shares = [{label.name: label.share for label in labels.labels} for labels in (one, other)]
    apart = max(abs(shares[0][name] - shares[1][name]) for name in shares[0].keys() & shares[1].keys())
    return f"probabilities are {apart:.3f} apart" if apart > MOST_APART else ""


def main() -> int:
    """Check, print, and give the exit status."""
    reads = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    networks.add_arguments(reads, backbone="MobileNet", weights=RANDOM)
    given, others = reads.parse_known_args()
    console = Console(soft_wrap=True, highlight=False)
    if (card := device({})) == networks.CPU:
        console.print(without_card(), markup=False)
        return NO_CARD
    console.print(f"TensorFlow computes on {card}", markup=False)
    backbones = [f"--backbone={name}" for name in networks.names(given)]
    with TemporaryDirectory(prefix="tenfold-labeller-") as folder:
        made = labeller(folder, [*backbones, f"--weights={given.weights}", f"--views={given.views}"])
        arguments = [f"--labeller={made}", *others]
        with watched() as lines:
            on_card = run(SHARED, arguments)
        without = run(HIDDEN, arguments)
    return told(console, on_card, without, load_of(lines))


def told(console: Console, on_card: Run, without: Run, load: Load) -> int:
    """Print both reports, the load and the differences; the exit status."""
    for one in (on_card, without):
        console.print(table(one.report), end="", markup=False)
    for card, cpu in zip(on_card.report.figures[:2], without.report.figures[:2], strict=True):
        console.print(f"{card.name}: {card.median / cpu.median:.1f} times as fast on the card")
    if load.busy:
        busy = f"{np.mean(load.busy):.0f} % on average, its start included, {max(load.busy):.0f} % at most"
        console.print(f"card busy in the run: {busy}; {max(load.memory):,.0f} MiB in use at most")
    else:
        console.print("how busy the card was, is not known: nvidia-smi does not tell")
    found = differences(on_card.labels, without.labels)
    console.print(f"{len(on_card.labels)} sales labelled on both, {len(found)} differently")
    for difference in found[:10]:
        console.print(f"  {difference}")
    return DIFFERENT if found else 0


if __name__ == "__main__":
    run_main(main)
