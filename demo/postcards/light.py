"""The light of a postcard: time of day and weather, and what they do to every colour in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeAlias

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
Paint: TypeAlias = tuple[int, ...]
"""A colour, or one with its opacity as a fourth number, 0 to 255."""


def rgb(digits: str) -> Colour:
    """The colour of six hexadecimal digits."""
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with a share, 0 to 1, of `other`."""
    kept = 1 - share
    return (
        int(one[0] * kept + other[0] * share),
        int(one[1] * kept + other[1] * share),
        int(one[2] * kept + other[2] * share),
    )


def glaze(colour: Colour, opacity: float) -> Paint:
    """`colour` as paint of which a share, 0 to 1, covers what is below."""
    return (*colour, int(255 * opacity))


WHITE: Final = (255, 255, 255)
_GREY: Final = (176, 184, 192)
_LOW: Final = 0.2
_HIGH: Final = 0.75


@dataclass(frozen=True)
class Light:
    """What lights a picture.

    Attributes:
        sky: its colours from the zenith down to the horizon.
        tint: the colour of the light; white changes nothing.
        disc: the colour of the sun or moon.
        height: of the sun or moon, as a share of the sky above the horizon; negative if it is not seen.
        haze: how much of the farthest things is lost in the air, 0 to 1.
        clouds: how many clouds there are.
        stars: how many stars there are.
        lamps: whether lamps are lit.
    """

    sky: tuple[Colour, Colour, Colour]
    tint: Colour
    disc: Colour
    height: float
    haze: float = 0.55
    clouds: int = 0
    stars: int = 0
    lamps: bool = False

    @property
    def is_low(self) -> bool:
        """Whether the sun stands so low that it looks large."""
        return 0 < self.height < _LOW

    @property
    def is_reflected(self) -> bool:
        """Whether water throws the sun or moon back at us: it is seen, and not high."""
        return 0 < self.height < _HIGH

    def on(self, colour: Colour, far: float = 0.0) -> Colour:
        """`colour` in this light, `far` away: 0 is near, 1 is the horizon."""
        tint = self.tint
        lit = (colour[0] * tint[0] // 255, colour[1] * tint[1] // 255, colour[2] * tint[2] // 255)
        return mixed(lit, self.sky[2], far * self.haze) if far else lit


_HOURS: Final = {
    "morning": Light((rgb("6ba8da"), rgb("bcdcea"), rgb("fde4c6")), rgb("fff1e0"), rgb("fff3d2"), 0.3, 0.7),
    "noon": Light((rgb("2f86d4"), rgb("74b6ea"), rgb("d3edf7")), rgb("fffffc"), rgb("fffbe6"), 0.8),
    "afternoon": Light((rgb("4793cf"), rgb("9fcde4"), rgb("f8e9c9")), rgb("fff0d2"), rgb("fff0bd"), 0.5),
    "sunset": Light((rgb("47589c"), rgb("e58c74"), rgb("ffd07e")), rgb("f6c4a4"), rgb("fff0b0"), 0.14),
    "dusk": Light(
        (rgb("1f2a60"), rgb("6d5596"), rgb("f0957a")), rgb("9a8cbe"), WHITE, -1, stars=25, lamps=True
    ),
    "night": Light(
        (rgb("0a1133"), rgb("172353"), rgb("3a4779")), rgb("5d6aa2"), rgb("f6f3dd"), 0.7, stars=90, lamps=True
    ),
}
USUAL_HOURS: Final = {"morning": 2.0, "noon": 5.0, "afternoon": 4.0, "sunset": 2.0, "dusk": 1.0, "night": 0.3}
"""How often a postcard shows which time of day, relative to one another."""


def draw_light(random: Random, hours: Mapping[str, float]) -> Light:
    """Light of a time of day, drawn by its frequency in `hours`, in some weather."""
    hour = _HOURS[random.choices(list(hours), list(hours.values()))[0]]
    top, middle, low = (_varied(colour, random) for colour in hour.sky)
    light = replace(hour, sky=(top, middle, low), tint=_varied(hour.tint, random, 5))
    return random.choices((_overcast, _hazy, _clear), (0.12, 0.18, 0.7))[0](light, random)


def _clear(light: Light, random: Random) -> Light:
    return replace(light, clouds=random.randint(0, 4), stars=light.stars * random.randint(1, 2))


def _hazy(light: Light, _: Random) -> Light:
    return replace(light, haze=min(0.9, light.haze * 1.5))


def _overcast(light: Light, random: Random) -> Light:
    grey = tuple(_GREY[channel] * light.tint[channel] // 255 for channel in range(3))
    cover: Colour = (grey[0], grey[1], grey[2])
    sky = light.sky
    veiled = (mixed(sky[0], cover, 0.75), mixed(sky[1], cover, 0.7), mixed(sky[2], cover, 0.5))
    dull = mixed(light.tint, cover, 0.3)
    return replace(light, sky=veiled, tint=dull, height=-1, clouds=random.randint(4, 6), stars=0)


def _varied(colour: Colour, random: Random, by: int = 12) -> Colour:
    return (
        min(255, max(0, colour[0] + random.randint(-by, by))),
        min(255, max(0, colour[1] + random.randint(-by, by))),
        min(255, max(0, colour[2] + random.randint(-by, by))),
    )
