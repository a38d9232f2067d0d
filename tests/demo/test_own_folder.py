"""The folder of a demo goes with it; that of a demo which was killed goes with the next one."""

from pathlib import Path

import pytest

from demo.own_folder import own_folder
from reco.errors import SettingsError
from tests.infra.processes import run

A_DEMO = """
import pathlib, sys, time
from demo.own_folder import own_folder
with own_folder(pathlib.Path(sys.argv[1]), "demo.killed") as folder:
    (folder / "tables").mkdir()
    print("begun", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_nothing_is_left_once_the_last_demo_is_over(tmp_path: Path) -> None:
    demos = tmp_path / "demo"
    with own_folder(demos, "demo.1") as one:
        with own_folder(demos, "demo.2") as other:
            assert names(demos) == ["demo.1", "demo.2"]
            (other / "tables").mkdir()
        assert one.is_dir()
    assert names(tmp_path) == []


def test_what_a_killed_demo_left_is_removed_by_the_next_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "demo.of another").mkdir()
    with run(A_DEMO, tmp_path) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        with own_folder(tmp_path, "demo.1"):
            assert names(tmp_path) == ["demo.1", "demo.killed", "demo.of another", "releases"]
        demo.kill()
    assert names(tmp_path) == ["demo.killed", "demo.of another", "releases"]
    with own_folder(tmp_path, "demo.2"):
        assert names(tmp_path) == ["demo.2", "demo.of another", "releases"]
    assert names(tmp_path) == ["demo.of another", "releases"]


def test_a_folder_that_cannot_be_written_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    with pytest.raises(SettingsError, match="cannot be written"), own_folder(tmp_path / "demo", "demo.1"):
        pass
