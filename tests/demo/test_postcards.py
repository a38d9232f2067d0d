"""Postcards are repeatable, varied within a kind, and more different between kinds."""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from io import BytesIO
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from demo.catalogue import travel_catalogue
from demo.postcards import KINDS, draw, jpeg
from demo.postcards.canvas import Canvas
from demo.postcards.light import Light, draw_light, mixed, rgb
from demo.postcards.lines import Ground, height_at
from tests.source_tree import ROOT

SIZE = 64
PER_KIND = 40
FEW = 20
DIGEST = """
import sys; from hashlib import sha256; from demo.postcards import KINDS, draw
print(*(sha256(draw(kind, 7, 64).tobytes()).hexdigest() for kind in KINDS))
"""


def looks(picture: Image.Image) -> NDArray[np.float64]:
    """float64[816]: the picture at 16x16 pixels, and how often each of 16 shades is in each channel."""
    small = np.asarray(picture.resize((16, 16)), float).ravel() / 255
    shades = np.array(picture.histogram(), float).reshape(3, 16, 16).sum(axis=2).ravel()
    return np.concatenate([small, shades / (picture.width * picture.height)])


@cache
def small(kind: str) -> list[NDArray[np.uint8]]:
    """uint8[48, 48, 3], RGB, each: a few postcards of a kind."""
    return [np.asarray(draw(kind, seed, 48)) for seed in range(FEW)]


@pytest.fixture(scope="module")
def album() -> NDArray[np.float64]:
    """float64[n_kinds, PER_KIND, 816]: the looks of some postcards of each kind."""
    return np.array([[looks(draw(kind, seed, SIZE)) for seed in range(PER_KIND)] for kind in KINDS])


def test_there_is_a_postcard_for_every_kind_of_sale_of_the_demo() -> None:
    sales = travel_catalogue(1, 1_750_000_000_000)
    assert {one.kind for one in sales} == set(KINDS)
    assert len(KINDS) == 12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, 97, 224])
def test_a_postcard_is_a_square_of_its_size_in_colour(kind: str, size: int) -> None:
    picture = draw(kind, 3, size)
    assert (picture.mode, picture.size) == ("RGB", (size, size))
    assert np.asarray(picture).std(axis=(0, 1)).min() > 10


def test_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="moon"):
        draw("moon", 1)


def test_the_same_seed_gives_the_same_picture_in_another_process() -> None:
    here = [sha256(draw(kind, 7, 64).tobytes()).hexdigest() for kind in KINDS]
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert there.stdout.split() == here


@pytest.mark.parametrize("kind", KINDS)
def test_two_seeds_give_two_pictures(kind: str) -> None:
    assert len({pixels.tobytes() for pixels in small(kind)}) == FEW


def test_nothing_is_left_unpainted() -> None:
    black = [(pixels.max(axis=2) < 8).mean() for kind in KINDS for pixels in small(kind)]
    assert max(black) < 0.01


def test_kinds_differ_more_than_seeds_of_one_kind(album: NDArray[np.float64]) -> None:
    one, other = album[:, ::2].mean(axis=1), album[:, 1::2].mean(axis=1)
    distances = np.linalg.norm(one[:, None] - other, axis=2)
    same = np.eye(len(KINDS), dtype=bool)
    assert distances.argmin(axis=1).tolist() == list(range(len(KINDS)))
    assert distances[~same].mean() > 3 * distances[same].mean()


def test_a_simple_classifier_tells_the_kinds_apart_but_not_without_mistakes(
    album: NDArray[np.float64],
) -> None:
    known, kinds = PER_KIND * 3 // 4, np.arange(len(KINDS))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    model.fit(album[:, :known].reshape(-1, album.shape[2]), np.repeat(kinds, known))
    right = model.predict(album[:, known:].reshape(-1, album.shape[2])) == np.repeat(kinds, PER_KIND - known)
    assert 0.5 < right.mean() < 1


def test_the_file_of_a_postcard_is_a_jpeg_of_its_size() -> None:
    with Image.open(BytesIO(jpeg("beach", 7, SIZE))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (SIZE, SIZE))
        away = np.asarray(picture, float) - np.asarray(draw("beach", 7, SIZE), float)
    assert np.abs(away).mean() < 6


@pytest.mark.parametrize("hour", ["morning", "noon", "afternoon", "sunset", "dusk", "night"])
def test_it_is_dark_at_dusk_and_at_night_only(hour: str) -> None:
    light = light_of(hour)
    assert light.lamps == (hour in {"dusk", "night"})
    assert (sum(light.on((200, 200, 200))) < 460) == light.lamps


def test_what_is_far_away_fades_into_the_horizon() -> None:
    light, red = light_of("noon"), rgb("c02020")
    distances = [
        float(np.abs(np.subtract(light.on(red, far), light.sky[2])).sum()) for far in (0.0, 0.4, 0.8, 1.0)
    ]
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == 4


def light_of(hour: str) -> Light:
    return draw_light(Random(5), {hour: 1.0})


def test_half_of_one_colour_and_half_of_another_is_between_them() -> None:
    assert mixed(rgb("000000"), rgb("c86432"), 0.5) == (100, 50, 25)


def test_the_ground_shrinks_with_distance_and_ends_at_the_horizon() -> None:
    ground = Ground(horizon=0.4, middle=0.5, eye=0.6)
    assert ground.nearest == 1.0
    assert ground.at(0.2, 1.0) == pytest.approx((0.7, 1.0))
    assert ground.at(0.2, 2.0) == pytest.approx((0.6, 0.7))
    assert ground.at(0.2, 1e9) == pytest.approx((0.5, 0.4))
    assert ground.at(0.2, 2.0, up=0.6)[1] == pytest.approx(0.4)


def test_the_height_of_a_line_is_found_between_and_beyond_its_points() -> None:
    line = [(0.0, 1.0), (0.5, 2.0), (1.0, 0.0)]
    assert [height_at(line, x) for x in (-1, 0.25, 0.5, 0.75, 2)] == [1.0, 1.5, 2.0, 1.0, 0.0]


Place = Callable[[Canvas], Canvas]


@pytest.mark.parametrize(
    ("place", "painted"),
    [
        (lambda canvas: canvas, (0, 0, 20, 20)),
        (lambda canvas: canvas.inset(0.5, 0.5, 0.5), (10, 10, 20, 20)),
        (lambda canvas: canvas.inset(0.5, 0.5, -0.5), (0, 10, 10, 20)),
        (lambda canvas: canvas.inset(0.5, 0, 0.5, 1).inset(0.5, 0.5, 0.5), (15, 10, 20, 20)),
    ],
)
def test_an_inset_is_a_part_of_the_canvas_mirrored_if_its_width_is_negative(
    place: Place, painted: tuple[int, int, int, int]
) -> None:
    canvas = Canvas.blank(10, light_of("noon"), Random(1))
    place(canvas).rectangle(0, 0, 1, 1, (255, 0, 0))
    red = np.asarray(canvas.image)[:, :, 1] == 0
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert np.abs(np.subtract(box, painted)).max() <= 1
