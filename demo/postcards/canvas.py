"""A square canvas in units of its side, on which things are placed without a thought of pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Self, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from demo.postcards.light import Colour, Light, Paint

Point: TypeAlias = tuple[float, float]

FINENESS: Final = 2
"""Pixels are painted so many times as fine, in both directions, and averaged; edges are smooth then."""
GRAIN: Final = 4
"""The grain of the film: how far a pixel is off at most, of 255."""
NARROWEST: Final = 0.84
"""The least share of the painted width that a picture shows: how close the viewpoint may be."""


@dataclass(frozen=True)
class Canvas:
    """A picture in the making: (0, 0) is its top left corner, (1, 1) the bottom right one.

    Attributes:
        image: what is painted on.
        brush: what paints on it.
        light: what light it is painted in.
        random: where everything that varies is drawn from.
        origin: the pixel at (0, 0).
        unit: how many pixels 1 is, across and down; negative across: mirrored.
        far: how far away what is painted stands, 0 to 1.
    """

    image: Image.Image
    brush: ImageDraw.ImageDraw
    light: Light
    random: Random
    origin: Point
    unit: Point
    far: float = 0.0

    @classmethod
    def blank(cls, size: int, light: Light, random: Random) -> Self:
        """A canvas for a picture of `size` times `size` pixels."""
        side = FINENESS * size
        image = Image.new("RGB", (side, side), light.sky[2])
        return cls(image, ImageDraw.Draw(image, "RGBA"), light, random, (0, 0), (side, side))

    def inset(self, x: float, y: float, width: float, height: float | None = None, far: float = 0.0) -> Self:
        """The same canvas for a thing at (x, y), which is then (0, 0); `width` and `height` are its units."""
        (pixel,) = self._pixels([(x, y)])
        tall = abs(width) if height is None else height
        return replace(self, origin=pixel, unit=(self.unit[0] * width, self.unit[1] * tall), far=far)

    def chance(self, share: float) -> bool:
        """True in a share, 0 to 1, of all cases."""
        return self.random.random() < share

    def lit(self, colour: Colour, far: float | None = None) -> Colour:
        """`colour` in the light of this picture, as far away as this part of it is, or `far`."""
        return self.light.on(colour, self.far if far is None else far)

    def polygon(self, points: Iterable[Point], paint: Paint) -> None:
        """Fill a polygon."""
        self.brush.polygon(self._pixels(points), paint)

    def rectangle(self, left: float, top: float, right: float, bottom: float, paint: Paint) -> None:
        """Fill a rectangle."""
        self.brush.rectangle(self._box(left, top, right, bottom), paint)

    def ellipse(self, x: float, y: float, across: float, down: float, paint: Paint) -> None:
        """Fill an ellipse around (x, y) with these half axes."""
        self.brush.ellipse(self._box(x - across, y - down, x + across, y + down), paint)

    def dome(self, x: float, y: float, across: float, up: float, paint: Paint) -> None:
        """Fill the upper half of an ellipse around (x, y) with these half axes."""
        self.brush.pieslice(self._box(x - across, y - up, x + across, y + up), 180, 360, paint)

    def line(self, points: Iterable[Point], width: float, paint: Paint) -> None:
        """Draw a line through points, at least as wide as the finest pixel."""
        pixels = max(1, round(width * abs(self.unit[0])))
        self.brush.line(self._pixels(points), paint, pixels, joint="curve" if pixels > FINENESS else None)

    def gradient(self, top: float, bottom: float, colours: Sequence[Colour], opacity: float = 1.0) -> None:
        """Fill the whole width with colours that pass into one another from `top` down to `bottom`."""
        first, last = round(top * self.unit[1]), round(bottom * self.unit[1])
        if last <= first:
            return
        at = np.linspace(0, len(colours) - 1, last - first)
        known = np.arange(len(colours))
        column = np.stack([np.interp(at, known, channel) for channel in zip(*colours, strict=True)], axis=1)
        band = Image.fromarray(column.astype(np.uint8)[:, None]).resize((self.image.width, last - first))
        if opacity < 1:
            below = self.image.crop((0, first, self.image.width, last))
            band = Image.blend(below, band, opacity)
        self.image.paste(band, (0, first))

    def mirror(self, waterline: float, colours: Sequence[Colour], depth: float) -> None:
        """Fill what is below `waterline` with the mirror image of what is above, `depth` (0 to 1) dulled."""
        line = round(waterline * self.unit[1])
        below = self.image.height - line
        above = self.image.crop((0, max(0, line - below), self.image.width, line))
        flipped = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        self.image.paste(flipped.resize((self.image.width, below)), (0, line))
        self.gradient(waterline, 1, colours, depth)

    def finished(self, *, mirrored: bool) -> Image.Image:
        """A section of it as the picture, mirrored if asked for, with the grain of film on it."""
        side = self.image.width
        seen = side * self.random.uniform(NARROWEST, 1)
        left, top = (self.random.uniform(0, side - seen) for _ in range(2))
        box = (left, top, left + seen, top + seen)
        size = (side // FINENESS, side // FINENESS)
        image = self.image.resize(size, Image.Resampling.BOX, box)
        if mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(image, np.int16)
        chance = np.random.default_rng(self.random.getrandbits(64))
        grain = chance.integers(-GRAIN, GRAIN + 1, (*pixels.shape[:2], 1), np.int16)
        return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        (left, top), (across, down) = self.origin, self.unit
        return [(left + x * across, top + y * down) for x, y in points]

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        (x, y), (across, down) = self.origin, self.unit
        one, other = x + left * across, x + right * across
        return (min(one, other), y + top * down, max(one, other), y + bottom * down)
