"""`tenfold labels topics` writes a labeller that sees as the one before, with topics of the sales."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from models.labelling.labeller import load_labeller
from reco.labels import SaleLabels, Scored
from streams.cli import tenfold
from tests.reco.labelled import labels
from tests.streams.command_line import use
from tests.streams.labellers import KINDS, postcards, write
from tests.streams.world import World

pytestmark = pytest.mark.broker


def sale(number: int, labeller: str) -> SaleLabels:
    """A sale that shows a skyline, or a slope, or both; never a safari."""
    skyline = number % 3 / 2
    found = Scored("skyline", skyline), Scored("ski slope", 1 - skyline)
    return replace(labels(f"sale-{number}", labeller=labeller), labels=found)


async def test_a_labeller_with_topics_of_the_sales_is_written_beside_the_one_before(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(world.settings, tmp_path, monkeypatch)
    monkeypatch.setenv("COLUMNS", "160")
    before = load_labeller(write(tmp_path / "labellers"))
    odd = replace(labels("odd", labeller="another"), labels=(Scored("volcano", 1.0),))
    await world.label(odd, *(sale(number, before.version) for number in range(40)))
    folder = tmp_path / "labellers" / before.version

    arguments = ["labels", "topics", str(folder), "--output", str(tmp_path / "new")]
    result = await asyncio.to_thread(CliRunner().invoke, tenfold, arguments)

    assert result.exit_code == 0, result.exception
    (written,) = (tmp_path / "new").iterdir()
    assert f"labeller: {written}" in result.output
    after, pictures = load_labeller(written), postcards(range(2))
    assert after.version != before.version
    assert after.manifest.trained_on["topics"] == {"sales": 40, "labelled_by": before.version}
    assert after.manifest.metrics == before.manifest.metrics
    seen, saw = after.label(pictures), before.label(pictures)
    np.testing.assert_array_equal(seen.scores, saw.scores)
    np.testing.assert_array_equal(seen.embeddings, saw.embeddings)
    assert after.recognition.topics is not None
    assert after.recognition.topics.weights[:, KINDS.index("safari")].max() == 0
    for name in after.topic_names:
        assert name in result.output


async def test_without_labelled_sales_nothing_is_written(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(world.settings, tmp_path, monkeypatch)
    folder = write(tmp_path / "labellers")
    result = await asyncio.to_thread(CliRunner().invoke, tenfold, ["labels", "topics", str(folder)])
    assert "0 sales are labelled by this labeller" in str(result.exception)
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]
