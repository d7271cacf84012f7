"""What inference needs of a network, and the decoder seen that way.

Knows: the `TokenModel` protocol; reading many prompts of different lengths at once with one cache, then asking what
follows them, what follows whole trees of tokens after them, or going on token by token.
Doesn't know: what tokens mean (`notation`), or how answers become moves (`move_scores`).

Tensor key: B prompts · T tokens of the longest prompt · N tokens of the largest tree · S columns of the cache (T or
T + N) · V vocabulary · R requests. Masks are True where a token may attend to a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chesslm.key_value_cache import KeyValueCache
from chesslm.model import Decoder
from chesslm.token_tree import Branches

if TYPE_CHECKING:
    from chesslm.next_token_step import NextTokenStep

Longs = npt.NDArray[np.int64]
# Enough for matrix products to run at full speed on a few cores.
TOKENS_PER_BATCH = 4_096
# Logits of a batch are kept within 70 MB; a vocabulary of 50,000 would have 800 MB in a batch of so many tokens.
_LOGITS_PER_BATCH = 4_096 * TOKENS_PER_BATCH


class Reading(Protocol):
    """Prompts that a model has read and can be asked about. Logits are float32 and the caller's to overwrite."""

    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        """Logits of what follows token `columns[r]` of prompt `rows[r]`, `[R, V]`."""
        ...

    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        """Logits of what follows each token of each prompt's branches, `[sum of their lengths, V]`, prompt by prompt.

        The reading itself stays as it was.
        """
        ...

    def select(self, rows: Sequence[int]) -> Reading:
        """A copy with these prompts alone, in this order."""
        ...

    def extend(self, tokens: Sequence[int]) -> Tensor:
        """Append one token to each prompt; logits of what follows, `[B, V]`. `logits` still speaks of old columns."""
        ...


class TokenModel(Protocol):
    """Predicts tokens from tokens."""

    @property
    def context_len(self) -> int:
        """The most tokens that a text should have. A prompt fits; branches may go up to 64 tokens beyond."""
        ...

    def read(self, prompts: Sequence[Sequence[int]]) -> Reading:
        """Read prompts (at least one token each, at most `context_len`) in one batch."""
        ...


def as_token_model(model: TokenModel | Decoder) -> TokenModel:
    """The protocol's view of a decoder; anything else is taken as it is."""
    return DecoderTokenModel(model) if isinstance(model, Decoder) else model


class DecoderTokenModel:
    """A `Decoder` as a `TokenModel`; computes in the decoder's own precision, without gradients."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    @property
    def context_len(self) -> int:
        """The decoder's context, in tokens."""
        return self.decoder.config.context_len

    @torch.inference_mode()
    def read(self, prompts: Sequence[Sequence[int]]) -> DecoderReading:
        """Read prompts in one batch, padded on the right: causal attention never lets a token see the padding."""
        device = self.decoder.embedding.weight.device
        lengths = np.array([len(prompt) for prompt in prompts])
        tokens = np.zeros((len(prompts), lengths.max()), dtype=np.int64)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt)] = prompt
        cache = KeyValueCache(self.decoder.config.depth)
        hidden_BTC = self.decoder.hidden(torch.from_numpy(tokens).to(device), cache=cache)
        return DecoderReading(self.decoder, cache, hidden_BTC, [(0, len(prompt)) for prompt in prompts])


