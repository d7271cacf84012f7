"""One further token for every row of a batch on a CPU, in a single compiled call: how text is written token by token.

Knows: the order of products and loops (numba) for a single new token a row, and which decoders can be fed this way.
Doesn't know: any other way to feed a decoder (`model`, which it equals up to rounding), how matrices are stored
(`stored_matrices`), the loops (`step_kernels`, `step_attention`), or what tokens mean.

Why: at a few million weights a step takes less than a millisecond of arithmetic, but in torch alone a hundred small
operations a block, each with its own start-up; and threads that write texts side by side would wait for Python's lock
after each of them, longer than most take. A call of all blocks meets neither.
A decoder that was rounded (`quantise.rounded`) is stored in fewer bits here, and its keys and values in bfloat16: for
one row a step takes as long as it takes to read the weights, for many as long as to read the cache. Many rows are then
rounded to bfloat16 for products, too, where the processor multiplies it (`bfloat16_dots`), so that a text may depend on
how many are written at once where two tokens are about equally probable.

Tensor key: B rows · C width · L blocks · X queries, keys and values, or gate and up, side by side · F hidden size of
the SwiGLU layer · D head size · V vocabulary · N pages · P columns of a page · W numbers that hold D · S positions ·
K key and value heads · G, J, O as in `bfloat16_dots`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chesslm import bfloat16_dots, step_attention, step_kernels
from chesslm.bfloat16_dots import Pairs, product
from chesslm.key_value_cache import KeyValueCache
from chesslm.model import Attention, Block, Decoder, RMSNorm, SwiGLU
from chesslm.quantise import RoundedDecoder, precision_of
from chesslm.step_attention import attend
from chesslm.step_kernels import Floats, Numbers, add_product, compiled_and_kept, gate, multiply, normalise
from chesslm.stored_matrices import StoredMatrices

Longs = npt.NDArray[np.int64]


class _Room:
    """Memory for what a step of so many rows computes.

    Args:
        num_rows: B.
        width: C.
        num_queries_keys_values: numbers of a row's queries, keys and values.
        mlp_width: F.
    """

    def __init__(self, num_rows: int, width: int, num_queries_keys_values: int, mlp_width: int) -> None:
        self.stream_BC = torch.empty(num_rows, width)
        self.pairs: Pairs = np.empty((num_rows, max(width, mlp_width) // 2), dtype=np.uint32)
        self.normal: Floats = np.empty((num_rows, width), dtype=np.float32)
        self.added: Floats = np.empty((num_rows, width), dtype=np.float32)
        self.qkv: Floats = np.empty((num_rows, num_queries_keys_values), dtype=np.float32)
        self.gate_up: Floats = np.empty((num_rows, 2 * mlp_width), dtype=np.float32)
        self.gated: Floats = np.empty((num_rows, mlp_width), dtype=np.float32)


@compiled_and_kept(bfloat16_dots.__file__, step_attention.__file__, step_kernels.__file__)
def _feed(
    stream_BC: Floats,
    attention_gains_LC: Floats,
    qkv_LCX: Numbers,
    qkv_pairs_LGJO: Pairs,
    qkv_scales_LX: Floats,
    head_gains_L2D: Floats,
    out_LCC: Numbers,
    out_pairs_LGJO: Pairs,
    out_scales_LC: Floats,
    mlp_gains_LC: Floats,
    gate_up_LCX: Numbers,
    gate_up_pairs_LGJO: Pairs,
    gate_up_scales_LX: Floats,
    down_LFC: Numbers,
    down_pairs_LGJO: Pairs,
    down_scales_LC: Floats,
    gain_C: Floats,
    head_CV: Numbers,
    head_scales_V: Floats,
    cos_SD: Floats,
    sin_SD: Floats,
    positions_B: Longs,
    bounds_B2: Longs,
    num_prompt_columns: int,
    column: int,
    pages_L2NBKPW: Numbers,
    pairs_BJ: Pairs,
    normal_BC: Floats,
    added_BC: Floats,
    qkv_BX: Floats,
    gate_up_BX: Floats,
    gated_BF: Floats,
    logits_BV: Floats,
) -> None:
    """All blocks and the head; `stream_BC` holds the tokens' embeddings, the last seven are written to."""
    for block in range(len(pages_L2NBKPW)):
        normalise(stream_BC, attention_gains_LC[block], normal_BC)
        product(normal_BC, qkv_LCX[block], qkv_pairs_LGJO[block], pairs_BJ, qkv_BX)
        keys_NBKPW, values_NBKPW = pages_L2NBKPW[block, 0], pages_L2NBKPW[block, 1]
        attend(
            qkv_BX,
            qkv_scales_LX[block],
            head_gains_L2D[block],
            cos_SD,
            sin_SD,
            positions_B,
            bounds_B2,
            num_prompt_columns,
            column,
            keys_NBKPW,
            values_NBKPW,
            normal_BC,
        )
        product(normal_BC, out_LCC[block], out_pairs_LGJO[block], pairs_BJ, added_BC)
        add_product(added_BC, out_scales_LC[block], stream_BC)
        normalise(stream_BC, mlp_gains_LC[block], normal_BC)
        product(normal_BC, gate_up_LCX[block], gate_up_pairs_LGJO[block], pairs_BJ, gate_up_BX)
        gate(gate_up_BX, gate_up_scales_LX[block], gated_BF)
        product(gated_BF, down_LFC[block], down_pairs_LGJO[block], pairs_BJ, added_BC)
        add_product(added_BC, down_scales_LC[block], stream_BC)
    normalise(stream_BC, gain_C, normal_BC)
    # Logits in bfloat16 would often be equal.
    multiply(normal_BC, head_CV, logits_BV)
    for row in range(len(logits_BV)):
        logits_BV[row] *= head_scales_V


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

    It holds copies of weights: for a decoder that has been trained on, or moved, `step_of` makes another.

    Args:
        decoder: one that `step_of` accepts.
    """

    def __init__(self, decoder: Decoder) -> None:
        config, precision = decoder.config, precision_of(decoder)
        blocks = [block for block in decoder.blocks if isinstance(block, Block)]

        def matrices(weight_of: Callable[[Block], Tensor]) -> tuple[Numbers, Pairs, Floats]:
            found = StoredMatrices.of([weight_of(block) for block in blocks], precision)
            return found.numbers, found.pairs, found.scales

        def gains(norm_of: Callable[[Block], RMSNorm]) -> Floats:
            return np.stack([_array(norm_of(block).weight) for block in blocks])

        head = StoredMatrices.of(
            [(decoder.embedding if decoder.unembedding is None else decoder.unembedding).weight], precision
        )
        qkv = matrices(lambda block: block.attention.qkv.weight)
        # In the order of `_feed`.
        self._weights: tuple[Any, ...] = (
            gains(lambda block: block.attention_norm),
            *qkv,
            np.stack([_head_gains(block.attention) for block in blocks]),
            *matrices(lambda block: block.attention.out.weight),
            gains(lambda block: block.mlp_norm),
            *matrices(lambda block: block.mlp.gate_up.weight),
            *matrices(lambda block: block.mlp.down.weight),
            _array(decoder.norm.weight),
            head.numbers[0],
            head.scales[0],
            _array(decoder.rotary_cos),
            _array(decoder.rotary_sin),
        )
        self._embedding = decoder.embedding.weight.detach()
        self._sizes = (config.width, qkv[0].shape[2], config.mlp_width)
        self._vocabulary_len = head.numbers.shape[2]
        self._cache_dtype = torch.float32 if precision == "float32" else torch.bfloat16
        self._rooms = threading.local()  # a decoder may write several texts at once, each in a thread of its own

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
        pages = cache.open_column(self._cache_dtype).numbers()
        room = self._room_for(len(positions_B))
        torch.index_select(self._embedding, 0, torch.from_numpy(np.asarray(tokens, dtype=np.int64)), out=room.stream_BC)
        logits_BV: Floats = np.empty((len(positions_B), self._vocabulary_len), dtype=np.float32)
        texts: tuple[Any, ...] = (positions_B, bounds_B2, num_prompt_columns, column, pages)
        results: tuple[Any, ...] = (room.pairs, room.normal, room.added, room.qkv, room.gate_up, room.gated, logits_BV)
        _feed(room.stream_BC.numpy(), *self._weights, *texts, *results)
        return torch.from_numpy(logits_BV)

    def _room_for(self, num_rows: int) -> _Room:
        """Kept from step to step: memory that is given back is asked for again page by page."""
        kept: _Room | None = getattr(self._rooms, "kept", None)
        if kept is None or len(kept.stream_BC) != num_rows:
            kept = self._rooms.kept = _Room(num_rows, *self._sizes)
        return kept


def _array(weight: Tensor) -> Floats:
    array: Floats = weight.detach().numpy()
    return array


def _head_gains(attention: Attention) -> Floats:
    """Gains of the query and the key norm, `[2, D]`; no rows where there are none."""
    norms = [norm.weight for norm in (attention.query_norm, attention.key_norm) if isinstance(norm, RMSNorm)]
    return np.stack([_array(norm) for norm in norms]) if norms else np.empty((0, attention.head_size), np.float32)
