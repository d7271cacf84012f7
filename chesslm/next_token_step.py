"""One further token for every row of a batch on a CPU, in as few calls as possible: how text is written token by token.

Knows: the decoder's formulas for a single new token a row, with everything but the matrix products in three small
compiled loops (numba), and which decoders can be fed this way.
Doesn't know: any other way to feed a decoder (`model`, which it equals up to rounding), or what tokens mean.

Why: at a few million weights a step takes less than a millisecond of arithmetic, but in torch alone a hundred small
operations a block, each with its own start-up; and torch's attention of a single query takes twice as long as this one.

Tensor key: B rows · C width · H query heads · K key and value heads · D head size · X = (H + 2 K) D · S columns of the
cache · P columns of the prompts · F hidden size of the SwiGLU layer · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chesslm.key_value_cache import KeyValueCache
from chesslm.model import NORM_EPS, Attention, Block, Decoder, RMSNorm, SwiGLU

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]
KernelType = TypeVar("KernelType", bound=Callable[..., Any])

# To wake a thread costs as much as to attend for a few rows.
_ROWS_OF_A_THREAD = 8
_EPS = np.float32(NORM_EPS)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


def _compiled(function: KernelType) -> KernelType:
    """Compiled when first called, without Python's lock; the machine code is kept beside the source where it can be."""
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
        "error_model": "numpy",
    }
    try:
        kernel: KernelType = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function": neither the package's folder nor the user's cache can be written
        kernel = numba.njit(**options)(function)
    return kernel


@_compiled
def normalise(x_BC: Floats, gain_C: Floats, out_BC: Floats) -> None:
    """`RMSNorm` of each row."""
    for row in range(x_BC.shape[0]):
        x_C, out_C = x_BC[row], out_BC[row]
        squares = _ZERO
        for c in range(len(x_C)):
            squares += x_C[c] * x_C[c]
        scale = _ONE / np.sqrt(squares / np.float32(len(x_C)) + _EPS)
        for c in range(len(x_C)):
            out_C[c] = x_C[c] * scale * gain_C[c]


@_compiled
def gate(gate_up_BX: Floats, out_BF: Floats) -> None:
    """`silu(gate) * up` of each row's gate and up, which stand side by side."""
    size = out_BF.shape[1]
    for row in range(out_BF.shape[0]):
        gate_F, up_F, out_F = gate_up_BX[row, :size], gate_up_BX[row, size:], out_BF[row]
        for f in range(size):
            out_F[f] = gate_F[f] / (_ONE + np.exp(-gate_F[f])) * up_F[f]


