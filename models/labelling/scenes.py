"""Labelled scenes: pictures sorted into folders by class, or listed in a CSV file, to learn labels from.

Folders may lie in folders, as in SUN397 and Places: `c/cathedral/indoor` is the class `cathedral/indoor`, for
a folder that only sorts by the first letter is no part of the name.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.csv_rows import CsvRow, csv_header, csv_rows
from models.event_log import separator_of
from models.labelling.labeller_files import MAX_CLASSES
from reco.errors import EventLogError, LabellingError
from reco.labels import LONGEST_NAME

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif")
"""Files in a class's folder that count as its pictures."""
SPLITS = ("train", "val", "test")
"""Folders that hold a split, each with a folder per class; also in capitals, as in a CSV file."""
FEWEST = 2
"""Pictures that a class needs to be learned: one to train on, one to validate with."""
NAMED_KINDS = 5
"""Kinds of files that are passed over and named, the most frequent ones."""
_COLUMNS = ("path", "file"), ("label", "class"), ("split",)
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
    if not rows:
        todo = "put pictures into a folder for each class, or list them in a CSV file: path,label"
        raise LabellingError(f"{path}: shows no picture of a class; {todo}")
    classes = tuple(sorted({row.label for row in rows}))
    _check_names(path, classes)
    if to_learn:
        _check_number(path, len(classes))
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
        if len(name) > LONGEST_NAME:
            has = f"{path}: class {name} has a name of {len(name):,} characters"
            raise LabellingError(f"{has}, {LONGEST_NAME} at most can be used; rename it")


def _check_number(path: Path, classes: int) -> None:
    if classes < 2:  # noqa: PLR2004 -- a choice needs two
        raise LabellingError(f"{path}: {classes} classes; two or more are needed to tell scenes apart")
    if classes > MAX_CLASSES:
        raise LabellingError(f"{path}: {classes:,} classes, a labeller has {MAX_CLASSES:,} at most")


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


def passed_over(path: Path) -> list[str]:
    """What is not read of a folder of scenes, in words, though it may be meant; of a CSV file, all is read.

    Raises:
        LabellingError: the folder cannot be read.
    """
    if not path.is_dir():
        return []
    roots = [folder for folder, _ in _roots(path)]
    loose = [file for folder in {path: None} | dict.fromkeys(roots) for file in _pictures(folder)]
    others = Counter(
        file.suffix.lower() or "without a suffix"
        for root in roots
        for folder in _below(root)
        for file in _files(folder)
        if not _is_picture(file)
    )
    remarks = []
    if loose:
        some = f"{len(loose):,} pictures, of which {loose[0]} is one"
        remarks.append(f"passed over, as they lie in no folder of a class: {some}")
    if others:
        named = others.most_common(NAMED_KINDS)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in named)
        if more := others.total() - sum(count for _, count in named):
            kinds += f", {more:,} others"
        remarks.append(f"passed over, as their names do not end in {', '.join(SUFFIXES)}: {kinds}")
    return remarks


def _rows_of_folder(path: Path) -> Iterator[_Row]:
    for folder, split in _roots(path):
        yield from _rows_of_classes(folder, split)


def _roots(path: Path) -> list[tuple[Path, str | None]]:
    """The folders that hold those of the classes, and the split that each of them is."""
    folders = _folders(path)
    splits = [folder for folder in folders if folder.name.lower() in SPLITS]
    others = [folder.name for folder in folders if folder not in splits]
    if splits and not others:
        return [(folder, folder.name.lower()) for folder in splits]
    if within := [folder.name for folder in splits if _folders(folder)]:
        has = f"{path}: beside the split {within[0]} is {', '.join(others)}"
        raise LabellingError(f"{has}; name splits {', '.join(SPLITS)}, and put nothing else beside them")
    if others and all(one.name.lower().startswith(SPLITS) and _folders(one) for one in folders):
        raise LabellingError(f"{path}: {', '.join(others)} seem to be splits; name them {', '.join(SPLITS)}")
    return [(path, None)]


