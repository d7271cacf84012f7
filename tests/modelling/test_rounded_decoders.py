"""Decoders in fewer bits: what their weights become, and what their text step computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from chesslm import stored_matrix
from chesslm.config import ModelSection
from chesslm.model import NORM_EPS, Decoder
from chesslm.next_token_step import step_of
from chesslm.quantise import Precision, dequantised, precision_of, quantised, rounded
from chesslm.step_kernels import normalise
from chesslm.stored_matrix import StoredMatrix, product_dtype, rows_dtype
from chesslm.token_model import DecoderTokenModel

V = 17
NARROW: list[Precision] = ["bfloat16", "int8"]
CONFIG = ModelSection(width=44, depth=3, heads=2, kv_heads=1, mlp_width=19, context_len=181, tied_head=False)


@pytest.fixture
def model() -> Decoder:
    torch.manual_seed(0)
    model = Decoder(CONFIG, V).eval()
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


def multiplied(matrix: StoredMatrix, rows: Tensor, precision: Precision) -> Tensor:
    """As a step multiplies, scales and all."""
    dtype, scales_B = rows_dtype(len(rows), precision), torch.ones(len(rows))
    given = rows.to(dtype)
    if dtype == torch.int8:
        given, scales_B = quantised(rows)
    out = torch.empty(len(rows), 13, dtype=product_dtype(dtype))
    scales = matrix.times(given, out)
    return out.float() * torch.from_numpy(scales) * scales_B[:, None]


@pytest.mark.parametrize("num_rows", [1, 3, 23])
@pytest.mark.parametrize("precision", ["float32", *NARROW])
@pytest.mark.parametrize("instructions", [(), ("bfloat16",), ("bfloat16", "int8")], ids=["none", "bfloat16", "int8"])
def test_a_stored_matrix_multiplies_as_the_weights_it_stands_for(
    precision: Precision, num_rows: int, instructions: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("bfloat16", "int8"):
        monkeypatch.setattr(stored_matrix, f"multiplies_{kind}", lambda kind=kind: kind in instructions)
    weight = random(13, 29)
    if precision != "float32":
        weight = weight.bfloat16().float() if precision == "bfloat16" else dequantised(*quantised(weight))
    rows = random(num_rows, 29, seed=2)
    is_exact = precision == "float32" or num_rows < 4 or not instructions
    matrix = StoredMatrix(weight, precision)
    for _ in range(2):
        assert relative_error(multiplied(matrix, rows, precision), rows @ weight.t()) < (1e-6 if is_exact else 0.02)


def test_rows_are_put_in_int8_as_matrices_are() -> None:
    rows = random(3, 37)
    rows[1] = 0.0
    numbers, scales = np.empty((3, 37), dtype=np.int8), np.ones(3, dtype=np.float32)
    normalise(rows.numpy(), np.ones(37, dtype=np.float32), numbers, scales)
    expected, expected_scales = quantised(rows / (rows.square().mean(dim=1, keepdim=True) + NORM_EPS).sqrt())
    assert int((torch.from_numpy(numbers).int() - expected.int()).abs().max()) <= 1
    assert float((torch.from_numpy(numbers) != expected).float().mean()) < 0.02
    torch.testing.assert_close(torch.from_numpy(scales)[[0, 2]], expected_scales[[0, 2]], rtol=1e-5, atol=0.0)


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
    # Keys and values are kept in bfloat16, and many rows are multiplied in it or in int8.
    assert relative_error(found, expected) < (0.02 if precision == "bfloat16" else 0.05)
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