@_compiled
def attend(
    qkv_BX: Floats,
    gains_2D: Floats,
    cos_SD: Floats,
    sin_SD: Floats,
    positions_B: Longs,
    bounds_B2: Longs,
    num_prompt_columns: int,
    column: int,
    keys_BKSD: Floats,
    values_BKSD: Floats,
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
        keys_BKSD: the cache's storage of keys.
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
                squares = _ZERO
                for d in range(size):
                    squares += x_D[d] * x_D[d]
                scale = _ONE / np.sqrt(squares / np.float32(size) + _EPS)
                for d in range(size):
                    x_D[d] *= scale * gain_D[d]
            for d in range(half):
                first, second = x_D[d], x_D[half + d]
                x_D[d] = first * cos_D[d] - second * sin_D[d]
                x_D[half + d] = second * cos_D[d] + first * sin_D[d]
        for kv in range(num_kv):
            place = (num_heads + kv) * size
            keys_BKSD[row, kv, column] = qkv_BX[row, place : place + size]
            place += num_kv * size
            values_BKSD[row, kv, column] = qkv_BX[row, place : place + size]
        start, stop = bounds_B2[row, 0], bounds_B2[row, 1]
        num_own = stop - start
        num_seen = num_own + column + 1 - num_prompt_columns
        for head in range(num_heads):
            query_D = qkv_BX[row, head * size : (head + 1) * size]
            keys_SD = keys_BKSD[row, head // (num_heads // num_kv)]
            values_SD = values_BKSD[row, head // (num_heads // num_kv)]
            out_D = out_BC[row, head * size : (head + 1) * size]
            scale = _ONE / np.sqrt(np.float32(size))
            largest = np.float32(-np.inf)
            for seen in range(num_seen):
                place = start + seen if seen < num_own else num_prompt_columns + seen - num_own
                score = _ZERO
                for d in range(size):
                    score += query_D[d] * keys_SD[place, d]
                scores_S[seen] = score * scale
                largest = max(largest, scores_S[seen])
            total = _ZERO
            for seen in range(num_seen):
                scores_S[seen] = np.exp(scores_S[seen] - largest)
                total += scores_S[seen]
            out_D[:] = _ZERO
            for seen in range(num_seen):
                place = start + seen if seen < num_own else num_prompt_columns + seen - num_own
                share = scores_S[seen] / total
                for d in range(size):
                    out_D[d] += share * values_SD[place, d]


@dataclass(frozen=True, slots=True)
class _BlockWeights:
    """A block's gains as arrays and its matrices as `[in, out]` views."""

    attention_gain: Floats
    qkv: Tensor
    gains: Floats
    out: Tensor
    mlp_gain: Floats
    gate_up: Tensor
    down: Tensor


def step_of(decoder: Decoder) -> NextTokenStep | None:
    """A step for this decoder; None unless it is float32 on a CPU with every layer the original one."""
    if any(weight.device.type != "cpu" or weight.dtype != torch.float32 for weight in decoder.parameters()):
        return None
    known = (Decoder, Block, Attention, SwiGLU, RMSNorm, nn.Linear, nn.Embedding, nn.ModuleList, nn.Identity)
    return NextTokenStep(decoder) if all(type(module) in known for module in decoder.modules()) else None


class NextTokenStep:
    """Feeds one token to each row of a cache.

    The weights are the decoder's own, not copies: it may go on being trained, not be moved elsewhere.

    Args:
        decoder: one that `step_of` accepts.
    """

    def __init__(self, decoder: Decoder) -> None:
        config = decoder.config
        self._width = config.width
        self._mlp_width = config.mlp_width
        self._embedding = decoder.embedding.weight.detach()
        self._cos, self._sin = decoder.rotary_cos.numpy(), decoder.rotary_sin.numpy()
        self._gain = _array(decoder.norm.weight)
        self._head = (decoder.embedding if decoder.unembedding is None else decoder.unembedding).weight.detach().t()
        self._others: ThreadPoolExecutor | None = None
        self._blocks = [_weights_of(block) for block in decoder.blocks if isinstance(block, Block)]

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
        buffers = cache.open_column()
        x_BC = self._embedding[torch.from_numpy(np.asarray(tokens, dtype=np.int64))]
        num_rows = len(x_BC)
        stream = x_BC.numpy()
        wide_BC, gated_BF = x_BC.new_empty(num_rows, self._width), x_BC.new_empty(num_rows, self._mlp_width)
        wide, gated = wide_BC.numpy(), gated_BF.numpy()
        for weights, (keys, values) in zip(self._blocks, buffers, strict=True):
            normalise(stream, weights.attention_gain, wide)
            qkv = torch.mm(wide_BC, weights.qkv).numpy()
            rows_of = (qkv, positions_B, bounds_B2, keys.numpy(), values.numpy(), wide)
            self._attend(weights.gains, num_prompt_columns, column, rows_of)
            x_BC.addmm_(wide_BC, weights.out)
            normalise(stream, weights.mlp_gain, wide)
            gate(torch.mm(wide_BC, weights.gate_up).numpy(), gated)
            x_BC.addmm_(gated_BF, weights.down)
        normalise(stream, self._gain, wide)
        return torch.mm(wide_BC, self._head)

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


def _weights_of(block: Block) -> _BlockWeights:
    attention, mlp = block.attention, block.mlp
    norms = [norm.weight for norm in (attention.query_norm, attention.key_norm) if isinstance(norm, RMSNorm)]
    return _BlockWeights(
        attention_gain=_array(block.attention_norm.weight),
        qkv=attention.qkv.weight.detach().t(),
        gains=np.stack([_array(norm) for norm in norms]) if norms else np.empty((0, attention.head_size), np.float32),
        out=attention.out.weight.detach().t(),
        mlp_gain=_array(block.mlp_norm.weight),
        gate_up=mlp.gate_up.weight.detach().t(),
        down=mlp.down.weight.detach().t(),
    )
