"""Harbour: coloured houses along a quay, their reflections, and boats."""

from typing import Final

from demo.postcards.buildings import LAMP, church_tower, house
from demo.postcards.canvas import Canvas
from demo.postcards.light import WHITE, rgb
from demo.postcards.lines import down_to, nearest_last, rolling
from demo.postcards.props import moored_boat, person
from demo.postcards.sky import glitter, paint_sky, sun_path

_QUAY: Final = rgb("9c9182")
_HILLS: Final = (rgb("6d8f63"), rgb("7d9a72"), rgb("8b8b6a"))
_WATER: Final = (rgb("4f8ea6"), rgb("2c6c8c"), rgb("1d4f70"))


def harbour(canvas: Canvas) -> None:
    """Paint a harbour."""
    random = canvas.random
    waterline = random.uniform(0.46, 0.62)
    sun = paint_sky(canvas, waterline, birds=7)
    hills = rolling(random, waterline - random.uniform(0.08, 0.26), 0.1)
    canvas.polygon(down_to(waterline, hills), canvas.lit(random.choice(_HILLS), 0.5))
    quay = waterline - random.uniform(0.015, 0.03)
    _houses(canvas, quay, random.uniform(0.75, 1.25))
    canvas.rectangle(-0.01, quay, 1.01, waterline, canvas.lit(_QUAY))
    for _ in range(random.randint(2, 6)):
        person(canvas, random.random(), quay + 0.004, 0.035)
    canvas.mirror(waterline, [canvas.lit(colour) for colour in _WATER], 0.52)
    glitter(canvas, waterline + 0.01, 1, canvas.lit(rgb("cfe4ec")))
    sun_path(canvas, sun, waterline, 1)
    if canvas.chance(0.45):
        _lighthouse(canvas, random.choice((0.12, 0.88)), waterline + 0.012)
    boats = [
        (random.uniform(0.04, 0.96), random.uniform(waterline + 0.02, 0.97))
        for _ in range(random.randint(5, 9))
    ]
    for x, y in nearest_last(boats):
        moored_boat(canvas, x, y, 0.1 + 0.32 * (y - waterline))


def _houses(canvas: Canvas, quay: float, scale: float) -> None:
    """A row of houses with a gap here and there, perhaps a tower behind them."""
    random = canvas.random
    if canvas.chance(0.5):
        church_tower(canvas, random.uniform(0.2, 0.8), quay, random.uniform(0.32, 0.4) * scale, far=0.15)
    x = random.uniform(-0.08, 0.0)
    while x < 1:
        width = random.uniform(0.07, 0.13) * scale
        house(canvas, x, quay, width, random.uniform(0.11, 0.21) * scale, far=0.08)
        x += width + (random.uniform(0.01, 0.06) if canvas.chance(0.1) else 0)


def _lighthouse(canvas: Canvas, x: float, base: float) -> None:
    part = canvas.inset(x, base, canvas.random.uniform(0.26, 0.38))
    part.polygon([(-0.5, 0.06), (-0.38, -0.06), (0.38, -0.06), (0.5, 0.06)], part.lit(rgb("6f6a64")))
    red = part.lit(rgb("c8362f"))
    for stripe in range(5):
        low, high = 0.16 * stripe, 0.16 * (stripe + 1)
        wide, slim = 0.13 - 0.09 * low, 0.13 - 0.09 * high
        corners = [(-wide, -low - 0.05), (-slim, -high - 0.05), (slim, -high - 0.05), (wide, -low - 0.05)]
        part.polygon(corners, part.lit(WHITE) if stripe % 2 else red)
    part.rectangle(-0.09, -0.88, 0.09, -0.84, part.lit(rgb("3a3a40")))
    part.rectangle(-0.05, -0.95, 0.05, -0.87, LAMP)
    part.dome(0, -0.95, 0.07, 0.07, red)
