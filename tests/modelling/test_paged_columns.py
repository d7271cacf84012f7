"""Pages of columns hold what tensors held, however they grow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from chesslm.key_value_cache import KeyValueCache
from chesslm.paged_columns import COLUMNS_OF_A_PAGE, PagedColumns

DTYPES = [torch.float32, torch.bfloat16]
B, K, S, D = 3, 2, 37, 10


def blocks(num_columns: int = S) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    made = torch.randn(5, 2, B, K, num_columns, D, generator=generator).bfloat16().float()
    return [(keys, values) for keys, values in made]


def same(found: list[tuple[Tensor, Tensor]], expected: list[tuple[Tensor, Tensor]]) -> bool:
    return all(
        torch.equal(a.float(), b)
        for pair, other in zip(found, expected, strict=True)
        for a, b in zip(pair, other, strict=True)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "bfloat16"])
@pytest.mark.parametrize("num_columns", [1, COLUMNS_OF_A_PAGE, S])
def test_what_is_put_into_pages_comes_out_again_after_growing_and_choosing_rows(
    dtype: torch.dtype, num_columns: int
) -> None:
    given = blocks(num_columns)
    paged = PagedColumns.of(given, dtype)
    assert (paged.dtype, same(paged.held(num_columns), given)) == (dtype, True)
    before = paged.num_bytes
    paged.make_room(1_000)
    assert (paged.num_bytes > before, same(paged.held(num_columns), given)) == (True, True)
    rows = torch.tensor([2, 0])
    assert same(paged.select(rows).held(num_columns), [(keys[rows], values[rows]) for keys, values in given])


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "bfloat16"])
def test_a_page_has_all_rows_of_its_columns_and_the_halves_of_a_head_side_by_side(dtype: torch.dtype) -> None:
    given = blocks()
    paged = PagedColumns.of(given, dtype)
    keys, values = paged.numbers()[3]
    width = D if dtype == torch.float32 else D // 2
    assert keys.shape[1:] == values.shape[1:] == (B, K, COLUMNS_OF_A_PAGE, width)
    column, expected = values[S // COLUMNS_OF_A_PAGE, 1, 0, S % COLUMNS_OF_A_PAGE - 1], given[3][1][1, 0, S - 1].numpy()
    if dtype == torch.float32:
        assert np.array_equal(column, expected)
    else:
        first, second = (column << 16).view(np.float32), (column & 0xFFFF0000).view(np.float32)
        assert np.array_equal(np.concatenate((first, second)), expected)
    assert bool((keys[-1] == 0).all())


def test_a_cache_goes_into_pages_and_back() -> None:
    given, cache = blocks(), KeyValueCache(5)
    with pytest.raises(ValueError, match="nothing has been fed"):
        cache.open_column()
    for block, (keys, values) in enumerate(given):
        cache.append(block, keys, values)
    paged = cache.open_column(torch.bfloat16)
    assert cache.open_column(torch.bfloat16) is paged
    assert (len(cache), cache.num_bytes) == (S + 2, paged.num_bytes)
    rows = torch.tensor([1])
    chosen = cache.select(rows)
    cache.cut(S)
    for held, of_rows in ((cache, slice(None)), (chosen, rows)):
        found, _ = held.append(0, torch.ones(len(given[0][0][of_rows]), K, 1, D), torch.ones(1, K, 1, D))
        assert torch.equal(found[:, :, :S], given[0][0][of_rows])
        assert bool((found[:, :, -1] == 1.0).all())
