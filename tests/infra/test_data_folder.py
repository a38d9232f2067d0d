"""A data folder that cannot be written is a mistake in the settings, wherever that shows."""

from pathlib import Path

import pytest

from infra.broker import find, start
from infra.data_folder import write_whole
from reco.errors import SettingsError
from streams.faust_app import table_folder
from streams.import_progress import Ledger, Progress
from streams.import_rows import Refusal

FULL = Path("/dev/full")
"""A device of Linux that takes nothing, as a full disk does."""


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A folder that nobody can create, not even root."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "data"


def test_a_broker_that_cannot_write_its_data_folder_says_what_to_do(nowhere: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{nowhere} cannot be written: .*; change its owner or set"):
        start(nowhere, detached=False)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has such a device")
@pytest.mark.parametrize("name", ["ports.fresh", "server.properties", "running.fresh"])
def test_a_broker_that_finds_the_disk_full_says_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / name).symlink_to(FULL)
    with pytest.raises(SettingsError, match=r"cannot be written: .*No space left.*; change its owner or set"):
        start(tmp_path, detached=False)
    assert find(tmp_path) is None


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has such a device")
def test_a_file_keeps_what_it_held_if_the_disk_is_full(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    write_whole(file, "old")
    (tmp_path / "ports.fresh").symlink_to(FULL)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old"


def test_a_worker_that_cannot_write_its_tables_says_what_to_do(nowhere: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"cannot be written: .*; change its owner or set worker\.data_dir"
    ):
        table_folder(nowhere / "tables")


def test_an_import_that_cannot_write_its_progress_says_what_to_do(nowhere: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be written: .*; change its owner or set"):
        Ledger(nowhere / "imports", "one")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has such a device")
def test_an_import_that_finds_the_disk_full_says_what_to_do(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "one")
    (tmp_path / "one.fresh").symlink_to(FULL)
    ledger.rejects.symlink_to(FULL)
    with pytest.raises(SettingsError, match=r"cannot be written: .*No space left"):
        ledger.save(Progress())
    with pytest.raises(SettingsError, match=r"cannot be written: .*No space left"):
        ledger.reject([Refusal(1, "bad-id", "visitor_id: empty", "{}")])
