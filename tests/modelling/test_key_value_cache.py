"""What is fed in pieces equals what is fed at once."""

from __future__ import annotations

import pytest
import torch

from chesslm.config import ModelSection
from chesslm.key_value_cache import KeyValueCache
from chesslm.model import Decoder

V = 17
CONFIGS = [
    ModelSection(width=30, depth=2, heads=3, mlp_width=13, context_len=31),
    ModelSection(width=30, depth=2, heads=3, kv_heads=1, mlp_width=13, context_len=31, tied_head=False),
]


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> Decoder:
    torch.manual_seed(0)
    model = Decoder(request.param, V)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def tokens(rows: int, length: int) -> torch.Tensor:
    return torch.randint(0, V, (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pieces", [[23], [1] * 23, [5, 1, 1, 7, 9], [11, 12]])
def test_cached_pieces_equal_one_full_pass(model: Decoder, pieces: list[int]) -> None:
    batch = tokens(3, 23)
    cache = KeyValueCache(model.config.depth)
    with torch.inference_mode():
        logits = torch.cat([model(piece, cache=cache) for piece in batch.split(pieces, dim=1)], dim=1)
        assert len(cache) == 23
        torch.testing.assert_close(logits, model(batch), rtol=1e-4, atol=1e-5)


def test_a_cut_cache_goes_on_from_the_cut(model: Decoder) -> None:
    batch = tokens(3, 11)
    other = (batch[:, 7:] + 1) % V
    cache = KeyValueCache(model.config.depth)
    with torch.inference_mode():
        model(batch, cache=cache)
        cache.cut(7)
        again = model(other, cache=cache)
        full = model(torch.cat((batch[:, :7], other), dim=1))
    torch.testing.assert_close(again, full[:, 7:], rtol=1e-4, atol=1e-5)


def test_selected_rows_are_copies_of_their_own(model: Decoder) -> None:
    batch = tokens(3, 7)
    cache = KeyValueCache(model.config.depth)
    with torch.inference_mode():
        model(batch, cache=cache)
        chosen = cache.select(torch.tensor([2, 0, 2]))
        model(batch[:, :2], cache=cache)
        following = tokens(3, 5)
        logits = model(following, cache=chosen)
        full = model(torch.cat((batch[[2, 0, 2]], following), dim=1))
    assert (len(cache), len(chosen)) == (9, 12)
    torch.testing.assert_close(logits, full[:, 7:], rtol=1e-4, atol=1e-5)


def test_a_mask_and_positions_let_rows_of_different_lengths_share_columns(model: Decoder) -> None:
    short, long, following = tokens(1, 3), tokens(1, 7), tokens(1, 2)
    padded = torch.cat((torch.cat((short, torch.zeros(1, 4, dtype=torch.int64)), dim=1), long))
    seen = torch.tensor([[True] * 3 + [False] * 4, [True] * 7])
    cache = KeyValueCache(model.config.depth)
    with torch.inference_mode():
        model(padded, cache=cache)
        mask = torch.cat((seen[:, None].expand(-1, 2, -1), torch.ones(2, 2, 2, dtype=torch.bool).tril()), dim=2)
        positions = torch.tensor([[3, 4], [7, 8]])
        logits = model(following.expand(2, -1), positions_BT=positions, mask_BTS=mask, cache=cache)
        for row, alone in enumerate((short, long)):
            full = model(torch.cat((alone, following), dim=1))
            torch.testing.assert_close(logits[row], full[0, -2:], rtol=1e-4, atol=1e-5)


def test_a_cache_cant_be_cut_to_more_than_it_has() -> None:
    with pytest.raises(ValueError, match="can't cut 0 columns to 1"):
        KeyValueCache(2).cut(1)
