"""Causal attention of games that stand side by side in one row and don't see each other: for training on a CPU.

Knows: which tokens see which, and the gradient, both as plain matrix products game by game.
Doesn't know: heads' norms and positions (`model`), or how games become a row (`batches`).

Nothing is padded, and of a game's square of weights little more than the lower half is computed. Queries are cut into
pieces that see all columns up to their own last one; only where a piece meets its own columns is anything masked.

Source of the gradient: FlashAttention (Dao et al. 2022), whose row sums of dy · y stand in for those of dw · w.

Tensor key: H heads · N tokens of all games · D head size · G games · P queries of a piece · S columns it sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# The fewer queries, the less is computed in vain; the more, the larger the products.
MOST_QUERIES = 128


@torch.compiler.disable  # type: ignore[untyped-decorator]
def attention_in_games(q_HND: Tensor, k_HND: Tensor, v_HND: Tensor, lens_G: Tensor) -> Tensor:
    """What each token gathers from itself and the tokens before it in its game, `[H, N, D]`.

    Args:
        q_HND: queries, divided by the root of D; all three of one dtype.
        k_HND: keys.
        v_HND: values.
        lens_G: tokens of each game, which sum to N; int64.
    """
    y_HND: Tensor = _GameAttention.apply(q_HND, k_HND, v_HND, lens_G.tolist())  # type: ignore[no-untyped-call]
    return y_HND


def pieces(lens: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """For each piece of queries: its first token, the one after its last, and the first of its game.

    >>> list(pieces([3, 200]))
    [(0, 3, 0), (3, 103, 3), (103, 203, 3)]
    """
    start = 0
    for length in lens:
        num = max(1, math.ceil(length / MOST_QUERIES))
        for index in range(num):
            yield start + length * index // num, start + length * (index + 1) // num, start
        start += length


def _wide(tensor: Tensor) -> torch.dtype:
    """In which differences are taken: at least float32."""
    return torch.promote_types(tensor.dtype, torch.float32)


class _GameAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_HND: Tensor, k_HND: Tensor, v_HND: Tensor, lens: Sequence[int]) -> Tensor:
        y_HND = torch.empty_like(v_HND)
        unseen_PP = torch.full((MOST_QUERIES, MOST_QUERIES), -math.inf, dtype=q_HND.dtype).triu(1)
        weights = []
        with torch.autocast("cpu", enabled=False):
            for first, end, start in pieces(lens):
                scores_HPS = q_HND[:, first:end] @ k_HND[:, start:end].transpose(1, 2)
                scores_HPS[:, :, first - start :] += unseen_PP[: end - first, : end - first]
                weights_HPS = scores_HPS.softmax(-1)
                y_HND[:, first:end] = weights_HPS @ v_HND[:, start:end]
                weights.append(weights_HPS)
        ctx.lens = lens
        ctx.save_for_backward(q_HND, k_HND, v_HND, y_HND, *weights)
        return y_HND

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_HND: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q_HND, k_HND, v_HND, y_HND, *weights = ctx.saved_tensors
        dy_HND = dy_HND.contiguous()
        dq_HND, dk_HND, dv_HND = torch.empty_like(q_HND), torch.zeros_like(k_HND), torch.zeros_like(v_HND)
        means_HN1 = (dy_HND.to(_wide(y_HND)) * y_HND).sum(-1, keepdim=True)
        with torch.autocast("cpu", enabled=False):
            for (first, end, start), weights_HPS in zip(pieces(ctx.lens), weights, strict=True):
                dy_HPD = dy_HND[:, first:end]
                dscores_HPS = dy_HPD @ v_HND[:, start:end].transpose(1, 2)
                dscores_HPS.sub_(means_HN1[:, first:end]).mul_(weights_HPS)
                dq_HND[:, first:end] = dscores_HPS @ k_HND[:, start:end]
                dk_HND[:, start:end].baddbmm_(dscores_HPS.transpose(1, 2), q_HND[:, first:end])
                dv_HND[:, start:end].baddbmm_(weights_HPS.transpose(1, 2), dy_HPD)
        return dq_HND, dk_HND, dv_HND, None
