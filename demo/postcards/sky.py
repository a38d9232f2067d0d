"""The sky and what it throws on the ground: sun, moon, stars, clouds, birds, snow; glitter and shadows."""

from typing import Final

from demo.postcards.canvas import Canvas
from demo.postcards.light import WHITE, Colour, glaze, mixed, rgb

_BIRD: Final = rgb("39414d")


def paint_sky(canvas: Canvas, horizon: float, birds: int = 0) -> float:
    """Paint the sky down to `horizon`; where the sun or moon stands, or would, from left to right."""
    light, random = canvas.light, canvas.random
    canvas.gradient(0, horizon, light.sky)
    for _ in range(light.stars):
        x, y, radius = random.random(), random.uniform(0, horizon), random.choice((0.0016, 0.0022, 0.0034))
        canvas.ellipse(x, y, radius, radius, mixed(WHITE, light.sky[0], random.uniform(0, 0.5)))
    sun = random.uniform(0.12, 0.88)
    if light.height > 0:
        _disc(canvas, sun, horizon * (1 - light.height))
    for _ in range(light.clouds):
        _cloud(canvas, random.uniform(-0.05, 1.05), random.uniform(0.12, 0.8) * horizon)
    for _ in range(random.randint(0, birds)):
        _bird(canvas, random.random(), random.uniform(0.2, 0.8) * horizon)
    return sun


def _disc(canvas: Canvas, x: float, y: float) -> None:
    light = canvas.light
    radius = canvas.random.uniform(0.028, 0.05) * (1.5 if light.is_low else 1)
    for times in (3.6, 2.5, 1.7):
        canvas.ellipse(x, y, radius * times, radius * times, glaze(light.disc, 0.13))
    canvas.ellipse(x, y, radius, radius, light.disc)
    if light.lamps:
        shade = mixed(light.disc, light.sky[1], 0.25)
        canvas.ellipse(x - radius * 0.3, y + radius * 0.2, radius * 0.22, radius * 0.2, shade)
        canvas.ellipse(x + radius * 0.25, y - radius * 0.3, radius * 0.3, radius * 0.25, shade)


def _cloud(canvas: Canvas, x: float, y: float) -> None:
    """Puffs on a level base, or long wisps."""
    random, sky = canvas.random, canvas.light.sky
    white = mixed(canvas.lit(WHITE), sky[2], 0.15)
    width = random.uniform(0.07, 0.17)
    if canvas.chance(0.3):
        for _ in range(3):
            down = random.uniform(-0.03, 0.03)
            canvas.ellipse(x + random.uniform(-1, 1) * width, y + down, width, 0.006, glaze(white, 0.55))
        return
    puffs = [(x + width * at, width * random.uniform(0.3, 0.5)) for at in (-0.75, -0.3, 0.15, 0.6)]
    for at, radius in puffs:
        canvas.dome(at, y + 0.008, radius * 1.1, radius * 0.9, mixed(white, sky[1], 0.4))
    for at, radius in puffs:
        canvas.dome(at + 0.008, y - 0.004, radius * 0.95, radius * 0.85, white)


def _bird(canvas: Canvas, x: float, y: float) -> None:
    part = canvas.inset(x, y, canvas.random.uniform(0.008, 0.018), far=0.3)
    wings = [(-1, -0.3), (-0.4, -0.5), (0, 0), (0.4, -0.5), (1, -0.3)]
    part.line(wings, 0.3, part.lit(_BIRD))


def glitter(canvas: Canvas, top: float, bottom: float, colour: Colour, count: int = 40) -> None:
    """Short level strokes on water between `top` and `bottom`, longer and fewer where it is near."""
    random = canvas.random
    for _ in range(count):
        near = random.random() ** 1.6
        x, y = random.random(), top + near * (bottom - top)
        half = 0.012 + 0.05 * near * random.random()
        canvas.ellipse(x, y, half, 0.0012 + 0.0035 * near, glaze(colour, random.uniform(0.25, 0.6)))


def sun_path(canvas: Canvas, sun: float, top: float, bottom: float) -> None:
    """The broken band of light that a low sun or moon throws on the water below it."""
    random, light = canvas.random, canvas.light
    if not light.is_reflected:
        return
    for step in range(22):
        near = step / 22
        half = random.uniform(0.008, 0.03) * (1 + 1.6 * near)
        x = sun + random.uniform(-0.03, 0.03) * (1 + near)
        canvas.ellipse(x, top + near * (bottom - top), half, 0.003, glaze(light.disc, 0.6))


def shadow(canvas: Canvas, x: float, y: float, half: float) -> None:
    """The shadow at the foot of something."""
    canvas.ellipse(x, y, half, half * 0.22, glaze(mixed(canvas.light.sky[0], (0, 0, 0), 0.6), 0.23))


def snow_flakes(canvas: Canvas, count: int) -> None:
    """Falling snow, near and far."""
    random = canvas.random
    for _ in range(count):
        radius = random.uniform(0.002, 0.006)
        canvas.ellipse(random.random(), random.random(), radius, radius, glaze(canvas.lit(WHITE), 0.85))
