"""`tenfold labels`: a labeller of images trained on labelled scenes, and how good one is."""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from infra.data_folder import try_writing
from streams.clock import now
from streams.commands.logs import progress
from streams.commands.options import BACKBONE, HTML_REPORT, WEIGHTS
from streams.settings import load
from streams.terminal import plain, say

if TYPE_CHECKING:
    from models.labelling.backbones import Backbone
    from models.labelling.judging import Judgement
    from models.labelling.labeller import Labeller
    from models.labelling.training_labels import Split

app = typer.Typer(
    no_args_is_help=True,
    help="Labels of images: what is seen on sales; train what recognises it, judge it, make it live.",
)

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow")

Images = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGES", help="A folder per class, or folders train and test (or val); or a CSV: path,label."
    ),
]
Report = Annotated[Path | None, HTML_REPORT]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", file_okay=False, help="Where features are kept; else in the data folder."),
]
Output = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", file_okay=False, help="Where labellers are; else in the data folder."),
]
Views = Annotated[
    int,
    typer.Option(
        min=1,
        max=2,
        help="1: only the middle of each picture is looked at, in half the time; 2: both ends, one mirrored.",
    ),
]
Copies = Annotated[int, typer.Option(min=0, help="Augmented copies of each training picture.")]
Epochs = Annotated[int, typer.Option(min=1, help="Most passes over the pictures.")]
Seed = Annotated[int, typer.Option(min=0, help="Of first weights, order, copies and topics.")]


@app.command("train")
def train_command(
    images: Images,
    *,
    backbones: Annotated[list[str], BACKBONE],
    weights: Annotated[list[str] | None, WEIGHTS] = None,
    output: Output = None,
    report: Report = None,
    cache: Cache = None,
    views: Views = 2,
    copies: Copies = 0,
    epochs: Epochs = 200,
    seed: Seed = 0,
) -> None:
    """Train a labeller on labelled scenes: two dense layers on what frozen networks see.

    The split `test`, or else `val`, of the images judges it; without them, a fifth is kept apart. An
    interrupted training goes on from the features that it has. Several backbones look side by side.

    \b
    tenfold labels train scenes/ --backbone EfficientNetB0 --report labels.html
    tenfold labels train scenes.csv --backbone VGG16 --weights places_notop.h5
    tenfold labels train scenes.csv --backbone my.keras --backbone VGG16
    """  # noqa: D301 - \b keeps the lines of the examples apart
    console, labellers = Console(), _labellers(output)
    with console.status("Loading TensorFlow"):
        from models.labelling.head import HeadOptions
        from models.labelling.labeller import Provenance, load_labeller, write_labeller
        from models.labelling.training_labels import train_and_test, train_labels

        split, loaded = train_and_test(images, seed), _loaded(backbones, weights or ())
    _tell_oddities(images, split, console)
    many, options, kept = len(split.train.paths), HeadOptions(epochs=epochs, seed=seed), cache or _features()
    with progress(console, f"{many:,} pictures of {len(split.train.classes)} classes") as told:
        trained = train_labels(split, loaded, options, views=views, copies=copies, cache=kept, progress=told)
    trained_on = {"images": _utf_8(images), "pictures": many, "copies": copies, "options": options}
    trained_on |= {"epochs": trained.epochs, "packages": {name: version(name) for name in PACKAGES}}
    provenance = Provenance(now(), trained_on, trained.judgement.metrics())
    folder = write_labeller(labellers, trained.recognition, provenance)
    say(console, f"labeller: {folder}")
    _show(trained.judgement, load_labeller(folder), split.test.paths, report, console)


