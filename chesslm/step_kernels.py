"""Numbers of 32, 16 and 8 bits in compiled loops (numba): what all loops of the next-token step are made of.

Knows: how a loop is compiled, how narrow numbers become float32 and back, an exponential that vectorises, the product
of rows with a stored matrix, and what a decoder does between its products but for attention.
Doesn't know: in which order (`next_token_step`), attention (`step_attention`) or the precision (`stored_matrices`).

A bfloat16 is the upper half of a float32 and stands here as the uint16 that it is in memory: numba has no such type.
Two of them are also kept as a uint32, a pair, because to take it apart costs less than to widen them one by one.
Loops are written so that LLVM vectorises them: no branch inside, no call that it doesn't see through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic, overload

from chesslm.model import NORM_EPS

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.uint16] | npt.NDArray[np.uint32] | npt.NDArray[np.int8]
KernelType = TypeVar("KernelType", bound=Callable[..., Any])

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
_EPS = np.float32(NORM_EPS)
_UPPER = np.uint32(0xFFFF0000)

# exp(x) = 2^n 2^r with a whole n and |r| <= 1/2; Taylor's series of 2^r, whose next term is below 1e-8.
LOG2_E = np.float32(1.4426950408889634)
_SMALLEST, _LARGEST = np.float32(-126.0), np.float32(127.0)
_BIAS = np.float32(127.0)
_LN2 = 0.6931471805599453
_C1, _C2, _C3 = np.float32(_LN2), np.float32(_LN2**2 / 2), np.float32(_LN2**3 / 6)
_C4, _C5, _C6 = np.float32(_LN2**4 / 24), np.float32(_LN2**5 / 120), np.float32(_LN2**6 / 720)
_C7 = np.float32(_LN2**7 / 5040)


_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "error_model": "numpy",
}


def compiled(function: KernelType) -> KernelType:
    """Compiled when first called, without Python's lock; part of whichever compiled function calls it."""
    kernel: KernelType = numba.njit(**_OPTIONS)(function)
    return kernel


def compiled_and_kept(*files: str) -> Callable[[KernelType], KernelType]:
    """Compiled like that, and the machine code is kept beside the source where it can be.

    Args:
        files: sources of all that it calls. numba looks for changes in the function's own file only; it would go on
            with the old code of others.
    """

    def compile_and_keep(function: KernelType) -> KernelType:
        sources = hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()
        function.__qualname__ += f"_{sources[:16]}"  # part of the name of what is kept
        try:
            kernel: KernelType = numba.njit(cache=True, **_OPTIONS)(function)
        except RuntimeError:  # "cannot cache function": neither the package's folder nor the user's can be written
            kernel = compiled(function)
        return kernel

    return compile_and_keep


def _arrays_apart(_context: Any) -> tuple[Any, Callable[..., Any]]:
    """Said in a compiled loop: no array that it is given shares memory with another one that is written to.

    LLVM then vectorises without asking. What it would ask before a loop over rows, whether all that is written through
    one name lies apart from all that is written through another, is answered with no where both walk through a matrix.
    """

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        for argument in builder.function.args:
            # An array's fifth member is where its numbers lie. Were it another one, this would be in vain, not wrong.
            if argument.name.startswith("arg.") and argument.name.endswith(".4") and argument.type.is_pointer:
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.void(), generate


arrays_apart: Any = intrinsic(_arrays_apart)


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


# Not strict: these have annotations, and what they return has none or others.
overload(widened, inline="always", strict=False)(_overload_widened)
overload(halves, inline="always", strict=False)(_overload_halves)
overload(put_halves, inline="always", strict=False)(_overload_put_halves)


@compiled
def exponential(x: np.float32) -> np.float32:
    """exp(x) to a relative 3e-7 (2^n for n from -126 to 127; beyond, these); unlike `np.exp` it vectorises."""
    power = min(max(x * LOG2_E, _SMALLEST), _LARGEST)
    biased = np.int32(power + _BIAS + HALF)
    r = power - (np.float32(biased) - _BIAS)
    fraction = ONE + r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))
    return fraction * np.uint32(np.uint32(biased) << np.uint32(23)).view(np.float32)


