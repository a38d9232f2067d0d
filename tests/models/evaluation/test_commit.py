"""The commit beside figures is tenfold's own, wherever a command runs, and missing git is no error."""

from pathlib import Path

import pytest

from models.evaluation.commit import commit


def test_it_is_that_of_tenfold_in_whatever_folder_a_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = commit()
    monkeypatch.chdir(tmp_path)
    assert commit() == own


def test_without_git_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == "unknown"
