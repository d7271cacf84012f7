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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chesslm.key_value_cache import KeyValueCache
from chesslm.model import Attention, Block, Decoder, RMSNorm, SwiGLU
from chesslm.quantise import Precision, RoundedDecoder, precision_of
from chesslm.row_threads import divided, run_alone
from chesslm.step_attention import attend
from chesslm.step_kernels import Floats, Numbers, add_product, gate, normalise
from chesslm.stored_matrix import StoredMatrix, as_numbers, product_dtype, rows_dtype

Longs = npt.NDArray[np.int64]

# To wake a thread costs as much as to feed a few rows.
_ROWS_OF_A_THREAD = 8


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
        self.stream_BC, self.last_BC = torch.empty(num_rows, width), torch.empty(num_rows, width)
        product = product_dtype(dtype)
        self.wide_BC = torch.empty(num_rows, width, dtype=dtype)
        self.added_BC = torch.empty(num_rows, width, dtype=product)
        self.qkv_BX = torch.empty(num_rows, num_queries_keys_values, dtype=product)
        self.gate_up_BX = torch.empty(num_rows, 2 * mlp_width, dtype=product)
        self.gated_BF = torch.empty(num_rows, mlp_width, dtype=dtype)
        # Of the rows that products are given, where those are int8.
        self.scales_B, self.other_B = np.ones((2, num_rows), dtype=np.float32)
        self.wide, self.qkv = as_numbers(self.wide_BC), as_numbers(self.qkv_BX)
        self.num_threads = torch.get_num_threads()
        shares = divided(num_rows, max(1, min(self.num_threads, num_rows // _ROWS_OF_A_THREAD)))
        self.shares = [_Share(self, rows) for rows in shares]


class _Share:
    """Some rows of a room, which one thread computes: tensors for products, arrays of the same memory for loops.

    Args:
        room: whose memory it is.
        rows: which; without a step.
    """

    def __init__(self, room: _Room, rows: slice) -> None:
        self.room, self.rows = room, rows
        self.stream_BC, self.last_BC, self.wide_BC = room.stream_BC[rows], room.last_BC[rows], room.wide_BC[rows]
        self.added_BC, self.qkv_BX = room.added_BC[rows], room.qkv_BX[rows]
        self.gate_up_BX, self.gated_BF = room.gate_up_BX[rows], room.gated_BF[rows]
        self.scales_B, self.other_B = room.scales_B[rows], room.other_B[rows]
        self.stream: Floats = self.stream_BC.numpy()
        self.last: Floats = self.last_BC.numpy()
        between = (self.wide_BC, self.added_BC, self.gate_up_BX, self.gated_BF)
        self.arrays: tuple[Numbers, ...] = tuple(map(as_numbers, between))


# Steps of living decoders, each with what told then whether its weights have changed since.
_steps: WeakKeyDictionary[Decoder, tuple[Any, NextTokenStep]] = WeakKeyDictionary()


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
        torch.index_select(self._embedding, 0, torch.from_numpy(np.asarray(tokens, dtype=np.int64)), out=room.stream_BC)
        texts = (self._cos, self._sin, positions_B, bounds_B2, num_prompt_columns, column)
        blocks = [(*texts, *pages.block(index)) for index in range(len(self._blocks))]
        logits_BV = torch.empty(len(positions_B), self._vocabulary_len)
        # Whole rows to each thread: no thread waits for another one before the step's end.
        run_alone([partial(self._feed, share, blocks, logits_BV[share.rows]) for share in room.shares])
        return logits_BV

    def _feed(self, share: _Share, blocks: Sequence[tuple[Any, ...]], logits_BV: Tensor) -> None:
        """Put a share's rows through all blocks, and what follows them into `logits_BV`."""
        room, first, stop = share.room, share.rows.start, share.rows.stop
        stream, last, given, other = share.stream, share.last, share.scales_B, share.other_B
        wide, added, gate_up, gated = share.arrays
        for weights, cached in zip(self._blocks, blocks, strict=True):
            normalise(stream, weights.attention_gain, wide, given)
            scales = weights.qkv.times(share.wide_BC, share.qkv_BX)
            queries = (room.qkv, scales, room.scales_B, weights.gains)
            attend(*(*queries, *cached, first, stop, room.wide, room.other_B))
            scales = weights.out.times(share.wide_BC, share.added_BC)
            add_product(added, scales, other, stream)
            normalise(stream, weights.mlp_gain, wide, given)
            scales = weights.gate_up.times(share.wide_BC, share.gate_up_BX)
            gate(gate_up, scales, given, gated, other)
            scales = weights.down.times(share.gated_BF, share.added_BC)
            add_product(added, scales, other, stream)
        # Many rows' logits in fewer bits would often be equal, so the head's product is in float32.
        normalise(stream, self._gain, last, other)
        scales = self._head.times(share.last_BC, logits_BV)
        if scales is not self._head.ones:
            logits_BV.mul_(torch.from_numpy(scales))

    def _room_for(self, num_rows: int) -> _Room:
        """Kept from step to step: memory that is given back is asked for again page by page."""
        kept: _Room | None = getattr(self._rooms, "kept", None)
        if kept is None or len(kept.stream_BC) != num_rows or kept.num_threads != torch.get_num_threads():
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
