"""Desert: dunes with sharp crests, and a caravan, a camp, an oasis or table rocks."""

from typing import Final

from demo.postcards.animals import camel
from demo.postcards.buildings import LAMP
from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import Colour, mixed, rgb
from demo.postcards.lines import bow, down_to, height_at, rolling
from demo.postcards.plants import palm
from demo.postcards.sky import paint_sky

_SANDS: Final = (rgb("e8a860"), rgb("dd8a4a"), rgb("eec084"), rgb("cf7442"))
_ROCKS: Final = (rgb("a8583a"), rgb("b86a48"), rgb("96503c"))
_CANVAS: Final = (rgb("f3e8d2"), rgb("8e3b2e"), rgb("e3c9a0"))
_SHADE: Final = rgb("6a3328")
_SUNNY: Final = rgb("fff0cc")


def desert(canvas: Canvas) -> None:
    """Paint a desert."""
    random = canvas.random
    horizon = random.uniform(0.4, 0.56)
    paint_sky(canvas, horizon)
    sand = random.choice(_SANDS)
    canvas.gradient(horizon, 1, [canvas.lit(sand, 0.7), canvas.lit(sand)])
    _rocks(canvas, horizon + 0.02, random.choice((0, 0, 0, 2, 3, 4)))
    for far, down, low, high in ((0.6, 0.05, 0.06, 0.12), (0.35, 0.15, 0.12, 0.2), (0.12, 0.3, 0.16, 0.3)):
        for _ in range(random.randint(1, 3)):
            tall = random.uniform(low, high)
            foot = (random.uniform(-0.1, 1.1), horizon + down)
            _dune(canvas.inset(*foot, tall * random.uniform(3.2, 4.8) / 2, tall, far), sand)
    ground = rolling(random, random.uniform(0.76, 0.84), 0.07, 1)
    canvas.polygon(down_to(1, ground), canvas.lit(mixed(sand, _SUNNY, 0.12)))
    _ripples(canvas, ground, sand)
    guest = random.choices((_caravan, _camp, _oasis, None), (55, 17, 14, 14))[0]
    if guest:
        guest(canvas, ground)


def _dune(part: Canvas, sand: Colour) -> None:
    """A dune: a long slope in the light, a winding crest, and a slip face in the shade."""
    random = part.random
    side, peak = random.choice((-1, 1)), (random.uniform(-0.05, 0.3), -1.0)
    windward, lee = bow((-1, 0), (-0.35, -0.12), peak), bow(peak, (peak[0] + 0.3, -0.45), (1, 0))
    crest = bow(peak, (peak[0] + 0.2, -0.5), (peak[0] - 0.3, 0.05))
    lit, dark = mixed(sand, _SUNNY, random.uniform(0.2, 0.4)), mixed(sand, _SHADE, random.uniform(0.35, 0.5))
    part.polygon([(side * x, y) for x, y in (*windward, *lee)], part.lit(lit))
    part.polygon([(side * x, y) for x, y in (*crest, (1, 0.05), *reversed(lee))], part.lit(dark))


def _ripples(canvas: Canvas, ground: list[Point], sand: Colour) -> None:
    """Lines that the wind drew into the near sand."""
    random = canvas.random
    paint = canvas.lit(mixed(sand, rgb("7a4028"), 0.22))
    for row in range(7):
        start, end = random.randint(0, 14), random.randint(18, 33)
        line = [(x, y + 0.02 + 0.033 * row + random.uniform(-0.003, 0.003)) for x, y in ground[start:end]]
        canvas.line(line, 0.002 + 0.0006 * row, paint)


def _caravan(canvas: Canvas, ground: list[Point]) -> None:
    random = canvas.random
    size, gap = random.uniform(0.085, 0.16), random.uniform(1.15, 1.4)
    x = random.uniform(0.08, 0.35)
    for _ in range(random.randint(2, 5)):
        camel(canvas, x, height_at(ground, x) + 0.03, size)
        x += size * gap


def _camp(canvas: Canvas, ground: list[Point]) -> None:
    """Tents, their inside lit when it is dark."""
    random = canvas.random
    cloth = random.choice(_CANVAS)
    for _ in range(random.randint(2, 4)):
        x = random.uniform(0.15, 0.85)
        part = canvas.inset(x, height_at(ground, x) + 0.05, random.uniform(0.15, 0.24))
        part.polygon([(-0.5, 0), (-0.4, -0.34), (0, -0.62), (0.4, -0.34), (0.5, 0)], part.lit(cloth))
        shaded = part.lit(mixed(cloth, rgb("5b3a33"), 0.3))
        part.polygon([(0.1, 0), (0, -0.62), (0.4, -0.34), (0.5, 0)], shaded)
        inside = LAMP if canvas.light.lamps else part.lit(rgb("4c332b"))
        part.polygon([(-0.13, 0), (-0.03, -0.42), (0.08, 0)], inside)


def _oasis(canvas: Canvas, ground: list[Point]) -> None:
    random = canvas.random
    x = random.uniform(0.3, 0.7)
    y = height_at(ground, x) + 0.07
    canvas.ellipse(x, y, 0.2, 0.03, canvas.lit(rgb("4f7d4a")))
    canvas.ellipse(x, y + 0.008, 0.17, 0.022, mixed(canvas.lit(rgb("3d93a8")), canvas.light.sky[1], 0.35))
    for _ in range(random.randint(4, 7)):
        palm(canvas, x + random.uniform(-0.19, 0.19), y - 0.01, random.uniform(0.18, 0.32))


def _rocks(canvas: Canvas, base: float, count: int) -> None:
    """Table rocks, as of Wadi Rum."""
    random = canvas.random
    for _ in range(count):
        part = canvas.inset(
            random.random(), base, random.uniform(0.12, 0.26), random.uniform(0.1, 0.24), 0.45
        )
        rock = random.choice(_ROCKS)
        top = [(x, -random.uniform(0.88, 1)) for x in (-0.36, -0.1, 0.15, 0.36)]
        part.polygon([(-0.5, 0), *top, (0.5, 0)], part.lit(rock))
        part.polygon([(0.1, 0), *top[2:], (0.5, 0)], part.lit(mixed(rock, rgb("4a2b2b"), 0.4)))
