"""The loss, its gradient over micro-batches, the learning rate and the update."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.batches import MicroBatch, TokenGames, micro_batches
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, OptimiserSection
from chesslm.errors import FormatError
from chesslm.loss import autocast, summed_nats
from chesslm.model import Decoder
from chesslm.optimiser import Optimiser, schedule
from chesslm.token_files import TokenFile

VOCABULARY_LEN = 23
SHAPE = ModelSection(width=12, depth=2, heads=3, mlp_width=20, context_len=64)


@pytest.fixture
def model() -> Decoder:
    return fresh_model(SHAPE, VOCABULARY_LEN, seed=1)


def random_token_games(count: int = 7) -> TokenGames:
    generator = np.random.default_rng(4)
    lens = generator.integers(3, 40, count)
    starts = np.cumsum([0, *lens]).astype(np.int64)
    zeros = np.zeros(0, np.int64)
    tokens = generator.integers(0, VOCABULARY_LEN, starts[-1]).astype(np.uint16)
    hashes = np.arange(count, dtype=np.uint64)
    return TokenGames([TokenFile(tokens, starts, zeros, zeros, np.zeros(count + 1, np.int64), hashes)])


def gradient(
    model: Decoder, games: TokenGames, *, limit: int, pad_id: int | None = 0
) -> tuple[float, list[torch.Tensor]]:
    chosen = np.arange(len(games))
    num_tokens = int((games.lens - 1).sum())
    total = 0.0
    model.zero_grad()
    for batch in micro_batches(games, chosen, tokens_per_micro_batch=limit, pad_id=pad_id):
        nats = summed_nats(model, batch)
        torch.autograd.backward(nats / num_tokens)
        total += float(nats.detach()) / num_tokens
    return total, [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def test_the_loss_at_the_start_is_the_logarithm_of_the_vocabulary(model: Decoder) -> None:
    loss, _ = gradient(model, random_token_games(), limit=400)
    assert loss == pytest.approx(math.log(VOCABULARY_LEN), abs=0.05)


def test_many_micro_batches_give_the_gradient_of_one(model: Decoder) -> None:
    games = random_token_games()
    one_loss, one = gradient(model, games, limit=10_000)
    many_loss, many = gradient(model, games, limit=39)
    assert many_loss == pytest.approx(one_loss, rel=1e-6)
    assert len(one) == len(list(model.parameters()))
    for a, b in zip(one, many, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_padding_has_no_part_in_loss_or_gradient(model: Decoder) -> None:
    games = random_token_games()
    first_loss, first = gradient(model, games, limit=10_000, pad_id=0)
    second_loss, second = gradient(model, games, limit=10_000, pad_id=17)
    assert first_loss == second_loss
    # The padding's embedding gets no gradient either, up to the order of sums.
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_the_loss_is_the_mean_of_minus_log_p_over_real_targets(model: Decoder) -> None:
    games = random_token_games()
    loss, _ = gradient(model, games, limit=500)
    nats = 0.0
    for index in range(len(games)):
        tokens = torch.from_numpy(games.game_tokens(index).astype(np.int64))
        logprobs = model(tokens[None, :-1]).detach().log_softmax(-1)[0]
        nats -= float(logprobs[torch.arange(len(tokens) - 1), tokens[1:]].sum())
    assert loss == pytest.approx(nats / int((games.lens - 1).sum()), rel=1e-6)


def test_one_batch_can_be_learned_by_heart() -> None:
    model = fresh_model(ModelSection(width=32, depth=2, heads=2, mlp_width=64, context_len=64), VOCABULARY_LEN, seed=1)
    section = OptimiserSection(learning_rate=0.01, warmup_steps=5, weight_decay=0.0)
    optimiser = Optimiser(model, section, steps=150)
    games = random_token_games(5)
    for step in range(150):
        loss, _ = gradient(model, games, limit=10_000)
        optimiser.clip()
        optimiser.step(step)
    assert loss < 0.05


def test_bfloat16_is_a_matter_of_the_context(model: Decoder) -> None:
    batch = MicroBatch(torch.tensor([[1, 2, 3]]), torch.tensor([2, 3, 4]))
    exact = summed_nats(model, batch).detach()
    with autocast(torch.device("cpu"), "float32"):
        assert summed_nats(model, batch) == exact
    with autocast(torch.device("cpu"), "bfloat16"):
        rounded = summed_nats(model, batch).detach()
    assert rounded.dtype == torch.float32
    assert rounded != exact
    assert float(rounded) == pytest.approx(float(exact), rel=1e-2)


@settings(deadline=None, max_examples=50)
@given(steps=st.integers(1, 500), warmup=st.integers(0, 100), share=st.floats(0, 1))
def test_the_schedule_warms_up_stays_and_decays(steps: int, warmup: int, share: float) -> None:
    shares = [schedule(step, steps=steps, warmup_steps=warmup, decay_share=share) for step in range(steps)]
    assert all(0 < value <= 1 for value in shares)
    peak = shares.index(max(shares))
    assert shares[: peak + 1] == sorted(shares[: peak + 1])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


def test_the_schedule_has_these_values() -> None:
    values = [schedule(step, steps=100, warmup_steps=10, decay_share=0.3) for step in (0, 4, 9, 10, 69, 70, 85, 99)]
    assert values == pytest.approx([0.1, 0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 1 / 30])
    assert {schedule(step, steps=9, warmup_steps=0, decay_share=0.0) for step in range(9)} == {1.0}


def test_only_matrices_decay(model: Decoder) -> None:
    section = OptimiserSection(learning_rate=0.1, weight_decay=0.5, warmup_steps=0)
    optimiser = Optimiser(model, section, steps=10)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    assert optimiser.step(0) == 0.1
    for name, parameter in model.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.5) if parameter.ndim >= 2 else before[name]
        torch.testing.assert_close(parameter.detach(), expected)
        assert parameter.grad is None


def test_a_large_gradient_is_scaled_down_to_the_clip_norm(model: Decoder) -> None:
    optimiser = Optimiser(model, OptimiserSection(clip_norm=0.5), steps=10)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert float(optimiser.clip()) == pytest.approx(math.sqrt(count), rel=1e-5)
    assert float(optimiser.clip()) == pytest.approx(0.5, rel=1e-4)


def test_muon_steps_along_nearly_orthogonal_matrices_and_adamw_updates_the_rest(model: Decoder) -> None:
    section = OptimiserSection(muon_learning_rate=0.1, muon_weight_decay=0.0, weight_decay=0.0, warmup_steps=0)
    optimiser = Optimiser(model, section, steps=10)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    gradient(model, random_token_games(), limit=400)
    assert optimiser.step(0) == section.learning_rate
    for name, parameter in model.named_parameters():
        change = parameter.detach() - before[name]
        if parameter.ndim == 2 and name.startswith("blocks."):
            rows, columns = change.shape
            sizes = torch.linalg.svdvals(change) / (0.1 * math.sqrt(max(1.0, rows / columns)))
            # The iteration brings singular values near one, not to it; a gradient of low rank leaves small ones small.
            assert 0.6 < float(sizes.max()) < 1.3
            assert float(sizes.median()) > 0.5
        else:
            # The first step of AdamW is the learning rate wherever there is a gradient.
            assert float(change.abs().max()) == pytest.approx(section.learning_rate, rel=1e-3)
    kinds = {name: kind for kind, name in (key.split("/") for key in optimiser.tensors())}
    assert kinds["blocks.0.mlp.down.weight"] == "momentum_buffer"
    assert kinds["embedding.weight"].startswith("exp_avg")


@pytest.mark.parametrize("muon_learning_rate", [None, 0.02])
def test_a_written_and_loaded_optimiser_goes_on_as_the_old_one(muon_learning_rate: float | None) -> None:
    games, section = random_token_games(), OptimiserSection(warmup_steps=3, muon_learning_rate=muon_learning_rate)
    old = fresh_model(SHAPE, VOCABULARY_LEN, seed=1)
    optimiser = Optimiser(old, section, steps=9)
    assert optimiser.tensors() == {}
    for step in range(4):
        gradient(old, games, limit=100)
        optimiser.step(step)
    new = fresh_model(SHAPE, VOCABULARY_LEN, seed=2)
    new.load_state_dict(old.state_dict())
    loaded = Optimiser(new, section, steps=9)
    loaded.load({name: tensor.clone() for name, tensor in optimiser.tensors().items()}, source="here")
    for model, its in ((old, optimiser), (new, loaded)):
        gradient(model, games, limit=100)
        its.step(4)
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))


def test_the_state_of_another_model_is_refused(model: Decoder) -> None:
    optimiser = Optimiser(model, OptimiserSection(), steps=9)
    with pytest.raises(FormatError, match=r"here: exp_avg/nothing \(3,\) belongs to no weight"):
        optimiser.load({"exp_avg/nothing": torch.zeros(3)}, source="here")
    with pytest.raises(FormatError, match=r"exp_avg/norm\.weight \(5,\)"):
        optimiser.load({"exp_avg/norm.weight": torch.zeros(5)}, source="here")
    with pytest.raises(FormatError, match=r"here: nothing of weight embedding\.weight"):
        optimiser.load({"exp_avg/norm.weight": torch.zeros(12)}, source="here")
