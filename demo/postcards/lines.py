"""Lines that nature draws: hills, crests, blots and curves, as points; and the ground in perspective."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin
from operator import itemgetter
from random import Random
from typing import Final

from demo.postcards.canvas import Point

_CORNERS: Final = 22
"""Of a blot."""


def rolling(random: Random, y: float, height: float, waves: float = 1.5, points: int = 33) -> list[Point]:
    """A soft line of hills around `y` from left to right: three waves, each half as high as the last."""
    phases = [random.uniform(0, 2 * pi) for _ in range(3)]
    steps = [step / (points - 1) for step in range(points)]
    return [
        (
            x * 1.1 - 0.05,
            y - height / 2 * sum(sin(pi * waves * 2**k * x + phases[k]) / 2**k for k in range(3)),
        )
        for x in steps
    ]


def jagged(random: Random, left: Point, right: Point, roughness: float, times: int = 4) -> list[Point]:
    """A broken line from `left` to `right`: midpoints moved by chance, `times` over, ever less far."""
    line = [left, right]
    for _ in range(times):
        halves = [
            ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2 + random.uniform(-roughness, roughness))
            for a, b in pairwise(line)
        ]
        line = [point for pair in zip(line, [*halves, line[-1]], strict=True) for point in pair][:-1]
        roughness /= 2
    return line


def blot(random: Random, x: float, y: float, across: float, down: float) -> list[Point]:
    """A closed soft line around (x, y), no ellipse but nearly one."""
    one, other = random.uniform(0, 2 * pi), random.uniform(0, 2 * pi)
    angles = [2 * pi * step / _CORNERS for step in range(_CORNERS)]
    radii = [1 + 0.16 * sin(2 * a + one) + 0.1 * sin(3 * a + other) for a in angles]
    return [(x + across * r * cos(a), y + down * r * sin(a)) for a, r in zip(angles, radii, strict=True)]


def bow(start: Point, over: Point, end: Point, points: int = 9) -> list[Point]:
    """The curve from `start` to `end` that is drawn towards `over` (a quadratic Bézier curve)."""
    line = []
    for step in range(points):
        t = step / (points - 1)
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        line.append((a * start[0] + b * over[0] + c * end[0], a * start[1] + b * over[1] + c * end[1]))
    return line


def down_to(bottom: float, line: list[Point]) -> list[Point]:
    """The area between a line from left to right and `bottom`."""
    return [*line, (line[-1][0], bottom), (line[0][0], bottom)]


def nearest_last(points: Iterable[Point]) -> list[Point]:
    """Points on the ground in the order in which what stands there is painted."""
    return sorted(points, key=itemgetter(1))


def height_at(line: list[Point], x: float) -> float:
    """Where a line from left to right is at `x`; beyond its ends, where it ends."""
    for (left, one), (right, other) in pairwise(line):
        if left <= x <= right:
            return one + (other - one) * (x - left) / (right - left)
    return line[0][1] if x < line[0][0] else line[-1][1]


@dataclass(frozen=True)
class Ground:
    """A level ground seen in perspective.

    Attributes:
        horizon: where it ends in the picture.
        middle: where in the picture lines that lead straight away meet.
        eye: the height of the eye above the ground, in pictures' sides.
    """

    horizon: float
    middle: float = 0.5
    eye: float = 0.5

    @property
    def nearest(self) -> float:
        """How far away the ground is that is seen at the lower edge of the picture."""
        return self.eye / (1 - self.horizon)

    def at(self, x: float, away: float, up: float = 0.0) -> Point:
        """Where the point is seen that is `x` to the right, `away` (above 0) and `up` from the ground."""
        return self.middle + x / away, self.horizon + (self.eye - up) / away

    def quad(self, x: Point, away: Point) -> list[Point]:
        """The rectangle on the ground between two values of `x` and two of `away`."""
        return [
            self.at(x[0], away[0]),
            self.at(x[1], away[0]),
            self.at(x[1], away[1]),
            self.at(x[0], away[1]),
        ]
