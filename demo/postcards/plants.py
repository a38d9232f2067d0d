"""Trees of all countries, from a palm to an acacia, each standing with its foot at a given point."""

from math import cos, pi, sin
from typing import Final

from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import Colour, mixed, rgb
from demo.postcards.lines import bow

PINE: Final = rgb("24513f")
LEAVES: Final = (rgb("4d8a3c"), rgb("3b7741"), rgb("6b9a3f"))
_TRUNK: Final = rgb("6b4a33")
_PALM: Final = rgb("2f7d46")
_PALM_TRUNK: Final = rgb("8a6744")
_CYPRESS: Final = rgb("2c4f38")
_ACACIA: Final = rgb("5c7033")
_BARK: Final = rgb("54402f")
_SHADE: Final = rgb("173524")
_SNOW: Final = rgb("f4f8fc")


def palm(canvas: Canvas, x: float, y: float, height: float, *, far: float = 0.0) -> None:
    """A palm that leans with the wind; eight to eleven fronds."""
    part, random = canvas.inset(x, y, height, far=far), canvas.random
    lean = random.uniform(-0.35, 0.35)
    crown = (lean, -1.0)
    stem = bow((0, 0), (lean * 0.15, -0.6), crown)
    left = [(at - 0.045 + 0.002 * step, up) for step, (at, up) in enumerate(stem)]
    right = [(at + 0.045 - 0.002 * step, up) for step, (at, up) in enumerate(stem)]
    part.polygon([*left, *reversed(right)], part.lit(_PALM_TRUNK))
    fronds = random.randint(8, 11)
    for frond in range(fronds):
        angle = pi * (-0.12 + 1.24 * frond / (fronds - 1)) + random.uniform(-0.12, 0.12)
        shade = mixed(_PALM, rgb("89b24a" if frond % 2 else "1c5138"), 0.45)
        _frond(part, crown, angle, random.uniform(0.38, 0.5), part.lit(shade))
    for side in (-0.04, 0.035):
        part.ellipse(lean + side, -0.965, 0.035, 0.035, part.lit(_TRUNK))


def _frond(part: Canvas, crown: Point, angle: float, length: float, paint: Colour) -> None:
    x, y = crown
    tip = (x + length * cos(angle), y - length * sin(angle) * 0.6 + length * 0.32)
    over = (x + length * 0.55 * cos(angle), y - length * (0.55 * sin(angle) + 0.28))
    under = (over[0], over[1] + length * 0.24)
    part.polygon([*bow(crown, over, tip, 7), *reversed(bow(crown, under, tip, 7))], paint)


def pine(
    canvas: Canvas, x: float, y: float, height: float, colour: Colour = PINE, *, far: float = 0.0
) -> None:
    """A conifer of three tiers, one side in the light."""
    part = canvas.inset(x, y, height, far=far)
    part.rectangle(-0.03, -0.15, 0.03, 0, part.lit(_TRUNK))
    dark, bright = part.lit(colour), part.lit(mixed(colour, rgb("8fae62"), 0.28))
    for foot, top, half in ((-0.1, -0.5, 0.26), (-0.34, -0.75, 0.2), (-0.58, -1.0, 0.13)):
        part.polygon([(-half, foot), (0, top), (half, foot)], dark)
        part.polygon([(-half, foot), (0, top), (-half * 0.1, foot)], bright)


def snowy_pine(canvas: Canvas, x: float, y: float, height: float, *, far: float = 0.0) -> None:
    """A conifer with snow on every tier."""
    pine(canvas, x, y, height, far=far)
    part = canvas.inset(x, y, height, far=far)
    for foot, top, half in ((-0.24, -0.5, 0.16), (-0.5, -0.75, 0.12), (-0.74, -1.0, 0.08)):
        hem = [(half * 0.8, foot + 0.02), (half * 0.1, foot - 0.05)]
        part.polygon([(-half, foot), (0, top), *hem], part.lit(_SNOW))


def broadleaf(canvas: Canvas, x: float, y: float, height: float, colour: Colour, *, far: float = 0.0) -> None:
    """A round tree, its crown lit from above."""
    part, random = canvas.inset(x, y, height, far=far), canvas.random
    part.rectangle(-0.035, -0.5, 0.035, 0, part.lit(_TRUNK))
    heap = [(random.uniform(-0.26, 0.26), random.uniform(0.5, 0.8)) for _ in range(5)]
    dark, bright = mixed(colour, _SHADE, 0.3), mixed(colour, rgb("d5dc7a"), 0.35)
    for up, radius, shade in ((0.0, 0.24, dark), (0.05, 0.19, colour), (0.1, 0.1, bright)):
        paint = part.lit(shade)
        for across, top in heap:
            part.ellipse(across, -top - up, radius, radius * 0.85, paint)


def cypress(canvas: Canvas, x: float, y: float, height: float, *, far: float = 0.0) -> None:
    """A cypress, slim as a flame."""
    part = canvas.inset(x, y, height, far=far)
    left = bow((0, 0), (-0.22, -0.35), (0, -1), 8)
    part.polygon([*left, *bow((0, -1), (0.22, -0.35), (0, 0), 8)], part.lit(_CYPRESS))
    sunny = bow((0, -1), (-0.03, -0.4), (0, -0.05), 8)
    part.polygon([*left[1:], *sunny], part.lit(mixed(_CYPRESS, rgb("8aa35a"), 0.35)))


def acacia(canvas: Canvas, x: float, y: float, height: float, *, far: float = 0.0) -> None:
    """An umbrella thorn: a forked stem under flat clouds of leaves."""
    part, random = canvas.inset(x, y, height, far=far), canvas.random
    bark, lean = part.lit(_BARK), random.uniform(-0.08, 0.08)
    part.line([(0, 0), (lean, -0.45)], 0.055, bark)
    for across in (-0.38, -0.12, 0.16, 0.42):
        part.line([(lean, -0.45), (lean + across, -0.8)], 0.03, bark)
    for across, up, half in ((-0.33, -0.74, 0.36), (0.36, -0.76, 0.36), (0.02, -0.83, 0.5)):
        part.ellipse(lean + across, up, half, 0.09, part.lit(mixed(_ACACIA, _CYPRESS, 0.5)))
        lit = part.lit(mixed(_ACACIA, rgb("b5b552"), random.uniform(0, 0.4)))
        part.dome(lean + across, up + 0.02, half * 0.97, 0.11, lit)


def bush(canvas: Canvas, x: float, y: float, radius: float, colour: Colour, *, far: float = 0.0) -> None:
    """A bush, lit from above."""
    part = canvas.inset(x, y, radius, far=far)
    part.dome(0, 0, 1, 0.9, part.lit(mixed(colour, _SHADE, 0.25)))
    part.dome(-0.12, -0.12, 0.75, 0.66, part.lit(colour))
