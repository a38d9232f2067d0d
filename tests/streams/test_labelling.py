"""A published sale is labelled soon, once for its images, by a real worker, and is listed for what they show.

Images may be refused, or late.
"""

import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
from msgspec.structs import replace

from models.labelling.labeller import Labeller, load_labeller
from models.labelling.labeller_files import HEAD
from models.labelling.pictures import decode_views
from reco.errors import LabellingError, SettingsError
from reco.events import Click
from reco.labels import SaleLabels
from streams.agents.labelling import LabellingApp
from streams.clients import create_topics
from streams.clock import now
from streams.codecs import LIVE_RELEASE, decode_labels, encode
from streams.images.fetching import PER_HOST
from streams.images.settings import Images
from streams.labellers import LABELLERS, chosen, load, no_labeller
from streams.promotions import roll_back
from streams.settings import Kafka, Settings, Topics, Worker
from streams.supervisor import environment_of
from streams.topics import topic_set
from streams.vitals import Vitals
from tests.models.image_ranker import looking_release
from tests.streams.command_line import TENFOLD
from tests.streams.labellers import KINDS, write
from tests.streams.labelling_place import Place, place_in, sale, with_labeller
from tests.streams.postcard_site import LARGE, jpeg
from tests.streams.serving import make_live, until, until_served
from tests.streams.world import listed, newest_lists, world_of

