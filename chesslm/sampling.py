"""Free-running text: token by token, unmasked, each row with its own seed.

Knows: temperature, top-k and top-p over tokens, and over any other weights.
Doesn't know: chess. (Players sample over legal moves: `model_player`.)

Tensor key: B rows that still go on · V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.token_model import TokenModel, as_token_model, batches_by_length

Floats = npt.NDArray[np.float64]
# Prefixes, and room for what is written, that go through the model at once; bounds the cache's memory.
TOKENS_PER_SAMPLED_BATCH = 32_768


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise ValueError unless temperature >= 0, top_k >= 1 and 0 < top_p <= 1 (or absent)."""
    if not (math.isfinite(temperature) and temperature >= 0.0):
        raise ValueError(f"temperature must be 0 or more, not {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be 1 or more, not {top_k}")
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")


def reshaped(logprobs: Floats, *, temperature: float, top_k: int | None, top_p: float | None) -> Floats:
    """Probabilities after temperature, then top-k, then top-p; along the last axis they sum to one, in the order given.

    Args:
        logprobs: at least one finite value; they needn't be normalised. Of equal ones the first counts as larger.
        temperature: divides logarithms; 0 puts everything on the largest.
        top_k: keep this many of the largest; all if absent.
        top_p: of these, keep the fewest that together reach this share; all if absent.

    >>> reshaped(np.log([0.2, 0.5, 0.3]), temperature=1.0, top_k=2, top_p=None).round(3).tolist()
    [0.0, 0.625, 0.375]
    """
    if temperature == 0.0:
        certain: Floats = np.zeros_like(logprobs)
        np.put_along_axis(certain, logprobs.argmax(-1, keepdims=True), 1.0, -1)
        return certain
    with np.errstate(over="ignore"):  # close to temperature 0, a quotient beyond all numbers means weight 0
        weights: Floats = np.exp((logprobs - logprobs.max(-1, keepdims=True)) / temperature)
    if top_k is not None or top_p is not None:
        order = np.argsort(-logprobs, axis=-1, kind="stable")
        if top_k is not None:
            np.put_along_axis(weights, order[..., top_k:], 0.0, -1)
        if top_p is not None:
            sorted_weights = np.take_along_axis(weights, order, -1)
            sorted_weights /= sorted_weights.sum(-1, keepdims=True)
            reached_before = np.cumsum(sorted_weights, axis=-1) - sorted_weights
            np.put_along_axis(weights, order, np.where(reached_before < top_p, sorted_weights, 0.0), -1)
    weights /= weights.sum(-1, keepdims=True)
    return weights


def drawn(weights: Floats, uniform: float) -> int:
    """The index where the running sum of weights passes `uniform` (in [0, 1)) of their total; never a zero weight."""
    sums = np.cumsum(weights)
    index = int(np.searchsorted(sums, uniform * sums[-1], side="right"))
    return min(index, int(np.flatnonzero(weights)[-1]))


def drawn_rows(weights_BV: Floats, uniforms_B: Floats) -> list[int]:
    """`drawn` for each row: much faster than row by row."""
    sums_BV = np.cumsum(weights_BV, axis=1)
    reached_B = (sums_BV <= uniforms_B[:, None] * sums_BV[:, -1:]).sum(axis=1)
    last_B = weights_BV.shape[1] - 1 - (weights_BV[:, ::-1] > 0.0).argmax(axis=1)
    tokens: list[int] = np.minimum(reached_B, last_B).tolist()
    return tokens


def sample_text(
    model: TokenModel | Decoder,
    notation: Notation,
    *,
    prefixes: Sequence[Sequence[int]],
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
    seeds: Sequence[int],
    max_new_tokens: int,
) -> list[list[int]]:
    """What the model writes after each prefix, without the prefix.

    A text ends with the end token, or without it after `max_new_tokens` or where the context is full.

    Args:
        model: what writes.
        notation: whose vocabulary says which token ends a game.
        prefixes: at least one token each.
        temperature: 0 takes the most probable token; 1 samples the model's own distribution.
        top_k: sample among this many most probable tokens only.
        top_p: of what is left, sample among the fewest most probable tokens that together reach this probability.
        seeds: one for each prefix. A row's text depends on its prefix and seed alone, not on the other rows (but for
            the rounding of float32 sums).
        max_new_tokens: the most tokens to write.

    Raises:
        ValueError: a sampling parameter is out of range, or there aren't as many seeds as prefixes.
    """
    check_sampling(temperature, top_k, top_p)
    if len(seeds) != len(prefixes):
        raise ValueError(f"{len(prefixes)} prefixes need as many seeds, not {len(seeds)}")
    tokens = as_token_model(model)
    lengths = [len(prefix) for prefix in prefixes]
    texts: dict[int, list[int]] = {}

    def reshape(logits_BV: Floats) -> Floats:
        return reshaped(logits_BV, temperature=temperature, top_k=top_k, top_p=top_p)

    room = min(max_new_tokens, tokens.context_len)
    for batch in batches_by_length(lengths, extra=room, tokens=TOKENS_PER_SAMPLED_BATCH):
        rows = [
            _Row(
                prefix=list(prefixes[index]),
                generator=np.random.default_rng(seeds[index]),
                num_left=min(max_new_tokens, tokens.context_len - lengths[index]),
            )
            for index in batch
        ]
        _write(tokens, rows, notation.vocabulary.end_id, reshape)
        texts.update(zip(batch, [row.written for row in rows], strict=True))
    return [texts[index] for index in range(len(prefixes))]


@dataclass(slots=True)
class _Row:
    """A text being written; `num_left` is how many tokens it may still get."""

    prefix: list[int]
    generator: np.random.Generator
    num_left: int
    written: list[int] = field(default_factory=list)


def _write(model: TokenModel, rows: Sequence[_Row], end_id: int, reshape: Callable[[Floats], Floats]) -> None:
    """Write all rows in step; each finishes on its own, and the batch shrinks when half of it has."""
    batch = [row for row in rows if row.num_left > 0]
    if not batch:
        return
    reading = model.read([row.prefix for row in batch])
    logits_BV = reading.logits(range(len(batch)), [len(row.prefix) - 1 for row in batch])
    num_fed = 0
    while True:
        uniforms_B = np.array([row.generator.random() for row in batch])
        tokens = drawn_rows(reshape(logits_BV.double().cpu().numpy()), uniforms_B)
        for row, token in zip(batch, tokens, strict=True):
            if row.num_left > 0:
                row.written.append(token)
                row.num_left = 0 if row.written[-1] == end_id else row.num_left - 1
        active = [place for place, row in enumerate(batch) if row.num_left > 0]
        if not active:
            return
        # Finished rows go on unread, because to leave them out costs a copy of the cache; but only within the context.
        is_full = any(row.num_left == 0 and len(row.prefix) + num_fed >= model.context_len for row in batch)
        if is_full or 2 * len(active) <= len(batch):
            reading = reading.select(active)
            batch = [batch[place] for place in active]
        logits_BV = reading.extend([row.written[-1] for row in batch])
        num_fed += 1
