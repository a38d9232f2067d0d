"""What labelled scenes are tested with."""

from pathlib import Path

import numpy as np
import pytest

from models.labelling.scenes import FEWEST, read_scenes
from models.labelling.training_labels import Split, repeated, scenes_to_judge, train_and_test
from reco.errors import LabellingError
from tests.models.labelling.test_scenes import folders


@pytest.mark.parametrize("seed", range(6))
def test_a_fifth_is_kept_apart_and_nothing_of_a_class_that_has_just_enough(tmp_path: Path, seed: int) -> None:
    folders(tmp_path, {"bar": FEWEST, "coast": 20, "harbor": FEWEST})
    split = train_and_test(tmp_path, seed)
    assert np.bincount(split.test.labels, minlength=3).tolist() == [0, 4, 0]
    assert np.bincount(split.train.labels).tolist() == [FEWEST, 16, FEWEST]


@pytest.mark.parametrize(
    ("splits", "tested"), [(("train", "val"), "val"), (("train", "val", "test"), "test")]
)
def test_scenes_with_splits_are_tested_with_what_nothing_learns_from(
    tmp_path: Path, splits: tuple[str, ...], tested: str
) -> None:
    for name in splits:
        folders(tmp_path / name, {"bar": 3, "coast": 3})
    split = train_and_test(tmp_path)
    assert {path.parents[1].name for path in split.train.paths} == {"train"}
    assert {path.parents[1].name for path in split.test.paths} == {tested}
    assert scenes_to_judge(tmp_path, ("bar", "coast")).paths == split.test.paths


def test_pictures_to_test_with_that_also_teach_are_counted(tmp_path: Path) -> None:
    for name in ("train/bar/a", "train/coast/b", "test/bar/b", "test/coast/a", "test/coast/c"):
        file = tmp_path / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.stem)
    split = Split(read_scenes(tmp_path, "train", to_learn=False), read_scenes(tmp_path, "test"))
    assert repeated(split) == 2


def test_all_classes_that_a_labeller_does_not_know_are_named(tmp_path: Path) -> None:
    folders(tmp_path, {"bar": 1, "coast": 1, "harbor": 1})
    with pytest.raises(LabellingError, match="coast, harbor are no classes of the labeller, which knows bar"):
        scenes_to_judge(tmp_path, ("bar",))


def test_scenes_of_which_nothing_can_be_kept_apart_are_refused(tmp_path: Path) -> None:
    folders(tmp_path, {"bar": FEWEST, "coast": FEWEST})
    with pytest.raises(LabellingError, match="too few pictures to keep some apart"):
        train_and_test(tmp_path)
