"""Mountains: rock with a side in the light and a side in the shade, and snow on top."""

from typing import Final

from demo.postcards.canvas import Canvas
from demo.postcards.light import Colour, mixed, rgb
from demo.postcards.lines import jagged

_ROCK: Final = rgb("7c8596")
_SNOW: Final = rgb("f6fafd")
_SHADE: Final = rgb("4b587a")


def mountain(
    canvas: Canvas,
    x: float,
    base: float,
    width: float,
    height: float,
    *,
    far: float,
    snow: float = 0.4,
    rock: Colour = _ROCK,
) -> None:
    """A mountain around `x` that stands on `base`; a share `snow` of its height is white."""
    random = canvas.random
    peak = (x + random.uniform(-0.1, 0.1) * width, base - height)
    rough = height * 0.09
    left = jagged(random, (x - width / 2, base), peak, rough, 4)
    right = jagged(random, peak, (x + width / 2, base), rough, 4)
    spine = jagged(random, peak, (peak[0] + random.uniform(-0.05, 0.12) * width, base), rough * 0.7, 3)
    lit, dark = canvas.lit(rock, far), canvas.lit(mixed(rock, _SHADE, 0.6), far)
    canvas.polygon([*left, *right], lit)
    canvas.polygon([*spine, *reversed(right)], dark)
    if snow <= 0:
        return
    line = base - height * (1 - snow)
    for sides, colour in (((left, spine), _SNOW), ((spine, right), mixed(_SNOW, _SHADE, 0.35))):
        one, other = (
            sorted(((px, py) for px, py in side if py < line), key=lambda p: p[1]) for side in sides
        )
        if one and other:
            start, end = one[-1], other[-1]
            hem = jagged(random, end, start, height * 0.16, 3)
            canvas.polygon([*one, *reversed(hem), *reversed(other)], canvas.lit(colour, far))