@app.command("evaluate")
def evaluate_command(
    labeller: Annotated[Path, typer.Argument(metavar="LABELLER", help="The folder of a labeller.")],
    images: Images,
    *,
    report: Report = None,
    cache: Cache = None,
) -> None:
    """Judge a labeller on labelled scenes: on their split `test`, or else `val`, or on all.

    Its figures only hold for pictures that it was not trained on.
    """
    console = Console()
    with console.status("Loading TensorFlow"):
        from models.labelling.labeller import load_labeller
        from models.labelling.training_labels import has_test, judge_labeller, scenes_to_judge

        loaded = load_labeller(labeller)
    scenes = scenes_to_judge(images, loaded.classes)
    _tell_passed_over(images, console)
    if loaded.manifest.trained_on.get("images") == _utf_8(images) and not has_test(images):
        say(console, "it was trained on most of these pictures, which makes its figures too good", "yellow")
    with progress(console, f"{len(scenes.paths):,} pictures") as told:
        judgement = judge_labeller(loaded, scenes, cache or _features(), told)
    _show(judgement, loaded, scenes.paths, report, console)


def _loaded(backbones: Sequence[str], weights: Sequence[str]) -> "list[Backbone]":
    """The networks that look at pictures.

    Raises:
        LabellingError: one of them cannot be loaded.
    """
    from models.labelling.networks import load_network, networks

    return [load_network(one) for one in networks(backbones, weights)]


def _tell_oddities(images: Path, split: "Split", console: Console) -> None:
    """Say what is odd about labelled scenes that teach; for the pictures, all of them are read."""
    from models.labelling.training_labels import repeated

    _tell_passed_over(images, console)
    with console.status("Looking for pictures of the test that also teach"):
        again = repeated(split)
    if again:
        say(console, f"{again:,} of the pictures to test with are also among those to train on", "yellow")


def _tell_passed_over(images: Path, console: Console) -> None:
    from models.labelling.scenes import passed_over

    for remark in passed_over(images):
        say(console, plain(remark), "yellow")


def _utf_8(path: Path) -> str:
    """A path as a manifest may name it: names of files may be any bytes."""
    return os.fsencode(path).decode(errors="replace")


def _labellers(output: Path | None) -> Path:
    """Where labellers are, once it is known that one can be written there: the work takes hours.

    Raises:
        SettingsError: none can.
    """
    folder = (output or load().data_dir() / "labellers").absolute()
    try_writing(folder, "--output")
    return folder


def _features() -> Path:
    """Where features of pictures are kept."""
    return load().data_dir() / "features"


def _show(
    judgement: "Judgement",
    labeller: "Labeller",
    pictures: Sequence[Path],
    report: Path | None,
    console: Console,
) -> None:
    table = Table(box=None, show_header=False)
    for name, figure in (("top-1", judgement.top_1), ("top-5", judgement.top_5)):
        table.add_row(
            name, f"{100 * figure.mean:.1f} %", f"{100 * figure.low:.1f} to {100 * figure.high:.1f}"
        )
    table.add_row("calibration error", f"{judgement.calibration_error:.4f}", f"{len(pictures):,} pictures")
    console.print(table)
    if report is not None:
        from models.labelling.label_report import write_label_report

        command = shlex.join(["tenfold", *sys.argv[1:]])
        write_label_report(judgement, pictures, _facts(labeller), command, report)
        say(console, f"report: {report}")


def _facts(labeller: "Labeller") -> dict[str, str]:
    """What the report tells about a labeller, and the machine that it is judged on."""
    from models.evaluation.commit import commit

    manifest = labeller.manifest
    facts: dict[str, Any] = {
        "labeller": labeller.version,
        "backbones": ", ".join(f"{one.name} ({one.dimensions})" for one in manifest.backbones),
        "views of each picture": manifest.views,
        "topics": ", ".join(labeller.topic_names),
    }
    facts |= {f"trained on, {name}": value for name, value in manifest.trained_on.items()}
    facts |= {"machine": platform.platform(), "python": platform.python_version()}
    facts |= {"tenfold": version("tenfold"), "commit": commit()}
    return {name: _in_words(value) for name, value in facts.items()}


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
