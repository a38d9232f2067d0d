"""The demo's labeller knows postcards, is kept, and labels the demo's sales by what their images show."""

from pathlib import Path

import aiohttp
import pytest

from demo.image_process import ImageProcess
from demo.labeller import Task, kept, labeller_below
from demo.labelling import Labelling
from demo.labels_seen import labels_seen
from demo.lessons import Postcards, Recipe
from demo.observer import Observer
from demo.plan import Plan
from demo.postcards import KINDS
from demo.run import IMAGES
from demo.site import Site
from models.labelling.backbones import Backbone, small_network
from models.labelling.judging import Judgement
from models.labelling.labeller import Provenance, Recognition, write_labeller
from models.labelling.labeller_files import HEAD
from models.labelling.networks import Network
from streams import clients
from streams.clock import now
from streams.reading import reader
from streams.settings import Settings
from streams.topics import TopicSet
from tests.models.small_models import TRAINED_AT

SMALL = Recipe(network=24, head=12, tested=10, side=32, epochs=12)
"""A third of the pictures, and half as large: right a little less often, in a tenth of the time."""
LABELLED = 60
"""Sales whose labels are waited for."""


@pytest.fixture(scope="module")
def learned() -> tuple[Recognition, Judgement]:
    return Postcards(SMALL).learn(lambda _: None)


@pytest.fixture
def labeller(learned: tuple[Recognition, Judgement], tmp_path: Path) -> Path:
    """A labeller that passes for the demo's own."""
    provenance = Provenance(now(), Postcards(Recipe()).source(), learned[1].metrics())
    return write_labeller(tmp_path / "labellers", learned[0], provenance)


def test_postcards_that_it_was_not_trained_on_are_recognised(
    learned: tuple[Recognition, Judgement],
) -> None:
    assert learned[1].top_1.mean > 0.8


def test_a_network_that_is_given_looks_at_postcards_at_its_own_size() -> None:
    given, told = Backbone(small_network(2, (16, 16))), list[float]()
    lesson = Postcards(Recipe(head=4, tested=1, epochs=1), [given])
    recognition, _ = lesson.learn(told.append)
    assert recognition.backbones == (given,)
    assert recognition.head.classes == KINDS
    assert told == sorted(told)
    assert told[-1] == 1
    assert lesson.source()["networks"] == [given.digest]


def test_a_labeller_of_the_same_recipe_that_loads_is_used_again(labeller: Path) -> None:
    assert labeller_below(labeller.parent, Postcards(Recipe())) == labeller
    assert kept(labeller.parent, Postcards(SMALL)) is None


def test_of_several_labellers_of_the_same_recipe_that_trained_last_is_used(
    learned: tuple[Recognition, Judgement], tmp_path: Path
) -> None:
    source, metrics = Postcards(Recipe()).source(), learned[1].metrics()
    for at in (TRAINED_AT + n for n in range(6)):
        newest = write_labeller(tmp_path, learned[0], Provenance(at, source, metrics))
    assert kept(tmp_path, Postcards(Recipe())) == newest


def test_a_damaged_labeller_is_passed_over(labeller: Path) -> None:
    (labeller / HEAD).write_bytes(b"damaged")
    assert kept(labeller.parent, Postcards(Recipe())) is None


def test_a_training_that_fails_says_so_and_starts_no_worker(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Labelling(settings, Task(str(tmp_path), (Network("gone.keras"),))) as labelling:
        labelling.wait()
        assert (labelling.state, labelling.restarts) == ("failed", 0)
    assert "gone.keras: there is no such file" in caplog.text
    assert "Traceback" not in caplog.text


def test_what_a_network_prints_while_it_is_loaded_does_not_end_the_training_unsaid(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "networks.py").write_text("print('Downloading data')\nload = None\n")
    with Labelling(settings, Task(str(tmp_path), (Network(f"{tmp_path}/networks.py:any"),))) as labelling:
        labelling.wait()
        assert labelling.state == "failed"
    assert "load('any') fails" in caplog.text


def test_a_training_that_is_broken_off_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    with Labelling(settings, Task(str(tmp_path))) as labelling:
        assert labelling.state == "training"
    assert labelling.state == "training"
    assert list(tmp_path.rglob("*.keras")) == []


async def test_images_are_served_until_the_demo_ends() -> None:
    async with aiohttp.ClientSession() as client:
        with ImageProcess(2) as server:
            url = server.urls()["beach"][1]
            async with client.get(url) as answer:
                assert answer.content_type == "image/jpeg"
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(url)


@pytest.mark.slow
@pytest.mark.broker
async def test_sales_are_labelled_as_their_kind_once_the_labeller_is_there(
    settings: Settings, topics: TopicSet, labeller: Path
) -> None:
    observer, plan = Observer(topics), Plan(seconds=None, visitors=1, rate=1, seed=1)
    with ImageProcess(IMAGES) as server, Labelling(settings, Task(str(labeller.parents[1]))) as labelling:
        kafka = settings.kafka
        async with reader(kafka) as consumer, clients.started(clients.producer(kafka)) as producer:
            consumer.assign(clients.partitions(*observer.reads))
            site = Site(producer, topics, observer, plan, images=server.urls())
            await site.publish()
            async for record in consumer:
                observer.take(record, 0.0)
                if len(observer.labels) == LABELLED:
                    break
        assert (labelling.state, labelling.restarts) == ("at work", 0)
    seen = labels_seen(labelling.state, observer.labels.values(), site.kinds)
    assert (seen.labeller, seen.sales) == (labeller.name, LABELLED)
    assert seen.right > 0.85 * LABELLED
    assert observer.dead_letters == 0
