"""Forest lake: still water with the forest in it twice, a cabin, a jetty, a canoe."""

from typing import Final

from demo.postcards.buildings import cottage
from demo.postcards.canvas import Canvas
from demo.postcards.light import glaze, mixed, rgb
from demo.postcards.lines import Ground, down_to, rolling
from demo.postcards.mountains import mountain
from demo.postcards.plants import PINE, broadleaf, pine
from demo.postcards.props import canoe
from demo.postcards.sky import glitter, paint_sky

_CABIN: Final = (rgb("8a4b32"), rgb("4a3b36"))
_WATER: Final = (rgb("5d8f96"), rgb("2f6470"), rgb("1b4250"))
_GREENS: Final = (PINE, rgb("2f6248"), rgb("1d4638"), rgb("3d6b45"))
_GOLDS: Final = (rgb("c98a2b"), rgb("b5562f"), rgb("d9aa3f"))
_PLANKS: Final = (rgb("8c6b4d"), rgb("9e7c5b"))
_REEDS: Final = (rgb("5c7a3a"), rgb("3f5e33"), rgb("88904a"))


def forest_lake(canvas: Canvas) -> None:
    """Paint a forest lake."""
    random = canvas.random
    waterline = random.uniform(0.42, 0.6)
    paint_sky(canvas, waterline, birds=4)
    for _ in range(random.choice((0, 0, 1, 2, 3))):
        width, height = random.uniform(0.5, 0.9), random.uniform(0.2, 0.36)
        mountain(canvas, random.random(), waterline, width, height, far=0.65)
    hills = rolling(random, waterline - 0.1, 0.08, 2)
    canvas.polygon(down_to(waterline, hills), canvas.lit(rgb("4d7a62"), 0.55))
    golden = random.choice((0.0, 0.0, 0.5))
    _wood(canvas, waterline, 0.4, golden)
    _wood(canvas, waterline, 0.15, golden)
    if canvas.chance(0.6):
        cottage(canvas, random.uniform(0.2, 0.8), waterline + 0.003, random.uniform(0.11, 0.17), _CABIN)
    canvas.mirror(waterline, [canvas.lit(colour) for colour in _WATER], 0.42)
    canvas.ellipse(random.random(), waterline, 0.7, 0.008, glaze(canvas.light.sky[2], 0.5))
    glitter(canvas, waterline + 0.03, 1, canvas.lit(rgb("d5e6e6")), 22)
    if canvas.chance(0.6):
        y = random.uniform(waterline + 0.1, 0.82)
        canoe(canvas, random.uniform(0.2, 0.8), y, random.uniform(0.14, 0.24))
    if canvas.chance(0.55):
        _jetty(canvas, waterline)
    _reeds(canvas, random.choice((0, 16, 26)))


def _wood(canvas: Canvas, waterline: float, far: float, golden: float) -> None:
    """A row of trees along the shore, a share of which is `golden`."""
    random, count = canvas.random, 23
    for number in range(count):
        x = (number + random.random()) / count * 1.06 - 0.03
        height = random.uniform(0.08, 0.19) * (1.1 - far / 2)
        if canvas.chance(golden):
            broadleaf(canvas, x, waterline + 0.004, height * 0.8, random.choice(_GOLDS), far=far)
        else:
            pine(canvas, x, waterline + 0.004, height, random.choice(_GREENS), far=far)


def _jetty(canvas: Canvas, waterline: float) -> None:
    random = canvas.random
    ground = Ground(waterline - 0.12, random.uniform(0.3, 0.7), 0.75)
    x, wide = random.uniform(-0.25, 0.25), random.uniform(0.16, 0.24)
    for step in range(9, -1, -1):
        away = 1.0 + step * 0.13
        for side in (x, x + wide):
            post = [ground.at(side, away, -0.08), ground.at(side, away, 0.05)]
            canvas.line(post, 0.014 / away, canvas.lit(rgb("4f3b2c")))
        plank = mixed(_PLANKS[step % 2], _PLANKS[0], random.random())
        canvas.polygon(ground.quad((x, x + wide), (away, away + 0.12)), canvas.lit(plank))


def _reeds(canvas: Canvas, count: int) -> None:
    """Reeds and bulrushes at one side of the near shore."""
    random = canvas.random
    start = random.choice((0.05, 0.67))
    for _ in range(count):
        x, height = start + random.uniform(0, 0.28), random.uniform(0.08, 0.2)
        tip = (x + random.uniform(-0.04, 0.04), 1.01 - height)
        canvas.line([(x, 1.01), tip], 0.006, canvas.lit(random.choice(_REEDS)))
        if canvas.chance(0.3):
            canvas.ellipse(*tip, 0.006, 0.02, canvas.lit(rgb("6b4526")))