@compiled
def _add_eight_to_four(
    rows_4I: Floats, i: int, eight_8O: Numbers, out_a: Floats, out_b: Floats, out_c: Floats, out_d: Floats
) -> None:
    """Eight numbers each of four rows, from `i`, times eight rows of a matrix."""
    arrays_apart()
    a, b, c, d = rows_4I[0], rows_4I[1], rows_4I[2], rows_4I[3]
    a0, a1, a2, a3, a4, a5, a6, a7 = a[i], a[i + 1], a[i + 2], a[i + 3], a[i + 4], a[i + 5], a[i + 6], a[i + 7]
    b0, b1, b2, b3, b4, b5, b6, b7 = b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7]
    c0, c1, c2, c3, c4, c5, c6, c7 = c[i], c[i + 1], c[i + 2], c[i + 3], c[i + 4], c[i + 5], c[i + 6], c[i + 7]
    d0, d1, d2, d3, d4, d5, d6, d7 = d[i], d[i + 1], d[i + 2], d[i + 3], d[i + 4], d[i + 5], d[i + 6], d[i + 7]
    for o in range(len(out_a)):
        m0, m1, m2, m3 = (
            widened(eight_8O[0, o]),
            widened(eight_8O[1, o]),
            widened(eight_8O[2, o]),
            widened(eight_8O[3, o]),
        )
        m4, m5, m6, m7 = (
            widened(eight_8O[4, o]),
            widened(eight_8O[5, o]),
            widened(eight_8O[6, o]),
            widened(eight_8O[7, o]),
        )
        out_a[o] += a0 * m0 + a1 * m1 + a2 * m2 + a3 * m3 + a4 * m4 + a5 * m5 + a6 * m6 + a7 * m7
        out_b[o] += b0 * m0 + b1 * m1 + b2 * m2 + b3 * m3 + b4 * m4 + b5 * m5 + b6 * m6 + b7 * m7
        out_c[o] += c0 * m0 + c1 * m1 + c2 * m2 + c3 * m3 + c4 * m4 + c5 * m5 + c6 * m6 + c7 * m7
        out_d[o] += d0 * m0 + d1 * m1 + d2 * m2 + d3 * m3 + d4 * m4 + d5 * m5 + d6 * m6 + d7 * m7


@compiled
def _add_eight(row_I: Floats, i: int, eight_8O: Numbers, out_O: Floats) -> None:
    """Eight numbers of a row, from `i`, times eight rows of a matrix."""
    arrays_apart()
    a0, a1, a2, a3 = row_I[i], row_I[i + 1], row_I[i + 2], row_I[i + 3]
    a4, a5, a6, a7 = row_I[i + 4], row_I[i + 5], row_I[i + 6], row_I[i + 7]
    for o in range(len(out_O)):
        m0, m1, m2, m3 = (
            widened(eight_8O[0, o]),
            widened(eight_8O[1, o]),
            widened(eight_8O[2, o]),
            widened(eight_8O[3, o]),
        )
        m4, m5, m6, m7 = (
            widened(eight_8O[4, o]),
            widened(eight_8O[5, o]),
            widened(eight_8O[6, o]),
            widened(eight_8O[7, o]),
        )
        out_O[o] += a0 * m0 + a1 * m1 + a2 * m2 + a3 * m3 + a4 * m4 + a5 * m5 + a6 * m6 + a7 * m7


@compiled
def multiply(rows_BI: Floats, matrix_IO: Numbers, out_BO: Floats) -> None:
    """The product of rows with a stored matrix, in float32.

    Eight numbers of each of four rows are multiplied with eight rows of the matrix at a time: those are then read
    from the nearest cache for all rows, what they are added to is read and written once for the eight, and one row
    alone, too, reads the matrix from one end to the other.
    """
    num_rows, size = rows_BI.shape
    num_in_fours, num_in_eights = num_rows // 4 * 4, size // 8 * 8
    out_BO[:] = ZERO
    for i in range(0, num_in_eights, 8):
        eight_8O = matrix_IO[i : i + 8]
        for row in range(0, num_in_fours, 4):
            outs = (out_BO[row], out_BO[row + 1], out_BO[row + 2], out_BO[row + 3])
            _add_eight_to_four(rows_BI[row : row + 4], i, eight_8O, *outs)
        for row in range(num_in_fours, num_rows):
            _add_eight(rows_BI[row], i, eight_8O, out_BO[row])
    for i in range(num_in_eights, size):
        for row in range(num_rows):
            for o in range(out_BO.shape[1]):
                out_BO[row, o] += rows_BI[row, i] * widened(matrix_IO[i, o])


@compiled
def normalise(x_BC: Floats, gain_C: Floats, out_BC: Floats) -> None:
    """`RMSNorm` of each row."""
    for row in range(x_BC.shape[0]):
        x_C, out_C = x_BC[row], out_BC[row]
        squares = ZERO
        for c in range(len(x_C)):
            squares += x_C[c] * x_C[c]
        scale = ONE / np.sqrt(squares / np.float32(len(x_C)) + _EPS)
        for c in range(len(x_C)):
            out_C[c] = x_C[c] * scale * gain_C[c]


@compiled
def add_product(product_BC: Floats, scales_C: Floats, x_BC: Floats) -> None:
    """Add a product, times the scales of its columns, to the stream `x_BC`."""
    for row in range(x_BC.shape[0]):
        for c in range(x_BC.shape[1]):
            x_BC[row, c] += product_BC[row, c] * scales_C[c]


@compiled
def gate(gate_up_BX: Floats, scales_X: Floats, out_BF: Floats) -> None:
    """`silu(gate) * up` of each row's gate and up, a product as in `add_product`."""
    size = out_BF.shape[1]
    for row in range(out_BF.shape[0]):
        for f in range(size):
            gate_f = gate_up_BX[row, f] * scales_X[f]
            up_f = gate_up_BX[row, size + f] * scales_X[size + f]
            out_BF[row, f] = gate_f / (ONE + exponential(-gate_f)) * up_f
