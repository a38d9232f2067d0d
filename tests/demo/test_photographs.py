"""Photographs of a folder in place of postcards: which of them teach, which are shown, and what is seen."""

import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
import pytest
from PIL import Image

from demo.catalogue import SALES, illustrated, images_of_a_kind, travel_catalogue
from demo.image_process import ImageProcess
from demo.image_server import ImageServer
from demo.kinds import KINDS, kinds_of
from demo.labeller import Task, kept, labeller_below
from demo.labelling import Labelling
from demo.labels_seen import LabelsSeen, labels_seen
from demo.lessons import Photographed
from demo.observer import Observer
from demo.photographs import FEWEST_KINDS, FEWEST_TAUGHT, MOST_TAUGHT, Photographs, choose
from demo.plan import Plan
from demo.run import IMAGES
from demo.site import Site
from models.labelling.backbones import Backbone, small_network
from models.labelling.labeller_files import LABELLER
from models.labelling.networks import Network
from reco.errors import LabellingError
from streams import clients
from streams.reading import reader
from streams.settings import Settings
from streams.topics import TopicSet

SHARED = Path(__file__).parents[3] / "shared"
SUN, NETWORKS = SHARED / "images" / "sun25", SHARED / "weights" / "backbones.py"
START = 1_800_000_000_000
COLOURS = {
    "art_gallery": (200, 190, 60),
    "forest": (30, 160, 40),
    "lake": (20, 60, 200),
    "lava": (220, 40, 10),
    "ski_slope": (235, 235, 245),
}


def empty_files(folder: Path, counts: Iterable[int]) -> Path:
    """Classes `class-00` and so on, with so many files each, which are no pictures."""
    for number, count in enumerate(counts):
        (folder / f"class-{number:02}").mkdir(parents=True)
        for file in range(count):
            (folder / f"class-{number:02}" / f"{file:03}.jpg").touch()
    return folder


