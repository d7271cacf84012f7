"""Numbers of 32, 16 and 8 bits in compiled loops (numba): what all loops of the next-token step are made of.

Knows: how a loop is compiled, how narrow numbers become float32 and back, an exponential that vectorises, and the
product of a stored matrix with a few rows.
Doesn't know: the decoder (`next_token_step`) or which precision it is in (`stored_matrix`).

A bfloat16 is the upper half of a float32 and stands here as the uint16 that it is in memory: numba has no such type.
Loops are written so that LLVM vectorises them: no branch inside, no call that it doesn't see through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.uint16] | npt.NDArray[np.int8]
KernelType = TypeVar("KernelType", bound=Callable[..., Any])

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)

# exp(x) = 2^n 2^r with a whole n and |r| <= 1/2; Taylor's series of 2^r, whose next term is below 1e-8.
LOG2_E = np.float32(1.4426950408889634)
_SMALLEST, _LARGEST = np.float32(-126.0), np.float32(127.0)
_BIAS = np.float32(127.0)
_LN2 = 0.6931471805599453
_C1, _C2, _C3 = np.float32(_LN2), np.float32(_LN2**2 / 2), np.float32(_LN2**3 / 6)
_C4, _C5, _C6 = np.float32(_LN2**4 / 24), np.float32(_LN2**5 / 120), np.float32(_LN2**6 / 720)
_C7 = np.float32(_LN2**7 / 5040)


def compiled(function: KernelType) -> KernelType:
    """Compiled when first called, without Python's lock; the machine code is kept beside the source where it can be."""
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
        "error_model": "numpy",
    }
    try:
        kernel: KernelType = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function": neither the package's folder nor the user's cache can be written
        kernel = numba.njit(**options)(function)
    return kernel


def widened(number: Any) -> Any:
    """A float32, a bfloat16's uint16 or an int8 as a float32; in compiled loops only."""
    raise NotImplementedError(f"only compiled loops widen numbers, not {number!r}")


def _overload_widened(number: types.Type) -> Callable[[Any], Any]:
    if number == types.uint16:
        return lambda number: np.uint32(np.uint32(number) << np.uint32(16)).view(np.float32)
    return lambda number: np.float32(number)


def narrowed(_number: Any, _store: Any) -> Any:
    """A float32 as `_store` (an array of float32, or of bfloat16's uint16) holds it; in compiled loops only."""
    raise NotImplementedError("only compiled loops narrow numbers")


def _overload_narrowed(_number: types.Type, _store: types.Array) -> Callable[[Any, Any], Any]:
    if _store.dtype == types.uint16:

        def to_bfloat16(_number: Any, _store: Any) -> Any:
            bits = np.float32(_number).view(np.uint32)
            # To the nearest, of two equally near ones to the even one.
            odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
            return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))

        return to_bfloat16
    return lambda _number, _store: np.float32(_number)


# Not strict: these have annotations, and what they return has none or others.
overload(widened, inline="always", strict=False)(_overload_widened)
overload(narrowed, inline="always", strict=False)(_overload_narrowed)


@compiled
def exponential(x: np.float32) -> np.float32:
    """exp(x) to a relative 3e-7 (2^n for n from -126 to 127; beyond, these); unlike `np.exp` it vectorises."""
    power = min(max(x * LOG2_E, _SMALLEST), _LARGEST)
    biased = np.int32(power + _BIAS + HALF)
    r = power - (np.float32(biased) - _BIAS)
    fraction = ONE + r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))
    return fraction * np.uint32(np.uint32(biased) << np.uint32(23)).view(np.float32)


@compiled
def multiply(matrix: Numbers, scales: Floats, rows: Floats, is_added: bool, out: Floats) -> None:
    """Each row times a stored matrix `[out, in]`, whose rows have scales if there are any; added to `out` or put there.

    Row by row of the matrix, which is read once for all rows: for a few of them memory is what takes the time.
    """
    num_scales = len(scales)
    for place in range(matrix.shape[0]):
        numbers = matrix[place]
        scale = scales[place] if num_scales else ONE
        for row in range(rows.shape[0]):
            given = rows[row]
            total = ZERO
            for index in range(len(given)):
                total += widened(numbers[index]) * given[index]
            total *= scale
            out[row, place] = out[row, place] + total if is_added else total
