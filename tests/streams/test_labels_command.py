"""`tenfold labels`: from pictures to a labeller and its report, and back from a labeller to its figures."""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from models.labelling.backbones import Backbone, small_network
from models.labelling.labeller import Labeller, load_labeller
from models.labelling.lean_keras import keras
from reco.errors import LabellingError, SettingsError
from tests.streams.command_line import Command, run

COLOURS = {"forest": (30, 160, 40), "lake": (20, 60, 200), "lava": (220, 40, 10)}
PER_CLASS = 12


def draw(folder: Path, *, classes: tuple[str, ...] = tuple(COLOURS), seed: int = 0) -> Path:
    """A folder per class, of noisy pictures of the class's colour."""
    random = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            pixels = random.normal(COLOURS[name], 40, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that was never trained: its features tell colours apart."""
    path = tmp_path_factory.mktemp("backbone") / "small.keras"
    Backbone(small_network(3, (16, 16))).save(path)
    return path


class Training(NamedTuple):
    """What a training on `scenes` made and said, and what was said when its labeller was judged on them."""

    scenes: Path
    labeller: Labeller
    made: Path
    said: str
    judged: str


@pytest.fixture(scope="module")
def with_split(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Two of the pictures to test with have taught as well, and one is no kind of picture that is read."""
    folder = tmp_path_factory.mktemp("with-split")
    scenes = folder / "scenes"
    draw(scenes / "train")
    tested = draw(scenes / "test", seed=1) / "lake"
    for number in range(2):
        shutil.copy(scenes / f"train/lake/{number}.png", tested / f"again-{number}.png")
    (tested / "0.png").rename(tested / "0.bmp")
    return training(
        *(folder, scenes, "--backbone", backbone, "--copies", 1, "--epochs", 10),
        *("--output", folder / "out", "--cache", folder / "kept"),
    )


@pytest.fixture(scope="module")
def without_split(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Two networks look at pictures, all of which are in one folder; the names of both are not UTF-8."""
    folder = tmp_path_factory.mktemp("without-split")
    scenes = draw(folder / os.fsdecode(b"caf\xe9"))
    for picture in scenes.glob("*/*.png"):
        picture.rename(picture.with_name(os.fsdecode(b"\xe9") + picture.name))
    other = folder / "other.keras"
    Backbone(small_network(3, (16, 16), seed=5)).save(other)
    return training(
        *(folder, scenes, "--backbone", backbone, "--backbone", other, "--epochs", 2, "--views", 1)
    )


def training(folder: Path, scenes: Path, *options: object) -> Training:
    """Train on scenes and judge on them, each with a report."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("COLUMNS", "200")
        said = run(patched, "labels", "train", scenes, *options, "--report", "trained.html").output
        made = Path(said.partition("labeller: ")[2].splitlines()[0])
        judged = run(patched, "labels", "evaluate", made, scenes, "--report", "judged.html").output
    return Training(scenes, load_labeller(made), made, said, judged)


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`tenfold labels`, in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    return partial(run, monkeypatch, "labels")


def figures(said: str) -> list[str]:
    return [line for line in said.splitlines() if "top-" in line or "calibration" in line]


def report(training: Training, name: str) -> str:
    return (training.scenes.parent / name).read_text(encoding="utf-8")


def test_pictures_become_a_labeller_with_a_report_and_the_same_figures_again(with_split: Training) -> None:
    labeller = with_split.labeller
    assert with_split.made == with_split.scenes.parent / "out" / labeller.version
    assert labeller.classes == tuple(COLOURS)
    assert labeller.manifest.metrics["top-1"] > 0.9
    assert labeller.manifest.trained_on["pictures"] == 36
    assert labeller.topic_names
    assert labeller.sight.views == 2
    assert "36 pictures" in with_split.said
    trained, judged = report(with_split, "trained.html"), report(with_split, "judged.html")
    assert labeller.version in trained
    assert "tenfold labels train" in trained
    assert "tenfold labels evaluate" in judged
    assert len(figures(with_split.judged)) == 3
    assert figures(with_split.judged) == figures(with_split.said)


def test_what_is_passed_over_and_what_is_tested_though_it_taught_is_told(
    with_split: Training, without_split: Training
) -> None:
    assert "2 of the pictures to test with are also among those to train on" in with_split.said
    assert ".gif: 1 .bmp" in with_split.said
    assert ".gif: 1 .bmp" in with_split.judged
    for said in (without_split.said, without_split.judged):
        assert "passed over" not in said
        assert "are also among" not in said


def test_folders_and_pictures_may_have_names_that_are_not_utf_8(without_split: Training) -> None:
    folder, said = without_split.scenes.parent, without_split.said
    assert without_split.labeller.manifest.trained_on["images"] == str(folder / "caf\ufffd")
    assert 'title="?' in report(without_split, "trained.html")
    assert said.index("labeller: ") < said.index("report: ")


def test_without_a_split_a_fifth_is_kept_apart_and_two_backbones_look_side_by_side(
    without_split: Training,
) -> None:
    labeller = without_split.labeller
    assert labeller.manifest.trained_on["pictures"] == 28
    assert [one.dimensions for one in labeller.manifest.backbones] == [128, 128]
    assert without_split.made == without_split.scenes.parent / ".tenfold/labellers" / labeller.version
    assert max(labeller.manifest.trained_on["epochs"]) <= 2
    assert labeller.sight.views == 1


def test_figures_of_the_pictures_that_taught_are_told_to_be_too_good(
    labels: Command, with_split: Training, without_split: Training, tmp_path: Path
) -> None:
    said = "it was trained on most of these"
    assert said in without_split.judged
    assert said not in labels("evaluate", without_split.made, draw(tmp_path / "others", seed=1)).output
    assert said not in with_split.judged


def test_a_network_that_finds_too_many_features_is_refused_before_it_looks_at_pictures(
    labels: Command, tmp_path: Path
) -> None:
    images = keras.Input((64, 64, 3))
    Backbone(keras.Model(images, keras.layers.Flatten()(images))).save(tmp_path / "wide.keras")
    kept = tmp_path / "kept"
    with pytest.raises(LabellingError, match="12,288 features in all"):
        labels("train", draw(tmp_path / "scenes"), "--backbone", tmp_path / "wide.keras", "--cache", kept)
    assert not kept.exists()


def _alone(scenes: Path, root: Path) -> Path:
    """A folder of nothing but one of these pictures, in its class."""
    picture = min(scenes.iterdir())
    (root / scenes.name).mkdir(parents=True)
    shutil.copy(picture, root / scenes.name)
    return root


def test_classes_may_be_missing_where_a_labeller_is_judged_but_not_be_unknown(
    labels: Command, with_split: Training, tmp_path: Path
) -> None:
    fewer = draw(tmp_path / "fewer", classes=("lake", "lava"))
    assert "24 pictures" in labels("evaluate", with_split.made, fewer).output
    alone = _alone(fewer / "lake", tmp_path / "one")
    assert "1 pictures" in labels("evaluate", with_split.made, alone).output
    (fewer / "lake").rename(fewer / "meadow")
    with pytest.raises(LabellingError, match="meadow is no class of the labeller"):
        labels("evaluate", with_split.made, fewer)


def test_weights_belong_to_the_networks_that_are_named(
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabellingError, match="1 are given for 0 named networks"):
        labels("train", draw(tmp_path / "scenes"), "--backbone", backbone, "--weights", "imagenet")


@pytest.mark.parametrize("option", ["--output", "--cache"])
def test_a_file_where_a_folder_is_to_be_is_refused_before_work_begins(
    labels: Command, tmp_path: Path, option: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    refused = labels("train", tmp_path, "--backbone", "no.keras", option, file)
    assert refused.exit_code == 2
    assert "is a file" in refused.output


def test_pictures_that_are_none_are_named(labels: Command, backbone: Path, tmp_path: Path) -> None:
    scenes = draw(tmp_path / "scenes")
    (scenes / "lake" / "3.png").write_bytes(b"no picture")
    with pytest.raises(LabellingError, match=r"lake/3\.png: not-an-image"):
        labels("train", scenes, "--backbone", backbone)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write")
def test_where_no_labeller_can_be_written_none_is_trained(labels: Command) -> None:
    with pytest.raises(SettingsError, match=r"/proc/tenfold cannot be written: .*; .* or set --output"):
        labels("train", "no picture is looked for", "--backbone", "any", "--output", "/proc/tenfold")
