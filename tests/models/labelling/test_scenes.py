"""Labelled scenes: folders and CSV files say the same, and mistakes are named with their place."""

import os
from pathlib import Path

import numpy as np
import pytest

from models.labelling.scenes import Scenes, passed_over, read_scenes
from reco.errors import LabellingError

SUN25 = Path(__file__).parents[4] / "shared" / "images" / "sun25" / "split.csv"


def folders(root: Path, classes: dict[str, int]) -> None:
    """A folder per class with so many files."""
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.jpg").write_bytes(b"never decoded here")


def listed(root: Path, text: str) -> Path:
    path = root / "scenes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def named(scenes: Scenes, root: Path) -> list[tuple[str, str]]:
    """File and class of each picture."""
    return [
        (path.relative_to(root).as_posix(), scenes.classes[label])
        for path, label in zip(scenes.paths, scenes.labels, strict=True)
    ]


def mistake(path: Path, split: str | None = None) -> str:
    with pytest.raises(LabellingError) as raised:
        read_scenes(path, split)
    return str(raised.value)


def test_a_folder_per_class(tmp_path: Path) -> None:
    folders(tmp_path, {"coast": 2, "bar": 3})
    (tmp_path / "coast" / "notes.txt").touch()
    (tmp_path / "coast" / "._0.jpg").touch()
    (tmp_path / ".thumbnails").mkdir()
    scenes = read_scenes(tmp_path, None)
    assert scenes.classes == ("bar", "coast")
    assert scenes.labels.dtype == np.int32
    assert named(scenes, tmp_path) == [
        *((f"bar/{number}.jpg", "bar") for number in range(3)),
        *((f"coast/{number}.jpg", "coast") for number in range(2)),
    ]


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Train", "TEST")])
def test_folders_of_splits(tmp_path: Path, train: str, test: str) -> None:
    folders(tmp_path / train, {"bar": 2, "coast": 2, "harbor": 2})
    folders(tmp_path / test, {"coast": 1})
    assert len(read_scenes(tmp_path, "train").paths) == 6
    assert named(read_scenes(tmp_path, "test"), tmp_path) == [(f"{test}/coast/0.jpg", "coast")]
    assert len(read_scenes(tmp_path, None).paths) == 7


def test_a_folder_beside_splits_that_is_none_is_named(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"bar": 2, "coast": 2})
    folders(tmp_path / "validation", {"coast": 1})
    assert mistake(tmp_path) == (
        f"{tmp_path}: beside the split train is validation; name splits train, val, test, "
        "and put nothing else beside them"
    )


def test_splits_with_other_names_are_not_taken_for_classes(tmp_path: Path) -> None:
    folders(tmp_path, {"training/bar": 2, "training/coast": 2, "validation/bar": 2, "validation/coast": 2})
    said = f"{tmp_path}: training, validation seem to be splits; name them train, val, test"
    assert mistake(tmp_path) == said
    folders(tmp_path, {"airport": 2})
    assert read_scenes(tmp_path).classes[:2] == ("airport", "training/bar")


def test_a_class_whose_name_is_not_utf_8_is_named_in_letters_that_are(tmp_path: Path) -> None:
    folders(tmp_path, {"bar": 2, os.fsdecode(b"caf\xe9"): 2})
    assert mistake(tmp_path) == f"{tmp_path}: class 'caf\\udce9' has a name that is not UTF-8; rename it"


def test_a_class_may_be_named_like_a_split(tmp_path: Path) -> None:
    folders(tmp_path, {"train": 2, "tram": 2})
    assert read_scenes(tmp_path).classes == ("train", "tram")


def test_folders_in_folders_as_in_sun397(tmp_path: Path) -> None:
    folders(tmp_path, {"a/abbey": 2, "c/cathedral/indoor": 2, "c/cathedral/outdoor": 2, "w/wine_cellar": 2})
    folders(tmp_path, {"w/wine_cellar/barrels": 2, "beach/north": 2})
    (tmp_path / "beach" / "again").symlink_to(tmp_path, target_is_directory=True)
    scenes = read_scenes(tmp_path)
    assert scenes.classes == (
        "abbey",
        "beach/north",
        "cathedral/indoor",
        "cathedral/outdoor",
        "wine_cellar",
        "wine_cellar/barrels",
    )
    assert ("c/cathedral/indoor/1.jpg", "cathedral/indoor") in named(scenes, tmp_path)
    assert len(scenes.paths) == 12


