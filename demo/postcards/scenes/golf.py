"""Golf: mown turf in stripes, bunkers, a flag on the green."""

from math import sin
from typing import Final

from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import WHITE, Colour, mixed, rgb
from demo.postcards.lines import Ground, blot, down_to, rolling
from demo.postcards.plants import LEAVES, broadleaf, bush, palm, pine
from demo.postcards.props import CLOTH, person
from demo.postcards.sky import paint_sky, shadow

_TURF: Final = (rgb("6fb04a"), rgb("5fa348"), rgb("7db651"))
_ROUGH: Final = rgb("2f6b35")
_BUNKER: Final = rgb("f2e3b8")
_FLAGS: Final = (rgb("d8322c"), rgb("d8322c"), rgb("f2c230"), rgb("2b5fb0"))
_FRAME: Final = rgb("4a4f55")


def golf(canvas: Canvas) -> None:
    """Paint a golf course."""
    random = canvas.random
    horizon = random.uniform(0.32, 0.46)
    paint_sky(canvas, horizon, birds=2)
    turf = random.choice(_TURF)
    hills = rolling(random, horizon - 0.02, 0.05)
    canvas.polygon(down_to(1, hills), canvas.lit(mixed(turf, rgb("3f7a4a"), 0.5), 0.45))
    _tree_line(canvas, horizon)
    rough = mixed(turf, _ROUGH, 0.4)
    canvas.gradient(horizon + 0.015, 1, [canvas.lit(rough, 0.25), canvas.lit(rough)])
    _fairway(canvas, Ground(horizon + 0.02, random.uniform(0.35, 0.65), 0.5), turf)
    if canvas.chance(0.5):
        _pond(canvas, random.choice((0.15, 0.85)), random.uniform(horizon + 0.15, 0.85))
    x, y = random.uniform(0.25, 0.75), random.uniform(horizon + 0.16, 0.74)
    size = 0.16 + 0.35 * (y - horizon)
    for _ in range(random.randint(2, 4)):
        beside = random.choice((-1, 1)) * random.uniform(0.9, 1.4) * size
        _bunker(canvas, (x + beside, y + random.uniform(-0.02, 0.14)), random.uniform(0.35, 0.6) * size)
    _green(canvas.inset(x, y, size), turf)
    for _ in range(random.randint(0, 3)):
        person(canvas, x + random.uniform(-0.8, 0.8) * size, y + random.uniform(-0.01, 0.05), 0.42 * size)
    if canvas.chance(0.35):
        _cart(canvas, random.uniform(0.15, 0.85), random.uniform(0.8, 0.92))


def _tree_line(canvas: Canvas, horizon: float) -> None:
    """Trees of a warm or a cool country, and bushes below them."""
    random = canvas.random
    others, share = random.choice(((palm, 0.5), (pine, 0.6), (pine, 0.0)))
    for _ in range(random.randint(8, 22)):
        x, y, height = random.random(), horizon + random.uniform(0.01, 0.04), random.uniform(0.09, 0.2)
        if canvas.chance(share):
            others(canvas, x, y, height * 1.25, far=0.25)
        else:
            broadleaf(canvas, x, y, height, random.choice(LEAVES), far=0.25)
    for _ in range(14):
        radius = random.uniform(0.02, 0.045)
        bush(canvas, random.random(), horizon + 0.03, radius, random.choice(LEAVES), far=0.3)


def _fairway(canvas: Canvas, ground: Ground, turf: Colour) -> None:
    """A strip that winds away, mown crosswise in two shades."""
    random = canvas.random
    phase, bend, half = random.uniform(0, 6), random.uniform(0.15, 0.5), random.uniform(0.45, 0.7)
    shades = (mixed(turf, rgb("3c8a3c"), 0.16), mixed(turf, WHITE, 0.16))

    def across(away: float) -> list[Point]:
        middle = bend * sin(phase + away * 0.55) * min(1.5, away * 0.6)
        return [ground.at(middle + side, away) for side in (-half, half)]

    stripe, away = 0, 12.0
    while away > ground.nearest:
        near = away * 0.84
        corners = [*across(away), *reversed(across(near))]
        canvas.polygon(corners, canvas.lit(shades[stripe % 2], min(0.5, away / 20)))
        away, stripe = near, stripe + 1


