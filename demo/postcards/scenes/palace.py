"""Palace: château, domes or baroque, at the end of its garden or basin."""

from typing import Final, NamedTuple

from demo.postcards.buildings import GLASS, GOLD, onion, pane
from demo.postcards.canvas import Canvas
from demo.postcards.light import WHITE, Colour, glaze, mixed, rgb
from demo.postcards.lines import Ground, down_to, rolling
from demo.postcards.plants import LEAVES, broadleaf
from demo.postcards.sky import paint_sky

_WALLS: Final = tuple(map(rgb, ["f0d9a6", "f3ead8", "e8b7a0", "e9c7b0", "dcd3c4", "f1c66b"]))
_ROOFS: Final = (rgb("54677f"), rgb("6fa08b"), rgb("8a5a4a"), rgb("d8b65a"))
_LAWNS: Final = (rgb("6fa34e"), rgb("5c9448"), rgb("83a854"))
_WATER: Final = (rgb("4f8ea6"), rgb("2d6a88"))
_STONE: Final = rgb("e9e0cd")
_HEDGE: Final = rgb("3f7040")
_YEW: Final = rgb("3d7440")


class _Front(NamedTuple):
    """The long front: half its width, its height up to the cornice, and what it is built of."""

    wide: float
    tall: float
    wall: Colour
    roof: Colour


def palace(canvas: Canvas) -> None:
    """Paint a palace."""
    random = canvas.random
    base = random.uniform(0.54, 0.66)
    paint_sky(canvas, base, birds=4)
    canvas.polygon(down_to(base, rolling(random, base - 0.08, 0.06, 2)), canvas.lit(rgb("5f8a58"), 0.5))
    size = (random.uniform(0.3, 0.45), random.uniform(0.13, 0.2))
    front = _Front(*size, random.choice(_WALLS), random.choice(_ROOFS))
    for side in (-1, -1, -1, 1, 1, 1):
        x, height = 0.5 + side * random.uniform(front.wide, 0.55), random.uniform(0.12, 0.2)
        broadleaf(canvas, x, base, height, random.choice(LEAVES), far=0.15)
    random.choice((_chateau, _domed, _baroque))(canvas.inset(0.5, base, 1), front)
    random.choice((_park, _basin))(canvas, Ground(base - 0.06, 0.5, 0.42), base)


def _wings(part: Canvas, front: _Front) -> None:
    """Two floors of arched windows between cornices."""
    wide, tall = front.wide, front.tall
    part.rectangle(-wide, -tall, wide, 0, part.lit(front.wall))
    columns = 2 * int(wide / 0.05) + 1
    half = 0.44 * wide / columns
    for foot in (-0.57 * tall, -0.1 * tall):
        for column in range(columns):
            x, paint = wide * ((2 * column + 1) / columns - 1), pane(part, 0.8)
            part.rectangle(x - half, foot - tall * 0.24, x + half, foot, paint)
            part.dome(x, foot - tall * 0.235, half, tall * 0.08, paint)
    edge = part.lit(mixed(front.wall, WHITE, 0.45))
    for up in (1.0, 0.5, 0.04):
        part.rectangle(-wide - 0.006, -tall * up - 0.006, wide + 0.006, -tall * up + 0.006, edge)


def _roof(part: Canvas, front: _Front, height: float) -> None:
    wide, top = front.wide, -front.tall
    slope = [(-wide, top), (-wide * 0.93, top - height), (wide * 0.93, top - height), (wide, top)]
    part.polygon(slope, part.lit(front.roof))


def _turret(part: Canvas, x: float, half: float, height: float, wall: Colour) -> None:
    """A round tower: its left side in the light, its right side in the shade."""
    part.rectangle(x - half, -height, x + half, 0, part.lit(mixed(wall, WHITE, 0.2)))
    part.rectangle(x + half * 0.35, -height, x + half, 0, part.lit(mixed(wall, GLASS, 0.25)))


def _chateau(part: Canvas, front: _Front) -> None:
    """Round towers with pointed roofs, and a steep roof between them."""
    _roof(part, front, 0.09)
    _wings(part, front)
    half, slate = part.random.uniform(0.035, 0.05), part.lit(front.roof)
    for place, height in ((-1, 1.25), (-0.4, 1.55), (0.4, 1.55), (1, 1.25)):
        x, up = place * front.wide, front.tall * height
        _turret(part, x, half, up, front.wall)
        part.polygon([(x - half * 1.25, -up), (x, -up - half * 3.6), (x + half * 1.25, -up)], slate)
        part.line([(x, -up - half * 3.6 - 0.03), (x, -up - half * 3.4)], 0.004, slate)
        for floor in (0.3, 0.62, 0.9):
            part.rectangle(
                x - half * 0.28, -up * floor - 0.02, x + half * 0.28, -up * floor + 0.012, pane(part, 0.8)
            )


def _domed(part: Canvas, front: _Front) -> None:
    """Onion domes: a great one in the middle, small ones on slim towers."""
    _wings(part, front)
    tall, half = front.tall, part.random.uniform(0.085, 0.12)
    dome = mixed(front.roof, WHITE, part.random.choice((0.0, 0.55)))
    part.rectangle(-half, -tall * 1.35, half, 0, part.lit(mixed(front.wall, WHITE, 0.15)))
    onion(part, 0, -tall * 1.35, half, dome)
    for place, height in ((-1, 1.9), (-0.5, 1.25), (0.5, 1.25), (1, 1.9)):
        _turret(part, place * front.wide, half * 0.32, tall * height, front.wall)
        onion(part, place * front.wide, -tall * height, half * 0.35, dome)
    gate = pane(part, 0.9)
    part.rectangle(-half * 0.45, -tall * 0.75, half * 0.45, 0, gate)
    part.dome(0, -tall * 0.74, half * 0.45, half * 0.55, gate)


