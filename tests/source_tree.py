"""The source files of the project and what they import, read without running them."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = ("reco", "models", "streams", "demo", "infra")
FOLDERS = (*PACKAGES, "benchmarks", "tests")


class Import(NamedTuple):
    """A module that is imported; `lazy` if only when a function runs, or only for the type checker."""

    module: str
    line: int
    lazy: bool


@dataclass(frozen=True)
class Source:
    """One source file, by the name of its module and its text."""

    module: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import; `from a import b` counts as `a` and as `a.b`, since `b` may be a module."""
        return tuple(self._imports(self.tree, lazy=False))

    def _imports(self, node: ast.AST, *, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(name.name, child.lineno, lazy) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = self._absolute(child)
                yield Import(base, child.lineno, lazy)
                yield from (Import(f"{base}.{name.name}", child.lineno, lazy) for name in child.names)
            else:
                yield from self._imports(child, lazy=lazy or _runs_later(child))

    def _absolute(self, node: ast.ImportFrom) -> str:
        package = self.module.split(".")
        above = node.level - self.is_package
        parts = package[: len(package) - above] if node.level else []
        return ".".join([*parts, *([node.module] if node.module else [])])


def _runs_later(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def files(folders: Iterable[str] = FOLDERS) -> list[Path]:
    """The Python files of the project in `folders`."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def sources(folders: Iterable[str] = FOLDERS) -> list[Source]:
    """The Python files of the project in `folders`, as modules."""
    return [_source(path) for path in files(folders)]


def _source(path: Path) -> Source:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Source(".".join(parts[:-1] if is_package else parts), path.read_text(encoding="utf-8"), is_package)


def inside(module: str, packages: Iterable[str]) -> bool:
    """Whether `module` is one of `packages` or within one."""
    return any(module == package or module.startswith(package + ".") for package in packages)


def loaded_with(module: str, tree: dict[str, Source]) -> set[str]:
    """Every module, ours or not, that the import of `module` loads at once."""
    loaded: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in loaded:
            continue
        loaded.add(name)
        parent, _, _ = name.rpartition(".")
        now = [one.module for one in tree[name].imports if not one.lazy] if name in tree else []
        waiting += [*now, parent] if parent else now
    return loaded
