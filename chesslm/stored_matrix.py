"""A weight matrix as the next-token step stores and multiplies it: in float32, bfloat16, or int8 with a scale a row.

Knows: which product is fastest for how many rows: a compiled loop over the matrix's rows for a few, torch for many.
Doesn't know: what the matrix is for (`next_token_step`), or how weights are rounded (`quantise`).

Sums are always float32. A few rows are multiplied exactly as they are. Many rows are rounded to bfloat16 first where
the matrix isn't float32 and the processor multiplies bfloat16 itself: that is twice as fast.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chesslm.quantise import Precision, multiplies_bfloat16, quantised
from chesslm.step_kernels import Floats, Numbers, multiply

# Up to here the loop, which reads the matrix once and is bound by memory, beats torch's product.
_FEW_ROWS = 4


class StoredMatrix:
    """Multiplies rows by a weight `[out, in]`.

    Args:
        weight: float32, contiguous; rounded to the precision already. In float32 it isn't copied for a few rows.
        precision: to store it in.
    """

    def __init__(self, weight: Tensor, precision: Precision) -> None:
        self._weight = weight.detach()
        self._scales = torch.empty(0)
        self._stored = self._weight
        if precision == "bfloat16":
            self._stored = self._weight.bfloat16()
        elif precision == "int8":
            self._stored, self._scales = quantised(self._weight)
        self._numbers = as_numbers(self._stored)
        self._scales_array: Floats = self._scales.numpy()
        self._for_many: Tensor | None = None
        self._rounds_rows = precision != "float32" and multiplies_bfloat16()

    def times(self, rows: Tensor, out: Tensor, *, is_added: bool = False) -> None:
        """The product of float32 rows `[B, in]`, put into `out` `[B, out]` or added to it; both contiguous."""
        if len(rows) <= _FEW_ROWS:
            multiply(self._numbers, self._scales_array, rows.numpy(), is_added, out.numpy())
            return
        if self._for_many is None:
            # Transposed once: torch's product takes a fifth longer if it does that itself every time.
            many = self._stored.bfloat16() if self._rounds_rows else self._weight
            self._for_many = many.t().contiguous()
        if not self._rounds_rows:
            if is_added:
                out.addmm_(rows, self._for_many)
            else:
                torch.mm(rows, self._for_many, out=out)
            return
        product = torch.mm(rows.bfloat16(), self._for_many)
        if not len(self._scales):
            out.add_(product) if is_added else out.copy_(product)
        elif is_added:
            out.addcmul_(product, self._scales)
        else:
            torch.mul(product, self._scales, out=out)


def as_numbers(numbers: Tensor) -> Numbers:
    """A tensor as loops take it: its own memory, bfloat16 as uint16."""
    found: Numbers = (
        numbers.view(torch.int16).numpy().view(np.uint16) if numbers.dtype == torch.bfloat16 else numbers.numpy()
    )
    return found
