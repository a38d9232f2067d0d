"""Exponential decay in exact steps: counts that halve with event time, the same bits on every machine.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009): an older count is not
shrunk, a newer one weighs more, by 2^(ts / half_life). Such a weight is kept as a number and a power of
two, the exponent, so that neither years between two events nor years of running can overflow it. What
comes late is added with the weight of its own time: less, never more.

Between two powers of two the weight grows in `STEPS` steps, read from a table that only square roots and
products made. Both are exact by IEEE 754, unlike `exp`, whose last bit differs between C libraries.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reco.kernels import FLOAT32, FLOAT64, FLOAT64S, INT64, INT64S, NOTHING, columns, compiled, pair

STEP_BITS = 12
STEPS = 1 << STEP_BITS
"""Steps of a doubling; one step is 0.017 %."""
MAX_HALVINGS = 2000
"""More halvings than leave anything of a float64."""
MOST_DOUBLED: Final = 1023
MOST_HALVED: Final = 1074
"""The largest and the smallest power of two that a float64 has."""


def _growth_table() -> NDArray[np.float64]:
    """float64[STEPS]: 2^(step / STEPS), each the product of the roots that its bits name."""
    table = np.ones(STEPS)
    root = 2.0
    for bit in reversed(range(STEP_BITS)):
        root = math.sqrt(root)
        table[(np.arange(STEPS) >> bit) & 1 == 1] *= root
    return table


GROWTH = _growth_table()
HALVES = np.ldexp(1.0, -np.arange(-MOST_DOUBLED, MOST_HALVED + 1))
"""float64: what is left of 1 after so many halvings, from `-MOST_DOUBLED` on; to look it up beats `ldexp`."""
FADING_STEPS = 64
"""Steps of a halving in `FADING`; one step is 1.1 %."""
FADING_HALVINGS = 40
"""What is older fades no more."""
FADING = np.ldexp(
    1 / GROWTH[np.arange(FADING_STEPS * FADING_HALVINGS) % FADING_STEPS * (STEPS // FADING_STEPS)],
    -(np.arange(FADING_STEPS * FADING_HALVINGS) // FADING_STEPS),
).astype(np.float32)
"""float32: what is left of 1 after so many steps; small enough to be looked at for thousands of visits."""


class DecayedCounts(NamedTuple):
    """Counts that decay, each worth `counts[k] * 2 ** exponents[k]`.

    Attributes:
        counts: float64[n].
        exponents: int64[n].
    """

    counts: NDArray[np.float64]
    exponents: NDArray[np.int64]


DECAYED_COUNTS: Final = columns(DecayedCounts, FLOAT64S, INT64S)


def no_counts(capacity: int) -> DecayedCounts:
    """So many counts of nothing."""
    return DecayedCounts(np.zeros(capacity), np.zeros(capacity, np.int64))


def forget(decayed: DecayedCounts, dropped: NDArray[np.bool_]) -> None:
    """Count from nothing again where `dropped` (bool[n]) is true, in place."""
    decayed.counts[dropped] = 0
    # A power of two of its time would hide what is counted next, should that be years older.
    decayed.exponents[dropped] = 0


@compiled(FLOAT64(FLOAT64, INT64))
def halved(value: float, times: int) -> float:
    """`value` halved so many times; doubled, if `times` is negative."""
    if -MOST_DOUBLED <= times <= MOST_HALVED:
        return value * HALVES[times + MOST_DOUBLED]  # type: ignore[no-any-return]
    return math.ldexp(value, -min(max(times, -MAX_HALVINGS), MAX_HALVINGS))


@compiled(pair(INT64, FLOAT64)(INT64, INT64))
def weight(ts: int, half_life: int) -> tuple[int, float]:
    """The weight of time `ts` (ms since the epoch, UTC): an exponent of two, and a factor from 1 to 2."""
    return ts // half_life, float(GROWTH[ts % half_life * STEPS // half_life])


@compiled(FLOAT64(INT64, INT64))
def left(age: int, half_life: int) -> float:
    """What is left of 1 after `age`, in the unit of `half_life`."""
    exponent, factor = weight(-age, half_life)
    return halved(factor, -exponent)


@compiled(FLOAT32(INT64, FLOAT64))
def faded(age: int, steps: float) -> np.float32:
    """What is left of 1 after `age` ms, in coarse steps and fast; a ms is `steps` of `FADING`."""
    return FADING[min(int(age * steps), len(FADING) - 1)]  # type: ignore[no-any-return]


@compiled(NOTHING(DECAYED_COUNTS, INT64, INT64, FLOAT64))
def add(decayed: DecayedCounts, slot: int, exponent: int, gain: float) -> None:
    """Add `gain * 2 ** exponent` to the count in `slot`, in place."""
    newer = exponent - decayed.exponents[slot]
    if newer > 0:
        decayed.counts[slot] = halved(decayed.counts[slot], newer) + gain
        decayed.exponents[slot] = exponent
    else:
        decayed.counts[slot] += halved(gain, -newer)


@compiled(FLOAT64(DECAYED_COUNTS, INT64, INT64))
def worth(decayed: DecayedCounts, slot: int, exponent: int) -> float:
    """The count in `slot`, in units of `2 ** exponent`."""
    return halved(decayed.counts[slot], exponent - decayed.exponents[slot])