def test_a_folder_that_only_holds_empty_folders_is_named(tmp_path: Path) -> None:
    folders(tmp_path, {"bar": 2, "coast": 2})
    (tmp_path / "deep" / "empty").mkdir(parents=True)
    assert mistake(tmp_path).startswith(f"{tmp_path / 'deep' / 'empty'}: holds no picture")


def test_pictures_without_a_class_are_none_to_learn_from(tmp_path: Path) -> None:
    said = "shows no picture of a class; put pictures into a folder for each class, or list them in a CSV"
    assert said in mistake(tmp_path)
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "0.jpg").touch()
    assert said in mistake(tmp_path)
    assert said in mistake(listed(tmp_path, "path,label\n"))


def test_what_is_passed_over_is_told(tmp_path: Path) -> None:
    folders(tmp_path, {"train/bar": 2, "train/c/coast": 2, "test/coast": 1})
    assert passed_over(tmp_path) == []
    (tmp_path / "train" / "._0.jpg").touch()
    (tmp_path / "train" / "notes.txt").touch()
    (tmp_path / "train" / "coast.gif").mkdir()
    assert passed_over(tmp_path) == []
    for name in ("0.jpg", "train/1.PNG", "train/bar/2.bmp", "test/coast/3.BMP", "train/c/coast/4"):
        (tmp_path / name).touch()
    loose, others = passed_over(tmp_path)
    assert loose == (
        f"passed over, as they lie in no folder of a class: 2 pictures, of which {tmp_path / '0.jpg'} is one"
    )
    assert others == (
        "passed over, as their names do not end in .jpg, .jpeg, .jpe, .jfif, .png, .webp, .gif: "
        "2 .bmp, 1 without a suffix"
    )
    for number in range(6):
        (tmp_path / "test" / "coast" / f"5.{number}").touch()
    assert passed_over(tmp_path)[1].endswith(": 2 .bmp, 1 .0, 1 .1, 1 .2, 1 .3, 3 others")
    assert passed_over(listed(tmp_path, "path,label\n")) == []


def test_labels_mean_the_same_in_every_split(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"bar": 2, "coast": 2})
    folders(tmp_path / "test", {"coast": 1})
    test = read_scenes(tmp_path, "test")
    assert test.classes == read_scenes(tmp_path, "train").classes
    assert test.labels.tolist() == [1]


@pytest.mark.parametrize("header", ["path,label,split", "file,class,split", "split,x,label,file"])
def test_a_csv_lists_pictures_beside_itself(tmp_path: Path, header: str) -> None:
    folders(tmp_path, {"one": 3, "two": 2})
    values = {"x": "7", "split": "train"}
    lines = [header]
    for file, label in [
        ("one/0.jpg", "bar"),
        ("one/2.jpg", "bar"),
        ("two/1.jpg", "coast"),
        ("two/0.jpg", "coast"),
    ]:
        row = values | dict.fromkeys(("path", "file"), file) | dict.fromkeys(("label", "class"), label)
        lines.append(",".join(row[column] for column in header.split(",")))
    scenes = read_scenes(listed(tmp_path, "\n".join(lines)), "train")
    assert named(scenes, tmp_path) == [
        ("one/0.jpg", "bar"),
        ("one/2.jpg", "bar"),
        ("two/1.jpg", "coast"),
        ("two/0.jpg", "coast"),
    ]


def test_a_csv_may_have_no_split(tmp_path: Path) -> None:
    folders(tmp_path, {"a": 2, "b": 2})
    path = listed(tmp_path, "\ufeffpath,label\na/0.jpg,a\na/1.jpg,a\nb/0.jpg,b\nb/1.jpg,b\n")
    assert read_scenes(path, None).labels.tolist() == [0, 0, 1, 1]
    assert "has no split val; its splits: none" in mistake(path, "val")


def test_spaces_around_what_a_csv_says_and_capitals_of_its_header_mean_nothing(tmp_path: Path) -> None:
    folders(tmp_path, {"a": 2, "b": 2})
    rows = "a/0.jpg, a, Train\na/1.jpg,a ,train\nb/0.jpg,b,train \nb/1.jpg, b,train\n"
    scenes = read_scenes(listed(tmp_path, f"Path, Label, Split\n{rows}"), "train")
    assert (scenes.classes, scenes.labels.tolist()) == (("a", "b"), [0, 0, 1, 1])


