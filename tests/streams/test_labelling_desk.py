"""Images of sales are fetched side by side and labelled together; those that cannot be had are left out."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.labelling.backbones import Backbone
from models.labelling.labeller import Labelled, Labeller, load_labeller
from models.labelling.lean_keras import keras
from models.labelling.pictures import decode_views
from reco.events import Sale
from reco.labels import SaleLabels
from streams import labelling_desk
from streams.codecs import decode_labels, encode
from streams.images.fetching import PER_HOST, Fetcher, may_pass
from streams.images.settings import Images
from streams.labelling_desk import PICTURES_AT_ONCE, Found, LabellingDesk, _with_mean
from tests.streams.labellers import KINDS, write
from tests.streams.postcard_site import PostcardSite, jpeg, postcard_site

AT = 1_790_000_000_000
IMAGES = Images(allow_private=True, timeout_seconds=20.0)
CITY, SLOPE, _ = KINDS


@pytest.fixture(scope="module")
def labeller(tmp_path_factory: pytest.TempPathFactory) -> Labeller:
    return load_labeller(write(tmp_path_factory.mktemp("labellers")))


@pytest.fixture
async def site() -> AsyncIterator[PostcardSite]:
    async with postcard_site() as made:
        yield made


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(IMAGES) as made:
        yield made


@pytest.fixture
def desk(labeller: Labeller, fetcher: Fetcher) -> LabellingDesk:
    return desk_of(labeller, fetcher)


def desk_of(labeller: Labeller, fetcher: Fetcher, patience: float | None = None) -> LabellingDesk:
    return LabellingDesk(
        labeller, fetcher.fetched, max_pixels=IMAGES.max_pixels, clock=lambda: AT, patience=patience
    )


def sale(sale_id: str, *urls: str) -> Sale:
    return Sale(sale_id, sale_id.title(), AT, image_urls=urls)


def pictures(labeller: Labeller, *postcards: tuple[str, int]) -> NDArray[np.uint8]:
    return np.stack([decode_views(jpeg(*one), labeller.sight) for one in postcards])


def vector(found: Found) -> NDArray[np.float32]:
    direction = found.labels.vector()
    assert direction is not None
    return direction


async def test_the_labels_of_a_sale_are_the_mean_over_its_images(
    labeller: Labeller, desk: LabellingDesk, site: PostcardSite
) -> None:
    both = sale("both", site.postcard(SLOPE, 900), site.postcard(CITY, 901))
    other = sale("other", site.postcard(CITY, 902))

    (found, _) = await desk.label([both, other])

    expected = labeller.label(pictures(labeller, (SLOPE, 900), (CITY, 901)))
    scores, shares = expected.scores.mean(axis=0), expected.topics.mean(axis=0)
    labels = found.labels
    assert (labels.sale_id, labels.labeller, labels.labelled_at) == ("both", labeller.version, AT)
    assert (labels.image_urls, labels.images, found.refused) == (both.image_urls, 2, {})
    assert [one.name for one in labels.labels] == [KINDS[at] for at in np.argsort(-scores)]
    assert [one.share for one in labels.labels] == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
    assert [one.name for one in labels.topics] == list(labeller.topic_names)
    assert [one.share for one in labels.topics] == pytest.approx(shares.tolist(), abs=1e-5)
    direction = vector(found)
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-6)
    centre = expected.embeddings.mean(axis=0)
    np.testing.assert_allclose(direction, centre / np.linalg.norm(centre), atol=1e-5)


async def test_a_labeller_of_two_views_sees_both_ends_of_an_image(
    labeller: Labeller, fetcher: Fetcher, site: PostcardSite
) -> None:
    both = replace(labeller, recognition=replace(labeller.recognition, views=2))

    (found,) = await desk_of(both, fetcher).label([sale("a", site.postcard(SLOPE, 900))])

    views = decode_views(jpeg(SLOPE, 900), both.sight)
    assert not np.array_equal(views[0], views[1])
    np.testing.assert_allclose(vector(found), both.label(views[None]).embeddings[0], atol=1e-5)


async def test_images_of_all_sales_are_fetched_side_by_side_and_labelled_together(
    desk: LabellingDesk, site: PostcardSite
) -> None:
    site.opens_at = PER_HOST
    sales = [sale(f"sale-{n}", site.held(SLOPE, n)) for n in range(PICTURES_AT_ONCE)]

    found = await desk.label(sales)

    assert [one.labels.images for one in found] == [1] * len(sales)
    assert desk.steps == len(sales) + 1  # each fetched, and the network asked once


async def test_more_images_than_the_network_takes_at_once_are_each_those_of_their_sale(
    labeller: Labeller, desk: LabellingDesk, site: PostcardSite
) -> None:
    cards = [(KINDS[n % 3], n) for n in range(PICTURES_AT_ONCE + 3)]

    found = await desk.label([sale(f"sale-{n}", site.postcard(*card)) for n, card in enumerate(cards)])

    embeddings = labeller.label(pictures(labeller, *cards)).embeddings
    for one, expected in zip(found, embeddings, strict=True):
        np.testing.assert_allclose(vector(one), expected, atol=1e-5)


async def test_a_batch_that_is_under_way_ends_with_the_labeller_that_it_began_with(
    labeller: Labeller, desk: LabellingDesk, site: PostcardSite, tmp_path: Path
) -> None:
    other = load_labeller(write(tmp_path, 2))
    sales = [sale("held", site.held(SLOPE, 1))]
    under_way = asyncio.create_task(desk.label(sales))
    while not site.holding:
        await asyncio.sleep(0.01)

    desk.labeller = other
    site.gate.set()

    for one, expected in ((await under_way, labeller), (await desk.label(sales), other)):
        assert one[0].labels.labeller == expected.version
        embedding = expected.label(pictures(expected, (SLOPE, 1))).embeddings[0]
        np.testing.assert_allclose(vector(one[0]), embedding, atol=1e-5)


class HeldLabeller(Labeller):
    """One that labels only once it may, as a large network does after a long time."""

    may_label = threading.Event()

    def label(self, images: NDArray[np.uint8]) -> Labelled:
        assert self.may_label.wait(60)
        return super().label(images)


async def test_a_network_that_takes_long_is_seen_to_work(
    labeller: Labeller, fetcher: Fetcher, site: PostcardSite
) -> None:
    large = HeldLabeller(labeller.manifest, labeller.recognition)
    desk = desk_of(large, fetcher)
    under_way = asyncio.create_task(desk.label([sale("a", site.postcard(SLOPE, 900))]))
    while not desk.seconds:
        await asyncio.sleep(0.01)
    assert not under_way.done()

    large.may_label.set()

    (found,) = await under_way
    assert found.labels.images == 1


async def test_images_that_cannot_be_had_are_left_out_with_their_reason(
    labeller: Labeller, desk: LabellingDesk, site: PostcardSite
) -> None:
    good = site.postcard(SLOPE, 903)
    some, none, no_images = await desk.label(
        [sale("some", site.broken(), good, site.missing()), sale("none", site.broken()), sale("no-images")]
    )

    reasons = {url: refusal.reason for url, refusal in some.refused.items()}
    assert reasons == {site.broken(): "not-an-image", site.missing(): "http-404"}
    assert all(url in refusal.detail for url, refusal in some.refused.items())
    alone = labeller.label(pictures(labeller, (SLOPE, 903))).embeddings[0]
    np.testing.assert_allclose(vector(some), alone, atol=1e-5)
    assert some.labels.images == 1
    for one in (none, no_images):
        assert (one.labels.images, one.labels.labels, one.labels.topics) == (0, (), ())
        assert one.labels.vector() is None


async def test_images_that_are_not_there_in_time_are_too_slow_and_hold_up_no_others(
    labeller: Labeller, fetcher: Fetcher, site: PostcardSite
) -> None:
    desk = desk_of(labeller, fetcher, patience=0.5)
    late = [site.held(SLOPE, n) for n in range(2)]

    (found,) = await desk.label([sale("late", *late, site.postcard(CITY, 904))])

    assert {url: refusal.reason for url, refusal in found.refused.items()} == dict.fromkeys(late, "too-slow")
    # By the desk: the fetcher, whose patience is longer, says what it waited for.
    assert all("it was not there in time" in refusal.detail for refusal in found.refused.values())
    assert found.labels.images == 1


async def test_an_image_that_is_never_decoded_is_refused_for_good(
    desk: LabellingDesk, site: PostcardSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling_desk, "LONGEST_WORK", 0)

    (found,) = await desk.label([sale("costly", site.postcard(CITY, 906))])

    (refusal,) = found.refused.values()
    assert refusal.reason == "too-costly"
    assert site.postcard(CITY, 906) in refusal.detail
    assert not may_pass(refusal)


async def test_an_image_of_which_the_network_makes_no_finite_numbers_is_refused_for_good(
    labeller: Labeller, tmp_path: Path
) -> None:
    for shade in (0, 255):
        Image.new("RGB", (64, 64), (shade, shade, shade)).save(tmp_path / f"{shade}.png")
    images = keras.Input((*labeller.sight.size, 3))
    largest = keras.layers.GlobalMaxPooling2D()(images)
    short = keras.layers.Rescaling(1_000, dtype="float16")(largest)  # up to 255,000, where 65,504 is the most
    features = keras.layers.Dense(labeller.recognition.backbones[0].dimensions)(short)
    overflowing = replace(labeller.recognition, backbones=(Backbone(keras.Model(images, features)),))

    async with Fetcher(Images(files_root=str(tmp_path))) as files:
        desk = desk_of(replace(labeller, recognition=overflowing), files)
        (found,) = await desk.label([sale("shades", "0.png", "255.png")])

    assert {url: refusal.reason for url, refusal in found.refused.items()} == {"255.png": "not-finite"}
    assert not may_pass(found.refused["255.png"])
    assert "255.png" in found.refused["255.png"].detail
    assert found.labels.images == 1
    assert decode_labels(b"shades", encode(found.labels)) == found.labels


async def test_an_image_of_several_sales_is_fetched_once(desk: LabellingDesk, site: PostcardSite) -> None:
    shared = site.postcard(CITY, 905)

    first, second = await desk.label([sale("first", shared, shared), sale("second", shared)])

    assert site.asked.total() == 1
    assert first.labels.images == second.labels.images == 1
    assert first.labels.embedding == second.labels.embedding


def test_of_many_classes_the_most_probable_are_kept_and_whatever_is_sent_can_be_read() -> None:
    labeller: Any = SimpleNamespace(
        classes=tuple(f"class {n}" for n in range(40)), topic_names=("city", "snow")
    )
    shares = np.array([[1 + 1e-6, -1e-6]] * 2, np.float32)  # as sums of rounded numbers are
    scores = np.array([np.linspace(0, 1, 40)] * 2, np.float32)
    labelled = Labelled(scores, shares, np.zeros((2, 4), np.float32))
    nothing = SaleLabels("rome", "v1", ("a", "b"), 0, (), (), b"", AT)

    found = _with_mean(nothing, labeller, labelled, [0, 1])

    assert [one.name for one in found.labels] == [f"class {n}" for n in range(39, 7, -1)]
    assert [(one.name, one.share) for one in found.topics] == [("city", 1.0), ("snow", 0.0)]
    assert (found.images, found.vector()) == (2, None)
    assert decode_labels(b"rome", encode(found)) == found
