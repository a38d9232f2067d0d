"""The lock belongs to the processes that hold its descriptor, however they end."""

import fcntl
import subprocess
import sys
from pathlib import Path

from infra.file_lock import is_locked, locked


def test_a_lock_is_held_in_the_block_and_free_after_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with locked(path, wait=True) as held:
        assert held is not None
        assert is_locked(path)
        with locked(path, wait=False) as second:
            assert second is None
        assert is_locked(path)
    assert not is_locked(path)


def test_looking_does_not_take_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    assert not is_locked(path)
    with locked(path, wait=False) as held:
        assert held is not None


def test_who_looks_is_not_taken_for_a_holder_by_others_who_look(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_a_child_keeps_the_lock_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, wait=True) as held:
        assert held is not None
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(held,))
    assert is_locked(path)
    child.kill()
    child.communicate()
    assert not is_locked(path)
