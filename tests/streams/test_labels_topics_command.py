"""`tenfold labels topics` writes a labeller that sees as the one before, with topics of the sales."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from models.labelling.labeller import Labeller, Provenance, load_labeller, write_labeller
from models.labelling.topics import Topics
from reco.labels import SaleLabels, Scored
from tests.reco.labelled import labels
from tests.streams.command_line import Command
from tests.streams.labellers import KINDS, postcards, recognition, write
from tests.streams.world import World

pytestmark = pytest.mark.broker


def sale(number: int, labeller: str) -> SaleLabels:
    """A sale that shows a skyline, or a slope, or both; never a safari."""
    skyline = number % 3 / 2
    found = Scored("skyline", skyline), Scored("ski slope", 1 - skyline)
    return structs.replace(labels(f"sale-{number}", labeller=labeller), labels=found)


async def fitted_again(command: Command, tmp_path: Path, version: str, *options: str) -> tuple[Labeller, str]:
    """The labeller that the command writes for this version of one, and what it prints."""
    folder, new = tmp_path / "labellers" / version, tmp_path / "new"
    result = await asyncio.to_thread(command, "labels", "topics", str(folder), "--output", str(new), *options)
    assert result.exit_code == 0, result.exception
    (written,) = new.iterdir()
    assert f"labeller: {written}" in result.output
    return load_labeller(written), result.output


async def test_a_labeller_with_topics_of_the_sales_is_written_beside_the_one_before(
    world: World, tmp_path: Path, command: Command
) -> None:
    before = load_labeller(write(tmp_path / "labellers"))
    odd = structs.replace(labels("odd", labeller="another"), labels=(Scored("volcano", 1.0),))
    unseen = labels("unseen", (), labeller=before.version)
    await world.label(odd, unseen, *(sale(number, before.version) for number in range(40)))

    after, output = await fitted_again(command, tmp_path, before.version)

    pictures = postcards(range(2))
    assert after.version != before.version
    assert after.manifest.trained_on["topics"] == {"sales": 40, "labelled_by": before.version}
    assert after.manifest.metrics == before.manifest.metrics
    seen, saw = after.label(pictures), before.label(pictures)
    np.testing.assert_array_equal(seen.scores, saw.scores)
    np.testing.assert_array_equal(seen.embeddings, saw.embeddings)
    assert after.recognition.topics is not None
    assert after.recognition.topics.weights[:, KINDS.index("safari")].max() == 0
    for name in after.topic_names:
        assert name in output


async def test_topics_go_on_under_the_numbers_of_another_labeller_if_it_is_named(
    world: World, tmp_path: Path, command: Command
) -> None:
    labeller = load_labeller(write(tmp_path / "labellers"))
    weights = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], np.float32)
    old = replace(recognition(), topics=Topics(KINDS, weights, ids=(7, 2, 4), issued=9))
    other = write_labeller(tmp_path / "other", old, Provenance(1_780_000_000_000, {}))
    slopes = Scored("ski slope", 0.9), Scored("skyline", 0.1)
    sales = [
        structs.replace(labels(f"sale-{n}", labeller=labeller.version), labels=slopes) for n in range(40)
    ]
    await world.label(*sales)
    after, output = await fitted_again(command, tmp_path, labeller.version, "--continue", str(other))
    topics = after.recognition.topics
    assert topics is not None
    assert (topics.ids, topics.issued) == ((7,), 9)
    gone = [line.lower() for line in output.splitlines() if line.startswith("gone: ")]
    assert gone == ["gone: safari", "gone: skyline"]


@pytest.mark.usefixtures("topics")
def test_without_labelled_sales_nothing_is_written(tmp_path: Path, command: Command) -> None:
    folder = write(tmp_path / "labellers")
    result = command("labels", "topics", str(folder))
    assert "0 sales are labelled by this labeller" in str(result.exception)
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]
