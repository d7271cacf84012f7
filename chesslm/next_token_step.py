"""One further token for every row of a batch on a CPU, in as few calls as possible: how text is written token by token.

Knows: the decoder's formulas for a single new token a row, with everything but the matrix products in three small
compiled loops (numba), in which precision it computes, and which decoders can be fed this way.
Doesn't know: any other way to feed a decoder (`model`, which it equals up to rounding), how matrices are stored and
multiplied (`stored_matrix`), or what tokens mean.

Why: at a few million weights a step takes less than a millisecond of arithmetic, but in torch alone a hundred small
operations a block, each with its own start-up; and torch's attention of a single query takes twice as long as this one.
A decoder that was rounded (`quantise.rounded`) is stored in fewer bits here, and keys and values in bfloat16: for one
row a step takes as long as it takes to read the weights, for many as long as to read the cache.

Tensor key: B rows · C width · H query heads · K key and value heads · D head size · X = (H + 2 K) D · S columns of the
cache · P columns of the prompts · F hidden size of the SwiGLU layer · V vocabulary.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chesslm.key_value_cache import KeyValueCache
from chesslm.model import NORM_EPS, Attention, Block, Decoder, RMSNorm, SwiGLU
from chesslm.quantise import Precision, RoundedDecoder, precision_of
from chesslm.step_kernels import ONE, ZERO, Floats, Numbers, compiled, exponential, narrowed, widened
from chesslm.stored_matrix import StoredMatrix, as_numbers

Longs = npt.NDArray[np.int64]

# To wake a thread costs as much as to attend for a few rows.
_ROWS_OF_A_THREAD = 8
_EPS = np.float32(NORM_EPS)


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
def gate(gate_up_BX: Floats, out_BF: Floats) -> None:
    """`silu(gate) * up` of each row's gate and up, which stand side by side."""
    size = out_BF.shape[1]
    for row in range(out_BF.shape[0]):
        gate_F, up_F, out_F = gate_up_BX[row, :size], gate_up_BX[row, size:], out_BF[row]
        for f in range(size):
            out_F[f] = gate_F[f] / (ONE + exponential(-gate_F[f])) * up_F[f]


