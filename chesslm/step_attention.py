"""Attention of one new token a row over the cache, as a compiled loop (numba).

Knows: query-key norm, rotary positions and softmax of a single query a head, and in which order the cache is read.
Doesn't know: the rest of the decoder (`next_token_step`), or how the cache comes by its memory (`paged_columns`).

Many rows' cache is larger than the processor's, so that memory is what takes the time. It is read page by page for a
group of rows at once, which is the order it lies in: with 64 rows in bfloat16 about twice as fast as one row's head
after the other, where each is too short a stretch for the processor to fetch ahead. Four columns are taken at a time:
what they are added to is read and written once for them all.

Tensor key: B rows · H query heads · K key and value heads · D head size · X = (H + 2 K) D · N pages · P columns of a
page · W numbers that hold D (D or D/2) · S columns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chesslm.model import NORM_EPS
from chesslm.paged_columns import COLUMNS_OF_A_PAGE
from chesslm.step_kernels import ONE, ZERO, Floats, Numbers, arrays_apart, compiled, exponential, halves, put_halves

Longs = npt.NDArray[np.int64]

_EPS = np.float32(NORM_EPS)
_PAGE = COLUMNS_OF_A_PAGE
# Rows read together: their scores stay in the processor's nearest cache, and their part of a page is long enough.
_ROWS_OF_A_GROUP = 16


@compiled
def _normalise_and_turn(x_D: Floats, gains_2D: Floats, which: int, cos_D: Floats, sin_D: Floats) -> None:
    """Query or key norm, if there is one, and rotation of a head, in place."""
    size = len(x_D)
    half = size // 2
    if len(gains_2D):
        squares = ZERO
        for d in range(size):
            squares += x_D[d] * x_D[d]
        scale = ONE / np.sqrt(squares / np.float32(size) + _EPS)
        for d in range(size):
            x_D[d] *= scale * gains_2D[which, d]
    for d in range(half):
        first, second = x_D[d], x_D[half + d]
        x_D[d] = first * cos_D[d] - second * sin_D[d]
        x_D[half + d] = second * cos_D[d] + first * sin_D[d]


@compiled
def _score(query_D: Floats, keys_PW: Numbers, count: int, scores_P: Floats) -> None:
    """Products of a query with the first `count` keys of a page, a multiple of four."""
    arrays_apart()
    half = len(query_D) // 2
    first_D, second_D = query_D[:half], query_D[half:]
    for place in range(0, count, 4):
        a_W, b_W, c_W, d_W = keys_PW[place], keys_PW[place + 1], keys_PW[place + 2], keys_PW[place + 3]
        a = b = c = d = ZERO
        for index in range(half):
            first, second = first_D[index], second_D[index]
            key = halves(a_W, index, half)
            a += first * key[0] + second * key[1]
            key = halves(b_W, index, half)
            b += first * key[0] + second * key[1]
            key = halves(c_W, index, half)
            c += first * key[0] + second * key[1]
            key = halves(d_W, index, half)
            d += first * key[0] + second * key[1]
        scores_P[place], scores_P[place + 1], scores_P[place + 2], scores_P[place + 3] = a, b, c, d


@compiled
def _gather(shares_P: Floats, values_PW: Numbers, count: int, out_D: Floats) -> None:
    """Add the first `count` values of a page, a multiple of four, each as often as its share says."""
    arrays_apart()
    half = len(out_D) // 2
    first_D, second_D = out_D[:half], out_D[half:]
    for place in range(0, count, 4):
        a_W, b_W, c_W, d_W = values_PW[place], values_PW[place + 1], values_PW[place + 2], values_PW[place + 3]
        a, b, c, d = shares_P[place], shares_P[place + 1], shares_P[place + 2], shares_P[place + 3]
        for index in range(half):
            of_a, of_b = halves(a_W, index, half), halves(b_W, index, half)
            of_c, of_d = halves(c_W, index, half), halves(d_W, index, half)
            first_D[index] += a * of_a[0] + b * of_b[0] + c * of_c[0] + d * of_d[0]
            second_D[index] += a * of_a[1] + b * of_b[1] + c * of_c[1] + d * of_d[1]


@compiled
def _largest(scores_S: Floats) -> np.float32:
    """The largest; four at a time, because each comparison waits for the one before it."""
    a = b = c = d = np.float32(-np.inf)
    num_fours = len(scores_S) // 4 * 4
    for place in range(0, num_fours, 4):
        a, b = max(a, scores_S[place]), max(b, scores_S[place + 1])
        c, d = max(c, scores_S[place + 2]), max(d, scores_S[place + 3])
    for place in range(num_fours, len(scores_S)):
        a = max(a, scores_S[place])
    return max(max(a, b), max(c, d))


@compiled
def _exponentials(scores_S: Floats, largest: np.float32) -> np.float32:
    """Take exp of each score less the largest, in place; their sum."""
    total = ZERO
    for place in range(len(scores_S)):
        scores_S[place] = exponential(scores_S[place] - largest)
        total += scores_S[place]
    return total


@compiled
def _weigh(scores_S: Floats, start: int, stop: int, resumption: int, end: int) -> np.float32:
    """Softmax over `[start, stop)` and `[resumption, end)`, zeros elsewhere, but for the division; the divisor."""
    largest = max(_largest(scores_S[start:stop]), _largest(scores_S[resumption:end]))
    total = _exponentials(scores_S[start:stop], largest) + _exponentials(scores_S[resumption:end], largest)
    scores_S[:start] = ZERO
    scores_S[stop:resumption] = ZERO
    scores_S[end:] = ZERO
    return total


@compiled
def attend(
    qkv_BX: Floats,
    scales_X: Floats,
    gains_2D: Floats,
    cos_SD: Floats,
    sin_SD: Floats,
    positions_B: Longs,
    bounds_B2: Longs,
    num_prompt_columns: int,
    column: int,
    keys_NBKPW: Numbers,
    values_NBKPW: Numbers,
    out_BC: Floats,
) -> None:
    """Put each row's new key and value into `column` of the cache and gather what its query attends to.

    Args:
        qkv_BX: queries, keys and values of the new tokens, to be multiplied by the scales.
        scales_X: of each column of them.
        gains_2D: of the query and the key norm; no rows where there is no such norm.
        cos_SD: cosines of each position's angles, `[positions, D/2]`.
        sin_SD: their sines.
        positions_B: place of each new token in its text.
        bounds_B2: columns `[start, stop)` of each row's prompt.
        num_prompt_columns: from here on every column belongs to every row.
        column: the new one; the last.
        keys_NBKPW: the cache's pages of keys; finite wherever nothing has been put.
        values_NBKPW: and of values.
        out_BC: where what is gathered is written, `[B, H D]`.
    """
    num_kv = keys_NBKPW.shape[2]
    size = 2 * cos_SD.shape[1]
    half = size // 2
    num_heads = out_BC.shape[1] // size
    shared = num_heads // num_kv
    num_pages = column // _PAGE + 1
    scale = ONE / np.sqrt(np.float32(size))
    heads_XD = np.empty((num_heads + 2 * num_kv, size), dtype=np.float32)
    queries_GHD = np.empty((_ROWS_OF_A_GROUP, num_heads, size), dtype=np.float32)
    gathered_BHD = out_BC.reshape(len(out_BC), num_heads, size)
    scores_GHS = np.empty((_ROWS_OF_A_GROUP, num_heads, num_pages * _PAGE), dtype=np.float32)
    for begin in range(0, len(qkv_BX), _ROWS_OF_A_GROUP):
        end = min(begin + _ROWS_OF_A_GROUP, len(qkv_BX))
        for row in range(begin, end):
            flat_X = heads_XD.reshape(-1)
            for x in range(len(flat_X)):
                flat_X[x] = qkv_BX[row, x] * scales_X[x]
            cos_D, sin_D = cos_SD[positions_B[row]], sin_SD[positions_B[row]]
            for head in range(num_heads):
                _normalise_and_turn(heads_XD[head], gains_2D, 0, cos_D, sin_D)
                for d in range(size):
                    queries_GHD[row - begin, head, d] = heads_XD[head, d] * scale
            for kv in range(num_kv):
                key_D, value_D = heads_XD[num_heads + kv], heads_XD[num_heads + num_kv + kv]
                _normalise_and_turn(key_D, gains_2D, 1, cos_D, sin_D)
                key_W = keys_NBKPW[column // _PAGE, row, kv, column % _PAGE]
                value_W = values_NBKPW[column // _PAGE, row, kv, column % _PAGE]
                for d in range(half):
                    put_halves(key_D[d], key_D[half + d], key_W, d, half)
                    put_halves(value_D[d], value_D[half + d], value_W, d, half)
        for page in range(num_pages):
            count = min(_PAGE, (column - page * _PAGE) // 4 * 4 + 4)
            for row in range(begin, end):
                for head in range(num_heads):
                    scores_P = scores_GHS[row - begin, head, page * _PAGE : (page + 1) * _PAGE]
                    _score(queries_GHD[row - begin, head], keys_NBKPW[page, row, head // shared], count, scores_P)
        gathered_BHD[begin:end] = ZERO
        for row in range(begin, end):
            start, stop = bounds_B2[row, 0], bounds_B2[row, 1]
            for head in range(num_heads):
                scores_S = scores_GHS[row - begin, head]
                total = _weigh(scores_S, start, stop, num_prompt_columns, column + 1)
                scores_S *= ONE / total
        for page in range(num_pages):
            count = min(_PAGE, (column - page * _PAGE) // 4 * 4 + 4)
            for row in range(begin, end):
                for head in range(num_heads):
                    shares_P = scores_GHS[row - begin, head, page * _PAGE : (page + 1) * _PAGE]
                    _gather(shares_P, values_NBKPW[page, row, head // shared], count, gathered_BHD[row, head])
