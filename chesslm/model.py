"""The decoder-only Transformer: normalise before each layer, rotary positions, SwiGLU; one file, top to bottom.

Knows: the network, its initial weights and its parameter counts.
Doesn't know: chess, notations, how it is trained (`training`) or asked (`inference`).

Sources: RMSNorm (Zhang & Sennrich 2019), rotary positions in the half-split layout of GPT-NeoX and Llama (Su et al.
2021), SwiGLU (Shazeer 2020), grouped key and value heads (Ainslie et al. 2023), query-key norm (Henry et al. 2020).

Tensor key: B rows of a batch · T tokens fed now · S columns of keys (cached ones, then the T new ones) · C width ·
H query heads · K key and value heads · D head size · V vocabulary · F hidden size of the SwiGLU layer ·
G games side by side in one row, N tokens of them all.
Masks are True where a token (T) may attend to a column (S).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from chesslm.config import ModelSection
from chesslm.game_attention import attention_in_games
from chesslm.key_value_cache import KeyValueCache

# Cosines and sines, each broadcasting over `[B, T, heads, D/2]`.
Rotation = tuple[Tensor, Tensor]
# Keys and values of new tokens `[B, K, T, D]` -> those of all columns `[B, K, S, D]`.
Extend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

NORM_EPS = 1e-6
# Small against what training makes of it, so the first predictions are close to uniform.
INITIAL_EMBEDDING_STD = 0.02
# The wordings of a last move that hardly fits run a little beyond the context; positions there need no weights.
ROOM_BEYOND_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Numbers of weights: a fair comparison keeps `trunk` equal and reports the others apart.

    Args:
        trunk: blocks and the last norm.
        embedding: the table of token vectors.
        head: the output matrix; 0 where it is the embedding's (tied).
    """

    trunk: int
    embedding: int
    head: int

    @property
    def total(self) -> int:
        """All weights, each counted once."""
        return self.trunk + self.embedding + self.head


class RMSNorm(nn.Module):
    """Divides by the root mean square over the last dimension, then multiplies by a learned gain."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        # Written out: torch's own kernel is seven times slower backwards on a CPU, and torch.compile can't fuse it.
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + NORM_EPS) * self.weight).to(x.dtype)


def rotary_table(num_positions: int, head_size: int, base: float) -> Rotation:
    """Cosines and sines of position times base ** (-2 i / head_size), `[num_positions, head_size / 2]` each."""
    wavelengths = base ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angles = torch.arange(num_positions, dtype=torch.float64)[:, None] * wavelengths
    return angles.cos().float(), angles.sin().float()


def rotate(x_BTHD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x[i], x[i + D/2]) by its position's angle; cos and sin broadcast over `[B, T, H, D/2]`."""
    first, second = x_BTHD.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Attention(nn.Module):
    """Causal self-attention with rotary positions; several query heads may share one key and value head."""

    def __init__(self, config: ModelSection) -> None:
        super().__init__()
        self.heads = config.heads
        self.kv_heads = config.kv_heads or config.heads
        self.head_size = config.width // config.heads
        self.qkv = nn.Linear(config.width, (self.heads + 2 * self.kv_heads) * self.head_size, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.query_norm = RMSNorm(self.head_size) if config.qk_norm else nn.Identity()
        self.key_norm = RMSNorm(self.head_size) if config.qk_norm else nn.Identity()

    def forward(
        self,
        x_BTC: Tensor,
        rotation: Rotation,
        mask_BTS: Tensor | None = None,
        extend: Extend | None = None,
        lens_G: Tensor | None = None,
    ) -> Tensor:
        """What each token gathers from the columns it may attend to, `[B, T, C]`; no mask means causal."""
        B, T, C = x_BTC.shape
        heads_BTHD = self.qkv(x_BTC).view(B, T, self.heads + 2 * self.kv_heads, self.head_size)
        q_BTHD, k_BTKD, v_BTKD = heads_BTHD.split((self.heads, self.kv_heads, self.kv_heads), dim=2)
        q = rotate(self.query_norm(q_BTHD), *rotation).transpose(1, 2)
        k = rotate(self.key_norm(k_BTKD), *rotation).transpose(1, 2)
        v = v_BTKD.transpose(1, 2)
        if extend is not None:
            k, v = extend(k, v)
        if lens_G is not None:
            shared = self.heads // self.kv_heads
            if shared > 1:
                k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
            q_HND, k_HND, v_HND = (x[0].float().contiguous() for x in (q / math.sqrt(self.head_size), k, v))
            y_BHTD = attention_in_games(q_HND, k_HND, v_HND, lens_G)[None].to(v.dtype)
        else:
            y_BHTD = functional.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=None if mask_BTS is None else mask_BTS[:, None],
                is_causal=mask_BTS is None and T > 1,
                enable_gqa=self.kv_heads != self.heads,
            )
        gathered: Tensor = self.out(y_BHTD.transpose(1, 2).reshape(B, T, C))
        return gathered