def test_where_the_name_ends_in_tsv_tabs_separate(tmp_path: Path) -> None:
    folders(tmp_path, {"a": 2, "b": 2})
    path = listed(tmp_path, "path\tlabel\na/0.jpg\tSea, calm\nb/0.jpg\tb\n")
    assert "values are separated by tabs; save it with commas, or have its name end in .tsv" in mistake(path)
    path = path.rename(tmp_path / "scenes.tsv")
    assert read_scenes(path, to_learn=False).classes == ("Sea, calm", "b")


def test_splits_of_a_csv_that_have_other_names_are_not_taken_for_one(tmp_path: Path) -> None:
    folders(tmp_path, {"a": 2, "b": 2})
    rows = "a/0.jpg,a,Train\na/1.jpg,a,testing\nb/0.jpg,b,Train\nb/1.jpg,b,\n"
    path = listed(tmp_path, f"path,label,split\n{rows}")
    assert len(read_scenes(path, "train", to_learn=False).paths) == 2
    assert mistake(path) == (
        f"{path}: has the split testing; name splits train, val, test, or leave the column out"
    )
    path = listed(tmp_path, f"path,label,split\n{rows.replace('testing', 'Test')}")
    assert len(read_scenes(path).paths) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "scenes.csv:1: no column path or file; the header has nothing"),
        ("path,kind\n", "scenes.csv:1: no column label or class; the header has path, kind"),
        ("path,label\na/0.jpg,a\na/9.jpg,a\n", "scenes.csv:3: there is no file"),
        ("path,label\na/0.jpg,a\n\n,a\n", "scenes.csv:4: path is empty"),
        ("path,label\na/0.jpg\n", "scenes.csv:2: label is empty"),
        ("path,label\na/0.jpg,a\na/1.jpg,a\na/0.jpg,b\n", "scenes.csv:4"),
        ("path,label\na/0.jpg,a\na/0.jpg,b\n", "a/0.jpg stands in line 2 already"),
        ("path;label\na/0.jpg;a\n", "scenes.csv: values are separated by ';'; save it with commas"),
        ("a/0.jpg 12\n", "the header has a/0.jpg 12; begin with a line such as path,label"),
        (
            'path,label,place\na/0.jpg,a,"Rome\na/1.jpg,a,Oslo\nb/0.jpg,b,"Bern"\n',
            "scenes.csv:2: a value in quotes goes on beyond its row",
        ),
        (
            f"path,label\na/0.jpg,{257 * 'a'}\n",
            "has a name of 257 characters, 256 at most can be used; rename it",
        ),
        ("path,label\na/0.jpg,a\na/1.jpg,a\n", "1 classes; two or more are needed"),
        ("path,label\na/0.jpg,a\na/1.jpg,a\nb/0.jpg,b\n", "class b has 1 pictures, 2 or more are needed"),
    ],
)
def test_a_mistake_in_a_csv_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    folders(tmp_path, {"a": 2, "b": 2})
    assert said in mistake(listed(tmp_path, text))


def test_a_csv_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenes.csv"
    path.write_bytes("path,label\ncafé.jpg,café\n".encode("latin-1"))
    assert "cannot be read as CSV in UTF-8" in mistake(path)


def test_a_class_without_enough_pictures_is_named(tmp_path: Path) -> None:
    folders(tmp_path, {"bar": 2, "coast": 1})
    assert "class coast has 1 pictures" in mistake(tmp_path)
    (tmp_path / "harbor").mkdir()
    assert f"{tmp_path / 'harbor'}: holds no picture" in mistake(tmp_path)


def test_more_classes_than_a_labeller_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.labelling.scenes.MAX_CLASSES", 2)
    folders(tmp_path, {"bar": 2, "coast": 2, "harbor": 2})
    assert "3 classes, a labeller has 2 at most" in mistake(tmp_path)
    assert len(read_scenes(tmp_path, to_learn=False).paths) == 6


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere: is neither a folder of scenes nor a CSV file" in mistake(tmp_path / "nowhere")
    folders(tmp_path / "train", {"bar": 2, "coast": 2})
    assert "has no split test; its splits: train" in mistake(tmp_path, "test")


@pytest.mark.shared_data
def test_real_scenes_are_read_by_split() -> None:
    if not SUN25.is_file():
        pytest.skip("the folder of research data is not beside this checkout")
    train, test = read_scenes(SUN25, "train"), read_scenes(SUN25, "test")
    assert (len(train.paths), len(test.paths), len(train.classes)) == (600, 600, 25)
    assert set(np.bincount(train.labels).tolist()) == {24}
    assert train.classes == test.classes
    assert not set(train.paths) & set(test.paths)
