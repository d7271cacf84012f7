"""Products of many rows in bfloat16 by the processor's own instruction for them (AVX512-BF16), in compiled loops.

Knows: how matrices and rows are laid out for it, whether numba compiles for a processor that has it, and for how many
rows it pays.
Doesn't know: what the matrices are for (`next_token_step`), or the product in float32 (`step_kernels.multiply`).

The instruction multiplies two neighbouring numbers of a row with two of a matrix, adds both to a float32, and does so
for 16 columns at once: twice as many products a cycle as float32 has. LLVM doesn't find it by itself, so the innermost
loop is written in LLVM's own terms here: sums of four rows and 32 columns stay in registers from the first number to
the last.

Tensor key: B rows · I numbers given · J pairs of them, I/2 · O columns · G groups of 32 columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from torch import Tensor

from chesslm.step_kernels import Floats, Numbers, compiled, multiply, rounded_bits

Pairs = npt.NDArray[np.uint32]

_LANES = 16
_COLUMNS_OF_A_GROUP = 2 * _LANES
_ROWS_AT_ONCE = 4
_UPPER = np.uint32(0xFFFF0000)
# Fewer rows are multiplied as they are: then it is reading the matrix that takes the time.
_FEWEST_ROWS = 4


class _BFloat(ir.types.Type):  # type: ignore[misc]
    """A type that LLVM has and llvmlite doesn't name."""

    def __str__(self) -> str:
        return "bfloat"


def multiplies_pairs() -> bool:
    """Whether numba compiles for a processor with the instruction."""
    # What `NUMBA_CPU_NAME` and the like have changed is in it.
    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return "+avx512bf16" in features.split(",")