def _rows_of_classes(path: Path, split: str | None, above: tuple[str, ...] = ()) -> Iterator[_Row]:
    """The pictures in the folders of `path`, which lies in the folders `above`, and below these."""
    for folder in _folders(path):
        names = (*above, folder.name)
        rows = [_Row(file, _class_of(names), split) for file in _pictures(folder)]
        rows += _rows_of_classes(folder, split, names)
        if not rows:
            raise LabellingError(f"{folder}: holds no picture ({', '.join(SUFFIXES)}); add some or remove it")
        yield from rows


def _class_of(names: tuple[str, ...]) -> str:
    by_letter = len(names) > 1 and names[1].lower().startswith(names[0].lower()) and len(names[0]) == 1
    return "/".join(names[by_letter:])


def _below(path: Path) -> Iterator[Path]:
    """The folders in a folder, and those in them."""
    for folder in _folders(path):
        yield folder
        yield from _below(folder)


def _folders(path: Path) -> list[Path]:
    """The folders in a folder; not those that are hidden, nor links to where they lie themselves."""
    here = path.resolve()
    return [one for one in _seen(path, folders=True) if not here.is_relative_to(one.resolve())]


def _pictures(folder: Path) -> list[Path]:
    return [file for file in _files(folder) if _is_picture(file)]


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _files(folder: Path) -> list[Path]:
    """Whatever in a folder is none itself; not what is hidden, as is what a Mac puts beside each picture."""
    return _seen(folder, folders=False)


def _seen(path: Path, *, folders: bool) -> list[Path]:
    with os.scandir(path) as entries:  # which knows folders without looking at each of many files
        found = [Path(one) for one in entries if not one.name.startswith(".") and _is_folder(one) == folders]
    return sorted(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; `entry.is_dir` raises an error for links in a circle."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


def _rows_of_csv(path: Path) -> Iterator[_Row]:
    """The rows of a CSV file, each with a path of its own that is there."""
    seen: dict[Path, int] = {}
    separator = separator_of(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv_rows(text, separator)
            columns = _columns(path, csv_header(rows, path, separator))
            for one in rows:
                if not one.values and not one.fault:
                    continue
                where = f"{path}:{one.first}"
                row = _row(where, path.parent, one, columns)
                if row.path in seen:
                    raise LabellingError(f"{where}: {row.path} stands in line {seen[row.path]} already")
                seen[row.path] = one.first
                yield row
    except EventLogError as error:
        raise LabellingError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabellingError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error


class _Columns(NamedTuple):
    """The places of the path, the label and, if there is one, the split in a row."""

    path: int
    label: int
    split: int | None


def _columns(path: Path, header: Sequence[str]) -> _Columns:
    names = [name.strip().lower() for name in header]
    places = [next((names.index(name) for name in wanted if name in names), None) for wanted in _COLUMNS]
    if missing := [wanted for wanted, place in zip(_COLUMNS[:2], places, strict=False) if place is None]:
        has = f"no column {' or '.join(missing[0])}; the header has {', '.join(header) or 'nothing'}"
        raise LabellingError(f"{path}:1: {has}; begin with a line such as path,label")
    return _Columns(*places)  # type: ignore[arg-type]


def _row(where: str, folder: Path, row: CsvRow, columns: _Columns) -> _Row:
    if row.fault:
        raise LabellingError(f"{where}: {row.fault}; close each quote in its row")
    file, label, split = (_value(row, place) for place in columns)
    if not file or not label.strip():
        raise LabellingError(f"{where}: {'label' if file else 'path'} is empty")
    if not (folder / file).is_file():
        raise LabellingError(f"{where}: there is no file {folder / file}")
    return _Row(folder / file, label.strip(), split.strip().lower() or None)


def _value(row: CsvRow, place: int | None) -> str:
    """A value of a row; empty if the row is too short."""
    return row.values[place] if place is not None and place < len(row.values) else ""
