"""A decoder in fewer bits: what becomes of its matrices in bfloat16, or in int8 with a scale a row.

Knows: the precisions, and how weights are rounded to them.
Doesn't know: how rounded weights are stored or multiplied (`stored_matrices`), or what the rounding costs (`eval`).

A rounded decoder is a model of its own: its weights are float32 numbers that the precision can hold, so whoever reads
it in float32 (`model`) and whoever stores it in fewer bits (`next_token_step`) speak of the same network.
Vectors (the norms' gains) stay as they are.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from chesslm.config import ModelSection
from chesslm.model import Decoder

Precision = Literal["float32", "bfloat16", "int8"]
LARGEST_INT8 = 127


class RoundedDecoder(Decoder):
    """A decoder whose matrices hold only numbers of a precision.

    Args:
        config: its shape.
        vocabulary_len: its vocabulary.
        precision: of its matrices.
    """

    def __init__(self, config: ModelSection, vocabulary_len: int, precision: Precision) -> None:
        super().__init__(config, vocabulary_len)
        self.precision: Precision = precision


def precision_of(decoder: Decoder) -> Precision:
    """In which the decoder's matrices can be stored without loss."""
    return decoder.precision if isinstance(decoder, RoundedDecoder) else "float32"


def rounded(decoder: Decoder, precision: Precision) -> Decoder:
    """A copy in that precision, for inference, on the same device; the decoder itself for float32.

    >>> decoder = Decoder(ModelSection(width=24, depth=1, heads=3, mlp_width=40, context_len=32), vocabulary_len=11)
    >>> precision_of(rounded(decoder, "int8")), rounded(decoder, "float32") is decoder
    ('int8', True)
    """
    if precision == "float32":
        return decoder
    with torch.random.fork_rng(devices=[]):
        copy = RoundedDecoder(decoder.config, decoder.vocabulary_len, precision)
    copy.load_state_dict(decoder.state_dict())
    with torch.no_grad():
        for weight in copy.parameters():
            if weight.ndim == 2:
                weight.copy_(weight.bfloat16() if precision == "bfloat16" else dequantised(*quantised(weight)))
    return copy.to(decoder.embedding.weight.device).requires_grad_(False).eval()


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers from -127 to 127 (int8) and the scale of each row (float32) whose product is near the weight.

    The largest number of a row is always met, so to quantise what was quantised before changes nothing but rounding.

    >>> quantised(torch.tensor([[1.0, -2.0, 0.5]]))
    (tensor([[  64, -127,   32]], dtype=torch.int8), tensor([0.0157]))
    """
    largest = weight.detach().float().abs().amax(dim=1)
    scales = torch.where(largest > 0, largest / LARGEST_INT8, torch.ones_like(largest))
    return (weight.detach() / scales[:, None]).round().to(torch.int8), scales


def dequantised(numbers: Tensor, scales: Tensor) -> Tensor:
    """The weight again, float32."""
    return numbers.float() * scales[:, None]
