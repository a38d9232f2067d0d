"""All settings with their values and where each comes from, right or wrong, passwords hidden."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from streams.settings import FILE_VARIABLE, GROUPS, PREFIX, SETTINGS_FILE, is_secret, written


class Setting(NamedTuple):
    """One setting as it was given, not checked."""

    group: str
    field: str
    value: str
    source: Literal["default", "file", "environment"]

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"{PREFIX}{self.group}_{self.field}".upper()


def all_settings(environment: Mapping[str, str] | None = None) -> Iterator[Setting]:
    """Every setting there is, in the order of the groups."""
    environment = os.environ if environment is None else environment
    content = _file_content(Path(environment.get(FILE_VARIABLE) or SETTINGS_FILE))
    for group, kind in GROUPS.items():
        in_file = content.get(group)
        given = in_file if isinstance(in_file, dict) else {}
        for field in kind.__struct_fields__:
            setting = Setting(group, field, _shown(field, getattr(kind(), field)), "default")
            if field in given:
                setting = setting._replace(value=_shown(field, given[field]), source="file")
            if setting.variable in environment:
                value = _shown(field, environment[setting.variable])
                setting = setting._replace(value=value, source="environment")
            yield setting


def _file_content(path: Path) -> dict[str, Any]:
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    return {}


def _shown(field: str, value: object) -> str:
    return "(hidden)" if value and is_secret(field, value) else written(value)