def packed(weights_LOI: Tensor) -> Pairs:
    """Weights that bfloat16 can hold as the loop reads them, `[L, G, J, 32]`; no groups where it can't be used."""
    L, O, I = weights_LOI.shape
    if not multiplies_pairs() or O % _COLUMNS_OF_A_GROUP or I % 2:
        return np.empty((L, 0, I // 2, _COLUMNS_OF_A_GROUP), dtype=np.uint32)
    pairs_LOJ = weights_LOI.bfloat16().contiguous().view(torch.int32)
    grouped = pairs_LOJ.reshape(L, O // _COLUMNS_OF_A_GROUP, _COLUMNS_OF_A_GROUP, I // 2).transpose(2, 3)
    found: Pairs = grouped.contiguous().numpy().view(np.uint32)
    return found


def _add_dots(_context: Any, pairs: Any, places: Any, group: Any, start: Any, out: Any, outs: Any) -> Any:
    """Sums of products of four rows with a group, put into `out`.

    Args (in a compiled loop):
        pairs: rows in pairs, one after the other.
        places: where in them the four begin.
        group: groups, one after the other, `[G, J, 32]`.
        start: where in them this one begins.
        out: what comes out, row after row.
        outs: where in it the four begin.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(index: int) -> Any:
            return context.make_array(signature.args[index])(context, builder, arguments[index])

        def vector(pointer: Any, place: Any, kind: Any) -> Any:
            return builder.load(builder.bitcast(builder.gep(pointer, [place]), kind.as_pointer()), align=4)

        pairs_array, group_array, out_array = data(0), data(2), data(4)
        num_pairs = cgutils.unpack_tuple(builder, group_array.shape)[1]
        word, floats = ir.IntType(32), ir.VectorType(ir.FloatType(), _LANES)
        words, halves = ir.VectorType(word, _LANES), ir.VectorType(_BFloat(), 2 * _LANES)
        dots = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(floats, [floats, halves, halves]),
            "llvm.x86.avx512bf16.dpbf16ps.512",
        )
        zero = ir.Constant(floats, [0.0] * _LANES)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(2)] for _ in range(_ROWS_AT_ONCE)]
        for row in sums:
            for place in row:
                builder.store(zero, place)
        row_starts = cgutils.unpack_tuple(builder, arguments[1])
        out_starts = cgutils.unpack_tuple(builder, arguments[5])

        def constant(number: int) -> Any:
            return ir.Constant(num_pairs.type, number)

        with cgutils.for_range(builder, num_pairs) as loop:
            at = builder.add(arguments[3], builder.mul(loop.index, constant(_COLUMNS_OF_A_GROUP)))
            columns = [
                builder.bitcast(vector(group_array.data, builder.add(at, constant(offset)), words), halves)
                for offset in (0, _LANES)
            ]
            for row, start_of_row in zip(sums, row_starts, strict=True):
                pair = builder.load(builder.gep(pairs_array.data, [builder.add(start_of_row, loop.index)]))
                one = builder.insert_element(ir.Constant(words, ir.Undefined), pair, ir.Constant(word, 0))
                spread = builder.shuffle_vector(one, ir.Constant(words, ir.Undefined), ir.Constant(words, [0] * _LANES))
                for place, column in zip(row, columns, strict=True):
                    builder.store(
                        builder.call(dots, [builder.load(place), builder.bitcast(spread, halves), column]), place
                    )
        for row, start_of_out in zip(sums, out_starts, strict=True):
            for place, offset in zip(row, (0, _LANES), strict=True):
                pointer = builder.gep(out_array.data, [builder.add(start_of_out, constant(offset))])
                builder.store(builder.load(place), builder.bitcast(pointer, floats.as_pointer()), align=4)
        return context.get_dummy_value()

    def nothing(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return context.get_dummy_value()

    # Where the instruction is missing nobody comes here (`packed` gives no groups), but it is compiled all the same.
    return types.void(pairs, places, group, start, out, outs), generate if multiplies_pairs() else nothing


_add_dots_of_four: Any = intrinsic(_add_dots)


@compiled
def multiply_pairs(rows_BI: Floats, matrix_GJO: Pairs, pairs_BJ: Pairs, out_BO: Floats) -> None:
    """The product of rows, rounded to bfloat16, with a packed matrix; sums are float32.

    Args:
        rows_BI: the rows.
        matrix_GJO: of `packed`, not empty.
        pairs_BJ: written to; as wide as the widest such product needs it.
        out_BO: the product.
    """
    num_rows, num_pairs = len(rows_BI), matrix_GJO.shape[1]
    stride, num_columns = pairs_BJ.shape[1], out_BO.shape[1]
    for row in range(num_rows):
        row_I, row_J = rows_BI[row], pairs_BJ[row]
        for j in range(num_pairs):
            row_J[j] = rounded_bits(row_I[2 * j]) >> np.uint32(16) | rounded_bits(row_I[2 * j + 1]) & _UPPER
    last = num_rows - 1
    for group in range(len(matrix_GJO)):
        start, column = group * num_pairs * 32, group * 32
        for a in range(0, num_rows, 4):
            # What is left of the rows is multiplied with the last one in place of those that there aren't.
            b, c, d = min(a + 1, last), min(a + 2, last), min(a + 3, last)
            places = (a * stride, b * stride, c * stride, d * stride)
            outs = (
                a * num_columns + column,
                b * num_columns + column,
                c * num_columns + column,
                d * num_columns + column,
            )
            _add_dots_of_four(pairs_BJ, places, matrix_GJO, start, out_BO, outs)


@compiled
def product(rows_BI: Floats, matrix_IO: Numbers, matrix_GJO: Pairs, pairs_BJ: Pairs, out_BO: Floats) -> None:
    """The product of rows with a matrix that is stored in both ways, by whichever is faster."""
    if len(matrix_GJO) > 0 and len(rows_BI) >= _FEWEST_ROWS:
        multiply_pairs(rows_BI, matrix_GJO, pairs_BJ, out_BO)
    else:
        multiply(rows_BI, matrix_IO, out_BO)
