"""Rules of the house that no other tool checks: sizes, first lines, pickles, what the README must say."""

import ast
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from streams.cli import tenfold
from tests.source_tree import FOLDERS, ROOT, Source, files, sources

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
PICKLES = ("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")

SOURCES = sources()


def long_functions(source: Source) -> list[str]:
    functions = [
        node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [
        f"{source.module}.{function.name} has {lines(function)} lines"
        for function in functions
        if lines(function) > MAX_FUNCTION_LINES
    ]


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def pickles(source: Source) -> list[str]:
    """Where a module could run code that hides in data."""
    imported = [one.module for one in source.imports if one.module.partition(".")[0] in PICKLES]
    allowed = [
        ast.unparse(word)
        for word in ast.walk(source.tree)
        if isinstance(word, ast.keyword)
        and word.arg in {"allow_pickle", "weights_only"}
        and ast.unparse(word.value) != ("False" if word.arg == "allow_pickle" else "True")
    ]
    return [f"{source.module}: {what}" for what in imported + allowed]


def test_no_file_is_longer_than_400_lines() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files()
    }
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    assert [function for source in SOURCES for function in long_functions(source)] == []


def test_the_first_line_of_every_file_says_what_it_is() -> None:
    silent = [source.module for source in SOURCES if source.text and not ast.get_docstring(source.tree)]
    assert silent == []


def test_nothing_is_unpickled() -> None:
    assert [pickle for source in SOURCES for pickle in pickles(source)] == []


def commands(command: Any, name: str) -> Iterator[str]:
    """The full names of all commands at and below `command`."""
    groups = getattr(command, "commands", {})
    if not groups:
        yield name
    for word, inner in groups.items():
        yield from commands(inner, f"{name} {word}")


COMMANDS = list(commands(get_command(tenfold), "tenfold"))


def test_every_command_stands_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if not re.search(rf"{name}\b", text)] == []


def missing_files(text: str) -> list[str]:
    """The Python files of the project that `text` names and that are not there."""
    named = re.findall(rf"(?<!\w)(?<!\w/)(?:{'|'.join(FOLDERS)})/[\w/.-]+\.py\b", text)
    return [name for name in named if not (ROOT / name).is_file()]


def test_every_file_that_is_named_in_the_docs_and_beside_pins_is_there() -> None:
    pages = [ROOT / "pyproject.toml", ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    missing = {page.name: missing_files(page.read_text(encoding="utf-8")) for page in pages}
    assert {page: names for page, names in missing.items() if names} == {}


def test_a_file_that_is_named_and_not_there_is_found() -> None:
    assert missing_files(
        "as (`streams/lost.py`), [so](../tests/gone.py), elsewhere/reco/a.py, reco/rules.py"
    ) == [
        "streams/lost.py",
        "tests/gone.py",
    ]


def test_there_are_commands_and_commands_within_groups() -> None:
    assert {"tenfold up", "tenfold doctor", "tenfold broker start"} <= set(COMMANDS)


def test_the_version_stands_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(
        r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert version in headings


def test_a_long_function_is_found() -> None:
    body = "    pass\n" * MAX_FUNCTION_LINES
    assert long_functions(Source("long", f"class A:\n  async def f():\n{body}"))
    assert not long_functions(Source("short", f"def f():\n{body[9:]}"))


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "def late():\n    import dill",
        "np.load(path, allow_pickle=True)",
        "torch.load(path, weights_only=False)",
    ],
)
def test_a_pickle_is_found(text: str) -> None:
    assert pickles(Source("jar", text))
    assert not pickles(Source("jar", "np.load(path, allow_pickle=False)"))
