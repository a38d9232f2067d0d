"""Draws a postcard of a kind of place; the seed settles everything that may vary in it."""

from collections.abc import Callable, Mapping
from io import BytesIO
from random import Random
from typing import Final

from PIL import Image

from demo.kinds import KINDS as _PLACES
from demo.postcards.canvas import Canvas
from demo.postcards.light import USUAL_HOURS, draw_light
from demo.postcards.scenes.beach import beach
from demo.postcards.scenes.desert import desert
from demo.postcards.scenes.forest_lake import forest_lake
from demo.postcards.scenes.golf import golf
from demo.postcards.scenes.harbour import harbour
from demo.postcards.scenes.old_town import old_town
from demo.postcards.scenes.palace import palace
from demo.postcards.scenes.pool import pool
from demo.postcards.scenes.safari import safari
from demo.postcards.scenes.ski_slope import ski_slope
from demo.postcards.scenes.skyline import skyline
from demo.postcards.scenes.vineyard import vineyard

KINDS: Final = tuple(place.name for place in _PLACES)
"""The kinds of places, named as the demo's sales and tastes name them."""
QUALITY: Final = 88
"""Of JPEG files, as Pillow counts it."""
SIZE: Final = 224
"""Height and width of a postcard, pixels, unless another is asked for."""

_SCENES: Final[Mapping[str, Callable[[Canvas], None]]] = {
    "beach": beach,
    "harbour": harbour,
    "ski slope": ski_slope,
    "old town": old_town,
    "pool": pool,
    "golf": golf,
    "desert": desert,
    "forest lake": forest_lake,
    "skyline": skyline,
    "palace": palace,
    "vineyard": vineyard,
    "safari": safari,
}
_HOURS: Final[Mapping[str, Mapping[str, float]]] = {
    "skyline": USUAL_HOURS | {"dusk": 4.0, "night": 4.0},
    "desert": USUAL_HOURS | {"sunset": 3.0, "night": 2.0},
    "safari": USUAL_HOURS | {"sunset": 4.0, "afternoon": 5.0},
    "harbour": USUAL_HOURS | {"dusk": 1.5, "night": 1.0},
    "old town": USUAL_HOURS | {"dusk": 1.5, "night": 1.0},
    "palace": USUAL_HOURS | {"dusk": 1.5, "night": 0.6},
}
"""Kinds that are often photographed at other times than usual."""


def draw(kind: str, seed: int, size: int = SIZE) -> Image.Image:
    """A postcard of a `kind` of place, `size` times `size` pixels, RGB.

    The same for the same `kind`, `seed` and `size` with one version of Pillow and NumPy.

    Raises:
        KeyError: there is no such kind.
    """
    random = Random(f"{kind} {seed}")  # noqa: S311 - a repeatable picture, not a secret
    light = draw_light(random, _HOURS.get(kind, USUAL_HOURS))
    canvas = Canvas.blank(size, light, random)
    _SCENES[kind](canvas)
    return canvas.finished(mirrored=canvas.chance(0.5))


def jpeg(kind: str, seed: int, size: int = SIZE) -> bytes:
    """The postcard that `draw` draws, as a JPEG file."""
    file = BytesIO()
    draw(kind, seed, size).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