def _pond(canvas: Canvas, x: float, y: float) -> None:
    random = canvas.random
    part = canvas.inset(x, y, random.uniform(0.18, 0.32))
    part.polygon(blot(random, 0, 0, 1.06, 0.27), part.lit(rgb("4a7a3a")))
    part.polygon(blot(random, 0, 0.02, 1, 0.23), mixed(part.lit(rgb("3f8fb0")), canvas.light.sky[1], 0.4))
    for _ in range(5):
        part.ellipse(random.uniform(-0.6, 0.6), random.uniform(-0.1, 0.1), 0.12, 0.008, part.lit(WHITE))


def _bunker(canvas: Canvas, place: Point, across: float) -> None:
    """A hollow of sand, its far lip in the shade."""
    part = canvas.inset(*place, across)
    shape = blot(canvas.random, 0, 0, 1, 0.34)
    part.polygon([(x, y - 0.05) for x, y in shape], part.lit(rgb("4b7f38")))
    part.polygon(shape, part.lit(mixed(_BUNKER, rgb("a98b58"), 0.4)))
    part.polygon([(x * 0.93, y * 0.82 + 0.06) for x, y in shape], part.lit(_BUNKER))


def _green(part: Canvas, turf: Colour) -> None:
    """The green with its fringe, the hole, the flag and a ball."""
    random = part.random
    fringe = blot(random, 0, 0, 1.15, 0.36)
    part.polygon(fringe, part.lit(mixed(turf, _ROUGH, 0.3)))
    part.polygon([(x * 0.88, y * 0.84) for x, y in fringe], part.lit(mixed(turf, rgb("d9f08a"), 0.45)))
    x, top, blown = random.uniform(-0.3, 0.3), -random.uniform(0.95, 1.25), random.choice((-0.46, 0.46))
    shadow(part, x + 0.15, 0.02, 0.16)
    part.ellipse(x, 0, 0.05, 0.016, part.lit(rgb("22331f")))
    part.line([(x, 0), (x, top)], 0.033, part.lit(rgb("fbfbf5")))
    part.polygon([(x, top), (x + blown, top + 0.13), (x, top + 0.27)], part.lit(random.choice(_FLAGS)))
    part.ellipse(random.uniform(-0.5, 0.5), 0.08, 0.036, 0.036, part.lit(WHITE))


def _cart(canvas: Canvas, x: float, y: float) -> None:
    """A golf cart."""
    part = canvas.inset(x, y, 0.17 * canvas.random.choice((-1, 1)))
    shadow(part, 0, 0.05, 0.6)
    for foot, top in ((-0.3, -0.34), (0.28, 0.2)):
        part.line([(foot, -0.3), (top, -0.8)], 0.035, part.lit(_FRAME))
    part.rectangle(-0.45, -0.86, 0.33, -0.78, part.lit(rgb("f4efe2")))
    body = [
        (-0.5, -0.12),
        (-0.5, -0.36),
        (-0.1, -0.32),
        (0, -0.18),
        (0.22, -0.18),
        (0.3, -0.38),
        (0.5, -0.3),
        (0.52, -0.12),
    ]
    part.polygon(body, part.lit(canvas.random.choice((WHITE, CLOTH[4]))))
    part.rectangle(-0.3, -0.5, -0.2, -0.3, part.lit(rgb("6b5b45")))
    for wheel in (-0.3, 0.32):
        part.ellipse(wheel, -0.08, 0.12, 0.12, part.lit(rgb("2f3236")))
        part.ellipse(wheel, -0.08, 0.05, 0.05, part.lit(rgb("c9cdd0")))
