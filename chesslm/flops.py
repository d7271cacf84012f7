"""Floating-point operations of training, as METRICS section 4 counts them for budgets.

Knows: 3 x (matrix products of the trunk, attention at real lengths, head): forward once, backward twice that. A product
of an m x k with a k x n matrix is 2 m k n operations; norms, softmax, embeddings and the optimiser are not counted.
Doesn't know: padding, time, hardware.
"""

from __future__ import annotations

from dataclasses import dataclass

from chesslm.config import ModelSection


@dataclass(frozen=True, slots=True)
class Flops:
    """Operations of training, forward and backward.

    Args:
        trunk: of the blocks' matrices.
        attention: of queries with keys and weights with values, each token with itself and those before it.
        head: of the logits.
    """

    trunk: float
    attention: float
    head: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.trunk + self.attention + self.head


def training_flops(model: ModelSection, vocabulary_len: int, *, tokens: float, squared_tokens: float) -> Flops:
    """Operations of training on games.

    Args:
        model: the shape.
        vocabulary_len: tokens.
        tokens: sum over games of their predicted tokens T.
        squared_tokens: sum over games of T squared.

    >>> shape = ModelSection(width=128, depth=4, heads=4, mlp_width=352)
    >>> training_flops(shape, 100, tokens=200, squared_tokens=200**2)
    Flops(trunk=963379200.0, attention=123494400.0, head=15360000.0)
    """
    kv_width = model.width // model.heads * (model.kv_heads or model.heads)
    block = model.width * (2 * model.width + 2 * kv_width) + 3 * model.width * model.mlp_width
    columns = (squared_tokens + tokens) / 2  # a token's place in its game, summed
    return Flops(
        trunk=3 * 2.0 * model.depth * block * tokens,
        attention=3 * 2.0 * model.depth * 2 * model.width * columns,
        head=3 * 2.0 * model.width * vocabulary_len * tokens,
    )
