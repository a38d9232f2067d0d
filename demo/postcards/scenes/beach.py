"""Beach: sand, the sea and its foam, parasols, a palm."""

from typing import Final

from demo.postcards.canvas import Canvas, Point
from demo.postcards.light import WHITE, Colour, glaze, mixed, rgb
from demo.postcards.lines import bow, down_to, height_at, nearest_last, rolling
from demo.postcards.plants import palm
from demo.postcards.props import CLOTH, parasol, person, sailing_boat, sun_bed
from demo.postcards.sky import glitter, paint_sky, shadow, sun_path

_SEA: Final = ((rgb("2f7fb0"), rgb("36a3bd"), rgb("7fd3cc")), (rgb("1f6f9c"), rgb("2c93ad"), rgb("5fc0bd")))
_SAND: Final = (rgb("efd9a7"), rgb("e8c98f"), rgb("f4e6c8"))


def beach(canvas: Canvas) -> None:
    """Paint a beach."""
    random = canvas.random
    horizon = random.uniform(0.26, 0.46)
    sun = paint_sky(canvas, horizon, birds=4)
    if canvas.chance(0.5):
        _headland(canvas, horizon)
    sea = [mixed(canvas.lit(shade), canvas.light.sky[1], 0.2) for shade in random.choice(_SEA)]
    canvas.gradient(horizon, 1, sea)
    glitter(canvas, horizon + 0.01, 0.75, canvas.lit(WHITE))
    sun_path(canvas, sun, horizon, 0.75)
    for _ in range(random.randint(0, 3)):
        down, size = random.uniform(0.01, 0.05), random.uniform(0.05, 0.11)
        sailing_boat(canvas, random.uniform(0.05, 0.95), horizon + down, size)
    shore = _shore(canvas, horizon)
    _sand(canvas, shore, random.choice(_SAND))
    _holiday(canvas, shore)
    for _ in range(random.randint(0, 2)):
        x = random.uniform(0.7, 0.97)
        foot = height_at(shore, x) + random.uniform(0.08, 0.2)
        shadow(canvas, x + 0.05, foot, 0.12)
        palm(canvas, x, foot, random.uniform(0.45, 0.65))


def _headland(canvas: Canvas, horizon: float) -> None:
    """Hills that rise from the sea on one side."""
    start = canvas.random.uniform(0.3, 0.7)
    hills = [
        (x, horizon - max(0.0, horizon - y) * min(1, max(0, (x - start) * 4)))
        for x, y in rolling(canvas.random, horizon - 0.03, 0.06, 2)
    ]
    canvas.polygon(down_to(horizon, hills), canvas.lit(rgb("6f8f6a"), 0.6))


def _shore(canvas: Canvas, horizon: float) -> list[Point]:
    """The line where the water ends, a bay or a point."""
    random = canvas.random
    left, right = random.uniform(0.72, 0.98), random.uniform(horizon + 0.06, 0.7)
    over = (random.uniform(0.3, 0.7), (left + right) / 2 + random.uniform(-0.12, 0.14))
    return [(x, y + random.uniform(-0.004, 0.004)) for x, y in bow((-0.02, left), over, (1.02, right), 17)]


def _sand(canvas: Canvas, shore: list[Point], sand: Colour) -> None:
    """Waves that run out, wet sand, dry sand."""
    random, foam = canvas.random, canvas.lit(WHITE)
    wet, dry = canvas.lit(mixed(sand, rgb("9a8058"), 0.5)), canvas.lit(sand)
    waves = ((-0.075, glaze(foam, 0.22)), (-0.045, glaze(foam, 0.35)), (-0.016, glaze(foam, 0.9)))
    for down, paint in (*waves, (0.0, wet), (0.03, dry)):
        ragged = [(x, y + down + random.uniform(-0.004, 0.004)) for x, y in shore]
        canvas.polygon(down_to(1.02, ragged), paint)
    for _ in range(60):
        x, y = random.random(), random.random()
        if y > height_at(shore, x) + 0.05:
            canvas.ellipse(x, y, 0.005, 0.002, canvas.lit(mixed(sand, rgb("b8925c"), 0.35)))


def _holiday(canvas: Canvas, shore: list[Point]) -> None:
    """Parasols, sun beds, people and balls on the sand, the nearer the larger."""
    random = canvas.random
    colours = (random.choice(CLOTH), WHITE)
    across = [random.uniform(0.1, 0.95) for _ in range(random.randint(3, 9))]
    for x, y in nearest_last((x, random.uniform(height_at(shore, x) + 0.06, 1.0)) for x in across):
        size = 0.07 + 0.2 * max(0, y - 0.45)
        match random.choices(("parasol", "bed", "person", "ball"), (45, 20, 27, 8))[0]:
            case "parasol":
                towel = canvas.inset(x, y, size)
                towel.rectangle(-0.5, -0.06, 0.1, 0.06, canvas.lit(random.choice(CLOTH)))
                parasol(canvas, x, y, size * 1.25, colours)
            case "bed":
                sun_bed(canvas, x, y, size * random.choice((-0.9, 0.9)), WHITE)
            case "person":
                person(canvas, x, y, size * 0.8)
            case _:
                canvas.ellipse(x, y, size * 0.12, size * 0.12, canvas.lit(CLOTH[0]))
                canvas.ellipse(x - size * 0.03, y - size * 0.04, size * 0.06, size * 0.07, canvas.lit(WHITE))
