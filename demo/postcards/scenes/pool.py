"""Pool: water with a net of light, sun beds and parasols, before a garden or the sea."""

from math import cos, pi, sin
from operator import itemgetter
from typing import Final

from demo.postcards.buildings import cottage
from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import WHITE, Colour, glaze, mixed, rgb
from demo.postcards.lines import Ground, bow, nearest_last
from demo.postcards.plants import LEAVES, bush, palm
from demo.postcards.props import CLOTH, parasol, person, sun_bed
from demo.postcards.sky import glitter, paint_sky

_DECKS: Final = (rgb("e9dcc6"), rgb("d8c3a5"), rgb("c99a75"), rgb("eeeae2"), rgb("b98a63"))
_WATERS: Final = (rgb("35b6cf"), rgb("3fc4c9"), rgb("2a9fd0"), rgb("56c9dd"))
_WALLS: Final = (rgb("f7f3ea"), rgb("efd9b4"), rgb("dfa987"))
_ROOFS: Final = (rgb("b5533c"), rgb("c9703f"), rgb("8a8076"))
_SEA: Final = rgb("2f7fb0")
_RIM: Final = rgb("faf6ee")


def pool(canvas: Canvas) -> None:
    """Paint a pool."""
    random = canvas.random
    horizon = random.uniform(0.22, 0.38)
    paint_sky(canvas, horizon, birds=1)
    random.choices((_garden, _open_sea), (2, 1))[0](canvas, horizon)
    edge, deck = horizon + 0.07, random.choice(_DECKS)
    canvas.gradient(edge, 1, [canvas.lit(deck, 0.25), canvas.lit(deck)])
    ground = Ground(horizon - 0.05, random.uniform(0.35, 0.65), random.uniform(0.6, 0.75))
    _tiles(canvas, ground, deck)
    shape = random.choices((_rectangle, _kidney), (3, 2))[0](canvas)
    middle = (random.uniform(-0.25, 0.25), random.uniform(1.45, 1.8))
    _basin(canvas, ground, [(middle[0] + x, middle[1] + away) for x, away in shape], middle)
    x, away = max(shape, key=itemgetter(1))
    _ladder(canvas, *ground.at(middle[0] + 0.8 * x, middle[1] + 0.93 * away))
    _company(canvas, ground, middle, away)


def _rectangle(canvas: Canvas) -> list[Point]:
    """The outline of a rectangular pool around its middle, turned a little."""
    random = canvas.random
    half, long, turn = random.uniform(0.38, 0.62), random.uniform(0.55, 0.95), random.uniform(-0.5, 0.5)
    corners = [(-half, -long), (half, -long), (half, long), (-half, long)]
    return [(x * cos(turn) + y * sin(turn), 0.9 * (y * cos(turn) - x * sin(turn))) for x, y in corners]


def _kidney(canvas: Canvas) -> list[Point]:
    """The outline of a pool like a bean around its middle."""
    random = canvas.random
    across, long, waist = random.uniform(0.5, 0.72), random.uniform(0.55, 0.8), random.uniform(0.15, 0.35)
    phase = random.choice((0, pi)) + random.uniform(-0.4, 0.4)
    outline = []
    for step in range(40):
        angle = 2 * pi * step / 40
        radius = 1 - waist * (1 + cos(angle - phase)) ** 2 / 4 + 0.07 * sin(2 * angle)
        outline.append((across * radius * cos(angle), long * radius * sin(angle)))
    return outline


def _garden(canvas: Canvas, horizon: float) -> None:
    """Palms, perhaps a villa, and a hedge."""
    random, base = canvas.random, horizon + 0.07
    for _ in range(random.randint(2, 6)):
        palm(canvas, random.random(), base, random.uniform(0.18, 0.34), far=0.2)
    if canvas.chance(0.65):
        colours = (random.choice(_WALLS), random.choice(_ROOFS))
        cottage(canvas, random.uniform(0.2, 0.8), base, random.uniform(0.3, 0.5), colours, far=0.1)
    for number in range(16):
        x, radius = (number + random.random()) / 16, random.uniform(0.035, 0.06)
        bush(canvas, x, base + 0.005, radius, random.choice(LEAVES), far=0.12)


