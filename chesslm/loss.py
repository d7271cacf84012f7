"""The loss of a micro-batch: what training descends and validation reports.

Knows: that padding is dropped before the head (the head and the softmax over a large vocabulary are a good part of a
small model's work), and that sums, not means, add up over micro-batches.
Doesn't know: steps, optimisers, devices.

Tensor key: B rows, T tokens, C width, N real tokens of all rows, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from chesslm.batches import MicroBatch
from chesslm.model import Decoder


def summed_nats(model: Decoder, batch: MicroBatch) -> Tensor:
    """−ln p(next token) summed over the real tokens of a batch: a float32 scalar.

    Divided by the number of targets of a whole step it is the step's loss; micro-batches add up to it exactly.
    """
    hidden_NC = model.hidden(batch.tokens_BT, lens_G=batch.lens_G).flatten(0, 1)
    if batch.real_N is not None:
        hidden_NC = hidden_NC.index_select(0, batch.real_N)  # (B*T, C) -> (N, C)
    logits_NV = model.head(hidden_NC)
    return functional.cross_entropy(logits_NV.float(), batch.targets_N, reduction="sum")


def autocast(device: torch.device, dtype: str) -> torch.autocast:
    """The context in which the loss is computed: bfloat16 products where the configuration asks for it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == "bfloat16")
