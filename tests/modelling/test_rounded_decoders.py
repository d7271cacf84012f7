"""Decoders in fewer bits: what their weights become, and what their text step computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from chesslm import bfloat16_dots
from chesslm.bfloat16_dots import multiplies_pairs, packed, product
from chesslm.config import ModelSection
from chesslm.model import Decoder
from chesslm.next_token_step import step_of
from chesslm.quantise import Precision, dequantised, precision_of, quantised, rounded
from chesslm.step_kernels import multiply
from chesslm.stored_matrices import StoredMatrices
from chesslm.token_model import DecoderTokenModel

V = 17
NARROW: list[Precision] = ["bfloat16", "int8"]
CONFIG = ModelSection(width=44, depth=3, heads=2, kv_heads=1, mlp_width=19, context_len=181, tied_head=False)


# Whose matrices the processor may multiply in bfloat16, and not.
ALIGNED = CONFIG.model_copy(update={"width": 64, "kv_heads": 2, "mlp_width": 32})


@pytest.fixture(params=[CONFIG, ALIGNED], ids=["odd", "aligned"])
def model(request: pytest.FixtureRequest) -> Decoder:
    torch.manual_seed(0)
    model = Decoder(request.param, V).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def test_int8_is_within_half_a_step_of_every_weight_and_doesnt_change_when_repeated() -> None:
    weight = random(13, 29)
    weight[5] = 0.0
    numbers, scales = quantised(weight)
    again = dequantised(numbers, scales)
    assert numbers.dtype == torch.int8
    assert bool(((again - weight).abs() <= scales[:, None] * 0.501).all())
    assert torch.equal(quantised(again)[0], numbers)


@pytest.mark.parametrize("precision", NARROW)
def test_a_rounded_decoder_is_a_copy_that_knows_its_precision(model: Decoder, precision: Precision) -> None:
    before = [parameter.detach().clone() for parameter in model.parameters()]
    copy = rounded(model, precision)
    assert precision_of(copy) == precision
    assert (precision_of(model), rounded(model, "float32")) == ("float32", model)
    for old, parameter, new in zip(before, model.parameters(), copy.parameters(), strict=True):
        assert torch.equal(old, parameter)
        assert torch.equal(old, new) == (old.ndim == 1)
        assert relative_error(new, old) < 0.01


# Fours of rows and eights of numbers are multiplied at once: with and without a rest of either.
@pytest.mark.parametrize("num_rows", [1, 3, 4, 23])
@pytest.mark.parametrize("size", [5, 16, 29])
@pytest.mark.parametrize("precision", ["float32", *NARROW])
def test_stored_matrices_multiply_as_the_weights_they_stand_for(precision: Precision, size: int, num_rows: int) -> None:
    weights = [random(13, size, seed=seed) for seed in (1, 2)]
    if precision != "float32":
        rounding = Tensor.bfloat16 if precision == "bfloat16" else lambda weight: dequantised(*quantised(weight))
        weights = [rounding(weight).float() for weight in weights]
    rows = random(num_rows, size, seed=3)
    stored = StoredMatrices.of(weights, precision)
    for weight, numbers, scales in zip(weights, stored.numbers, stored.scales, strict=True):
        found = np.full((num_rows, 13), np.nan, dtype=np.float32)
        multiply(rows.numpy(), numbers, found)
        torch.testing.assert_close(torch.from_numpy(found * scales), rows @ weight.t(), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not multiplies_pairs(), reason="this processor doesn't multiply bfloat16")
@pytest.mark.parametrize("num_rows", [4, 7, 32])
def test_pairs_are_multiplied_as_bfloat16_numbers_are(num_rows: int) -> None:
    weights = random(2, 96, 34).bfloat16().float()
    rows = random(num_rows, 34, seed=2)
    expected = rows.bfloat16().float() @ weights.transpose(1, 2)
    pairs, unused = np.empty((num_rows, 20), dtype=np.uint32), np.empty((34, 96), dtype=np.float32)
    for matrix, matrix_expected in zip(packed(weights), expected, strict=True):
        found = np.full((num_rows, 96), np.nan, dtype=np.float32)
        product(rows.numpy(), unused, matrix, pairs, found)
        torch.testing.assert_close(torch.from_numpy(found), matrix_expected, rtol=1e-5, atol=1e-5)


def test_only_matrices_that_fit_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [(1, 31, 8), (1, 32, 7), (1, 32, 8)]
    assert [packed(torch.ones(shape)).shape[1] for shape in shapes] == [0, 0, int(multiplies_pairs())]
    monkeypatch.setattr(bfloat16_dots, "multiplies_pairs", lambda: False)
    assert packed(torch.ones(1, 32, 8)).shape[1] == 0


@pytest.mark.parametrize("precision", NARROW)
@pytest.mark.parametrize("num_texts", [1, 29])
def test_steps_in_fewer_bits_stay_close_to_a_reading_of_the_whole_text(
    model: Decoder, precision: Precision, num_texts: int
) -> None:
    copy = rounded(model, precision)
    texts = torch.randint(0, V, (num_texts, 120), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = copy(texts)[:, 20:]
        reading = DecoderTokenModel(copy).read(texts[:, :20].tolist())
        found = torch.stack([reading.extend(texts[:, place].tolist()) for place in range(20, 120)], dim=1)
    # Keys and values are kept in bfloat16, and many rows are multiplied in it where the processor does that.
    assert relative_error(found, expected) < 0.02
    assert float((found.argmax(-1) == expected.argmax(-1)).float().mean()) > 0.95


def test_a_cache_that_the_step_has_narrowed_is_still_read_by_the_network(model: Decoder) -> None:
    copy = rounded(model, "bfloat16")
    with torch.inference_mode():
        reading = DecoderTokenModel(copy).read([[1, 2, 3]])
        reading.extend([4])
        found = copy(torch.tensor([[5]]), cache=reading.cache)
        expected = copy(torch.tensor([[1, 2, 3, 4, 5]]))
    assert reading.cache.num_bytes > 0
    assert relative_error(found[0, -1], expected[0, -1]) < 0.02


def test_a_step_is_kept_until_the_weights_change(model: Decoder) -> None:
    first = step_of(model)
    assert step_of(model) is first
    with torch.no_grad():
        model.norm.weight.mul_(2.0)
    assert step_of(model) is not first
