"""Numbers of 32, 16 and 8 bits in compiled loops (numba): what all loops of the next-token step are made of.

Knows: how a loop is compiled, how narrow numbers become float32 and back, an exponential that vectorises, the product
of a stored matrix with a few rows, and what a decoder does between its products but for attention.
Doesn't know: in which order (`next_token_step`), attention (`step_attention`) or the precision (`stored_matrix`).

A bfloat16 is the upper half of a float32 and stands here as the uint16 that it is in memory: numba has no such type.
Two of them are also kept as a uint32, a pair, because to take it apart costs less than to widen them one by one.
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

from chesslm.model import NORM_EPS
from chesslm.quantise import LARGEST_INT8

Floats = npt.NDArray[np.float32]
Numbers = (
    npt.NDArray[np.float32]
    | npt.NDArray[np.uint16]
    | npt.NDArray[np.uint32]
    | npt.NDArray[np.int8]
    | npt.NDArray[np.int32]
)
KernelType = TypeVar("KernelType", bound=Callable[..., Any])

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
_EPS = np.float32(NORM_EPS)
_UPPER = np.uint32(0xFFFF0000)
_SIZE = np.uint32(0x7FFFFFFF)
_LARGEST_INT8 = np.float32(LARGEST_INT8)
_ABOVE = np.float32(128.5)

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


@compiled
def rounded_bits(number: np.float32) -> np.uint32:
    """Bits of a float32 whose upper half is the nearest bfloat16, of two equally near ones the even one."""
    bits = np.float32(number).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
    return np.uint32(bits + np.uint32(0x7FFF) + odd)


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
            return np.uint16(rounded_bits(_number) >> np.uint32(16))

        return to_bfloat16
    return lambda _number, _store: np.float32(_number)


def halves(numbers: Any, _index: int, _half: int) -> tuple[Any, Any]:
    """Numbers `_index` and `_half + _index` of an array of float32, or of pairs, as float32; in compiled loops only."""
    raise NotImplementedError(f"only compiled loops take numbers apart, not {numbers!r}")


def _overload_halves(numbers: types.Array, _index: types.Type, _half: types.Type) -> Callable[..., tuple[Any, Any]]:
    if numbers.dtype == types.uint32:

        def of_pair(numbers: Any, _index: int, _half: int) -> tuple[Any, Any]:
            pair = numbers[_index]
            return np.uint32(pair << np.uint32(16)).view(np.float32), np.uint32(pair & _UPPER).view(np.float32)

        return of_pair
    return lambda numbers, _index, _half: (numbers[_index], numbers[_half + _index])


def put_halves(_first: Any, _second: Any, numbers: Any, _index: int, _half: int) -> None:
    """What `halves` will find; in compiled loops only."""
    raise NotImplementedError(f"only compiled loops put numbers into {numbers!r}")


def _overload_put_halves(
    _first: types.Type, _second: types.Type, numbers: types.Array, _index: types.Type, _half: types.Type
) -> Callable[..., None]:
    if numbers.dtype == types.uint32:

        def put_pair(_first: Any, _second: Any, numbers: Any, _index: int, _half: int) -> None:
            numbers[_index] = rounded_bits(_first) >> np.uint32(16) | rounded_bits(_second) & _UPPER

        return put_pair

    def put_both(_first: Any, _second: Any, numbers: Any, _index: int, _half: int) -> None:
        numbers[_index] = _first
        numbers[_half + _index] = _second

    return put_both


def put_row(_x: Any, out_BC: Any, _row: int, _scales_B: Any) -> None:
    """Put float32 into a row of `out_BC`, in int8 as whole numbers with a scale in `_scales_B`; in loops only."""
    raise NotImplementedError(f"only compiled loops put rows into {out_BC!r}")


def _overload_put_row(
    _x: types.Array, out_BC: types.Array, _row: types.Type, _scales_B: types.Array
) -> Callable[..., None]:
    if out_BC.dtype == types.int8:

        def put_whole_numbers(_x: Any, out_BC: Any, _row: int, _scales_B: Any) -> None:
            largest = np.uint32(0)
            for c in range(len(_x)):
                # As bits: numbers without a sign are in the same order, and the largest of whole ones vectorises.
                largest = max(largest, np.uint32(np.float32(_x[c]).view(np.uint32) & _SIZE))
            scale = np.float32(np.uint32(largest).view(np.float32) / _LARGEST_INT8)
            _scales_B[_row] = scale
            inverse = ONE / scale if scale > ZERO else ZERO
            for c in range(len(_x)):
                # To the nearest: where nothing is below 0, what is cut off is what is above.
                out_BC[_row, c] = np.int8(np.int32(_x[c] * inverse + _ABOVE) - np.int32(128))

        return put_whole_numbers

    def put_narrowed(_x: Any, out_BC: Any, _row: int, _scales_B: Any) -> None:
        for c in range(len(_x)):
            out_BC[_row, c] = narrowed(_x[c], out_BC)

    return put_narrowed


# Not strict: these have annotations, and what they return has none or others.
overload(widened, inline="always", strict=False)(_overload_widened)
overload(narrowed, inline="always", strict=False)(_overload_narrowed)
overload(halves, inline="always", strict=False)(_overload_halves)
overload(put_halves, inline="always", strict=False)(_overload_put_halves)
overload(put_row, strict=False)(_overload_put_row)


@compiled
def exponential(x: np.float32) -> np.float32:
    """exp(x) to a relative 3e-7 (2^n for n from -126 to 127; beyond, these); unlike `np.exp` it vectorises."""
    power = min(max(x * LOG2_E, _SMALLEST), _LARGEST)
    biased = np.int32(power + _BIAS + HALF)
    r = power - (np.float32(biased) - _BIAS)
    fraction = ONE + r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))
    return fraction * np.uint32(np.uint32(biased) << np.uint32(23)).view(np.float32)


@compiled
def multiply(matrix: Numbers, rows: Floats, out: Floats) -> None:
    """Each row times a stored matrix `[out, in]`.

    Row by row of the matrix, which is read once for all rows: for a few of them memory is what takes the time.
    """
    for place in range(matrix.shape[0]):
        numbers = matrix[place]
        for row in range(rows.shape[0]):
            given = rows[row]
            total = ZERO
            for index in range(len(given)):
                total += widened(numbers[index]) * given[index]
            out[row, place] = total


@compiled
def normalise(x_BC: Floats, gain_C: Floats, out_BC: Numbers, out_scales_B: Floats) -> None:
    """`RMSNorm` of each row, put as `put_row` does."""
    normalised_C = np.empty(x_BC.shape[1], dtype=np.float32)
    for row in range(x_BC.shape[0]):
        x_C = x_BC[row]
        squares = ZERO
        for c in range(len(x_C)):
            squares += x_C[c] * x_C[c]
        scale = ONE / np.sqrt(squares / np.float32(len(x_C)) + _EPS)
        for c in range(len(x_C)):
            normalised_C[c] = x_C[c] * scale * gain_C[c]
        put_row(normalised_C, out_BC, row, out_scales_B)


@compiled
def add_product(product_BC: Numbers, scales_C: Floats, scales_B: Floats, x_BC: Floats) -> None:
    """Add a product, times the scales of its columns and of its rows, to the stream `x_BC`."""
    for row in range(x_BC.shape[0]):
        scale = scales_B[row]
        for c in range(x_BC.shape[1]):
            x_BC[row, c] += widened(product_BC[row, c]) * scales_C[c] * scale


@compiled
def gate(gate_up_BX: Numbers, scales_X: Floats, scales_B: Floats, out_BF: Numbers, out_scales_B: Floats) -> None:
    """`silu(gate) * up` of each row's gate and up, a product as in `add_product`; put as `put_row` does."""
    size = out_BF.shape[1]
    gated_F = np.empty(size, dtype=np.float32)
    for row in range(out_BF.shape[0]):
        scale = scales_B[row]
        for f in range(size):
            gate_f = widened(gate_up_BX[row, f]) * scales_X[f] * scale
            up_f = widened(gate_up_BX[row, size + f]) * scales_X[size + f] * scale
            gated_F[f] = gate_f / (ONE + exponential(-gate_f)) * up_f
        put_row(gated_F, out_BF, row, out_scales_B)