pytestmark = pytest.mark.broker
SHARED = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_SECONDS, STALL_SECONDS = 1.5, 4.0
"""For an image, and for a worker, where the second is put to the test."""
CITY, SLOPE, _ = KINDS
SKIER, STROLLER = "skier", "stroller"


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize(
    "command",
    [("worker", "labelling"), ("up", "--sessions", "0", "--scoring", "0", "--labelling", "1")],
    ids=["worker", "up"],
)
def test_without_a_labeller_there_is_no_labelling_but_one_message_that_says_what_to_do(
    settings: Settings, command: tuple[str, ...]
) -> None:
    ended = subprocess.run(
        (*TENFOLD, *command),
        env=environment_of(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in ended.stderr.splitlines() if not line.startswith(("broker ", "topics "))]
    assert ended.returncode == 1
    assert said == str(no_labeller()).splitlines()


def test_the_labeller_in_use_is_not_loaded_again_and_refused_as_any_other(tmp_path: Path) -> None:
    promoted = chosen(write(tmp_path))
    in_use = load(promoted)
    assert load(promoted, in_use) is in_use
    assert load(chosen(write(tmp_path, number=2)), in_use) is not in_use
    (Path(promoted.path) / HEAD).write_bytes(b"damaged")
    with pytest.raises(LabellingError, match=HEAD):
        load(promoted, in_use)


def test_a_worker_that_would_look_as_if_it_stood_still_does_not_start(settings: Settings) -> None:
    waiting = replace(settings, images=Images(timeout_seconds=20.0))
    with pytest.raises(SettingsError, match=r"timeout_seconds = 20: must be at most half"):
        LabellingApp(waiting, Vitals())


def impatient(settings: Settings) -> Settings:
    """As little patience as a test can have, and as few pixels."""
    worker = replace(settings.worker, stall_seconds=STALL_SECONDS)
    images = replace(settings.images, timeout_seconds=TIMEOUT_SECONDS, max_pixels=LARGE * LARGE - 1)
    return replace(settings, worker=worker, images=images)


def patient(settings: Settings) -> Settings:
    """The same, with as much patience as workers have by default."""
    return replace(settings, worker=replace(settings.worker, stall_seconds=Worker().stall_seconds))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy_place(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A place with one worker, which several tests share, for it takes long to start."""
    name, folder = f"test-{uuid4().hex[:12]}", tmp_path_factory.mktemp("busy-place")
    settings = Settings(
        kafka=kafka,
        topics=Topics(prefix=f"{name}-"),
        worker=Worker(application=name, data_dir=str(folder / "data")),
    )
    topics = topic_set(settings.topics)
    await create_topics(kafka, topics)
    async with world_of(impatient(with_labeller(settings, write(folder))), topics, folder) as world:
        await world.start("labelling").ready()
        async with place_in(world) as made:
            yield made


@SHARED
async def test_a_published_sale_is_listed_to_those_who_looked_at_what_its_image_shows(
    busy_place: Place, tmp_path: Path
) -> None:
    place, world = busy_place, busy_place.world
    scoring = await world.start("sessions", "scoring", settings=patient(world.settings)).ready()
    promotion = await make_live(world, looking_release(tmp_path / "releases"))
    await until_served(scoring, promotion.name)
    slopes = [sale(f"slope-{n}", place.site.postcard(SLOPE, 900 + n)) for n in range(10)]
    cities = [sale(f"city-{n}", place.site.postcard(CITY, 900 + n)) for n in range(10)]
    await world.publish(*slopes[1:], *cities)
    await place.all_labelled([*slopes[1:], *cities])
    for who, (one, other) in {SKIER: slopes[1:3], STROLLER: cities[:2]}.items():
        await world.send(Click(f"{who} 1", who, one.sale_id, now()))
        await world.send(Click(f"{who} 2", who, other.sale_id, now()))

    await world.publish(slopes[0])

    new, view = slopes[0].sale_id, await world.view(world.topics.recommendations)
    lists = await view.until(lambda found: SKIER in listed(found, new))
    labels = newest_lists(lists)[SKIER].made_from.labels_offsets
    await world.send(Click(f"{STROLLER} 3", STROLLER, cities[2].sale_id, now()))
    lists = await view.until(
        lambda found: (
            STROLLER in (made := newest_lists(found)) and made[STROLLER].made_from.labels_offsets == labels
        )
    )
    assert STROLLER not in listed(lists, new), "by a list that knew of its image as well"
    ((reason, *_),) = (one.reasons for one in newest_lists(lists)[SKIER].sales if one.sale_id == new)
    assert reason.like in {one.sale_id for one in slopes[1:3]}
    await scoring.end(signal.SIGTERM)


def libraries_of(pid: int) -> str:
    """The files of compiled code, and others, that a process has in its memory."""
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


@SHARED
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs a system that says what is loaded")
async def test_a_worker_loads_tensorflow_and_neither_kernels_nor_what_keras_takes_along(
    busy_place: Place,
) -> None:
    worker, *_ = busy_place.world.workers
    loaded = libraries_of(worker.process.pid)
    packages = ("tensorflow", "llvmlite", "sklearn", "matplotlib")
    assert [name for name in packages if f"/{name}/" in loaded] == ["tensorflow"]


@SHARED
async def test_a_sale_is_labelled_when_it_is_published_or_has_other_images_and_no_more_when_withdrawn(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    seeds = range(900, 904)
    images = tuple(site.postcard(SLOPE, seed) for seed in seeds)

    first = await place.labels_of(sale("alps", *images))

    labeller = load_labeller(Path(world.settings.labelling.labeller))
    pictures = np.stack([decode_views(jpeg(SLOPE, seed), labeller.sight) for seed in seeds])
    scores, shares, embeddings = (one.mean(axis=0) for one in labeller.label(pictures))
    assert (first.labeller, first.image_urls, first.images) == (labeller.version, images, 4)
    assert [one.name for one in first.labels] == [KINDS[at] for at in np.argsort(-scores)]
    assert [one.share for one in first.topics] == pytest.approx(shares.tolist(), abs=1e-4)
    direction = first.vector()
    assert direction is not None
    np.testing.assert_allclose(direction, embeddings / np.linalg.norm(embeddings), atol=1e-4)

    await world.publish(replace(sale("alps", *images), title="Another title"))
    await place.all_before_is_done()
    assert len(place.history("alps")) == 1

    await world.publish(sale("alps", site.postcard(CITY, 905)))
    await place.until(lambda found: found["alps"].image_urls == (site.postcard(CITY, 905),))

    await world.withdraw("alps")
    await place.until(lambda found: "alps" not in found)
    assert [one.value is None for one in place.history("alps")] == [False, False, True]


@SHARED
async def test_images_that_are_refused_are_dead_lettered_and_those_that_were_busy_asked_for_again(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    good, busy = site.postcard(SLOPE, 910), site.busy(SLOPE, 911)
    some = sale("some", site.broken(), good, site.missing(), busy)

    found = await place.labels_of(some)
    none = await place.labels_of(sale("none", site.broken(), site.large(), "file:///etc/passwd"))

    assert (found.images, found.image_urls) == (1, some.image_urls[:3])
    assert (none.images, none.labels, none.vector()) == (0, (), None)
    letters = await place.letters.until(lambda letters: len(letters) >= 5)
    assert sorted((one.key, dict(one.headers)["tenfold.reason"]) for one in letters) == [
        (b"none", b"image-not-allowed-scheme"),
        (b"none", b"image-not-an-image"),
        (b"none", b"image-too-many-pixels"),
        (b"some", b"image-http-404"),
        (b"some", b"image-not-an-image"),
    ]
    assert encode(some) in {one.value for one in letters}

    site.works.set()
    again = (await place.until(lambda found: found["some"].images == 2))["some"]

    assert again.image_urls == some.image_urls
    await place.all_before_is_done()
    assert await world.size(world.topics.dead_letters) == 5


@SHARED
async def test_a_sale_that_is_published_again_while_its_images_are_looked_at_is_labelled_once(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    again = sale("again", site.late(CITY, 920, seconds=TIMEOUT_SECONDS / 2), site.broken())

    for _ in range(9):
        await world.publish(again)
    await place.all_before_is_done()

    assert len(place.history("again")) == 1
    assert site.asked[urlsplit(again.image_urls[0]).path] == 1
    size = await world.size(world.topics.dead_letters)
    letters = await place.letters.until(lambda found: len(found) >= size)
    assert [one.key for one in letters].count(b"again") == 1


@SHARED
async def test_images_that_do_not_come_neither_hold_up_other_sales_nor_look_like_a_worker_that_stands_still(
    busy_place: Place,
) -> None:
    place, world, site = busy_place, busy_place.world, busy_place.site
    # Asked for four at a time, and given up one by one, they take three times what a worker may stand still.
    slow = [sale(f"slow-{n}", *(site.held(SLOPE, 16 * n + image) for image in range(16))) for n in range(2)]
    assert 32 / PER_HOST * TIMEOUT_SECONDS >= 3 * STALL_SECONDS

    await world.publish(*slow)
    await place.all_before_is_done()
    assert not any(one.sale_id in place.newest() for one in slow)
    site.gate.set()

    found = await place.all_labelled(slow)
    assert [(found[one.sale_id].image_urls, found[one.sale_id].images) for one in slow] == [
        (one.image_urls, 16) for one in slow
    ]


def is_whole(labels: SaleLabels, labeller: Labeller, picture: bytes) -> bool:
    """Whether all of it is what this labeller finds in the picture."""
    found = labeller.label(decode_views(picture, labeller.sight)[None])
    direction, share = labels.vector(), labels.labels[0].share
    return (
        labels.labeller == labeller.version
        and direction is not None
        and np.allclose(direction, found.embeddings[0], atol=1e-4)
        and np.isclose(share, found.scores[0].max(), atol=1e-4).item()
    )


@SHARED
async def test_a_promoted_labeller_takes_over_while_sales_arrive_a_broken_one_does_not_and_one_can_go_back(
    busy_place: Place, tmp_path: Path
) -> None:
    place, world = busy_place, busy_place.world
    worker, *_ = world.workers
    first = load_labeller(Path(world.settings.labelling.labeller))
    second, broken = chosen(write(tmp_path, 2)), chosen(write(tmp_path, 3))

    async with place.sales_arriving(CITY) as sent:
        live = await place.promote(second)
        await place.until(lambda found: any(one.labeller == second.labeller for one in found.values()))
    await place.all_labelled_by(second.labeller, sent)

    await world.send_raw(world.topics.releases, LIVE_RELEASE, b"{")  # rankers are no matter here
    (Path(broken.path) / HEAD).write_bytes(b"?")
    await place.promote(broken, live)
    await until(worker, lambda health: health["counts"].get("releases_refused") == 1)
    told = worker.log.read_text()
    assert f"labeller {broken.name} is refused, {second.name} goes on serving" in told
    assert "is no promotion" not in told
    after = sale("after", place.site.postcard(CITY, 8))
    assert (await place.labels_of(after)).labeller == second.labeller

    await place.announce(roll_back(LABELLERS, live, now()).promotion)
    await place.all_labelled_by(first.version, [*sent, after])

    versions = {one.version: one for one in (first, load_labeller(Path(second.path)))}
    picture = {place.site.postcard(CITY, seed): jpeg(CITY, seed) for seed in range(9)}
    for record in [one for each in sent for one in place.history(each.sale_id)]:
        labels = decode_labels(record.key, record.value)
        assert isinstance(labels, SaleLabels)
        assert is_whole(labels, versions[labels.labeller], picture[labels.image_urls[0]])
