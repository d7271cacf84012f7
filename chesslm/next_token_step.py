"""One further token for every row of a batch on a CPU, in as few calls as possible: how text is written token by token.

Knows: the order of products and compiled loops (numba) for a single new token a row, in which precision they compute,
and which decoders can be fed this way.
Doesn't know: any other way to feed a decoder (`model`, which it equals up to rounding), how matrices are stored and
multiplied (`stored_matrix`), the loops (`step_kernels`, `step_attention`), or what tokens mean.

Why: at a few million weights a step takes less than a millisecond of arithmetic, but in torch alone a hundred small
operations a block, each with its own start-up; and torch's attention of a single query takes twice as long as this one.
A decoder that was rounded (`quantise.rounded`) is stored in fewer bits here, and keys and values in bfloat16: for one
row a step takes as long as it takes to read the weights, for many as long as to read the cache. Many rows are rounded
for products, too, where the processor has them (`stored_matrix.rows_dtype`), so that a text may depend on how many are
written at once where two tokens are about equally probable.

Tensor key: B rows · C width · X queries, keys and values, or gate and up, side by side · F hidden size of the SwiGLU
layer · V vocabulary.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chesslm.key_value_cache import KeyValueCache
from chesslm.model import Attention, Block, Decoder, RMSNorm, SwiGLU
from chesslm.quantise import Precision, RoundedDecoder, precision_of
from chesslm.step_attention import attend
from chesslm.step_kernels import Floats, add_product, gate, normalise
from chesslm.stored_matrix import StoredMatrix, as_numbers, product_dtype, rows_dtype

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _BlockWeights:
    """A block's gains and its matrices."""

    attention_gain: Floats
    qkv: StoredMatrix
    gains: Floats
    out: StoredMatrix
    mlp_gain: Floats
    gate_up: StoredMatrix
    down: StoredMatrix


class _Room:
    """Memory for what a step of so many rows computes.

    Args:
        num_rows: B.
        width: C.
        num_queries_keys_values: numbers of a row's queries, keys and values.
        mlp_width: F.
        dtype: of what products are given.
    """

    def __init__(
        self, num_rows: int, width: int, num_queries_keys_values: int, mlp_width: int, dtype: torch.dtype
    ) -> None:
        product = product_dtype(dtype)
        # Tensors for products, arrays of the same memory for loops.
        self.stream_BC, self.last_BC = torch.empty(num_rows, width), torch.empty(num_rows, width)
        self.wide_BC = torch.empty(num_rows, width, dtype=dtype)
        self.added_BC = torch.empty(num_rows, width, dtype=product)
        self.qkv_BX = torch.empty(num_rows, num_queries_keys_values, dtype=product)
        self.gate_up_BX = torch.empty(num_rows, 2 * mlp_width, dtype=product)
        self.gated_BF = torch.empty(num_rows, mlp_width, dtype=dtype)
        self.stream: Floats = self.stream_BC.numpy()
        self.last: Floats = self.last_BC.numpy()
        self.wide, self.added, self.qkv, self.gate_up, self.gated = (
            as_numbers(x) for x in (self.wide_BC, self.added_BC, self.qkv_BX, self.gate_up_BX, self.gated_BF)
        )
        # Of the rows that products are given, where those are int8.
        self.scales_B, self.other_B = np.ones((2, num_rows), dtype=np.float32)


# Steps of living decoders, each with what told then whether its weights have changed since.
_steps: WeakKeyDictionary[Decoder, tuple[Any, NextTokenStep]] = WeakKeyDictionary()
_making = threading.Lock()


def step_of(decoder: Decoder) -> NextTokenStep | None:
    """A step for this decoder as it is now; None unless it is float32 on a CPU with every layer the original one."""
    weights = list(decoder.parameters())
    if any(weight.device.type != "cpu" or weight.dtype != torch.float32 for weight in weights):
        return None
    known = (Decoder, RoundedDecoder, Block, Attention, SwiGLU, RMSNorm, nn.Linear, nn.Embedding, nn.ModuleList)
    if not all(type(module) in (*known, nn.Identity) for module in decoder.modules()):
        return None
    if any(weight.is_inference() for weight in weights):  # those don't count their changes
        return NextTokenStep(decoder)
    state = [(weight.data_ptr(), weight._version) for weight in weights]
    with _making:
        kept = _steps.get(decoder)
        if kept is None or kept[0] != state:
            kept = _steps[decoder] = (state, NextTokenStep(decoder))
    return kept[1]


