"""`tenfold labels promote` and `rollback` make labellers live beside rankers, never one that is not whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.labelling.labeller_files import HEAD
from streams.settings import Settings
from tests.models.small_models import release
from tests.source_tree import ROOT
from tests.streams.command_line import Command
from tests.streams.labellers import write

pytestmark = pytest.mark.broker


def test_promote_makes_a_labeller_live_beside_the_ranker_and_rollback_goes_back_step_by_step(
    settings: Settings, command: Command, tmp_path: Path
) -> None:
    first, second = (write(tmp_path / "labellers", number).name for number in (1, 2))
    ranker = release(settings.releases_dir(), 1).name
    settings_own = "the labeller of the settings"

    promoted = command("labels", "promote", f"labellers/{first}").output
    assert f"{first} is live; before, it was {settings_own}. `tenfold labels rollback` goes back." in promoted
    assert "These settings name none: if no labelling worker runs, start one with" in promoted
    command("releases", "promote", ranker)
    promoted = command("labels", "promote", f"labellers/{second}").output
    assert f"{second} is live; before, it was {first}." in promoted
    assert "These settings name none" not in promoted
    lines = command("releases", "list").output.splitlines()
    assert lines[0].startswith(f"Live: {ranker}/mix, since 20")
    assert lines[1].startswith(f"Live labeller: {second}, since 20")

    assert f"{first} is live again; before, it was {second}." in command("labels", "rollback").output
    back = command("labels", "rollback").output
    assert f"{settings_own} is live again; before, it was {first}." in back
    assert "These settings name none: with them, no labelling worker starts any more." in back
    nothing = command("labels", "rollback")
    assert nothing.exit_code == 1
    assert "The labeller of the settings is live; there is nothing before it" in str(nothing.exception)
    assert "Live labeller" not in command("releases", "list").output


def test_a_labeller_that_is_not_whole_is_neither_promoted_nor_gone_back_to(
    command: Command, tmp_path: Path
) -> None:
    first, second, third = (write(tmp_path, number) for number in (1, 2, 3))
    for one in (first, second, third):
        command("labels", "promote", str(one))
    (second / HEAD).write_bytes(b"?")

    refused = command("labels", "promote", str(second))
    back = command("labels", "rollback").output

    assert refused.exit_code == 1
    assert "head.npz: its 1 bytes are not those that were released; copy the labeller" in str(
        refused.exception
    )
    assert f"{second.name} is left out: " in back
    assert f"{first.name} is live again; before, it was {third.name}." in back


def test_a_labeller_is_verified_without_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from streams.labellers import chosen;"
        "assert chosen(Path(sys.argv[1])).path == sys.argv[1];"
        "sys.exit('tensorflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(write(tmp_path))], cwd=ROOT, check=False)
    assert ran.returncode == 0