def coloured(folder: Path, per_class: int) -> Path:
    """A folder per class, of noisy JPEGs of the class's colour."""
    random = np.random.default_rng(1)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = random.normal(colour, 40, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")
    return folder


def spoiled(file: str) -> str:
    """A file that is no picture any more."""
    Path(file).write_bytes(b"no picture")
    return file


def all_of(files: dict[str, tuple[str, ...]]) -> set[str]:
    return set(chain.from_iterable(files.values()))


def test_no_photograph_is_shown_that_teaches_and_half_of_each_class_is(tmp_path: Path) -> None:
    photographs = choose(empty_files(tmp_path, [20] * 5), seed=1)
    assert {kind: len(files) for kind, files in photographs.taught.items()} == dict.fromkeys(
        photographs.kinds, 10
    )
    assert all_of(photographs.taught).isdisjoint(all_of(photographs.shown))
    assert len(all_of(photographs.taught) | all_of(photographs.shown)) == 100


def test_splits_that_are_there_are_kept_to(tmp_path: Path) -> None:
    empty_files(tmp_path / "train", [8] * 4)
    empty_files(tmp_path / "test", [5] * 4)
    photographs = choose(tmp_path, seed=1)
    assert {Path(file).parts[-3] for file in all_of(photographs.taught)} == {"train"}
    assert {Path(file).parts[-3] for file in all_of(photographs.shown)} == {"test"}


def test_a_dozen_classes_are_drawn_by_a_seeded_lot_and_of_many_photographs_some(tmp_path: Path) -> None:
    folder = empty_files(tmp_path, [2 * MOST_TAUGHT + 10] * 15)
    photographs = choose(folder, seed=1)
    assert photographs == choose(folder, seed=1)
    assert photographs.kinds != choose(folder, seed=2).kinds
    assert len(photographs.kinds) == len(KINDS)
    assert {len(files) for files in photographs.taught.values()} == {MOST_TAUGHT}
    assert {len(files) for files in photographs.shown.values()} == {images_of_a_kind(len(KINDS))}
    assert photographs.remarks == ()


def test_classes_with_too_few_photographs_are_left_out_and_what_is_scarce_is_said(tmp_path: Path) -> None:
    photographs = choose(empty_files(tmp_path, [20] * 4 + [2 * FEWEST_TAUGHT - 2]), seed=1)
    assert photographs.kinds == tuple(f"class-{number:02}" for number in range(4))
    left_out, scarce = photographs.remarks
    assert left_out == "1 of 5 classes have too few photographs, and are left out."
    assert scarce.startswith("4 of 4 classes have fewer than 153 photographs to show, 10 at the least")


def test_fewer_classes_than_visitors_can_choose_among_are_refused(tmp_path: Path) -> None:
    folder = empty_files(tmp_path, [20] * (FEWEST_KINDS - 1) + [2, 2])
    with pytest.raises(LabellingError, match=r"3 of 5 classes have 5 photographs .*; a demo needs 4"):
        choose(folder, seed=1)


def test_what_a_link_leads_to_is_not_used_outside_the_folder_and_used_once_within(tmp_path: Path) -> None:
    folder = empty_files(tmp_path / "scenes", [20] * 4)
    (tmp_path / "secret.jpg").touch()
    for number in range(20):
        (folder / "class-00" / f"out-{number}.jpg").symlink_to(tmp_path / "secret.jpg")
        (folder / "class-01" / f"again-{number}.jpg").symlink_to(f"{number:03}.jpg")
    photographs = choose(folder, seed=1)
    used = [*chain.from_iterable((photographs.taught | photographs.shown).values())]
    assert str(tmp_path / "secret.jpg") not in used
    assert all_of(photographs.taught).isdisjoint(all_of(photographs.shown))
    assert {Path(file).parent.parent for file in used} == {folder}


def test_what_is_no_file_or_has_no_name_to_be_told_is_left_out(tmp_path: Path) -> None:
    folder = empty_files(tmp_path / "scenes", [20] * 4) / "class-00"
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    os.mkfifo(folder / "pipe.jpg")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")).touch()
    photographs = msgspec.json.decode(msgspec.json.encode(choose(tmp_path / "scenes", 1)), type=Photographs)
    used = photographs.taught["class-00"] + photographs.shown["class-00"]
    assert sorted(used) == [str(folder / f"{number:03}.jpg") for number in range(20)]


def test_a_folder_whose_name_cannot_be_told_is_refused(tmp_path: Path) -> None:
    folder = empty_files(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")), [20] * 4)
    with pytest.raises(LabellingError, match=r"caf\\xe9' has a name that is not UTF-8"):
        choose(folder, 1)


async def test_photographs_of_any_class_are_served(tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    file.write_bytes(b"picture")
    kinds = ("abbey/outdoor", "..", "a{b}", "50%", "who?", "b\nc")
    photographs = Photographs(str(tmp_path), {}, dict.fromkeys(kinds, (str(file),)))
    async with ImageServer(photographs) as server, aiohttp.ClientSession() as client:
        for (url,) in server.urls(0).values():
            async with client.get(url) as answer:
                assert (answer.status, await answer.read()) == (200, b"picture")


async def test_photographs_are_served_as_they_are_and_no_other_file_is(tmp_path: Path) -> None:
    photographs = choose(coloured(tmp_path / "scenes", 20), seed=1)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    first, replaced = map(Path, photographs.shown["art_gallery"][:2])
    replaced.unlink()
    replaced.symlink_to(tmp_path / "secret.jpg")
    async with ImageServer(photographs) as server, aiohttp.ClientSession() as client:
        urls = server.urls(0)
        async with client.get(urls["art_gallery"][0]) as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")
            assert await answer.read() == first.read_bytes()
        base = urls["lake"][0].rpartition("/")[0]
        for gone in (
            urls["art_gallery"][1],
            f"{base}/{len(urls['lake'])}",
            f"{base}/../../secret.jpg",
            f"{base}/..%2f..%2f..%2fsecret.jpg",
            f"{base.rpartition('/')[0]}/{len(urls)}/0",
        ):
            async with client.get(gone) as answer:
                assert answer.status == 404


@pytest.mark.parametrize("classes", range(FEWEST_KINDS, 13))
def test_sales_name_their_class_and_have_images_of_it(classes: int) -> None:
    names = tuple(f"art_gallery_{number}" for number in range(classes))
    plain = travel_catalogue(1, START, kinds=kinds_of(names))
    sales = illustrated(plain, {name: [f"{name} {number}" for number in range(4)] for name in names})
    assert SALES - classes < len(sales) <= SALES
    assert len({one.sale.title for one in sales}) == len(sales)
    for one in sales:
        assert one.sale.title.startswith(one.kind.capitalize().replace("_", " ") + " in ")
        assert {url.split()[0] for url in one.sale.image_urls} == {one.kind}
        assert len(set(one.sale.image_urls)) == len(one.sale.image_urls) >= 2


def test_a_labeller_learns_what_teaches_and_is_kept_until_that_or_the_network_changes(tmp_path: Path) -> None:
    backbone, other = (Backbone(small_network(3, (16, 16), seed)) for seed in (0, 1))
    folder = coloured(tmp_path / "scenes", 16)
    photographs, told = choose(folder, seed=1), list[float]()
    gone, unreadable = photographs.shown["forest"][0], spoiled(photographs.taught["lake"][0])
    Path(gone).unlink()
    lesson = Photographed(photographs, [backbone], tmp_path / "features")
    labeller = labeller_below(tmp_path / "labellers", lesson, told.append)
    refused = "not-an-image: the 10 bytes are none of JPEG, PNG, WEBP, GIF"
    assert lesson.remarks == [
        f"{gone} is left out: it cannot be read: No such file or directory.",
        f"{unreadable} is left out: {refused}.",
    ]
    assert told == sorted(told)
    assert told[-1] == 1
    manifest = LABELLER.read_manifest(labeller)
    assert manifest.classes == tuple(COLOURS)
    assert manifest.trained_on["pictures"] == 40
    assert manifest.metrics["top-1"] > 0.8
    assert kept(labeller.parent, lesson) == labeller
    assert kept(labeller.parent, Photographed(photographs, [other], tmp_path)) is None
    assert kept(labeller.parent, Photographed(choose(folder, seed=2), [backbone], tmp_path)) is None


@pytest.mark.parametrize(("what", "left"), [("taught", 1), ("shown", 0)])
def test_a_kind_without_photographs_that_can_be_decoded_cannot_be_learned(
    tmp_path: Path, what: str, left: int
) -> None:
    photographs = choose(coloured(tmp_path / "scenes", 20), seed=1)
    kinds = getattr(photographs, what)
    unreadable = [spoiled(file) for kind in kinds for file in kinds[kind][left:]]
    lesson = Photographed(photographs, [Backbone(small_network(3, (16, 16)))], tmp_path / "features")
    with pytest.raises(LabellingError, match=f"{len(unreadable)} pictures cannot be used"):
        lesson.learn(lambda _: None)


async def seen_in_a_demo(
    settings: Settings, topics: TopicSet, photographs: Photographs, network: Network, enough: int
) -> LabelsSeen:
    """What is found in the images of `enough` sales by a labeller that is trained meanwhile."""
    observer, plan = Observer(topics), Plan(seconds=None, visitors=1, rate=1, seed=1)
    task = Task(str(settings.data_dir()), (network,), photographs)
    with ImageProcess(IMAGES, photographs) as server, Labelling(settings, task) as labelling:
        kafka = settings.kafka
        async with reader(kafka) as consumer, clients.started(clients.producer(kafka)) as producer:
            consumer.assign(clients.partitions(*observer.reads))
            kinds = kinds_of(photographs.kinds)
            site = Site(producer, topics, observer, plan, images=server.urls(), kinds=kinds)
            await site.publish()
            async for record in consumer:
                observer.take(record, 0.0)
                if len(observer.labels) == enough:
                    break
        assert (labelling.state, labelling.restarts, labelling.trained) == ("at work", 0, 1.0)
    assert observer.dead_letters == 0
    return labels_seen(labelling.state, observer.labels.values(), site.kinds)


@pytest.mark.slow
@pytest.mark.broker
async def test_sales_with_photographs_are_labelled_as_their_class(
    settings: Settings, topics: TopicSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Backbone(small_network(3, (16, 16))).save(tmp_path / "small.keras")
    photographs, network = (
        choose(coloured(tmp_path / "scenes", 24), 1),
        Network(str(tmp_path / "small.keras")),
    )
    unreadable = spoiled(photographs.taught["lake"][0])
    seen = await seen_in_a_demo(settings, topics, photographs, network, enough=100)
    assert f"{unreadable} is left out" in caplog.text
    assert seen.sales == 100
    assert seen.right > 80


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.shared_data
@pytest.mark.skipif(
    not (SUN.is_dir() and NETWORKS.is_file()), reason=f"the research data are not at {SHARED}"
)
async def test_real_photographs_are_labelled_as_their_class(settings: Settings, topics: TopicSet) -> None:
    network = Network(f"{NETWORKS}:mobilenet_v1_100q")
    seen = await seen_in_a_demo(settings, topics, choose(SUN, 1), network, enough=150)
    assert seen.right > 0.8 * seen.sales == 0.8 * 150