class NextTokenStep:
    """Feeds one token to each row of a cache.

    It holds copies of some weights: for a decoder that has been trained on, or moved, `step_of` makes another.

    Args:
        decoder: one that `step_of` accepts.
    """

    def __init__(self, decoder: Decoder) -> None:
        config = decoder.config
        self._precision = precision = precision_of(decoder)
        self._num_queries_keys_values = len(decoder.get_submodule("blocks.0.attention.qkv").get_parameter("weight"))
        self._mlp_width = config.mlp_width
        self._embedding = decoder.embedding.weight.detach()
        self._cos, self._sin = decoder.rotary_cos.numpy(), decoder.rotary_sin.numpy()
        self._gain = _array(decoder.norm.weight)
        head = (decoder.embedding if decoder.unembedding is None else decoder.unembedding).weight
        self._vocabulary_len = len(head)
        self._head = StoredMatrix(head, precision)
        self._cache_dtype = torch.float32 if precision == "float32" else torch.bfloat16
        self._rooms = threading.local()  # a decoder may write several texts at once, each in a thread of its own
        self._blocks = [_weights_of(block, precision) for block in decoder.blocks if isinstance(block, Block)]

    def logits(
        self, tokens: npt.ArrayLike, positions_B: Longs, bounds_B2: Longs, num_prompt_columns: int, cache: KeyValueCache
    ) -> Tensor:
        """Append a token to each row; logits of what follows, `[B, V]`, new memory.

        Args:
            tokens: ids, one a row.
            positions_B: place of each in its text.
            bounds_B2: columns `[start, stop)` of each row's prompt.
            num_prompt_columns: the cache's columns from here on belong to the text of every row.
            cache: what was fed before; gets one more column.
        """
        column = len(cache)
        pages = cache.open_column(self._cache_dtype)
        room = self._room_for(len(positions_B))
        stream, given, other = room.stream, room.scales_B, room.other_B
        torch.index_select(self._embedding, 0, torch.from_numpy(np.asarray(tokens, dtype=np.int64)), out=room.stream_BC)
        texts = (self._cos, self._sin, positions_B, bounds_B2, num_prompt_columns, column)
        for index, weights in enumerate(self._blocks):
            normalise(stream, weights.attention_gain, room.wide, given)
            scales = weights.qkv.times(room.wide_BC, room.qkv_BX)
            attend(room.qkv, scales, given, weights.gains, *texts, *pages.block(index), room.wide, other)
            scales = weights.out.times(room.wide_BC, room.added_BC)
            add_product(room.added, scales, other, stream)
            normalise(stream, weights.mlp_gain, room.wide, given)
            scales = weights.gate_up.times(room.wide_BC, room.gate_up_BX)
            gate(room.gate_up, scales, given, room.gated, other)
            scales = weights.down.times(room.gated_BF, room.added_BC)
            add_product(room.added, scales, other, stream)
        # Many rows' logits in fewer bits would often be equal, so the head's product is in float32.
        normalise(stream, self._gain, room.last, other)
        logits_BV = torch.empty(len(positions_B), self._vocabulary_len)
        scales = self._head.times(room.last_BC, logits_BV)
        if scales is not self._head.ones:
            logits_BV.mul_(torch.from_numpy(scales))
        return logits_BV

    def _room_for(self, num_rows: int) -> _Room:
        """Kept from step to step: memory that is given back is asked for again page by page."""
        kept: _Room | None = getattr(self._rooms, "kept", None)
        if kept is None or len(kept.stream_BC) != num_rows:
            sizes = (self._embedding.shape[1], self._num_queries_keys_values, self._mlp_width)
            kept = self._rooms.kept = _Room(num_rows, *sizes, rows_dtype(num_rows, self._precision))
        return kept


def _array(weight: Tensor) -> Floats:
    array: Floats = weight.detach().numpy()
    return array


def _weights_of(block: Block, precision: Precision) -> _BlockWeights:
    attention, mlp = block.attention, block.mlp
    norms = [norm.weight for norm in (attention.query_norm, attention.key_norm) if isinstance(norm, RMSNorm)]
    return _BlockWeights(
        attention_gain=_array(block.attention_norm.weight),
        qkv=StoredMatrix(attention.qkv.weight, precision),
        gains=np.stack([_array(norm) for norm in norms]) if norms else np.empty((0, attention.head_size), np.float32),
        out=StoredMatrix(attention.out.weight, precision),
        mlp_gain=_array(block.mlp_norm.weight),
        gate_up=StoredMatrix(mlp.gate_up.weight, precision),
        down=StoredMatrix(mlp.down.weight, precision),
    )
