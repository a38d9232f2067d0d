"""Skyline: towers of glass and stone by the water or a park, lit when it is dark."""

from typing import Final

from demo.postcards.buildings import LAMP
from demo.postcards.canvas import Canvas
from demo.postcards.light import WHITE, Colour, glaze, mixed, rgb
from demo.postcards.lines import nearest_last
from demo.postcards.plants import LEAVES, broadleaf
from demo.postcards.sky import glitter, paint_sky

_WALLS: Final = tuple(map(rgb, ["5d7896", "46617f", "8a9bab", "a88f7a", "6e6a7c", "3f6f86", "b9b1a4"]))
_WATER: Final = (rgb("4c7f9c"), rgb("2b5878"), rgb("183a58"))
_STEEL: Final = (rgb("b5472f"), rgb("5a6570"), rgb("7d6a58"))
_LAWN: Final = (rgb("6f9a4e"), rgb("568044"))
_SHADE: Final = rgb("1f2a44")
_TALL: Final = 0.3
"""From what height, in sides of the picture, a tower has a spire."""
_BLURRED: Final = 0.7
"""How far away windows are no longer seen."""


def skyline(canvas: Canvas) -> None:
    """Paint a skyline."""
    random = canvas.random
    base = random.uniform(0.62, 0.78)
    paint_sky(canvas, base, birds=2)
    scale = random.uniform(0.8, 1.2)
    for far, count, low, high in ((0.75, 16, 0.12, 0.3), (0.4, 12, 0.16, 0.42), (0.08, 9, 0.1, 0.5)):
        for number in range(count):
            x = (number + random.random()) / count
            # Cities are highest in the middle.
            height = random.uniform(low, high) * scale * (1.15 - 0.66 * abs(x - 0.5))
            _tower(canvas.inset(x, base, random.uniform(0.035, 0.075), 1, far), height)
    random.choices((_water, _park), (7, 3))[0](canvas, base)


def _tower(part: Canvas, height: float) -> None:
    """A skyscraper: 1 is half its width across, but the side of the picture down."""
    random = part.random
    wall = random.choice(_WALLS)
    lit, top = part.lit(wall), -height
    crown = random.choice((_spire, _slant, _vault, _peak, None))
    if crown:
        crown(part, top, lit)
    part.rectangle(-1, top, 1, 0, lit)
    part.rectangle(0.45, top, 1, 0, part.lit(mixed(wall, _SHADE, 0.35)))
    if part.far < _BLURRED:
        (_lamps if part.light.lamps else _bands)(part, top)


def _spire(part: Canvas, top: float, paint: Colour) -> None:
    if top < -_TALL:
        part.rectangle(-0.75, top - 0.06, 0.75, top, paint)
        part.rectangle(-0.5, top - 0.1, 0.5, top, paint)
        part.line([(0, top - 0.2), (0, top)], 0.1, paint)


def _slant(part: Canvas, top: float, paint: Colour) -> None:
    part.polygon([(-1, top), (1, top - part.random.uniform(0.03, 0.08)), (1, top)], paint)


def _vault(part: Canvas, top: float, paint: Colour) -> None:
    part.dome(0, top + 0.001, 1, part.random.uniform(0.03, 0.08), paint)


def _peak(part: Canvas, top: float, paint: Colour) -> None:
    if top < -_TALL:
        part.polygon([(-1, top), (0, top - 0.12), (1, top)], paint)
        part.line([(0, top - 0.17), (0, top - 0.11)], 0.08, paint)


def _bands(part: Canvas, top: float) -> None:
    """By day, bands of glass that mirror the sky."""
    shine, storey = glaze(mixed(part.light.sky[1], WHITE, 0.3), 0.45), part.random.uniform(0.02, 0.028)
    for floor in range(int((-top - 0.01) / storey)):
        y = top + 0.012 + floor * storey
        part.rectangle(-0.85, y, 0.85, y + storey * 0.4, shine)


def _lamps(part: Canvas, top: float) -> None:
    """By night, window by window, those that somebody is in."""
    random = part.random
    storey, columns = random.uniform(0.02, 0.028), random.randint(3, 6)
    shades = [
        mixed(mixed(LAMP, tone, random.uniform(0, 0.4)), part.light.sky[2], part.far * 0.6)
        for tone in (WHITE, rgb("ff9d5c"), LAMP)
    ]
    for floor in range(int((-top - 0.01) / storey)):
        y = top + 0.012 + floor * storey
        for column in range(columns):
            if part.chance(0.55):
                x = -1 + 2 * (column + 0.25) / columns
                part.rectangle(x, y, x + 1 / columns, y + storey * 0.5, random.choice(shades))


def _water(canvas: Canvas, base: float) -> None:
    """The river that mirrors the city, perhaps with a bridge over it."""
    random = canvas.random
    canvas.rectangle(0, base - 0.012, 1, base, canvas.lit(rgb("4f6d4a")))
    canvas.mirror(base, [canvas.lit(colour) for colour in _WATER], 0.45)
    glitter(canvas, base + 0.01, 1, canvas.lit(rgb("d3e4ee")))
    if canvas.chance(0.4):
        _bridge(canvas, base + random.uniform(0.02, 0.05), random.uniform(0.16, 0.24))


def _bridge(canvas: Canvas, deck: float, height: float) -> None:
    """A suspension bridge over the whole width."""
    random = canvas.random
    steel = canvas.lit(random.choice(_STEEL))
    piers = (random.uniform(0.12, 0.25), random.uniform(0.7, 0.85))
    for left, right in ((-0.2, piers[0]), piers, (piers[1], 1.2)):
        sag = [(step / 12, (step / 6 - 1) ** 2) for step in range(13)]
        cable = [(left + (right - left) * share, deck - 0.01 - (height - 0.01) * up) for share, up in sag]
        canvas.line(cable, 0.006, steel)
        for x, y in cable[1:-1]:
            canvas.line([(x, y), (x, deck)], 0.002, steel)
    for pier in piers:
        for side in (-0.014, 0.014):
            canvas.line([(pier + side, deck - height - 0.015), (pier + side, deck + 0.07)], 0.012, steel)
    canvas.rectangle(0, deck - 0.006, 1, deck + 0.012, steel)


def _park(canvas: Canvas, base: float) -> None:
    """A lawn with trees before the towers."""
    random = canvas.random
    canvas.gradient(base, 1, [canvas.lit(_LAWN[0], 0.2), canvas.lit(_LAWN[1])])
    trees = [(random.random(), random.uniform(0.0, 0.3)) for _ in range(26)]
    for x, down in nearest_last(trees):
        colour, far = random.choice(LEAVES), max(0.0, 0.3 - down)
        broadleaf(canvas, x, base + down + 0.02, 0.07 + 0.35 * down, colour, far=far)
