"""Vineyard: rows of vines below an estate among hills."""

from typing import Final

from demo.postcards.buildings import TILES, cottage
from demo.postcards.canvas import Canvas
from demo.postcards.light import Colour, mixed, rgb
from demo.postcards.lines import Ground, bow, down_to, rolling
from demo.postcards.mountains import mountain
from demo.postcards.plants import LEAVES, broadleaf, cypress
from demo.postcards.sky import paint_sky, shadow

_SUMMER: Final = (rgb("4f8a3a"), rgb("5f9440"), rgb("6a8f35"))
_AUTUMN: Final = (rgb("c9872e"), rgb("b8602c"), rgb("d6a63a"))
_EARTH: Final = (rgb("b98d5e"), rgb("a97c54"), rgb("8fa35a"), rgb("c2a273"))
_WALLS: Final = (rgb("f0dcb4"), rgb("e3b98a"), rgb("f4efe6"))
_GRAPES: Final = (rgb("5b2a5e"), rgb("40264f"), rgb("a3b544"))
_FARTHEST: Final = 4.4
"""How far away a row of vines begins, on the ground."""
_NEAR: Final = 1.7
"""From how near grapes are seen."""


def vineyard(canvas: Canvas) -> None:
    """Paint a vineyard."""
    random = canvas.random
    horizon = random.uniform(0.3, 0.44)
    paint_sky(canvas, horizon, birds=3)
    leaves = random.choice(random.choice((_SUMMER, _SUMMER, _AUTUMN)))
    if canvas.chance(0.25):
        mountain(canvas, random.random(), horizon, 1.1, random.uniform(0.14, 0.22), far=0.75)
    for far, up, height in ((0.75, 0.03, 0.08), (0.5, -0.02, 0.07)):
        hills = rolling(random, horizon - up, height, random.uniform(1, 2))
        canvas.polygon(down_to(1, hills), canvas.lit(mixed(leaves, rgb("5f8a62"), 0.6), far))
    earth = random.choice(_EARTH)
    _estate(canvas, horizon + 0.07)
    _hillside(canvas, horizon + 0.06, leaves, earth)
    canvas.gradient(horizon + 0.16, 1, [canvas.lit(earth, 0.2), canvas.lit(earth)])
    ground = Ground(horizon + 0.02, random.uniform(0.2, 0.8), 0.62)
    height, grapes = random.uniform(0.2, 0.27), random.choice(_GRAPES)
    first, gap = random.uniform(-2.6, -2.2), random.uniform(0.4, 0.52)
    for x in sorted((first + gap * row for row in range(13)), key=abs, reverse=True):
        _row(canvas, ground, (x, height), leaves, grapes)
    if canvas.chance(0.35):
        _barrel(canvas, random.choice((0.2, 0.8)), 0.93)


def _estate(canvas: Canvas, base: float) -> None:
    """A house, perhaps with a tower, among cypresses."""
    random = canvas.random
    x, width = random.uniform(0.2, 0.8), random.uniform(0.13, 0.22)
    wall, roof = random.choice(_WALLS), random.choice(TILES[:4])
    for _ in range(random.randint(2, 6)):
        cypress(canvas, x + random.uniform(-0.22, 0.22), base + 0.005, random.uniform(0.12, 0.22), far=0.2)
    if canvas.chance(0.5):
        part = canvas.inset(x, base, width, far=0.15)
        part.rectangle(-0.75, -0.85, -0.42, 0, part.lit(mixed(wall, rgb("8a6a4a"), 0.15)))
        part.polygon([(-0.82, -0.85), (-0.585, -1.05), (-0.35, -0.85)], part.lit(roof))
    cottage(canvas, x, base, width, (wall, roof), far=0.15)
    for _ in range(random.randint(1, 4)):
        broadleaf(canvas, random.random(), base, random.uniform(0.07, 0.12), random.choice(LEAVES), far=0.3)


def _hillside(canvas: Canvas, y: float, leaves: Colour, earth: Colour) -> None:
    """The far field: its rows are thin lines."""
    edge = rolling(canvas.random, y, 0.05, 1)
    canvas.polygon(down_to(1, edge), canvas.lit(mixed(leaves, earth, 0.4), 0.3))
    for row in range(1, 9):
        line = [(x, y + 0.014 * row) for x, y in edge]
        canvas.line(line, 0.004, canvas.lit(mixed(leaves, rgb("2f5a2a"), 0.35), 0.25))


def _row(canvas: Canvas, ground: Ground, row: tuple[float, float], leaves: Colour, grapes: Colour) -> None:
    """A hedge of the near field that runs away from us; `row` is its place to the right and its height."""
    random, (x, height) = canvas.random, row
    nearest, side = ground.nearest * 0.7, (0.05 if x < 0 else -0.05)
    top = [ground.at(x, away, height) for away in (_FARTHEST, nearest)]
    foot = [ground.at(x + side, away, 0.05) for away in (nearest, _FARTHEST)]
    canvas.polygon([*top, *foot], canvas.lit(mixed(leaves, rgb("22401f"), 0.45), 0.1))
    away = _FARTHEST
    while away > nearest:
        radius = 0.085 / away
        part = canvas.inset(
            *ground.at(x, away, height * random.uniform(0.7, 1.0)), radius, far=min(0.4, away / 14)
        )
        part.ellipse(0, 0, 1, 0.8, part.lit(mixed(leaves, rgb("dbe07a"), random.uniform(0, 0.35))))
        if away < _NEAR and canvas.chance(0.4):
            for across, down in ((-0.2, 0.8), (0.2, 0.8), (0, 1.1), (0, 0.6)):
                part.ellipse(across + 6 * side, down, 0.22, 0.22, part.lit(grapes))
        away *= 0.93


def _barrel(canvas: Canvas, x: float, base: float) -> None:
    part = canvas.inset(x, base, 0.2)
    shadow(part, 0, 0, 0.6)
    left, right = bow((-0.36, 0), (-0.56, -0.5), (-0.36, -1)), bow((0.36, -1), (0.56, -0.5), (0.36, 0))
    part.polygon([*left, *right], part.lit(rgb("9a6536")))
    part.ellipse(0, -1, 0.36, 0.08, part.lit(rgb("b98350")))
    for up in (0.2, 0.75):
        part.line([(-0.44, -up), (0, -up + 0.06), (0.44, -up)], 0.06, part.lit(rgb("4a4038")))
