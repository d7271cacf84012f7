"""A decoder that remembers the texts it has read, so that a game asked about move by move is never read twice.

Knows: which remembered text shares the longest beginning with a new one, how to go on from there in one batch, and how
much to remember.
Doesn't know: what tokens mean (`notation`) or what is asked about them (`move_scores`).

Results equal those of reading anew up to rounding. In a batch every row is fed equally many tokens, as many as the row
needs that shares least with what is remembered: so the new tokens share their columns, and what is remembered is
copied to stand before them, aligned on the right. A single text that goes on is not even copied.

Tensor key: B texts of a batch · T tokens fed now · P columns of remembered tokens · S = P + T columns · C width.
Masks are True where a token may attend to a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from chesslm.key_value_cache import KeyValueCache, Stretch, right_aligned
from chesslm.model import Decoder
from chesslm.token_model import DecoderReading, DecoderTokenModel

# Enough for the games of a large match; beyond it the readings that were used longest ago are forgotten.
MAX_BYTES = 512 * 2**20

Lengths = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(slots=True, eq=False)
class _Held:
    """A reading that is remembered.

    Args:
        reading: its texts in a cache.
        tokens: their ids, a row each, -1 after the end.
        is_current: for each text whether nothing newer has most of it.
    """

    reading: DecoderReading
    tokens: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    is_current: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def num_bytes(self) -> int:
        return self.reading.cache.num_bytes + self.reading.hidden_BTC.nbytes

    def lengths(self) -> Lengths:
        """Tokens of each text."""
        return np.array([stop - start for start, stop in self.reading.columns], dtype=np.int64)

    def shared_lens(self, prompt: Sequence[int]) -> Lengths:
        """How many tokens each text has in common with the beginning of `prompt`."""
        size = min(len(prompt), self.tokens.shape[1])
        differs = self.tokens[:, :size] != np.asarray(prompt[:size], dtype=np.int64)
        return np.where(differs.any(axis=1), differs.argmax(axis=1), size)


@dataclass(frozen=True, slots=True)
class _Source:
    """The beginning of a prompt that is remembered: `length` tokens of text `row` of a reading."""

    held: _Held
    row: int
    length: int

    def is_most(self) -> bool:
        """Whether whoever goes on from here has most of the remembered text."""
        return bool(2 * self.length >= self.held.lengths()[self.row])


@dataclass
class RememberingModel:
    """A `Decoder` as a `TokenModel` that goes on from the texts it read before.

    A reading is good until the next one: its memory may be taken over. Not for several threads at once.

    Args:
        decoder: the network.
        max_bytes: how much memory texts may take; the latest reading is kept whatever it takes.

    Attributes:
        num_fed: tokens fed in all readings so far, padding not counted.
    """

    decoder: Decoder
    max_bytes: int = MAX_BYTES
    num_fed: int = 0
    _held: list[_Held] = field(default_factory=list, init=False)

    @property
    def context_len(self) -> int:
        """The decoder's context, in tokens."""
        return self.decoder.config.context_len

    def forget(self) -> None:
        """Give the memory back."""
        self._held.clear()

    @torch.inference_mode()
    def read(self, prompts: Sequence[Sequence[int]]) -> DecoderReading:
        """Read prompts in one batch, feeding only what follows their remembered beginnings."""
        lengths = [len(prompt) for prompt in prompts]
        sources = [self._source(prompt) for prompt in prompts]
        num_new = max(n - (source.length if source else 0) for n, source in zip(lengths, sources, strict=True))
        if num_new == max(lengths):
            reading = DecoderTokenModel(self.decoder).read(prompts)
            self.num_fed += sum(lengths)
        else:
            reading = self._go_on(prompts, sources, num_new)
            self.num_fed += sum(min(n, num_new) for n in lengths)
        self._remember(prompts, reading)
        return reading

    def _source(self, prompt: Sequence[int]) -> _Source | None:
        best: _Source | None = None
        for held in reversed(self._held):
            shared = held.shared_lens(prompt)
            row = int(shared.argmax())
            # What follows the last token is always wanted, so that one is fed.
            length = min(int(shared[row]), len(prompt) - 1)
            if length > (best.length if best else 0):
                best = _Source(held, row, length)
        return best

    def _go_on(
        self, prompts: Sequence[Sequence[int]], sources: Sequence[_Source | None], num_new: int
    ) -> DecoderReading:
        kept = [max(0, len(prompt) - num_new) for prompt in prompts]
        cache, hidden_BPC = self._beginnings(sources, kept)
        num_kept = max(kept)
        tokens = np.zeros((len(prompts), num_new), dtype=np.int64)
        for row, prompt in enumerate(prompts):
            fed = prompt[kept[row] :]
            tokens[row, num_new - len(fed) :] = fed
        columns = [(num_kept + num_new - len(prompt), num_kept + num_new) for prompt in prompts]
        tokens_BT = torch.from_numpy(tokens).to(hidden_BPC.device)
        if all(start == 0 for start, _ in columns):
            hidden_BTC = self.decoder.hidden(tokens_BT, cache=cache)
        else:
            positions, mask = _positions_and_mask([start for start, _ in columns], num_kept, num_new)
            hidden_BTC = self.decoder.hidden(
                tokens_BT,
                positions_BT=torch.from_numpy(positions).to(tokens_BT.device),
                mask_BTS=torch.from_numpy(mask).to(tokens_BT.device),
                cache=cache,
            )
        return DecoderReading(self.decoder, cache, torch.cat((hidden_BPC, hidden_BTC), dim=1), columns)

    def _beginnings(self, sources: Sequence[_Source | None], kept: Sequence[int]) -> tuple[KeyValueCache, Tensor]:
        """A cache with the first `kept[row]` tokens of each row, aligned on the right, and what was said of them."""
        only = sources[0] if len(sources) == 1 else None
        if only is not None and only.is_most() and len(only.held.is_current) == 1:
            # Taken over. Forgotten first: if this is interrupted, nobody may believe what the cache was said to hold.
            self._held.remove(only.held)
            reading = only.held.reading
            reading.cache.cut(kept[0])
            return reading.cache, reading.hidden_BTC[:, : kept[0]]
        anything = next(source for source in sources if source is not None).held.reading
        stretches, hiddens = [], []
        for source, num_kept in zip(sources, kept, strict=True):
            reading, row = (source.held.reading, source.row) if source is not None else (anything, 0)
            start = reading.columns[row][0]
            stretches.append(Stretch(reading.cache, row, start, start + num_kept))
            hiddens.append(reading.hidden_BTC[row, start : start + num_kept])
        return KeyValueCache.right_aligned(stretches), right_aligned(hiddens, max(kept))

    def _remember(self, prompts: Sequence[Sequence[int]], reading: DecoderReading) -> None:
        for held in self._held:
            lengths = held.lengths()
            for prompt in prompts:
                held.is_current &= 2 * held.shared_lens(prompt) < lengths
        tokens = np.full((len(prompts), max(map(len, prompts))), -1, dtype=np.int64)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt)] = prompt
        self._held = [held for held in self._held if held.is_current.any()]
        self._held.append(_Held(reading, tokens, np.ones(len(prompts), dtype=np.bool_)))
        while len(self._held) > 1 and sum(held.num_bytes for held in self._held) > self.max_bytes:
            self._held.pop(0)


def _positions_and_mask(
    starts: Sequence[int], num_kept: int, num_new: int
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]]:
    """Positions `[B, T]` and mask `[B, T, S]` of rows whose texts begin at column `starts[b]` and fill the rest."""
    columns = np.arange(num_kept + num_new)
    fed = columns[num_kept:]
    starts_B = np.asarray(starts)
    positions = np.maximum(fed[None, :] - starts_B[:, None], 0)
    is_text = columns[None, None, :] >= starts_B[:, None, None]
    # Padding attends to itself alone, so that no row of the attention is empty.
    is_itself = columns[None, None, :] == fed[None, :, None]
    is_before = columns[None, None, :] <= fed[None, :, None]
    return positions, (is_text & is_before) | is_itself