class DecoderReading:
    """Prompts in a cache.

    Args:
        decoder: the network that has been fed.
        cache: its keys and values.
        hidden_BTC: what it said of each column.
        columns: for each prompt the columns `[start, stop)` in which it stands; the others of its row are padding.
    """

    def __init__(
        self, decoder: Decoder, cache: KeyValueCache, hidden_BTC: Tensor, columns: Sequence[tuple[int, int]]
    ) -> None:
        self.cache = cache
        self.hidden_BTC = hidden_BTC
        self.columns = list(columns)
        self._decoder = decoder
        self._bounds_B2 = np.array(self.columns, dtype=np.int64)
        # Of what `extend` appended, each column belongs to every text.
        self._num_extended = 0
        self._step: NextTokenStep | None = None

    @torch.inference_mode()
    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        """Logits of what follows token `columns[r]` of prompt `rows[r]`, `[R, V]`."""
        places = [self.columns[row][0] + column for row, column in zip(rows, columns, strict=True)]
        return self._decoder.head(self.hidden_BTC[list(rows), places])

    @torch.inference_mode()
    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        """Logits of what follows each token of each prompt's branches, `[sum of their lengths, V]`."""
        num_columns = len(self.cache)
        num_nodes = max(len(tree) for tree in branches)
        if num_nodes == 0:
            return self.hidden_BTC.new_empty(0, self._decoder.vocabulary_len)
        shape = (len(branches), num_nodes)
        tokens_BN, depths_BN = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        is_real_BN = np.zeros(shape, dtype=bool)
        # Padding attends to itself alone, so that no row of the attention is empty.
        sees_BNN = np.tile(np.eye(num_nodes, dtype=bool), (len(branches), 1, 1))
        for row, tree in enumerate(branches):
            size = len(tree)
            tokens_BN[row, :size] = tree.tokens
            depths_BN[row, :size] = tree.depths()
            is_real_BN[row, :size] = True
            for node, parent in enumerate(tree.parents):
                if parent >= 0:
                    sees_BNN[row, node] |= sees_BNN[row, parent]
        device = self.hidden_BTC.device
        seen_BNS = self._seen_columns()[:, None].expand(-1, num_nodes, -1)
        hidden_BNC = self._decoder.hidden(
            torch.from_numpy(tokens_BN).to(device),
            positions_BT=torch.from_numpy(self._text_lens()[:, None] + depths_BN).to(device),
            mask_BTS=torch.cat((seen_BNS, torch.from_numpy(sees_BNN).to(device)), dim=2),
            cache=self.cache,
        )
        self.cache.cut(num_columns)
        return self._decoder.head(hidden_BNC[torch.from_numpy(is_real_BN).to(device)])

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> DecoderReading:
        """A copy with these prompts alone, in this order."""
        index_B = torch.tensor(list(rows), dtype=torch.int64, device=self.hidden_BTC.device)
        chosen = DecoderReading(
            self._decoder, self.cache.select(index_B), self.hidden_BTC[index_B], [self.columns[row] for row in rows]
        )
        # What `extend` appended belongs to them too.
        chosen._num_extended, chosen._step = self._num_extended, self._step
        return chosen

    @torch.inference_mode()
    def extend(self, tokens: Sequence[int]) -> Tensor:
        """Append one token to each prompt; logits of what follows, `[B, V]`."""
        positions_B, num_prompt_columns = self._text_lens(), self.hidden_BTC.shape[1]
        self._num_extended += 1
        if self._num_extended == 1:
            # numba takes half a second to import, and who only asks about moves never comes here.
            from chesslm.next_token_step import step_of

            self._step = step_of(self._decoder)
        if self._step is not None:
            return self._step.logits(tokens, positions_B, self._bounds_B2, num_prompt_columns, self.cache)
        device = self.hidden_BTC.device
        hidden_B1C = self._decoder.hidden(
            torch.tensor(tokens, dtype=torch.int64, device=device)[:, None],
            positions_BT=torch.from_numpy(positions_B[:, None]).to(device),
            mask_BTS=self._seen_columns()[:, None],
            cache=self.cache,
        )
        return self._decoder.head(hidden_B1C[:, 0])

    def _text_lens(self) -> Longs:
        """Tokens of each text, with what was appended."""
        lengths_B: Longs = self._bounds_B2[:, 1] - self._bounds_B2[:, 0] + self._num_extended
        return lengths_B

    def _seen_columns(self) -> Tensor:
        """Which columns belong to each text, with what was appended."""
        num_prompt_columns = self.hidden_BTC.shape[1]
        places = np.arange(num_prompt_columns + self._num_extended)
        starts_B1, stops_B1 = self._bounds_B2[:, :1], self._bounds_B2[:, 1:]
        is_prompt_BS = (places >= starts_B1) & (places < stops_B1)
        return torch.from_numpy(is_prompt_BS | (places >= num_prompt_columns)).to(self.hidden_BTC.device)


def tokens_per_batch(vocabulary_len: int) -> int:
    """How many tokens may go through a model at once: fewer where the vocabulary is large.

    >>> tokens_per_batch(300), tokens_per_batch(4_096), tokens_per_batch(50_257)
    (4096, 4096, 333)
    """
    return min(TOKENS_PER_BATCH, _LOGITS_PER_BATCH // vocabulary_len)


def batches_by_length(lengths: Sequence[int], *, extra: int, tokens: int = TOKENS_PER_BATCH) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first; padded, with `extra` each, within `tokens` (or alone).

    >>> list(batches_by_length([3, 9, 2, 8], extra=1, tokens=20))
    [[1, 3], [0, 2]]
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        longest = lengths[batch[0]] if batch else lengths[index]
        if batch and (len(batch) + 1) * (longest + extra) > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
