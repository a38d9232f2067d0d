"""`tenfold labels`: from pictures to a labeller and its report, and back from a labeller to its figures."""

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

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


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`tenfold labels`, in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    return partial(run, monkeypatch, "labels")


def written(result: Result) -> Labeller:
    """The labeller that training says it has written."""
    return load_labeller(Path(result.output.partition("labeller: ")[2].splitlines()[0]))


def figures(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if "top-" in line or "calibration" in line]


def test_pictures_become_a_labeller_with_a_report_and_the_same_figures_again(
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "scenes/train")
    draw(tmp_path / "scenes/test", seed=1)
    report = tmp_path / "report.html"
    trained = labels(
        *("train", tmp_path / "scenes", "--backbone", backbone, "--copies", 1, "--report", report),
        *("--epochs", 40, "--output", tmp_path / "out", "--cache", tmp_path / "kept"),
    )
    labeller = written(trained)
    assert labeller.classes == tuple(COLOURS)
    assert labeller.manifest.metrics["top-1"] > 0.9
    assert labeller.manifest.trained_on["pictures"] == 36
    assert labeller.topic_names
    assert labeller.sight.views == 2
    assert "36 pictures" in trained.output
    page = report.read_text()
    assert labeller.version in page
    assert "tenfold labels train" in page
    judged = labels("evaluate", tmp_path / "out" / labeller.version, tmp_path / "scenes", "--report", report)
    assert figures(judged) == figures(trained)
    assert "tenfold labels evaluate" in report.read_text()


def test_folders_and_pictures_may_have_names_that_are_not_utf_8(
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    scenes = draw(tmp_path / os.fsdecode(b"caf\xe9"))
    for picture in scenes.glob("*/*.png"):
        picture.rename(picture.with_name(os.fsdecode(b"\xe9") + picture.name))
    report = tmp_path / "report.html"
    trained = labels("train", scenes, "--backbone", backbone, "--epochs", 1, "--report", report)
    assert written(trained).manifest.trained_on["images"] == str(tmp_path / "caf\ufffd")
    assert 'title="?' in report.read_text(encoding="utf-8")
    assert trained.output.index("labeller: ") < trained.output.index("report: ")


def test_without_a_split_a_fifth_is_kept_apart_and_two_backbones_look_side_by_side(
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.keras"
    Backbone(small_network(3, (16, 16), seed=5)).save(other)
    trained = labels(
        *("train", draw(tmp_path / "scenes"), "--epochs", 2, "--views", 1),
        *("--backbone", backbone, "--backbone", other),
    )
    labeller = written(trained)
    assert labeller.manifest.trained_on["pictures"] == 28
    assert [one.dimensions for one in labeller.manifest.backbones] == [128, 128]
    assert (tmp_path / ".tenfold/labellers" / labeller.version).is_dir()
    assert max(labeller.manifest.trained_on["epochs"]) <= 2
    assert labeller.sight.views == 1


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
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "scenes")
    labeller = written(labels("train", tmp_path / "scenes", "--backbone", backbone, "--epochs", 1))
    folder = tmp_path / ".tenfold/labellers" / labeller.version
    fewer = draw(tmp_path / "fewer", classes=("lake", "lava"))
    assert "24 pictures" in labels("evaluate", folder, fewer).output
    assert "1 pictures" in labels("evaluate", folder, _alone(fewer / "lake", tmp_path / "one")).output
    (fewer / "lake").rename(fewer / "meadow")
    with pytest.raises(LabellingError, match="meadow is no class of the labeller"):
        labels("evaluate", folder, fewer)


def test_what_is_passed_over_and_what_is_tested_though_it_taught_is_told(
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    scenes = draw(tmp_path / "scenes")
    for split in ("train", "test"):
        shutil.copytree(scenes, tmp_path / "both" / split)
    (tmp_path / "both/test/lake/0.png").rename(tmp_path / "both/test/lake/0.bmp")
    trained = labels("train", tmp_path / "both", "--backbone", backbone, "--epochs", 1)
    assert "35 of the pictures to test with are also among those to train on" in trained.output
    assert ".gif: 1 .bmp" in trained.output
    folder = tmp_path / ".tenfold/labellers" / written(trained).version
    assert ".gif: 1 .bmp" in labels("evaluate", folder, tmp_path / "both").output
    assert "passed over" not in labels("evaluate", folder, scenes).output


def test_figures_of_the_pictures_that_taught_are_told_to_be_too_good(
    labels: Command, backbone: Path, tmp_path: Path
) -> None:
    scenes = draw(tmp_path / "scenes")
    labeller = written(labels("train", scenes, "--backbone", backbone, "--epochs", 1))
    folder, said = tmp_path / ".tenfold/labellers" / labeller.version, "it was trained on most of these"
    assert said in labels("evaluate", folder, scenes).output
    assert said not in labels("evaluate", folder, draw(tmp_path / "others", seed=1)).output
    for split in ("train", "test"):
        shutil.copytree(scenes, tmp_path / "parts" / split)
    shutil.rmtree(scenes)
    (tmp_path / "parts").rename(scenes)
    assert said not in labels("evaluate", folder, scenes).output


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
