"""Free-running text: token by token, unmasked, each row with its own seed.

Knows: temperature, top-k and top-p over tokens, and over any other weights.
Doesn't know: chess. (Players sample over legal moves: `model_player`.)

Tensor key: B rows of a batch · T new tokens · V vocabulary.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.row_threads import divided, run_alone
from chesslm.token_model import DecoderTokenModel, TokenModel, as_token_model, batches_by_length

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
# Prefixes, and room for what is written, that go through the model at once; bounds the cache's memory.
TOKENS_PER_SAMPLED_BATCH = 32_768
# To begin a thread costs as much as to feed a few rows.
_ROWS_OF_A_THREAD = 8


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


def drawn_rows(weights_BV: Floats, uniforms_B: Floats) -> Longs:
    """`drawn` for each row: much faster than row by row."""
    sums_BV = np.cumsum(weights_BV, axis=1)
    reached_B = (sums_BV <= uniforms_B[:, None] * sums_BV[:, -1:]).sum(axis=1)
    last_B = weights_BV.shape[1] - 1 - (weights_BV[:, ::-1] > 0.0).argmax(axis=1)
    tokens_B: Longs = np.minimum(reached_B, last_B)
    return tokens_B


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

    def choose(logits_BV: Tensor, uniforms_B: Floats) -> Longs:
        if temperature == 0.0:
            largest: Longs = logits_BV.cpu().numpy().argmax(axis=1)
            return largest
        weights_BV = reshaped(logits_BV.double().cpu().numpy(), temperature=temperature, top_k=top_k, top_p=top_p)
        return drawn_rows(weights_BV, uniforms_B)

    room = min(max_new_tokens, tokens.context_len)
    for batch in batches_by_length(lengths, extra=room, tokens=TOKENS_PER_SAMPLED_BATCH):
        limits = [max(0, min(max_new_tokens, tokens.context_len - lengths[index])) for index in batch]
        rows = [prefixes[index] for index in batch]
        task = _Task(rows, limits, [seeds[index] for index in batch], notation.vocabulary.end_id, choose)
        texts.update(zip(batch, _written(tokens, task), strict=True))
    return [texts[index] for index in range(len(prefixes))]


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be written.

    Args:
        prefixes: what each text follows.
        limits: most tokens of each.
        seeds: of each.
        end_id: the token that ends a text.
        choose: tokens from logits `[B, V]` and random numbers of `[0, 1)`, one a row.
    """

    prefixes: Sequence[Sequence[int]]
    limits: Sequence[int]
    seeds: Sequence[int]
    end_id: int
    choose: Callable[[Tensor, Floats], Longs]

    def part(self, rows: slice) -> _Task:
        """The same for some of the rows."""
        return _Task(self.prefixes[rows], self.limits[rows], self.seeds[rows], self.end_id, self.choose)


def _written(model: TokenModel, task: _Task) -> list[list[int]]:
    """What follows each prefix; on a CPU with many rows, some rows in each thread."""
    num_rows = len(task.prefixes)
    is_shared = isinstance(model, DecoderTokenModel) and model.decoder.embedding.weight.device.type == "cpu"
    num_threads = min(torch.get_num_threads(), num_rows // _ROWS_OF_A_THREAD) if is_shared else 1
    shares = divided(num_rows, max(1, num_threads))
    found: dict[int, list[list[int]]] = {}
    is_given_up = threading.Event()

    def write(rows: slice) -> None:
        try:
            found[rows.start] = _write(model, task.part(rows), is_given_up)
        except BaseException:
            is_given_up.set()
            raise

    run_alone([partial(write, rows) for rows in shares])
    return [text for rows in shares for text in found[rows.start]]


def _write(model: TokenModel, task: _Task, is_given_up: threading.Event) -> list[list[int]]:
    """What follows each prefix, all written in step; the batch shrinks when half of them have ended."""
    most = max(task.limits)
    num_rows = len(task.prefixes)
    prefix_lens_B, lens_B = np.array([len(prefix) for prefix in task.prefixes]), np.array(task.limits)
    written_BT, uniforms_BT = np.empty((num_rows, most), dtype=np.int64), np.zeros((num_rows, most))
    for row, (seed, limit) in enumerate(zip(task.seeds, task.limits, strict=True)):
        uniforms_BT[row, :limit] = np.random.default_rng(seed).random(limit)
    rows_B = np.flatnonzero(lens_B)
    if len(rows_B) == 0:
        return [[] for _ in task.prefixes]
    reading = model.read([task.prefixes[row] for row in rows_B.tolist()])
    logits_BV = reading.logits(range(len(rows_B)), (prefix_lens_B[rows_B] - 1).tolist())
    for step in range(most):
        tokens_B = task.choose(logits_BV, uniforms_BT[rows_B, step])
        written_BT[rows_B, step] = tokens_B
        ended_B = rows_B[tokens_B == task.end_id]
        lens_B[ended_B] = np.minimum(lens_B[ended_B], step + 1)
        is_active_B = lens_B[rows_B] > step + 1
        num_active = int(is_active_B.sum())
        if num_active == 0 or is_given_up.is_set():
            break
        # Finished rows go on unread, because to leave them out costs a copy of the cache; but only within the context.
        is_full = bool((prefix_lens_B[rows_B[~is_active_B]] + step >= model.context_len).any())
        if is_full or 2 * num_active <= len(rows_B):
            reading = reading.select(np.flatnonzero(is_active_B).tolist())
            rows_B, tokens_B = rows_B[is_active_B], tokens_B[is_active_B]
        logits_BV = reading.extend(tokens_B.tolist())
    return [written_BT[row, :length].tolist() for row, length in enumerate(lens_B)]