class SwiGLU(nn.Module):
    """The position-wise layer: `down(silu(gate(x)) * up(x))`, gate and up in one matrix product."""

    def __init__(self, config: ModelSection) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, config.width, bias=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Same shape in and out."""
        gate_BTF, up_BTF = self.gate_up(x_BTC).chunk(2, dim=-1)
        y_BTC: Tensor = self.down(functional.silu(gate_BTF) * up_BTF)
        return y_BTC


class Block(nn.Module):
    """Attention, then SwiGLU, each on the normalised stream and added to it."""

    def __init__(self, config: ModelSection) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.width)
        self.mlp = SwiGLU(config)

    def forward(
        self,
        x_BTC: Tensor,
        rotation: Rotation,
        mask_BTS: Tensor | None = None,
        extend: Extend | None = None,
        lens_G: Tensor | None = None,
    ) -> Tensor:
        """Same shape in and out."""
        x_BTC = x_BTC + self.attention(self.attention_norm(x_BTC), rotation, mask_BTS, extend, lens_G)
        y_BTC: Tensor = x_BTC + self.mlp(self.mlp_norm(x_BTC))
        return y_BTC


class Decoder(nn.Module):
    """Predicts the next token from all tokens before it.

    Initial weights come from torch's global generator: seed it (`torch.manual_seed`) for the same weights.

    >>> from chesslm.config import ModelSection
    >>> _ = torch.manual_seed(0)
    >>> model = Decoder(ModelSection(width=24, depth=2, heads=3, mlp_width=40, context_len=32), vocabulary_len=11)
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 11])
    >>> model.parameter_counts()
    ParameterCounts(trunk=10520, embedding=264, head=0)
    """

    def __init__(self, config: ModelSection, vocabulary_len: int) -> None:
        super().__init__()
        self.config = config
        self.vocabulary_len = vocabulary_len
        self.embedding = nn.Embedding(vocabulary_len, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = RMSNorm(config.width)
        self.unembedding = None if config.tied_head else nn.Linear(config.width, vocabulary_len, bias=False)
        cos, sin = rotary_table(
            config.context_len + ROOM_BEYOND_CONTEXT, config.width // config.heads, config.rope_base
        )
        self.register_buffer("rotary_cos", cos, persistent=False)
        self.register_buffer("rotary_sin", sin, persistent=False)
        self.rotary_cos: Tensor
        self.rotary_sin: Tensor
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw fresh weights: a block's matrices keep half the size of what they are given, embeddings are small."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 1:
                nn.init.ones_(parameter)
            elif name.startswith("blocks."):
                nn.init.normal_(parameter, std=0.5 / math.sqrt(parameter.shape[1]))
            else:
                nn.init.normal_(parameter, std=INITIAL_EMBEDDING_STD)

    def forward(
        self,
        tokens_BT: Tensor,
        *,
        positions_BT: Tensor | None = None,
        mask_BTS: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Logits of the token after each token, `[B, T, V]`; arguments as in `hidden`."""
        return self.head(self.hidden(tokens_BT, positions_BT=positions_BT, mask_BTS=mask_BTS, cache=cache))

    def hidden(
        self,
        tokens_BT: Tensor,
        *,
        positions_BT: Tensor | None = None,
        mask_BTS: Tensor | None = None,
        cache: KeyValueCache | None = None,
        lens_G: Tensor | None = None,
    ) -> Tensor:
        """The normalised stream after the last block, `[B, T, C]`: `head` of any selection of it gives logits.

        Args:
            tokens_BT: token ids, int64.
            positions_BT: place of each token in its text, less than the context and `ROOM_BEYOND_CONTEXT`;
                consecutive after the cached columns, within the context, if absent.
            mask_BTS: bool, True where a token may attend to a column; each token needs one (itself will do).
                Causal if absent.
            cache: columns fed before; the new tokens' are appended.
            lens_G: lengths of games that fill a single row side by side, each by itself: causal, positions from 0 on.
                Without the other arguments.

        Raises:
            ValueError: positions aren't given and don't fit into the context.
        """
        T = tokens_BT.shape[1]
        start = 0 if cache is None else len(cache)
        if lens_G is not None:
            starts_G = lens_G.cumsum(0) - lens_G
            positions_BT = (torch.arange(T, device=tokens_BT.device) - starts_G.repeat_interleave(lens_G))[None]
        if positions_BT is None:
            if start + T > self.config.context_len:
                raise ValueError(f"{start + T} tokens don't fit into a context of {self.config.context_len}")
            rotation = (self.rotary_cos[start : start + T, None], self.rotary_sin[start : start + T, None])
        else:
            rotation = (self.rotary_cos[positions_BT, None], self.rotary_sin[positions_BT, None])
        if mask_BTS is None and start > 0 and T > 1:
            mask_BTS = torch.ones(1, T, start + T, dtype=torch.bool, device=tokens_BT.device).tril(start)
        x_BTC = self.embedding(tokens_BT)
        for index, block in enumerate(self.blocks):
            # A closure, not the index: a number among the arguments would make torch.compile compile each block anew.
            extend = None if cache is None else partial(cache.append, index)
            x_BTC = block(x_BTC, rotation, mask_BTS, extend, lens_G)
        normalised: Tensor = self.norm(x_BTC)
        return normalised

    def head(self, hidden: Tensor) -> Tensor:
        """Logits `[…, V]` of hidden vectors `[…, C]`; feed only the ones whose logits are wanted."""
        return functional.linear(hidden, self.embedding.weight if self.unembedding is None else self.unembedding.weight)

    def parameter_counts(self) -> ParameterCounts:
        """Weights of the trunk, the embedding and the head, apart."""
        embedding = self.embedding.weight.numel()
        head = 0 if self.unembedding is None else self.unembedding.weight.numel()
        total = sum(parameter.numel() for parameter in self.parameters())
        return ParameterCounts(trunk=total - embedding - head, embedding=embedding, head=head)
