"""Causal attention of games that stand side by side in one row and don't see each other: for training on a CPU.

Knows: which tokens see which, and the gradient, both as plain matrix products game by game.
Doesn't know: heads' norms and positions (`model`), or how games become a row (`batches`).

Nothing is padded, and of a game's square of weights little more than the lower half is computed. Queries are cut into
pieces that see all columns up to their own last one; only where a piece meets its own columns is anything masked.

In float32: games' lengths make ever new shapes of products, and oneDNN, which multiplies bfloat16, prepares code for
each shape anew, which takes longer than the product.

Tensor key: H heads · N tokens of all games · D head size · G games · P queries of a piece · S columns it sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# The fewer queries, the less is computed in vain; the more, the larger the products.
MOST_QUERIES = 96


@torch.compiler.disable  # type: ignore[untyped-decorator]
def attention_in_games(q_HND: Tensor, k_HND: Tensor, v_HND: Tensor, lens_G: Tensor) -> Tensor:
    """What each token gathers from itself and the tokens before it in its game, `[H, N, D]`.

    Args:
        q_HND: queries, divided by the root of D; all three in float32.
        k_HND: keys.
        v_HND: values.
        lens_G: tokens of each game, which sum to N; int64.
    """
    y_HND: Tensor = _GameAttention.apply(q_HND, k_HND, v_HND, lens_G.tolist())  # type: ignore[no-untyped-call]
    return y_HND


class Piece(NamedTuple):
    """Queries that are computed at once: from `first` to before `end`, of a game that begins at `start`."""

    first: int
    end: int
    start: int


def pieces(lens: Sequence[int]) -> list[Piece]:
    """The games' queries in order, each game in pieces of about equal size.

    >>> [tuple(piece) for piece in pieces([3, 180])]
    [(0, 3, 0), (3, 93, 3), (93, 183, 3)]
    """
    cut = []
    start = 0
    for length in lens:
        num = max(1, math.ceil(length / MOST_QUERIES))
        stops = [start + length * index // num for index in range(num + 1)]
        cut += [Piece(first, end, start) for first, end in pairwise(stops)]
        start += length
    return cut


class _GameAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_HND: Tensor, k_HND: Tensor, v_HND: Tensor, lens: Sequence[int]) -> Tensor:
        unseen_PP = torch.full((MOST_QUERIES, MOST_QUERIES), -math.inf, dtype=q_HND.dtype).triu(1)
        cut = pieces(lens)
        ys, weights = [], []
        with torch.autocast("cpu", enabled=False):
            for (first, end, start), q_HPD in zip(cut, _split(q_HND, cut), strict=True):
                scores_HPS = q_HPD @ k_HND[:, start:end].transpose(1, 2)
                scores_HPS[:, :, first - start :] += unseen_PP[: end - first, : end - first]
                weights_HPS = scores_HPS.softmax(-1)
                ys.append(weights_HPS @ v_HND[:, start:end])
                weights.append(weights_HPS)
        ctx.cut = cut
        ctx.save_for_backward(q_HND, k_HND, v_HND, *weights)
        return torch.cat(ys, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_HND: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q_HND, k_HND, v_HND, *weights = ctx.saved_tensors
        dk_HND, dv_HND = torch.zeros_like(k_HND), torch.zeros_like(v_HND)
        dqs = []
        parts = zip(ctx.cut, _split(q_HND, ctx.cut), _split(dy_HND, ctx.cut), weights, strict=True)
        with torch.autocast("cpu", enabled=False):
            for (_, end, start), q_HPD, dy_HPD, weights_HPS in parts:
                dweights_HPS = dy_HPD @ v_HND[:, start:end].transpose(1, 2)
                dscores_HPS = torch._softmax_backward_data(dweights_HPS, weights_HPS, -1, weights_HPS.dtype)
                dqs.append(dscores_HPS @ k_HND[:, start:end])
                dk_HND[:, start:end].baddbmm_(dscores_HPS.transpose(1, 2), q_HPD)
                dv_HND[:, start:end].baddbmm_(weights_HPS.transpose(1, 2), dy_HPD)
        return torch.cat(dqs, dim=1), dk_HND, dv_HND, None


def _split(tensor_HND: Tensor, cut: Sequence[Piece]) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = torch.split(tensor_HND, [piece.end - piece.first for piece in cut], dim=1)
    return parts
