"""Old town: a market square with gabled houses behind it, or a lane between them."""

from typing import Final

from demo.postcards.buildings import DOOR, LAMP, SHUTTERS, TILES, WALLS, church_tower, house, pane
from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import WHITE, Paint, glaze, mixed, rgb
from demo.postcards.lines import Ground, nearest_last
from demo.postcards.props import CLOTH, parasol, person
from demo.postcards.sky import paint_sky

_STONES: Final = (rgb("b7a48c"), rgb("a79a8c"), rgb("c4ad8a"))
_STONE_WIDTH: Final = 0.12
_STOREY: Final = 0.34
"""Height of a floor of the lane, in perspective."""


def old_town(canvas: Canvas) -> None:
    """Paint an old town."""
    canvas.random.choice((_square, _lane))(canvas)


def _square(canvas: Canvas) -> None:
    random = canvas.random
    base, scale = random.uniform(0.62, 0.74), random.uniform(1.0, 1.5)
    paint_sky(canvas, base, birds=6)
    for _ in range(random.randint(1, 2)):
        church_tower(canvas, random.uniform(0.15, 0.85), base, random.uniform(0.48, 0.6), far=0.25)
    x = random.uniform(-0.12, 0)
    while x < 1:
        width = random.uniform(0.09, 0.14) * scale
        house(canvas, x, base, width, random.uniform(0.17, 0.26) * scale)
        x += width
    _cobbles(canvas, Ground(base - 0.12), base)
    if canvas.chance(0.5):
        _string(canvas, base - 0.3 * scale)
    colours = (random.choice(CLOTH), random.choice((WHITE, rgb("f3e3c3"))))
    places = [
        (random.uniform(0.05, 0.95), random.uniform(base + 0.03, 0.98)) for _ in range(random.randint(5, 12))
    ]
    for x, y in nearest_last(places):
        size = 0.06 + 0.19 * (y - base)
        if canvas.chance(0.35):
            parasol(canvas, x, y, 1.6 * size, colours)
        else:
            person(canvas, x, y, size)


def _cobbles(canvas: Canvas, ground: Ground, base: float) -> None:
    """Paving from `base` down, every other row half a stone off."""
    stone = canvas.random.choice(_STONES)
    canvas.gradient(base, 1, [canvas.lit(stone, 0.2), canvas.lit(stone)])
    joint = canvas.lit(mixed(stone, rgb("5d5044"), 0.4))
    away, off = ground.eye / (base - ground.horizon), 0.0
    while away > ground.nearest:
        near = away * 0.9
        canvas.line([ground.at(-3, near), ground.at(3, near)], 0.002, joint)
        half = int(0.5 * away / _STONE_WIDTH) + 2
        for column in range(-half, half + 1):
            x = (column + off) * _STONE_WIDTH
            canvas.line([ground.at(x, away), ground.at(x, near)], 0.002, joint)
        away, off = near, 0.5 - off


def _string(canvas: Canvas, y: float) -> None:
    """A string of little flags, or of lamps when it is dark."""
    random = canvas.random
    height, sag = max(0.14, y), random.uniform(0.05, 0.12)
    line = [(x / 16, height + sag * (1 - (x / 8 - 1) ** 2)) for x in range(17)]
    canvas.line(line, 0.003, canvas.lit(rgb("4a4038")))
    for x, at in line:
        if canvas.light.lamps:
            canvas.ellipse(x, at + 0.01, 0.022, 0.022, glaze(LAMP, 0.3))
            canvas.ellipse(x, at + 0.01, 0.01, 0.01, LAMP)
        else:
            flag = canvas.lit(random.choice((*CLOTH, WHITE)))
            canvas.polygon([(x - 0.016, at), (x + 0.016, at), (x, at + 0.04)], flag)


def _lane(canvas: Canvas) -> None:
    """Fronts on both sides in perspective, a tower at the end."""
    random = canvas.random
    ground = Ground(random.uniform(0.52, 0.64), random.uniform(0.4, 0.6), 0.42)
    paint_sky(canvas, ground.horizon, birds=5)
    tower = ground.middle + random.uniform(-0.05, 0.05)
    church_tower(canvas, tower, ground.horizon + 0.08, random.uniform(0.36, 0.5), far=0.35)
    _cobbles(canvas, ground, ground.horizon + 0.06)
    half = random.uniform(0.5, 0.75)
    for side in (-half, half):
        away = 6.5
        while away > min(ground.nearest, half / 0.7):
            near = away * random.uniform(0.66, 0.8)
            _front(canvas, ground, side, (away, near))
            away = near
    for _ in range(random.randint(2, 6)):
        away = random.uniform(1.3, 3.5)
        person(canvas, *ground.at(random.uniform(-0.8, 0.8) * half, away), 0.34 / away)
    if canvas.chance(0.5):
        _string(canvas, random.uniform(0.14, 0.24))


def _front(canvas: Canvas, ground: Ground, x: float, away: Point) -> None:
    """A house of the lane, between two distances: windows with shutters, a door, a shop with an awning."""
    random = canvas.random
    part = canvas.inset(0, 0, 1, 1, min(0.5, away[1] / 9))

    def patch(along: Point, up: Point, paint: Paint) -> None:
        one, other = (away[0] + (away[1] - away[0]) * share for share in along)
        corners = [
            ground.at(x, one, up[0]),
            ground.at(x, other, up[0]),
            ground.at(x, other, up[1]),
            ground.at(x, one, up[1]),
        ]
        part.polygon(corners, paint)

    wall, height = random.choice(WALLS), random.uniform(0.85, 1.4)
    shutter = part.lit(random.choice((*SHUTTERS, wall)))
    patch((0, 1), (0, height), part.lit(mixed(wall, rgb("4a4560"), 0.06 if x < 0 else 0.24)))
    patch((-0.02, 1.02), (height, height + 0.07), part.lit(TILES[1]))
    for floor in range(1, int(height / _STOREY) + 1):
        rows = (floor * _STOREY, floor * _STOREY + 0.21)
        for left in (0.14, 0.58):
            patch((left - 0.07, left + 0.33), rows, shutter)
            patch((left, left + 0.26), rows, pane(part))
    patch((0.16, 0.42), (0, 0.24), part.lit(DOOR))
    patch((0.56, 0.9), (0.07, 0.23), pane(part, 0.9))
    if canvas.chance(0.45):
        patch((0.5, 0.96), (0.23, 0.3), part.lit(random.choice(CLOTH)))
