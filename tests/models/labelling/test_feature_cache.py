"""Features of scenes: computed once, the same with and without the cache, whatever happens in between."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.labelling.augmentation import augmented
from models.labelling.backbones import BATCH, Backbone, small_network
from models.labelling.feature_cache import Looks, features_of
from models.labelling.pictures import Sight, decode, decode_views
from models.labelling.scenes import Scenes
from reco.errors import LabellingError, PicturesError
from tests.full_disk import room_for

COUNT = 2 * BATCH + 12
SIDE = 16


class Counting(Backbone):
    """A backbone that counts the pictures it is shown."""

    shown = 0

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.shown += len(images)
        return super().features(images)


@pytest.fixture(scope="module")
def network() -> Counting:
    return Counting(small_network(2, (SIDE, SIDE), seed=3))


@pytest.fixture
def backbone(network: Counting) -> Counting:
    network.shown = 0
    return network


def scenes_of(paths: Sequence[Path]) -> Scenes:
    return Scenes(tuple(paths), np.arange(len(paths), dtype=np.int32) % 2, ("even", "odd"))


def draw(folder: Path, count: int, seed: int = 0) -> list[Path]:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    paths = [folder / f"{seed}-{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    return scenes_of(draw(tmp_path_factory.mktemp("album"), COUNT))


def one_by_one(scenes: Scenes, backbone: Backbone) -> NDArray[np.float32]:
    """The plain way: read, decode and look at each picture alone."""
    images = [decode(path.read_bytes(), backbone.size) for path in scenes.paths]
    return np.concatenate([backbone.features(image[None]) for image in images])


def test_features_are_those_of_each_picture_alone(scenes: Scenes, backbone: Counting) -> None:
    found = features_of(scenes, backbone)
    assert found.shape == (COUNT, backbone.dimensions)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, one_by_one(scenes, backbone), rtol=1e-4, atol=1e-6)


def test_with_a_cache_every_picture_is_shown_once(scenes: Scenes, backbone: Counting, tmp_path: Path) -> None:
    first = features_of(scenes, backbone, tmp_path / "new" / "cache")
    again = features_of(scenes, backbone, tmp_path / "new" / "cache")
    assert backbone.shown == COUNT
    assert np.array_equal(first, features_of(scenes, backbone))
    assert np.array_equal(first, again)


def test_two_views_of_a_picture_are_looked_at_and_kept_apart_from_one(
    scenes: Scenes, backbone: Counting, tmp_path: Path
) -> None:
    one = features_of(scenes, backbone, tmp_path)
    both = features_of(scenes, backbone, tmp_path, Looks(views=2, copies=1))
    views = [decode_views(path.read_bytes(), Sight(backbone.size, 2)) for path in scenes.paths]
    np.testing.assert_allclose(both[:COUNT], backbone.features(np.stack(views)), rtol=1e-4, atol=1e-6)
    assert np.array_equal(features_of(scenes, backbone, tmp_path, Looks(views=2, copies=1)), both)
    assert np.array_equal(features_of(scenes, backbone, tmp_path), one)


def interrupt_after(batches: int) -> Callable[[float], None]:
    def progress(share: float) -> None:
        if share >= batches * BATCH / COUNT:
            raise KeyboardInterrupt

    return progress


def test_after_an_interrupt_it_goes_on_where_it_was(
    scenes: Scenes, backbone: Counting, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        features_of(scenes, backbone, tmp_path, progress=interrupt_after(2))
    assert backbone.shown == 2 * BATCH
    found = features_of(scenes, backbone, tmp_path)
    assert backbone.shown == COUNT
    assert np.array_equal(found, features_of(scenes, backbone))


def test_where_there_is_no_room_it_says_so_and_leaves_nothing_unfinished(
    scenes: Scenes, backbone: Counting, tmp_path: Path
) -> None:
    with room_for(1000), pytest.raises(LabellingError, match=r"features cannot be written: .*make room"):
        features_of(scenes, backbone, tmp_path)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir() or path.name.startswith(".")] == []
    assert np.array_equal(features_of(scenes, backbone, tmp_path), features_of(scenes, backbone))


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b""])
def test_a_damaged_file_is_known_and_made_anew(
    scenes: Scenes, backbone: Counting, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    first = features_of(scenes, backbone, tmp_path)
    files = sorted(tmp_path.rglob("*.npy"), key=lambda file: file.stat().st_size)
    files[-1].write_bytes(damage(files[-1].read_bytes()))
    backbone.shown = 0
    again = features_of(scenes, backbone, tmp_path)
    assert backbone.shown == BATCH
    assert np.array_equal(first, again)
    assert sorted(tmp_path.rglob("*.npy")) == sorted(files)


def test_pictures_may_be_moved_added_and_repeated(backbone: Counting, tmp_path: Path) -> None:
    paths = draw(tmp_path / "album", 9)
    first = features_of(scenes_of(paths), backbone, tmp_path / "cache")
    (tmp_path / "album").rename(tmp_path / "moved")
    moved = [tmp_path / "moved" / path.name for path in reversed(paths)]
    backbone.shown = 0
    again = features_of(
        scenes_of([*moved, *draw(tmp_path / "album", 4, seed=1), moved[0]]), backbone, tmp_path / "cache"
    )
    assert backbone.shown == 4
    assert np.array_equal(again[:9], first[::-1])
    assert np.array_equal(again[-1], again[0])


def test_another_backbone_has_a_cache_of_its_own(scenes: Scenes, backbone: Counting, tmp_path: Path) -> None:
    features_of(scenes, backbone, tmp_path)
    other = Backbone(small_network(2, (SIDE, SIDE), seed=4))
    assert np.array_equal(features_of(scenes, other, tmp_path), features_of(scenes, other))


def test_copies_follow_the_pictures_and_are_drawn_from_the_seed(
    scenes: Scenes, backbone: Counting, tmp_path: Path
) -> None:
    found = features_of(scenes, backbone, looks=Looks(copies=2, seed=7))
    pictures, first, second = found.reshape(3, COUNT, -1)
    np.testing.assert_allclose(pictures, features_of(scenes, backbone), rtol=1e-4, atol=1e-6)
    for one, other in ((pictures, first), (pictures, second), (first, second)):
        assert np.abs(one - other).max(axis=1).min() > 1e-4
    own = np.linalg.norm(first - pictures, axis=1)
    assert own.mean() < np.linalg.norm(first - np.roll(pictures, 1, axis=0), axis=1).mean()
    features_of(scenes, backbone, tmp_path, Looks(copies=1, seed=7))
    backbone.shown = 0
    np.testing.assert_allclose(
        features_of(scenes, backbone, tmp_path, Looks(copies=2, seed=7)), found, rtol=1e-4, atol=1e-6
    )
    assert backbone.shown == COUNT
    assert not np.allclose(features_of(scenes, backbone, looks=Looks(copies=1, seed=8))[COUNT:], first)


def test_progress_grows_to_the_whole(scenes: Scenes, backbone: Counting, tmp_path: Path) -> None:
    shares: list[float] = []
    features_of(scenes, backbone, tmp_path, progress=shares.append)
    assert (shares[0], shares[-1], len(shares)) == (0, 1, 4)
    assert shares == sorted(shares)
    shares.clear()
    features_of(scenes, backbone, tmp_path, progress=shares.append)
    assert shares == [1]


def test_pictures_that_cannot_be_used_are_named_and_the_others_kept(
    backbone: Counting, tmp_path: Path
) -> None:
    paths = draw(tmp_path / "album", BATCH + 2)
    whole = paths[5].read_bytes()
    paths[5].write_bytes(whole[:200])
    paths[9].write_bytes(b"no picture")
    with pytest.raises(LabellingError) as refused:
        features_of(scenes_of(paths), backbone, tmp_path / "cache", Looks(copies=1))
    said = str(refused.value)
    assert "2 pictures cannot be used" in said
    assert f"{paths[5]}: broken-image" in said
    assert f"{paths[9]}: not-an-image" in said
    paths[5].write_bytes(whole)
    backbone.shown = 0
    features_of(scenes_of(paths[:9]), backbone, tmp_path / "cache", Looks(copies=1))
    assert backbone.shown == 2


def test_of_many_pictures_that_are_none_some_are_named_and_the_others_counted() -> None:
    said = str(PicturesError({f"{number}.png": "not-an-image" for number in range(12)}))
    assert said.startswith("12 pictures cannot be used")
    assert said.endswith("- 9.png: not-an-image\n  - and 2 more")
    assert "more" not in str(PicturesError({f"{number}.png": "not-an-image" for number in range(10)}))


def test_a_picture_that_has_gone_is_named(backbone: Counting, tmp_path: Path) -> None:
    with pytest.raises(LabellingError, match=r"gone\.png: cannot be read"):
        features_of(scenes_of([tmp_path / "gone.png"]), backbone)


def test_augmented_copies_are_other_views_of_the_whole_picture() -> None:
    height, width, size = 60, 120, (24, 20)
    downwards, rightwards = np.mgrid[40 : 200 : height * 1j, 40 : 200 : width * 1j]
    ramps = np.stack([downwards, rightwards, downwards], axis=2).astype(np.uint8)
    picture, random = Image.fromarray(ramps), np.random.default_rng(0)

    copies = [augmented(picture, size, random) for _ in range(50)]

    assert {(copy.shape, copy.dtype) for copy in copies} == {((*size, 3), np.dtype(np.uint8))}
    assert len({copy.tobytes() for copy in copies}) == 50
    assert all(np.diff(copy[:, :, 0].mean(axis=1)).min() > 0 for copy in copies)
    turned = [np.sign(np.diff(copy[:, :, 1].mean(axis=0))) for copy in copies]
    assert {tuple(one) for one in turned} == {(1,) * 19, (-1,) * 19}
    # The middle alone, as large as fits, never shows a third of this picture.
    seen = [copy[:, [0, -1], 1].mean(axis=0) / copy[:, :, 1].mean() for copy in copies]
    assert min(one.min() for one in seen) < 0.6
    assert max(one.max() for one in seen) > 1.4