def _open_sea(canvas: Canvas, horizon: float) -> None:
    sea = [mixed(canvas.lit(_SEA), canvas.light.sky[1], 0.3), canvas.lit(rgb("3d9cb8"))]
    canvas.gradient(horizon, horizon + 0.12, sea)
    glitter(canvas, horizon, horizon + 0.08, canvas.lit(WHITE), 12)
    for _ in range(canvas.random.randint(0, 2)):
        palm(canvas, canvas.random.choice((0.12, 0.2, 0.8, 0.88)), horizon + 0.08, 0.3, far=0.1)


def _tiles(canvas: Canvas, ground: Ground, deck: Colour) -> None:
    joint = canvas.lit(mixed(deck, rgb("6e5a48"), 0.22))
    for row in range(14):
        away = 0.6 * 1.16**row
        canvas.line([ground.at(-3, away), ground.at(3, away)], 0.002, joint)
    for column in range(-9, 10):
        canvas.line([ground.at(column * 0.22, 0.6), ground.at(column * 0.22, 5)], 0.002, joint)


def _basin(canvas: Canvas, ground: Ground, shape: list[Point], middle: Point) -> None:
    """The rim, the wall below it in the shade, the water, and the net of light in it."""
    random, light = canvas.random, canvas.light
    water = random.choice(_WATERS)
    # Pools are lit from within when it is dark.
    shine = mixed(canvas.lit(water), water, 0.6) if light.lamps else canvas.lit(water)

    def grown(times: float, lowered: float = 0.0) -> list[Point]:
        return [
            ground.at(middle[0] + (x - middle[0]) * times, middle[1] + (away - middle[1]) * times, -lowered)
            for x, away in shape
        ]

    canvas.polygon(grown(1.13), canvas.lit(_RIM))
    canvas.polygon(grown(1), canvas.lit(mixed(water, rgb("14607f"), 0.35)))
    canvas.polygon(grown(0.96, 0.02), shine)
    for _ in range(44):
        one, other, share = random.choice(shape), random.choice(shape), random.random()
        x, away = (
            0.1 * m + 0.9 * (a * share + b * (1 - share)) for m, a, b in zip(middle, one, other, strict=True)
        )
        wave = [
            ground.at(x + step, away * random.uniform(0.975, 1.025)) for step in (-0.05, -0.02, 0.01, 0.04)
        ]
        canvas.line(wave, 0.006 / away, glaze(canvas.lit(rgb("e9fbff")), 0.5))


def _company(canvas: Canvas, ground: Ground, middle: Point, long: float) -> None:
    """Parasols, sun beds and people beyond and beside the water, a ring in it."""
    random = canvas.random
    colours = (random.choice((*CLOTH, rgb("efe2c4"))), WHITE)
    cloth = random.choice((WHITE, CLOTH[2], rgb("efe2c4")))
    beyond = [
        ground.at(middle[0] + random.uniform(-1.6, 1.6), middle[1] + long * 1.2 + random.uniform(0.2, 1))
        for _ in range(random.randint(2, 6))
    ]
    beside = [
        ground.at(middle[0] + random.choice((-1, 1)) * random.uniform(0.8, 0.95), random.uniform(1.1, 1.9))
        for _ in range(random.randint(0, 3))
    ]
    ring = ground.at(middle[0] + random.uniform(-0.2, 0.2), middle[1] + random.uniform(-0.3, 0.3))
    if canvas.chance(0.6):
        _ring(canvas, ring, random.choice(CLOTH))
    for x, y in nearest_last([*beyond, *beside]):
        size = 0.03 + 0.34 * (y - ground.horizon)
        if canvas.chance(0.2):
            person(canvas, x, y, size)
            continue
        sun_bed(canvas, x, y + 0.01, size * random.choice((-0.8, 0.8)), cloth)
        parasol(canvas, x, y, size * 1.2, colours)


def _ring(canvas: Canvas, place: Point, colour: Colour) -> None:
    for share, paint in ((1, colour), (0.75, mixed(colour, WHITE, 0.6)), (0.45, _WATERS[2])):
        canvas.ellipse(*place, 0.05 * share, 0.023 * share, canvas.lit(paint))


def _ladder(canvas: Canvas, x: float, y: float) -> None:
    part = canvas.inset(x, y, 0.09)
    for side in (0, 0.4):
        part.line(bow((side, 0), (side + 0.1, -0.9), (side + 0.35, 0.3)), 0.09, part.lit(rgb("c9d3d8")))