def _baroque(part: Canvas, front: _Front) -> None:
    """A portico with columns and a pediment under a shallow dome, pavilions at the ends."""
    _roof(part, front, 0.06)
    _wings(part, front)
    top, tiles, white = -front.tall, part.lit(front.roof), part.lit(mixed(front.wall, WHITE, 0.6))
    for x in (-front.wide, front.wide):
        part.rectangle(x - 0.05, top - 0.02, x + 0.05, 0, part.lit(mixed(front.wall, WHITE, 0.2)))
        part.polygon(
            [(x - 0.06, top - 0.02), (x - 0.03, top - 0.1), (x + 0.03, top - 0.1), (x + 0.06, top - 0.02)],
            tiles,
        )
        for foot in (0.6, 0.15):
            part.rectangle(x - 0.018, top * foot - front.tall * 0.24, x + 0.018, top * foot, pane(part, 0.8))
    half = part.random.uniform(0.1, 0.13)
    part.rectangle(-half * 0.5, top - 0.12, half * 0.5, top, part.lit(mixed(front.wall, WHITE, 0.2)))
    part.dome(0, top - 0.115, half * 0.58, half * 0.62, tiles)
    part.line([(0, top - 0.24), (0, top - 0.16)], 0.008, part.lit(GOLD))
    part.rectangle(-half, top - 0.01, half, 0, part.lit(mixed(front.wall, GLASS, 0.35)))
    part.polygon([(-half * 1.12, top), (0, top - 0.07), (half * 1.12, top)], white)
    for column in range(6):
        x = half * (2 * column - 5) / 6
        part.rectangle(x - 0.008, top, x + 0.008, 0, white)


def _park(canvas: Canvas, ground: Ground, base: float) -> None:
    """A path between lawns, perhaps with a fountain in it."""
    random, lawn = canvas.random, canvas.random.choice(_LAWNS)
    half = random.uniform(0.1, 0.18)
    canvas.gradient(base, 1, [canvas.lit(lawn, 0.2), canvas.lit(mixed(lawn, _HEDGE, 0.2))])
    canvas.polygon(ground.quad((-half, half), (0.5, 7.0)), canvas.lit(rgb("e6d3ac")))
    _borders(canvas, ground, half, _HEDGE)
    if canvas.chance(0.8):
        _fountain(canvas.inset(*ground.at(0, random.uniform(1.5, 2.2)), 0.2))


def _basin(canvas: Canvas, ground: Ground, base: float) -> None:
    """A long basin that mirrors the palace."""
    half, lawn = canvas.random.uniform(0.16, 0.3), canvas.random.choice(_LAWNS)
    water = [mixed(canvas.lit(_WATER[0]), canvas.light.sky[1], 0.4), canvas.lit(_WATER[1])]
    canvas.mirror(base, water, 0.35)
    for inner, outer in ((-half, -3.0), (half, 3.0)):
        canvas.polygon(
            ground.quad((inner, outer), (0.5, ground.eye / (base + 0.015 - ground.horizon))), canvas.lit(lawn)
        )
    canvas.rectangle(0, base - 0.001, 1, base + 0.015, canvas.lit(lawn, 0.1))
    _borders(canvas, ground, half, _STONE)


def _borders(canvas: Canvas, ground: Ground, half: float, edging: Colour) -> None:
    """The edging on both sides of the axis, and clipped yews along it."""
    light, dark = canvas.lit(mixed(_YEW, rgb("b5cf7a"), 0.35)), canvas.lit(_YEW)
    gap = canvas.random.uniform(0.12, 0.24)
    for side in (-1, 1):
        canvas.polygon(ground.quad((side * half, side * (half + 0.05)), (0.5, 6.0)), canvas.lit(edging))
        for step in range(7, 0, -1):
            away = 0.75 + 0.55 * step
            part = canvas.inset(*ground.at(side * (half + gap), away), 0.3 / away)
            part.polygon([(-0.28, 0), (0, -1), (0.28, 0)], dark)
            part.polygon([(-0.28, 0), (0, -1), (-0.05, 0)], light)


def _fountain(part: Canvas) -> None:
    part.ellipse(0, 0, 0.62, 0.17, part.lit(rgb("d9cfbd")))
    part.ellipse(0, -0.02, 0.54, 0.13, mixed(part.lit(_WATER[0]), part.light.sky[1], 0.3))
    part.polygon([(-0.05, 0), (-0.03, -0.45), (0.03, -0.45), (0.05, 0)], part.lit(rgb("c9bda8")))
    spray = glaze(mixed(part.lit(WHITE), WHITE, 0.4), 0.75)
    for reach, height in ((-0.36, 0.4), (-0.18, 0.5), (0.18, 0.5), (0.36, 0.4)):
        arc = [step / 6 for step in range(7)]
        part.line([(reach * s, -0.4 - height * (1 - (2 * s - 1) ** 2) + 0.36 * s) for s in arc], 0.03, spray)
