"""A data folder that cannot be written is a mistake in the settings, wherever that shows."""

from pathlib import Path

import pytest

from infra.broker import start
from reco.errors import SettingsError
from streams.faust_app import table_folder


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A folder that nobody can create, not even root."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "data"


def test_a_broker_that_cannot_write_its_data_folder_says_what_to_do(nowhere: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{nowhere} cannot be written: .*; change its owner or set"):
        start(nowhere, detached=False)


def test_a_worker_that_cannot_write_its_tables_says_what_to_do(nowhere: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"cannot be written: .*; change its owner or set worker\.data_dir"
    ):
        table_folder(nowhere / "tables")
