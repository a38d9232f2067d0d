"""People and what they bring along: boats, parasols, sun beds."""

from typing import Final

from demo.postcards.canvas import Canvas
from demo.postcards.light import WHITE, Colour, glaze, mixed, rgb
from demo.postcards.sky import shadow

CLOTH: Final = (rgb("e4572e"), rgb("f3a712"), rgb("2e86ab"), rgb("e15f8d"), rgb("3fa67a"))
"""Colours that are meant to be seen."""
_DRESS: Final = (*CLOTH, rgb("f7f3e8"), rgb("7b4fa3"))
_SKIN: Final = (rgb("e0ac86"), rgb("a9714b"), rgb("70492f"))
_HULLS: Final = (WHITE, rgb("27496d"), rgb("b0413e"), rgb("3d2b24"))
_MAST: Final = rgb("6a5442")
_DEEP: Final = rgb("16324a")
_STRIPES: Final = 6
"""Of a parasol."""


def person(canvas: Canvas, x: float, y: float, height: float) -> None:
    """Somebody who stands at (x, y)."""
    part, random = canvas.inset(x, y, height), canvas.random
    skin, dress = part.lit(random.choice(_SKIN)), part.lit(random.choice(_DRESS))
    shadow(part, 0.1, 0, 0.25)
    for side in (-0.07, 0.07):
        part.line([(0, -0.45), (side, 0)], 0.1, skin)
    part.ellipse(0, -0.58, 0.13, 0.23, dress)
    part.ellipse(0, -0.9, 0.09, 0.1, skin)


def parasol(canvas: Canvas, x: float, y: float, size: float, colours: tuple[Colour, Colour]) -> None:
    """A striped parasol of `size` height and width, with its shadow on the ground."""
    part = canvas.inset(x, y, size)
    one, other = (part.lit(colour) for colour in colours)
    shadow(part, 0.2, 0, 0.5)
    part.line([(0, 0), (0, -1)], 0.045, part.lit(rgb("efe6d5")))
    part.dome(0, -0.62, 0.56, 0.4, one)
    edges = [0.56 * (2 * stripe / _STRIPES - 1) for stripe in range(_STRIPES + 1)]
    for left, right in zip(edges[1::2], edges[2::2], strict=True):
        part.polygon(
            [(left, -0.62), (right, -0.62), (right * 0.72, -0.92), (0, -1.02), (left * 0.72, -0.92)], other
        )
    for stripe in range(_STRIPES):
        middle = (edges[stripe] + edges[stripe + 1]) / 2
        part.ellipse(middle, -0.62, 0.56 / _STRIPES, 0.045, other if stripe % 2 else one)


def sun_bed(canvas: Canvas, x: float, y: float, length: float, cloth: Colour) -> None:
    """A sun bed with its head raised to the left; with a negative `length`, to the right."""
    part = canvas.inset(x, y, length)
    shadow(part, 0.5, 0.02, 0.55)
    wood = part.lit(rgb("8a6b4c"))
    part.polygon(
        [(0, -0.38), (0.08, -0.4), (0.36, -0.18), (1, -0.18), (1, -0.1), (0.3, -0.1)], part.lit(cloth)
    )
    part.line([(0.3, -0.09), (1, -0.09)], 0.05, wood)
    for foot in (0.36, 0.92):
        part.line([(foot, -0.08), (foot, 0.02)], 0.05, wood)


def sailing_boat(canvas: Canvas, x: float, y: float, size: float) -> None:
    """A boat under sail on the horizon, `size` high."""
    random = canvas.random
    part = canvas.inset(x, y, size * random.choice((-1, 1)), far=0.3)
    sail = random.choice((WHITE, WHITE, rgb("f6e7c8"), *CLOTH[:3]))
    part.polygon([(0.03, -0.14), (0.03, -1), (0.46, -0.16)], part.lit(sail))
    part.polygon([(-0.03, -0.16), (-0.02, -0.88), (-0.34, -0.16)], part.lit(mixed(sail, rgb("8fa3b5"), 0.2)))
    part.line([(0, 0), (0, -1.03)], 0.025, part.lit(_MAST))
    part.polygon(
        [(-0.42, -0.12), (0.44, -0.12), (0.32, 0.03), (-0.28, 0.03)], part.lit(random.choice(_HULLS))
    )


def moored_boat(canvas: Canvas, x: float, y: float, size: float) -> None:
    """A boat without sails, `size` long: a yacht or a fishing boat."""
    random = canvas.random
    part = canvas.inset(x, y, size * random.choice((-1, 1)))
    part.ellipse(0, 0.03, 0.55, 0.05, glaze(part.lit(_DEEP), 0.35))
    random.choice((_yacht, _fishing_boat))(part)
    hull = part.lit(random.choice((WHITE, *CLOTH, _HULLS[1])))
    part.polygon([(-0.5, -0.17), (0.56, -0.22), (0.4, 0.05), (-0.42, 0.05)], hull)
    trim = part.lit(random.choice((WHITE, _HULLS[1], CLOTH[0])))
    part.polygon([(-0.5, -0.17), (0.56, -0.22), (0.53, -0.16), (-0.49, -0.12)], trim)


def _yacht(part: Canvas) -> None:
    """Its bare mast, the boom with the furled sail, and a flat cabin."""
    mast = part.lit(_MAST)
    part.line([(0.02, -0.15), (0.02, -1.25)], 0.022, mast)
    part.line([(-0.45, -0.16), (0.02, -1.22), (0.5, -0.18)], 0.006, mast)
    part.line([(0.02, -0.3), (-0.38, -0.28)], 0.045, part.lit(rgb("e9e1d0")))
    part.rectangle(-0.15, -0.24, 0.2, -0.14, part.lit(WHITE))


def _fishing_boat(part: Canvas) -> None:
    """Its derrick and its wheelhouse."""
    part.line([(-0.22, -0.15), (-0.22, -0.72)], 0.03, part.lit(_MAST))
    part.line([(-0.22, -0.7), (0.35, -0.2)], 0.012, part.lit(_MAST))
    part.rectangle(-0.05, -0.42, 0.2, -0.14, part.lit(WHITE))
    part.rectangle(-0.08, -0.46, 0.23, -0.41, part.lit(part.random.choice((_HULLS[1], CLOTH[0]))))
    part.rectangle(0, -0.36, 0.15, -0.26, part.lit(_DEEP))


def canoe(canvas: Canvas, x: float, y: float, size: float) -> None:
    """A canoe, `size` long, with somebody in it."""
    random = canvas.random
    part = canvas.inset(x, y, size * random.choice((-1, 1)))
    part.ellipse(0, 0.06, 0.55, 0.06, glaze(part.lit(_DEEP), 0.4))
    part.ellipse(-0.12, -0.16, 0.08, 0.16, part.lit(random.choice(_DRESS)))
    part.ellipse(-0.12, -0.37, 0.055, 0.06, part.lit(random.choice(_SKIN)))
    part.line([(-0.1, -0.2), (0.08, -0.14), (0.2, 0.1)], 0.03, part.lit(_MAST))
    hull = [(-0.55, -0.16), (-0.4, -0.06), (0.4, -0.06), (0.55, -0.16), (0.42, 0.06), (-0.42, 0.06)]
    part.polygon(hull, part.lit(random.choice((CLOTH[0], CLOTH[4], CLOTH[1], rgb("a8703c")))))