@compiled
def attend(
    qkv_BX: Floats,
    gains_2D: Floats,
    cos_SD: Floats,
    sin_SD: Floats,
    positions_B: Longs,
    bounds_B2: Longs,
    num_prompt_columns: int,
    column: int,
    keys_BKSD: Numbers,
    values_BKSD: Numbers,
    out_BC: Floats,
) -> None:
    """Put each row's new key and value into `column` of the cache and gather what its query attends to.

    Args:
        qkv_BX: queries, keys and values of the new tokens; overwritten.
        gains_2D: of the query and the key norm; no rows where there is no such norm.
        cos_SD: cosines of each position's angles, `[positions, D/2]`.
        sin_SD: their sines.
        positions_B: place of each new token in its text.
        bounds_B2: columns `[start, stop)` of each row's prompt.
        num_prompt_columns: from here on every column belongs to every row.
        column: the new one; the last.
        keys_BKSD: the cache's storage of keys, float32 or bfloat16.
        values_BKSD: and of values.
        out_BC: where what is gathered is written, `[B, H D]`.
    """
    num_kv, size = keys_BKSD.shape[1], keys_BKSD.shape[3]
    num_heads = out_BC.shape[1] // size
    half = size // 2
    scores_S = np.empty(column + 1, dtype=np.float32)
    for row in range(qkv_BX.shape[0]):
        cos_D, sin_D = cos_SD[positions_B[row]], sin_SD[positions_B[row]]
        for head in range(num_heads + num_kv):
            x_D = qkv_BX[row, head * size : (head + 1) * size]
            if len(gains_2D):
                gain_D = gains_2D[0 if head < num_heads else 1]
                squares = ZERO
                for d in range(size):
                    squares += x_D[d] * x_D[d]
                scale = ONE / np.sqrt(squares / np.float32(size) + _EPS)
                for d in range(size):
                    x_D[d] *= scale * gain_D[d]
            for d in range(half):
                first, second = x_D[d], x_D[half + d]
                x_D[d] = first * cos_D[d] - second * sin_D[d]
                x_D[half + d] = second * cos_D[d] + first * sin_D[d]
        for kv in range(num_kv):
            place = (num_heads + kv) * size
            for d in range(size):
                keys_BKSD[row, kv, column, d] = narrowed(qkv_BX[row, place + d], keys_BKSD)
            place += num_kv * size
            for d in range(size):
                values_BKSD[row, kv, column, d] = narrowed(qkv_BX[row, place + d], values_BKSD)
        start, stop = bounds_B2[row, 0], bounds_B2[row, 1]
        num_own = stop - start
        num_seen = num_own + column + 1 - num_prompt_columns
        for head in range(num_heads):
            query_D = qkv_BX[row, head * size : (head + 1) * size]
            keys_SD = keys_BKSD[row, head // (num_heads // num_kv)]
            values_SD = values_BKSD[row, head // (num_heads // num_kv)]
            out_D = out_BC[row, head * size : (head + 1) * size]
            scale = ONE / np.sqrt(np.float32(size))
            largest = np.float32(-np.inf)
            for seen in range(num_seen):
                place = start + seen if seen < num_own else num_prompt_columns + seen - num_own
                score = ZERO
                for d in range(size):
                    score += query_D[d] * widened(keys_SD[place, d])
                scores_S[seen] = score * scale
                largest = max(largest, scores_S[seen])
            total = ZERO
            for seen in range(num_seen):
                scores_S[seen] = exponential(scores_S[seen] - largest)
                total += scores_S[seen]
            out_D[:] = ZERO
            for seen in range(num_seen):
                place = start + seen if seen < num_own else num_prompt_columns + seen - num_own
                share = scores_S[seen] / total
                for d in range(size):
                    out_D[d] += share * widened(values_SD[place, d])


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
        precision = precision_of(decoder)
        self._width = config.width
        self._num_queries_keys_values = len(decoder.get_submodule("blocks.0.attention.qkv").get_parameter("weight"))
        self._mlp_width = config.mlp_width
        self._embedding = decoder.embedding.weight.detach()
        self._cos, self._sin = decoder.rotary_cos.numpy(), decoder.rotary_sin.numpy()
        self._gain = _array(decoder.norm.weight)
        head = (decoder.embedding if decoder.unembedding is None else decoder.unembedding).weight
        self._vocabulary_len = len(head)
        self._head = StoredMatrix(head, precision)
        self._cache_dtype = torch.float32 if precision == "float32" else torch.bfloat16
        self._others: ThreadPoolExecutor | None = None
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
        buffers = cache.open_column(self._cache_dtype)
        x_BC = self._embedding[torch.from_numpy(np.asarray(tokens, dtype=np.int64))]
        num_rows = len(x_BC)
        wide_BC, gated_BF = torch.empty_like(x_BC), x_BC.new_empty(num_rows, self._mlp_width)
        qkv_BX = x_BC.new_empty(num_rows, self._num_queries_keys_values)
        gate_up_BX = x_BC.new_empty(num_rows, 2 * self._mlp_width)
        stream, wide, gated = x_BC.numpy(), wide_BC.numpy(), gated_BF.numpy()
        qkv, gate_up = qkv_BX.numpy(), gate_up_BX.numpy()
        for weights, (keys, values) in zip(self._blocks, buffers, strict=True):
            normalise(stream, weights.attention_gain, wide)
            weights.qkv.times(wide_BC, qkv_BX)
            rows_of = (qkv, positions_B, bounds_B2, as_numbers(keys), as_numbers(values), wide)
            self._attend(weights.gains, num_prompt_columns, column, rows_of)
            weights.out.times(wide_BC, x_BC, is_added=True)
            normalise(stream, weights.mlp_gain, wide)
            weights.gate_up.times(wide_BC, gate_up_BX)
            gate(gate_up, gated)
            weights.down.times(gated_BF, x_BC, is_added=True)
        normalise(stream, self._gain, wide)
        logits_BV = x_BC.new_empty(num_rows, self._vocabulary_len)
        self._head.times(wide_BC, logits_BV)
        return logits_BV

    def _attend(self, gains: Floats, num_prompt_columns: int, column: int, rows_of: tuple[Any, ...]) -> None:
        """`attend`, the rows shared out among as many threads as torch has."""
        num_rows = len(rows_of[0])
        num_shares = max(1, min(torch.get_num_threads(), num_rows // _ROWS_OF_A_THREAD))

        def share(index: int) -> None:
            part = slice(num_rows * index // num_shares, num_rows * (index + 1) // num_shares)
            qkv, positions, bounds, keys, values, out = (array[part] for array in rows_of)
            rotation = (self._cos, self._sin)
            attend(qkv, gains, *rotation, positions, bounds, num_prompt_columns, column, keys, values, out)

        if num_shares > 1 and self._others is None:
            self._others = ThreadPoolExecutor(num_shares - 1)
        others = [] if self._others is None else [self._others.submit(share, index) for index in range(1, num_shares)]
        share(0)
        for other in others:
            other.result()


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
