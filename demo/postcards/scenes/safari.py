"""Safari: savanna with umbrella thorns, elephants, giraffes and zebras."""

from typing import Final

from demo.postcards.animals import elephant, giraffe, zebra
from demo.postcards.canvas import Canvas
from demo.postcards.light import Colour, mixed, rgb
from demo.postcards.lines import blot, down_to, nearest_last, rolling
from demo.postcards.mountains import mountain
from demo.postcards.plants import acacia, bush
from demo.postcards.sky import paint_sky

_GRASS: Final = (rgb("d9b25c"), rgb("c9a24a"), rgb("b3a350"), rgb("d0a05a"))
_FAR_HILLS: Final = rgb("8a8a58")
_FAR_ROCK: Final = rgb("6f7fa0")
_SCRUB: Final = rgb("6d7a3c")


def safari(canvas: Canvas) -> None:
    """Paint a safari."""
    random = canvas.random
    horizon = random.uniform(0.42, 0.58)
    paint_sky(canvas, horizon, birds=5)
    if canvas.chance(0.4):
        width, height = random.uniform(0.8, 1.2), random.uniform(0.16, 0.26)
        mountain(canvas, random.random(), horizon, width, height, far=0.7, snow=0.3, rock=_FAR_ROCK)
    grass = random.choice(_GRASS)
    canvas.polygon(down_to(horizon, rolling(random, horizon - 0.03, 0.04, 2)), canvas.lit(_FAR_HILLS, 0.6))
    near = mixed(grass, rgb("7a6a2f"), 0.4)
    canvas.gradient(horizon, 1, [canvas.lit(grass, 0.6), canvas.lit(grass), canvas.lit(near)])
    for _ in range(random.randint(5, 12)):
        y, radius = horizon + random.uniform(0.005, 0.03), random.uniform(0.008, 0.02)
        bush(canvas, random.random(), y, radius, _SCRUB, far=0.5)
    if canvas.chance(0.5):
        _waterhole(canvas, random.uniform(0.3, 0.7), horizon + random.uniform(0.16, 0.26))
    trees = [(random.random(), random.uniform(0.02, 0.2)) for _ in range(random.randint(3, 6))]
    for x, down in nearest_last(trees):
        acacia(canvas, x, horizon + down, 0.1 + 1.1 * down, far=max(0.0, 0.5 - 2.5 * down))
    _herd(canvas, horizon)
    _tufts(canvas, grass)


def _waterhole(canvas: Canvas, x: float, y: float) -> None:
    across = canvas.random.uniform(0.22, 0.38)
    canvas.polygon(blot(canvas.random, x, y, across * 1.12, 0.06), canvas.lit(rgb("9b7a48")))
    water = mixed(canvas.lit(rgb("6d93a3")), canvas.light.sky[1], 0.45)
    canvas.polygon(blot(canvas.random, x, y + 0.006, across, 0.045), water)


def _herd(canvas: Canvas, horizon: float) -> None:
    """A few animals of one or two kinds, side by side, the nearer the larger."""
    random = canvas.random
    kinds = random.sample(
        ((elephant, 0.62), (elephant, 0.62), (giraffe, 0.95), (giraffe, 0.95), (zebra, 0.45)), 2
    )
    count = random.randint(3, 6)
    across = [0.12 + 0.76 * (number + random.uniform(0.2, 0.8)) / count for number in range(count)]
    for x, down in nearest_last((x, random.uniform(0.1, 0.38)) for x in across):
        animal, growth = random.choice(kinds)
        animal(canvas, x, horizon + down, 0.06 + growth * down, far=max(0.0, 0.3 - down))


def _tufts(canvas: Canvas, grass: Colour) -> None:
    random = canvas.random
    shades = [canvas.lit(mixed(grass, shade, 0.5)) for shade in (rgb("6f5f2a"), rgb("f3dc94"))]
    for _ in range(60):
        x, y = random.random(), random.uniform(0.8, 1.03)
        tip = (x + random.uniform(-0.02, 0.02), y - 0.02 - 0.12 * (y - 0.75))
        canvas.line([(x, y), tip], 0.005, random.choice(shades))
