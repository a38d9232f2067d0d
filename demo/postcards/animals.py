"""Animals of the savanna and the desert, each in a box one unit long, its feet at y = 0, facing right."""

from typing import Final

from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import Colour, mixed, rgb
from demo.postcards.sky import shadow

_ELEPHANT: Final = rgb("7d7a78")
_GIRAFFE: Final = rgb("d9a441")
_SPOT: Final = rgb("8a5524")
_SPOTS: Final = (
    (0.13, -0.48),
    (0.22, -0.53),
    (0.24, -0.42),
    (0.33, -0.48),
    (0.42, -0.52),
    (0.48, -0.63),
    (0.53, -0.76),
)
_CAMEL: Final = rgb("a9743f")
_IVORY: Final = rgb("f4ecd8")
_BLACK: Final = rgb("2c2926")


def elephant(canvas: Canvas, x: float, y: float, length: float, *, far: float = 0.0) -> None:
    """An elephant."""
    part = _placed(canvas, (x, y), length, far)
    skin, dark = part.lit(_ELEPHANT), part.lit(mixed(_ELEPHANT, _BLACK, 0.3))
    _legs(part, (0.24, 0.6), 0.12, -0.36, dark)
    part.ellipse(0.42, -0.46, 0.35, 0.24, skin)
    _legs(part, (0.12, 0.5), 0.13, -0.36, skin)
    part.line([(0.08, -0.5), (0.02, -0.25)], 0.03, dark)
    part.ellipse(0.78, -0.56, 0.15, 0.16, skin)
    part.line([(0.88, -0.55), (0.95, -0.35), (0.94, -0.12), (0.99, -0.08)], 0.085, skin)
    part.line([(0.84, -0.42), (0.98, -0.36)], 0.035, part.lit(_IVORY))
    part.ellipse(0.68, -0.55, 0.11, 0.17, dark)
    part.ellipse(0.84, -0.6, 0.018, 0.018, part.lit(_BLACK))


def giraffe(canvas: Canvas, x: float, y: float, height: float, *, far: float = 0.0) -> None:
    """A giraffe, `height` high."""
    part = _placed(canvas, (x, y), height, far)
    coat, spot = part.lit(_GIRAFFE), part.lit(_SPOT)
    _legs(part, (0.17, 0.43), 0.035, -0.44, spot)
    _legs(part, (0.11, 0.37), 0.04, -0.44, coat)
    part.ellipse(0.27, -0.47, 0.2, 0.11, coat)
    part.polygon([(0.32, -0.5), (0.46, -0.42), (0.64, -0.9), (0.55, -0.93)], coat)
    part.line([(0.33, -0.56), (0.55, -0.93)], 0.025, spot)
    part.ellipse(0.64, -0.92, 0.09, 0.045, coat)
    part.line([(0.58, -0.94), (0.56, -1)], 0.018, spot)
    for across, up in _SPOTS:
        part.ellipse(across, up, 0.035, 0.03, spot)


def zebra(canvas: Canvas, x: float, y: float, length: float, *, far: float = 0.0) -> None:
    """A zebra."""
    part = _placed(canvas, (x, y), length, far)
    coat, stripe = part.lit(_IVORY), part.lit(_BLACK)
    _legs(part, (0.24, 0.62), 0.05, -0.35, stripe)
    _legs(part, (0.16, 0.56), 0.055, -0.35, coat)
    part.ellipse(0.4, -0.43, 0.32, 0.17, coat)
    part.polygon([(0.55, -0.5), (0.7, -0.38), (0.92, -0.72), (0.8, -0.8)], coat)
    part.ellipse(0.92, -0.7, 0.13, 0.07, coat)
    for at in (0.16, 0.26, 0.36, 0.46, 0.56):
        part.line([(at, -0.55), (at + 0.03, -0.32)], 0.04, stripe)
    for at in (0.0, 0.08, 0.16):
        part.line([(0.6 + at, -0.55 - at), (0.7 + at, -0.47 - at)], 0.035, stripe)
    part.line([(0.55, -0.55), (0.8, -0.84)], 0.045, stripe)


def camel(canvas: Canvas, x: float, y: float, length: float, *, far: float = 0.0) -> None:
    """A dromedary with a saddle cloth, and at times a rider."""
    part = _placed(canvas, (x, y), length, far)
    coat, dark = part.lit(_CAMEL), part.lit(mixed(_CAMEL, _BLACK, 0.35))
    _legs(part, (0.24, 0.6), 0.06, -0.4, dark)
    _legs(part, (0.16, 0.54), 0.065, -0.4, coat)
    part.ellipse(0.4, -0.5, 0.32, 0.15, coat)
    part.ellipse(0.38, -0.66, 0.16, 0.16, coat)
    neck: list[Point] = [(0.66, -0.5), (0.8, -0.42), (0.88, -0.62), (0.9, -0.86)]
    part.line(neck, 0.1, coat)
    part.ellipse(0.95, -0.87, 0.12, 0.065, coat)
    cloth = part.lit(canvas.random.choice((rgb("c8412f"), rgb("2e6f95"), rgb("e0a030"))))
    part.polygon([(0.26, -0.76), (0.5, -0.76), (0.56, -0.45), (0.22, -0.45)], cloth)
    if canvas.chance(0.5):
        part.ellipse(0.38, -0.95, 0.11, 0.22, part.lit(rgb("3d4a6b")))
        part.ellipse(0.39, -1.2, 0.075, 0.085, part.lit(rgb("f0e6d2")))


def _placed(canvas: Canvas, foot: Point, size: float, far: float) -> Canvas:
    x, y = foot
    shadow(canvas, x, y, size * 0.5)
    facing = canvas.random.choice((-1, 1))
    return canvas.inset(x - facing * size / 2, y, facing * size, size, far)


def _legs(part: Canvas, places: tuple[float, ...], width: float, top: float, paint: Colour) -> None:
    for left in places:
        part.rectangle(left, top, left + width, 0, paint)
