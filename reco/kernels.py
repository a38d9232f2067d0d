"""How the inner loops over arrays are compiled: ahead of use, with fixed types, the same bits in every run.

A kernel never compiles while a list waits: its types are given, so it is compiled (or read from numba's
cache beside the file) when its module is imported. The cache knows a kernel by its own file only: after
a change of a kernel or a constant that kernels of other files use, delete their `__pycache__`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

NOTHING = types.void
BOOL = types.boolean
INT32 = types.int32
INT64 = types.int64
UINT64 = types.uint64
FLOAT32 = types.float32
FLOAT64 = types.float64
BOOLS = types.boolean[::1]
INT8S = types.int8[::1]
INT32S = types.int32[::1]
INT64S = types.int64[::1]
UINT64S = types.uint64[::1]
FLOAT32S = types.float32[::1]
FLOAT64S = types.float64[::1]
INT32_ROWS = types.int32[:, ::1]
INT64_ROWS = types.int64[:, ::1]
UINT64_ROWS = types.uint64[:, ::1]
FLOAT32_ROWS = types.float32[:, ::1]
FLOAT32_CUBES = types.float32[:, :, ::1]
FLOAT64_ROWS = types.float64[:, ::1]

CACHE_LINE: Final = 64
"""Bytes that a processor fetches from memory at once."""

# No kernel is called from C, for which numba compiles each a second time.
HOW: Final = {"error_model": "numpy", "no_cfunc_wrapper": True}


def columns(kind: type[tuple[Any, ...]], *fields: object) -> Any:
    """The type, in signatures, of a named tuple whose fields have these types."""
    if len(set(fields)) == 1:
        return types.NamedUniTuple(fields[0], len(fields), kind)
    return types.NamedTuple(fields, kind)


def pair(first: object, second: object) -> Any:
    """The type, in signatures, of a tuple of two."""
    return types.Tuple((first, second))


def compiled(signature: object, *, inline: bool = False) -> Callable[[Kernel], Kernel]:
    """Compile a function for the types of `signature`; without `fastmath`, so that sums keep their order.

    With `inline` its code becomes a part of each kernel that calls it. That is for what is called in an inner
    loop and given arrays: to hand over one takes as long as some ten sums.
    """
    how = {**HOW, "forceinline": inline}

    def decorate(function: Kernel) -> Kernel:
        try:
            kernel = njit(signature, cache=True, **how)(function)
        except RuntimeError:
            # Nowhere to keep a cache, as in a read-only container: compile anew at each start.
            kernel = njit(signature, **how)(function)
        return cast("Kernel", kernel)

    return decorate


@compiled(NOTHING(FLOAT32S, FLOAT32S))
def copy(source: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Write all of `source` to `target`; an assignment takes numba seconds, for an error that cannot be."""
    for place in range(len(source)):
        target[place] = source[place]


def _prefetch(_: Any, rows: Any, row: Any) -> tuple[Any, Callable[..., Any]]:
    """The signature of `prefetch`, and what writes its code."""

    def write(context: Any, builder: Any, signature: Any, given: Sequence[Any]) -> Any:
        table = make_array(signature.args[0])(context, builder, given[0])
        place = context.cast(builder, given[1], signature.args[1], types.intp)
        start = cgutils.get_item_pointer(
            context, builder, signature.args[0], table, (place, place.type(0)), wraparound=False
        )
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        for line in range(2):
            address = builder.gep(builder.bitcast(start, byte), [place.type(line * CACHE_LINE)])
            builder.call(fetch, [address, number(0), number(3), number(1)])  # to read, often, data
        return context.get_dummy_value()

    return NOTHING(rows, row), write


prefetch: Callable[[NDArray[Any], int], None] = intrinsic(_prefetch)
"""In a kernel, `prefetch(rows, row)` has the processor fetch `rows[row]`, its first two cache lines.

Nobody waits for it. Who comes to the row some hundred instructions later finds it at hand: where rows lie far
apart in memory, waiting for them one after the other takes longer than what is done with them.
"""
