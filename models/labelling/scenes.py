"""Labelled scenes: pictures sorted into folders by class, or listed in a CSV file, to learn labels from.

Folders may lie in folders, as in SUN397 and Places: `c/cathedral/indoor` is the class `cathedral/indoor`, for
a folder that only sorts by the first letter is no part of the name.
"""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.errors import LabellingError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
"""Files in a class's folder that count as its pictures."""
SPLITS = ("train", "val", "test")
"""Folders that hold a split, each with a folder per class; also in capitals, as in a CSV file."""
FEWEST = 2
"""Pictures that a class needs to be learned: one to train on, one to validate with."""
PATHS, CLASSES, SPLIT = ("path", "file"), ("label", "class"), ("split",)
"""Names of the columns of a CSV file; the split may be missing."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """Pictures and what they show.

    Attributes:
        paths: the files.
        labels: int32[n], the class of each, an index into `classes`.
        classes: the names, sorted; the same whichever split was read.
    """

    paths: tuple[Path, ...]
    labels: NDArray[np.int32]
    classes: tuple[str, ...]


class _Row(NamedTuple):
    path: Path
    label: str
    split: str | None


def read_scenes(path: Path, split: str | None = None, *, to_learn: bool = True) -> Scenes:
    """The labelled scenes in a folder or a CSV file.

    Args:
        path: a folder with a folder per class, at any depth, or with folders `train`, `val` and `test` of
            such; or a CSV file with the columns `path` (or `file`, relative to the CSV), `label` (`class`),
            maybe `split`.
        split: which split to read; None for everything.
        to_learn: whether a labeller is to learn from the path: then it has to show two classes or more,
            and enough of each to train on.

    Raises:
        LabellingError: it cannot be read, or nothing can be learned from it; says what is wrong and where.
    """
    if path.is_dir():
        rows = list(_rows_of_folder(path))
    elif path.is_file():
        rows = list(_rows_of_csv(path))
    else:
        raise LabellingError(f"{path}: is neither a folder of scenes nor a CSV file that lists them")
    classes = tuple(sorted({row.label for row in rows}))
    _check_names(path, classes)
    if to_learn and len(classes) < 2:  # noqa: PLR2004 -- a choice needs two
        raise LabellingError(f"{path}: {len(classes)} classes; two or more are needed to tell scenes apart")
    kept = _of_split(path, rows, split)
    if to_learn and split in {None, "train"}:
        _check_enough(path, kept, classes)
    index = {name: number for number, name in enumerate(classes)}
    labels = np.array([index[row.label] for row in kept], np.int32)
    return Scenes(tuple(row.path for row in kept), labels, classes)


def _check_names(path: Path, classes: Sequence[str]) -> None:
    for name in classes:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise LabellingError(f"{path}: class {name!a} has a name that is not UTF-8; rename it") from None


def _of_split(path: Path, rows: Sequence[_Row], split: str | None) -> Sequence[_Row]:
    known = sorted({row.split for row in rows if row.split})
    if split is None:
        if others := [name for name in known if name not in SPLITS]:
            has = f"{path}: has the split {others[0]}"
            raise LabellingError(f"{has}; name splits {', '.join(SPLITS)}, or leave the column out")
        return rows
    kept = [row for row in rows if row.split == split]
    if not kept:
        raise LabellingError(f"{path}: has no split {split}; its splits: {', '.join(known) or 'none'}")
    return kept


def _check_enough(path: Path, rows: Sequence[_Row], classes: Sequence[str]) -> None:
    counts = Counter(row.label for row in rows)
    for name in classes:
        if counts[name] < FEWEST:
            has = f"{path}: class {name} has {counts[name]} pictures"
            raise LabellingError(f"{has}, {FEWEST} or more are needed; add some, or leave the class out")


def _rows_of_folder(path: Path) -> Iterator[_Row]:
    folders = _folders(path)
    splits = [folder for folder in folders if folder.name.lower() in SPLITS]
    others = [folder.name for folder in folders if folder.name.lower() not in SPLITS]
    if not others:
        for folder in splits:
            yield from _rows_of_classes(folder, folder.name.lower())
    elif within := [folder.name for folder in splits if _folders(folder)]:
        has = f"{path}: beside the split {within[0]} is {', '.join(others)}"
        raise LabellingError(f"{has}; name splits {', '.join(SPLITS)}, and put nothing else beside them")
    else:
        yield from _rows_of_classes(path, None)


def _rows_of_classes(path: Path, split: str | None, above: tuple[str, ...] = ()) -> Iterator[_Row]:
    """The pictures in the folders of `path`, which lies in the folders `above`, and below these."""
    for folder in _folders(path):
        names = (*above, folder.name)
        files = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        # Beside each picture that a Mac copies may lie `._` and its name, which is hidden, and none.
        rows = [_Row(file, _class_of(names), split) for file in sorted(files) if file.name[0] != "."]
        rows += _rows_of_classes(folder, split, names)
        if not rows:
            raise LabellingError(f"{folder}: holds no picture ({', '.join(SUFFIXES)}); add some or remove it")
        yield from rows


def _class_of(names: tuple[str, ...]) -> str:
    by_letter = len(names) > 1 and names[1].lower().startswith(names[0].lower()) and len(names[0]) == 1
    return "/".join(names[by_letter:])


def _folders(path: Path) -> list[Path]:
    """The folders in a folder; not those that are hidden, nor links to where they lie themselves."""
    here = path.resolve()
    with os.scandir(path) as entries:  # which knows folders without looking at each of many files
        found = [Path(one) for one in entries if _is_folder(one) and not one.name.startswith(".")]
    return sorted(one for one in found if not here.is_relative_to(one.resolve()))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; `entry.is_dir` raises an error for links in a circle."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


def _rows_of_csv(path: Path) -> Iterator[_Row]:
    """The rows of a CSV file, each with a path of its own that is there."""
    seen: dict[Path, int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            columns = _columns(path, reader.fieldnames or ())
            for values in reader:
                where = f"{path}:{reader.line_num}"
                row = _row(where, path.parent, values, columns)
                if row.path in seen:
                    raise LabellingError(f"{where}: {row.path} stands in line {seen[row.path]} already")
                seen[row.path] = reader.line_num
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabellingError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error


def _columns(path: Path, names: Sequence[str]) -> tuple[str, str, str | None]:
    """The names of the columns with the path, the label and, if there is one, the split."""
    path_column, label_column, split_column = (
        next((name for name in wanted if name in names), None) for wanted in (PATHS, CLASSES, SPLIT)
    )
    if path_column is None or label_column is None:
        missing = PATHS if path_column is None else CLASSES
        has = ", ".join(names) or "nothing"
        raise LabellingError(f"{path}:1: no column {' or '.join(missing)}; the header has {has}")
    return path_column, label_column, split_column


def _row(
    where: str, folder: Path, values: dict[str, str | None], columns: tuple[str, str, str | None]
) -> _Row:
    path_column, label_column, split_column = columns
    file, label = values[path_column], values[label_column]
    if not file or not label:
        raise LabellingError(f"{where}: {label_column if file else path_column} is empty")
    if not (folder / file).is_file():
        raise LabellingError(f"{where}: there is no file {folder / file}")
    split = (values[split_column] or "").lower() if split_column else None
    return _Row(folder / file, label, split)
