"""A weight matrix as the next-token step stores and multiplies it: in float32, bfloat16, or int8 with a scale a row.

Knows: which product is fastest for how many rows: a compiled loop over the matrix's rows for a few, torch for many.
Doesn't know: what the matrix is for (`next_token_step`), or how weights are rounded (`quantise`).

Rows are multiplied as they come (`rows_dtype`). A few are float32 and multiplied exactly. Many may be what the
processor multiplies itself: bfloat16, twice as fast as float32, with sums in float32 that come out as bfloat16; or int8
by int8, twice as fast again, with sums that are whole numbers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chesslm.quantise import Precision, multiplies_bfloat16, multiplies_int8, quantised
from chesslm.step_kernels import Floats, Numbers, multiply

# Up to here the loop, which reads the matrix once and is bound by memory, beats torch's product.
_FEW_ROWS = 4


def rows_dtype(num_rows: int, precision: Precision) -> torch.dtype:
    """In which so many rows are best multiplied by matrices of a precision; int8 rows have a scale each."""
    if precision == "float32" or num_rows <= _FEW_ROWS:
        return torch.float32
    if precision == "int8" and multiplies_int8():
        return torch.int8
    return torch.bfloat16 if multiplies_bfloat16() else torch.float32


def product_dtype(rows: torch.dtype) -> torch.dtype:
    """What comes out of a product of such rows."""
    return torch.int32 if rows == torch.int8 else rows


class StoredMatrix:
    """Multiplies rows by a weight `[out, in]`.

    Args:
        weight: float32, contiguous; rounded to the precision already. In float32 it isn't copied for a few rows.
        precision: to store it in.

    Attributes:
        ones: the scales where there is nothing to multiply by.
    """

    def __init__(self, weight: Tensor, precision: Precision) -> None:
        self._weight = weight.detach()
        self._stored = self._weight
        self.ones: Floats = np.ones(len(weight), dtype=np.float32)
        self._scales = self.ones
        if precision == "bfloat16":
            self._stored = self._weight.bfloat16()
        elif precision == "int8":
            self._stored, scales = quantised(self._weight)
            self._scales = scales.numpy()
        self._numbers = as_numbers(self._stored)
        self._for_many: dict[torch.dtype, Tensor] = {}

    def times(self, rows: Tensor, out: Tensor) -> Floats:
        """The product of rows `[B, in]`, put into `out` `[B, out]` of `product_dtype`; both contiguous.

        Returns:
            What each column of it is still to be multiplied by, `[out]`: nobody should need a pass for that alone.
        """
        if rows.dtype == torch.float32 and len(rows) <= _FEW_ROWS:
            multiply(self._numbers, rows.numpy(), out.numpy())
            return self._scales
        if rows.dtype not in self._for_many:
            # Transposed once: torch's product takes a fifth longer if it does that itself every time.
            many = self._weight if rows.dtype == torch.float32 else self._stored.to(rows.dtype)
            self._for_many[rows.dtype] = many.t().contiguous()
        multiply_many = torch._int_mm if rows.dtype == torch.int8 else torch.mm
        multiply_many(rows, self._for_many[rows.dtype], out=out)
        return self.ones if rows.dtype == torch.float32 else self._scales


def as_numbers(numbers: Tensor) -> Numbers:
    """A tensor as loops take it: its own memory, bfloat16 as uint16."""
    found: Numbers = (
        numbers.view(torch.int16).numpy().view(np.uint16) if numbers.dtype == torch.bfloat16 else numbers.numpy()
    )
    return found
