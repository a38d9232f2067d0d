"""Houses, towers and windows that are lit at night."""

from typing import Final

from demo.postcards.canvas import Canvas
from demo.postcards.light import WHITE, Colour, mixed, rgb

WALLS: Final = tuple(
    map(
        rgb,
        ["e9c46a", "e07a5f", "f2e2c4", "d98f8f", "8fb8c9", "c9d6a3", "f4b183", "b8564b", "eeeeea", "7fa99b"],
    )
)
"""Plaster of old houses."""
TILES: Final = (rgb("b5533c"), rgb("a2472f"), rgb("8c4a3a"), rgb("6d5a58"), rgb("5c6672"))
"""Roofs: terracotta to slate."""
LAMP: Final = rgb("ffd88a")
GLASS: Final = rgb("405a6e")
GOLD: Final = rgb("e8c25a")
DOOR: Final = rgb("5a3d2b")
SHUTTERS: Final = (rgb("3f6b57"), rgb("4a6f94"), rgb("7a3e36"))
_DIAL: Final = rgb("3a4350")
_COPPER: Final = rgb("6fa08b")
_STOREY: Final = 0.062
"""Height of a floor, in sides of the picture."""
_AXIS: Final = 0.042
"""Width of a window and the wall beside it."""


def pane(canvas: Canvas, inhabited: float = 0.6) -> Colour:
    """The colour of a window: when it is dark, lamplight in a share of them; else glass that mirrors sky."""
    if canvas.light.lamps and canvas.chance(inhabited):
        return mixed(LAMP, canvas.light.sky[2], canvas.far * 0.4)
    return mixed(canvas.lit(GLASS), canvas.light.sky[1], 0.15)


def house(canvas: Canvas, left: float, base: float, width: float, height: float, *, far: float = 0.0) -> None:
    """A narrow old house, its gable to the front, with windows on every floor."""
    random = canvas.random
    wall, tiles = random.choice(WALLS), random.choice(TILES)
    top = canvas.inset(left, base - height, width, far=far)
    random.choice((_pointed, _stepped, _long))(top, wall, tiles)
    part = canvas.inset(left, base, width, height, far=far)
    part.rectangle(0, -1, 1, 0, part.lit(wall))
    part.rectangle(0.9, -1, 1, 0, part.lit(mixed(wall, GLASS, 0.25)))
    _windows(part, max(2, round(width / _AXIS)), max(2, round(height / _STOREY)))


def _pointed(part: Canvas, wall: Colour, tiles: Colour) -> None:
    part.polygon([(-0.06, 0), (0.5, -0.62), (1.06, 0)], part.lit(tiles))
    part.polygon([(0.08, 0), (0.5, -0.48), (0.92, 0)], part.lit(wall))


def _stepped(part: Canvas, wall: Colour, _: Colour) -> None:
    for step in range(4):
        part.rectangle(0.125 * step, -0.17 * (step + 1), 1 - 0.125 * step, 0, part.lit(wall))
    part.rectangle(0.42, -0.4, 0.58, -0.18, pane(part))


def _long(part: Canvas, _: Colour, tiles: Colour) -> None:
    """Seen from its long side, with a chimney."""
    part.rectangle(0.18, -0.56, 0.32, 0, part.lit(tiles))
    part.polygon([(-0.05, 0), (0.1, -0.4), (0.9, -0.4), (1.05, 0)], part.lit(tiles))


def _windows(part: Canvas, columns: int, floors: int) -> None:
    shutter = part.random.choice((None, *SHUTTERS))
    for floor in range(floors):
        for column in range(columns):
            one = part.inset(
                (column + 0.5) / columns, (floor - floors) / floors, 1 / columns, 1 / floors, part.far
            )
            if floor == floors - 1 and column == columns // 2:
                one.rectangle(-0.22, 0.3, 0.22, 1, one.lit(DOOR))
                continue
            if shutter:
                one.rectangle(-0.36, 0.22, 0.36, 0.75, one.lit(shutter))
            one.rectangle(-0.2, 0.2, 0.2, 0.75, pane(one))


def church_tower(canvas: Canvas, x: float, base: float, height: float, *, far: float = 0.0) -> None:
    """A tower with a clock, and a spire or an onion on it."""
    random = canvas.random
    wall, roof = random.choice(WALLS[2:6]), random.choice((TILES[0], TILES[4], _COPPER))
    half, top = height * 0.12, base - height * 0.68
    canvas.inset(x, base, half, far=far).rectangle(-1, (top - base) / half, 1, 0, canvas.lit(wall, far))
    part = canvas.inset(x, top, half, far=far)
    part.rectangle(0.5, 0, 1, height * 0.68 / half, part.lit(mixed(wall, GLASS, 0.25)))
    for side in (-0.4, 0.4):
        part.rectangle(side - 0.2, 0.5, side + 0.2, 1.5, pane(part))
    part.ellipse(0, 2.4, 0.62, 0.62, part.lit(_DIAL))
    part.ellipse(0, 2.4, 0.48, 0.48, mixed(part.lit(WHITE), LAMP, 0.3))
    part.line([(0, 2.05), (0, 2.4), (0.3, 2.5)], 0.08, _DIAL)
    if canvas.chance(0.5):
        part.polygon([(-1.15, 0), (0, -3.5), (1.15, 0)], part.lit(roof))
    else:
        onion(canvas, x, top, half * 1.05, roof, far=far)


def onion(canvas: Canvas, x: float, base: float, half: float, colour: Colour, *, far: float = 0.0) -> None:
    """A dome like an onion on a wall `half` as wide to each side, with a golden tip."""
    part = canvas.inset(x, base, half, far=far)
    paint = part.lit(colour)
    part.line([(0, -2.9), (0, -1)], 0.12, part.lit(GOLD))
    part.ellipse(0, -0.75, 1.08, 0.95, paint)
    part.polygon([(-0.75, -1.3), (0, -2.4), (0.75, -1.3)], paint)
    part.ellipse(-0.35, -0.9, 0.35, 0.55, part.lit(mixed(colour, WHITE, 0.3)))


def cottage(
    canvas: Canvas, x: float, base: float, width: float, colours: tuple[Colour, Colour], *, far: float = 0.0
) -> None:
    """A low house of two colours, wall and roof, with a door, two windows and a chimney."""
    wall, roof = colours
    part = canvas.inset(x, base, width, far=far)
    part.rectangle(0.2, -0.7, 0.29, -0.34, part.lit(GLASS))
    part.rectangle(-0.5, -0.34, 0.5, 0, part.lit(wall))
    part.rectangle(0.35, -0.34, 0.5, 0, part.lit(mixed(wall, GLASS, 0.3)))
    part.polygon([(-0.59, -0.34), (-0.37, -0.62), (0.37, -0.62), (0.59, -0.34)], part.lit(roof))
    part.rectangle(-0.06, -0.22, 0.06, 0, part.lit(DOOR))
    for side in (-0.3, 0.25):
        part.rectangle(side - 0.07, -0.24, side + 0.07, -0.11, pane(part, 0.95))
