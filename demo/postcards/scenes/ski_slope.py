"""Ski slope: white mountains, skiers and their tracks, a lift, snowy pines."""

from typing import Final

from demo.postcards.buildings import cottage
from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import glaze, mixed, rgb
from demo.postcards.lines import blot, bow, down_to, height_at, nearest_last
from demo.postcards.mountains import mountain
from demo.postcards.plants import snowy_pine
from demo.postcards.props import CLOTH
from demo.postcards.sky import paint_sky, snow_flakes

_SNOW: Final = rgb("f7fafe")
_SHADE: Final = rgb("9db8dc")
_STEEL: Final = rgb("3e4957")
_TIMBER: Final = (rgb("8f5a36"), rgb("eef4fb"))


def ski_slope(canvas: Canvas) -> None:
    """Paint a ski slope."""
    random = canvas.random
    paint_sky(canvas, 0.6)
    for far, low, high in ((0.75, 0.3, 0.42), (0.45, 0.2, 0.34)):
        for _ in range(random.randint(2, 3)):
            height = random.uniform(low, high)
            width = height * random.uniform(1.4, 2.2)
            mountain(canvas, random.random(), 0.64, width, height, far=far, snow=random.uniform(0.6, 0.85))
    left, right = random.uniform(0.4, 0.54), random.uniform(0.6, 0.74)
    brow = bow((-0.02, left), (0.5, left - 0.02), (1.02, right), 15)
    for _ in range(26):
        x = random.random()
        snowy_pine(canvas, x, height_at(brow, x) + 0.02, random.uniform(0.06, 0.12), far=0.35)
    canvas.polygon(down_to(1, brow), canvas.lit(mixed(_SNOW, _SHADE, 0.16)))
    if canvas.chance(0.6):
        x = random.uniform(0.55, 0.9)
        _chalet(canvas, x, height_at(brow, x) + 0.06, random.uniform(0.14, 0.2))
    _piste(canvas, bow((-0.02, left + 0.1), (0.45, left + 0.18), (1.02, right + 0.12), 15))
    if canvas.chance(0.8):
        _lift(canvas, brow)
    _wood(canvas, brow)
    for _ in range(random.randint(4, 9)):
        y = random.uniform(0.7, 0.95)
        _skier(canvas, random.uniform(0.1, 0.9), y, 0.035 + 0.16 * (y - 0.6))
    snow_flakes(canvas, random.choice((0, 0, 0, 70)))


def _piste(canvas: Canvas, edge: list[Point]) -> None:
    """The near slope, the shade in its hollows, and the tracks of those who were here before."""
    random = canvas.random
    canvas.polygon(down_to(1, edge), canvas.lit(_SNOW))
    for _ in range(5):
        hollow = blot(random, random.random(), random.uniform(0.72, 0.98), random.uniform(0.12, 0.3), 0.018)
        canvas.polygon(hollow, glaze(canvas.lit(_SHADE), 0.3))
    for _ in range(random.randint(3, 6)):
        x = random.uniform(0, 0.8)
        track = _track(canvas, (x, height_at(edge, x) + 0.01))
        for gap in (0, 0.012):
            canvas.line([(x + gap, y) for x, y in track], 0.003, canvas.lit(mixed(_SNOW, _SHADE, 0.6)))


def _track(canvas: Canvas, top: Point) -> list[Point]:
    """Turns to the left and to the right, wider and wider, down to the lower edge."""
    random = canvas.random
    drift, swing, turns = random.uniform(-0.1, 0.25), random.uniform(0.02, 0.05), random.randint(3, 6)
    track = [top]
    for turn in range(turns):
        share = (turn + 1) / turns
        x, y = track[-1]
        end = (top[0] + drift * share, top[1] + (1.02 - top[1]) * share)
        side = swing * (1 if turn % 2 else -1) * (1 + 2 * share)
        track += bow((x, y), ((x + end[0]) / 2 + side, (y + end[1]) / 2), end, 6)[1:]
    return track


def _lift(canvas: Canvas, brow: list[Point]) -> None:
    """A chair lift on three pylons."""
    random = canvas.random
    low = (random.uniform(0.02, 0.2), random.uniform(0.5, 0.62))
    high = (random.uniform(0.6, 0.95), random.uniform(0.12, 0.28))
    steel, cloth = canvas.lit(_STEEL), canvas.lit(random.choice(CLOTH))

    def along(share: float) -> Point:
        return low[0] + (high[0] - low[0]) * share, low[1] + (high[1] - low[1]) * share

    for share in (0.08, 0.5, 0.9):
        x, y = along(share)
        canvas.line([(x, y), (x, max(y + 0.05, height_at(brow, x) + 0.03))], 0.014 - 0.008 * share, steel)
        canvas.line([(x - 0.025, y), (x + 0.025, y)], 0.008, steel)
    canvas.line([low, high], 0.003, steel)
    for chair in range(6):
        share = (chair + 0.5) / 6
        part = canvas.inset(*along(share), 0.026 - 0.012 * share)
        part.line([(0, 0), (0, 1.3)], 0.1, steel)
        part.rectangle(-0.8, 1.2, 0.8, 2, cloth)


def _wood(canvas: Canvas, brow: list[Point]) -> None:
    """Groups of pines at one or both edges of the slope, the nearer the taller."""
    random = canvas.random
    for side in random.choice(((0.0,), (1.0,), (0.0, 1.0))):
        trees = [
            (abs(side - random.uniform(0, 0.3)), random.uniform(0.05, 0.42))
            for _ in range(random.randint(6, 12))
        ]
        for x, down in nearest_last(trees):
            snowy_pine(canvas, x, height_at(brow, x) + down, 0.1 + 0.36 * down)


def _chalet(canvas: Canvas, x: float, base: float, width: float) -> None:
    cottage(canvas, x, base, width, _TIMBER, far=0.05)
    part = canvas.inset(x, base, width, far=0.05)
    part.rectangle(-0.5, -0.06, 0.5, 0, part.lit(rgb("b9b2a8")))
    part.line([(-0.6, -0.34), (0.6, -0.34)], 0.045, part.lit(rgb("5a3a26")))


def _skier(canvas: Canvas, x: float, y: float, height: float) -> None:
    random = canvas.random
    part = canvas.inset(x, y, height * random.choice((-1, 1)))
    suit, dark = part.lit(random.choice(CLOTH)), part.lit(rgb("2d3440"))
    part.ellipse(0.1, 0.04, 0.5, 0.06, glaze(part.lit(_SHADE), 0.7))
    part.line([(-0.5, -0.08), (0.5, 0.08), (0.62, 0.04)], 0.06, part.lit(random.choice(CLOTH)))
    part.line([(0, -0.02), (0.18, -0.25), (-0.06, -0.45)], 0.15, dark)
    part.line([(-0.06, -0.42), (0.14, -0.78)], 0.26, suit)
    part.line([(0.12, -0.68), (0.36, -0.5), (0.3, 0.05)], 0.04, dark)
    part.ellipse(0.2, -0.93, 0.12, 0.13, part.lit(rgb("f0c9a0")))
    part.dome(0.19, -0.94, 0.14, 0.14, suit)
