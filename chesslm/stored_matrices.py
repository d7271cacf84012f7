"""Weight matrices as the next-token step stores them: in float32, bfloat16, or int8 with a scale a row.

Knows: in which numbers and in which order matrices lie, so that a loop over them reads memory from end to end.
Doesn't know: what they are for (`next_token_step`), their product (`bfloat16_dots.product`), or rounding (`quantise`).

Tensor key: L matrices of the same shape · I numbers given · O numbers that come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chesslm.bfloat16_dots import Pairs, packed
from chesslm.quantise import Precision, quantised
from chesslm.step_kernels import Floats, Numbers


@dataclass(frozen=True, slots=True)
class StoredMatrices:
    """Matrices side by side.

    Args:
        numbers: `[L, I, O]`: float32, bfloat16 as uint16, or int8.
        pairs: the same for many rows (`bfloat16_dots.packed`): none in float32.
        scales: what each number that comes out is still to be multiplied by, `[L, O]`: ones but for int8.
    """

    numbers: Numbers
    pairs: Pairs
    scales: Floats

    @classmethod
    def of(cls, weights_OI: Sequence[Tensor], precision: Precision) -> StoredMatrices:
        """Copies of torch's weights, float32, of one shape, and rounded to the precision already (`quantise`)."""
        weights_LOI = torch.stack([weight.detach() for weight in weights_OI])
        scales = np.ones(weights_LOI.shape[:2], dtype=np.float32)
        if precision == "int8":
            pairs = [quantised(weight) for weight in weights_LOI]
            stored_LOI = torch.stack([numbers for numbers, _ in pairs])
            scales = torch.stack([scales_O for _, scales_O in pairs]).numpy()
        elif precision == "bfloat16":
            stored_LOI = weights_LOI.bfloat16().view(torch.int16)
        else:
            stored_LOI = weights_LOI
        numbers: Numbers = stored_LOI.transpose(1, 2).contiguous().numpy()
        if precision == "float32":
            return cls(numbers, packed(weights_LOI[:, :0]), scales)
        if precision == "bfloat16":
            return cls(numbers.view(np.uint16), packed(weights_LOI), scales)
        return cls(numbers, packed(stored_LOI.float()), scales)  # bfloat16 holds whole numbers up to 256
