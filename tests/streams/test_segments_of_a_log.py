"""`tenfold evaluate` and `train` tell visitors apart by what a log says of them, unless they are told how."""

import json
from pathlib import Path
from random import Random

import pytest

from models.releases import load_release
from reco.features import FEATURES
from streams.settings import load
from tests.models.shop_logs import MINUTE, START
from tests.streams.command_line import Command

QUICK = tuple(f"--set={one}" for one in ("trees=5", "num_leaves=5", "min_data_in_leaf=20", "threads=1"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where visitors go on to depends on where they are at home, and not on the weather."""
    random, rows = Random(0), ["session_id,visitor_id,item_id,event_type,ts,weather,home"]
    for number in range(400):
        home, weather = random.randrange(8), random.choice(("rain", "sun"))
        for step, sale in enumerate((9, home, 8)):
            ids, ts = f"s{number},v{number},sale{sale}", START + number * MINUTE + step * 1000
            rows.append(f"{ids},view,{ts},{weather},home{home}")
    file = tmp_path / "log.csv"
    file.write_text("\n".join(rows))
    return file


@pytest.mark.parametrize(
    ("given", "used"), [(None, "home"), ({"revisits": 3_600_000}, "home"), ({"segments": list("abc")}, "a")]
)
def test_an_evaluation_says_what_it_tells_visitors_apart_by(
    command: Command, log: Path, tmp_path: Path, given: dict[str, object] | None, used: str
) -> None:
    tables, parameters = tmp_path / "tables.json", tmp_path / "parameters.json"
    parameters.write_text(json.dumps(given))
    files = ("--json", tables, *(("--parameters", parameters) if given else ()))
    done = command("evaluate", str(log), "--protocol", "next-click", *map(str, files), *QUICK)
    assert done.exit_code == 0, done.output
    segments = json.loads(tables.read_text())["about"]["training"]["segments"].split(", ")
    assert segments[0] == used
    assert (f"{log}: visitors are told apart by home;" in done.output) == (used == "home")


def test_a_release_has_the_segments_of_what_it_was_trained_on(command: Command, log: Path) -> None:
    done = command("train", str(log), *QUICK)
    assert done.exit_code == 0, done.output
    (folder,) = load().releases_dir().iterdir()
    release = load_release(folder, FEATURES)
    assert release.manifest.parameters.segments[0] == "home"
    assert "visitors are told apart by home;" in done.output
