"""What a decoder holds at some places of a text: its residual stream after the embedding and after each block.

Knows: torch's forward hooks, which read a network that knows nothing of being read.
Doesn't know: chess, or what is done with the vectors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from chesslm.model import Decoder
from chesslm.token_model import batches_by_length


@torch.inference_mode()
def residual_streams(
    model: Decoder,
    texts: Sequence[Sequence[int]],
    places: Sequence[Sequence[int]],
    *,
    told: Callable[[int], None] = lambda _done: None,
) -> Tensor:
    """The stream after each layer, (layers, places of all texts in order, width), float32 on the CPU.

    Layer 0 is the embedding, layer n the sum that leaves block n. Each text is read once.

    Args:
        model: the network, in evaluation mode.
        texts: token ids; each fits into the context.
        places: for each text the indices of the tokens that are wanted.
        told: how many texts have been read so far.
    """
    ends = list(itertools.accumulate((len(wanted) for wanted in places), initial=0))
    found = torch.empty(model.config.depth + 1, ends[-1], model.config.width)
    device = model.embedding.weight.device
    num_read = 0
    for batch in batches_by_length([len(text) for text in texts], extra=0):
        # Padded on the right: causal attention never lets a token see the padding.
        tokens = np.zeros((len(batch), max(len(texts[index]) for index in batch)), dtype=np.int64)
        for row, index in enumerate(batch):
            tokens[row, : len(texts[index])] = texts[index]
        rows = [row for row, index in enumerate(batch) for _ in places[index]]
        columns = [place for index in batch for place in places[index]]
        slots = [slot for index in batch for slot in range(ends[index], ends[index + 1])]
        for layer, stream in enumerate(_streams(model, torch.from_numpy(tokens).to(device))):
            found[layer, slots] = stream[rows, columns].float().cpu()
        num_read += len(batch)
        told(num_read)
    return found


def _streams(model: Decoder, tokens: Tensor) -> list[Tensor]:
    """(rows, columns, width) after the embedding and each block."""
    streams: list[Tensor] = []

    def keep(_module: nn.Module, _arguments: object, output: Tensor) -> None:
        streams.append(output)

    hooks = [module.register_forward_hook(keep) for module in (model.embedding, *model.blocks)]
    try:
        model.hidden(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return streams
