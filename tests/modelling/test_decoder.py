"""The decoder against its definition, written out naively in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from chesslm import game_attention
from chesslm.config import ModelSection
from chesslm.game_attention import attention_in_games
from chesslm.model import INITIAL_EMBEDDING_STD, NORM_EPS, Decoder, rotary_table, rotate

# A prime for each dimension, so that no two agree by accident.
B, T, H, D, MLP, V = 2, 7, 3, 10, 13, 17
SHAPES = [
    ModelSection(width=H * D, depth=2, heads=H, mlp_width=MLP, context_len=31),
    ModelSection(width=H * D, depth=2, heads=H, kv_heads=1, mlp_width=MLP, context_len=31, tied_head=False),
    ModelSection(width=H * D, depth=2, heads=H, mlp_width=MLP, context_len=31, qk_norm=False, rope_base=100.0),
]


def lively(config: ModelSection, seed: int = 0) -> Decoder:
    """A decoder whose weights are large enough that every part of it matters."""
    torch.manual_seed(seed)
    model = Decoder(config, V)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def tokens(rows: int = B, length: int = T, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, V, (rows, length), generator=torch.Generator().manual_seed(seed))


def naive_logits(model: Decoder, ids: list[int]) -> np.ndarray:
    """The formulas of the module docstring's sources, one head and one token at a time."""
    config = model.config
    heads, size = config.heads, config.width // config.heads
    kv_heads = config.kv_heads or heads
    weights = {name: parameter.detach().double().numpy() for name, parameter in model.named_parameters()}

    def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + NORM_EPS) * gain

    def turned(x: np.ndarray, position: int) -> np.ndarray:
        pairs = x[: size // 2] + 1j * x[size // 2 :]
        angles = position * config.rope_base ** (-np.arange(0, size, 2) / size)
        pairs = pairs * np.exp(1j * angles)
        return np.concatenate((pairs.real, pairs.imag))

    x = weights["embedding.weight"][ids]
    for block in range(config.depth):
        part = {name.split(".", 2)[2]: value for name, value in weights.items() if name.startswith(f"blocks.{block}.")}
        normed = norm(x, part["attention_norm.weight"])
        rows = np.split(part["attention.qkv.weight"], heads + 2 * kv_heads)
        gathered = np.zeros_like(x)
        for head in range(heads):
            kv = head // (heads // kv_heads)
            queries, keys = normed @ rows[head].T, normed @ rows[heads + kv].T
            values = normed @ rows[heads + kv_heads + kv].T
            if config.qk_norm:
                queries = norm(queries, part["attention.query_norm.weight"])
                keys = norm(keys, part["attention.key_norm.weight"])
            for t in range(len(ids)):
                scores = [turned(queries[t], t) @ turned(keys[s], s) / math.sqrt(size) for s in range(t + 1)]
                shares = np.exp(scores) / np.exp(scores).sum()
                gathered[t, head * size : (head + 1) * size] = shares @ values[: t + 1]
        x = x + gathered @ part["attention.out.weight"].T
        gate, up = np.split(norm(x, part["mlp_norm.weight"]) @ part["mlp.gate_up.weight"].T, 2, axis=-1)
        x = x + (gate / (1 + np.exp(-gate)) * up) @ part["mlp.down.weight"].T
    return norm(x, weights["norm.weight"]) @ weights.get("unembedding.weight", weights["embedding.weight"]).T


@pytest.mark.parametrize("config", SHAPES)
def test_the_decoder_equals_the_naive_formulas(config: ModelSection) -> None:
    model = lively(config)
    batch = tokens()
    logits = model(batch).detach().numpy()
    for row in range(B):
        np.testing.assert_allclose(logits[row], naive_logits(model, batch[row].tolist()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", SHAPES)
def test_later_tokens_dont_change_earlier_logits(config: ModelSection) -> None:
    model = lively(config)
    batch = tokens()
    changed = batch.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % V
    torch.testing.assert_close(model(batch)[:, :4], model(changed)[:, :4])
    assert not torch.allclose(model(batch)[:, 4:], model(changed)[:, 4:])


LENS = (3, 1, 29, 30)


def in_one_row(model: Decoder, games: list[torch.Tensor]) -> torch.Tensor:
    """Hidden vectors of games side by side, `[N, C]`."""
    return model.hidden(torch.cat(games)[None], lens_G=torch.tensor([len(game) for game in games]))[0]


@pytest.mark.parametrize("config", SHAPES)
def test_games_side_by_side_are_the_same_games_alone(config: ModelSection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game_attention, "MOST_QUERIES", 8)  # games of several pieces
    games = [tokens(1, length, seed=length)[0] for length in LENS]
    values, gradients = [], []
    for side_by_side in (False, True):
        model = lively(config)
        hidden = in_one_row(model, games) if side_by_side else torch.cat([model.hidden(g[None])[0] for g in games])
        hidden.square().sum().backward()
        values.append(hidden.detach())
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(values[1], values[0], rtol=1e-5, atol=1e-5)
    for one, other in zip(*gradients, strict=True):
        assert float((other - one).norm() / one.norm()) < 1e-5


def test_games_side_by_side_dont_see_each_other_nor_what_comes_later() -> None:
    model = lively(SHAPES[0])
    games = [tokens(1, length, seed=length)[0] for length in LENS]
    before = in_one_row(model, games).detach()
    games[2][20] = (games[2][20] + 1) % V
    apart = (in_one_row(model, games).detach() - before).abs().amax(-1)
    first, end = 4 + 20, 4 + 29
    assert not apart[:first].any()
    assert apart[first:end].all()
    assert not apart[end:].any()


def test_games_side_by_side_in_bfloat16_are_the_same_but_for_rounding() -> None:
    games = [tokens(1, length, seed=length)[0] for length in LENS]
    values = []
    for enabled in (False, True):
        model = lively(SHAPES[0])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            hidden = in_one_row(model, games)
        hidden.float().square().sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        values.append([hidden.detach().float(), torch.cat([gradient.flatten() for gradient in gradients])])
    hidden_error, gradient_error = (
        float((rounded - exact).norm() / exact.norm()) for exact, rounded in zip(*values, strict=True)
    )
    assert 0 < hidden_error < 0.02
    assert 0 < gradient_error < 0.05


def test_the_gradient_of_attention_in_games_is_that_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game_attention, "MOST_QUERIES", 2)
    generator = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(2, 6, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3))
    assert torch.autograd.gradcheck(lambda *x: attention_in_games(*x, torch.tensor([1, 5])), (q, k, v))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler looks at all
def test_compiled_blocks_give_the_eager_gradient_of_games_side_by_side() -> None:
    eager, compiled = lively(SHAPES[0]), lively(SHAPES[0])
    for block in compiled.blocks:
        block.compile(dynamic=True)
    for lens in ((3, 29, 7), (11, 2, 5, 30)):
        games = [tokens(1, length, seed=length)[0] for length in lens]
        gradients = []
        for model in (eager, compiled):
            model.zero_grad()
            in_one_row(model, games).square().sum().backward()
            gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        for one, other in zip(*gradients, strict=True):
            assert float((other - one).norm() / one.norm()) < 1e-4


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler looks at all
def test_compiled_blocks_give_the_eager_loss_and_gradient_for_any_number_of_rows_and_tokens() -> None:
    eager, compiled = lively(SHAPES[0]), lively(SHAPES[0])
    for block in compiled.blocks:
        block.compile(dynamic=True)
    for rows, length in ((3, 19), (5, 23)):
        batch, targets = tokens(rows, length), tokens(rows, length, seed=2)
        gradients = []
        for model in (eager, compiled):
            model.zero_grad()
            functional.cross_entropy(model(batch).flatten(0, 1), targets.flatten()).backward()
            gradients.append([parameter.grad for parameter in model.parameters()])
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_rotary_positions_are_relative() -> None:
    query, key = torch.randn(2, 1, 1, 1, D, generator=torch.Generator().manual_seed(0))
    cos, sin = rotary_table(29, D, 10_000.0)

    def product(m: int, n: int) -> float:
        return float((rotate(query, cos[m], sin[m]) * rotate(key, cos[n], sin[n])).sum())

    assert product(23, 19) == pytest.approx(product(7, 3), abs=1e-5)
    assert product(23, 19) != pytest.approx(product(23, 11), abs=1e-2)
    torch.testing.assert_close(rotate(query, cos[5], sin[5]).norm(), query.norm())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("vocabulary_len", [293, 4093])
def test_the_loss_at_the_start_is_the_logarithm_of_the_vocabulary(tied: bool, vocabulary_len: int) -> None:
    torch.manual_seed(0)
    model = Decoder(ModelSection(tied_head=tied), vocabulary_len)
    batch = torch.randint(0, vocabulary_len, (11, 129))
    loss = functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(vocabulary_len), abs=0.05)


def test_the_same_seed_draws_the_same_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in Decoder(SHAPES[1], V).parameters()])

    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


def test_resetting_draws_every_weight_anew_and_a_seed_decides_which() -> None:
    model, other = lively(SHAPES[0]), lively(SHAPES[0], seed=1)
    for each in (model, other):
        for parameter in each.parameters():
            torch.nn.init.constant_(parameter, 7.0)
        torch.manual_seed(5)
        each.reset_parameters()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name))
        if parameter.ndim == 1:
            assert torch.equal(parameter, torch.ones_like(parameter))
        else:
            std = 0.5 / math.sqrt(parameter.shape[1]) if name.startswith("blocks.") else INITIAL_EMBEDDING_STD
            assert float(parameter.detach().std()) == pytest.approx(std, rel=0.15)
            assert abs(float(parameter.detach().mean())) < 0.15 * std


@pytest.mark.parametrize("config", SHAPES)
def test_parameters_are_counted_apart_and_once(config: ModelSection) -> None:
    model = Decoder(config, V)
    counts = model.parameter_counts()
    width, size = H * D, D
    attention = width * (H + 2 * (config.kv_heads or H)) * size + width * width
    norms = 2 * width + (2 * size if config.qk_norm else 0)
    assert counts.trunk == 2 * (attention + 3 * width * MLP + norms) + width
    assert counts.embedding == V * width
    assert counts.head == (0 if config.tied_head else V * width)
    assert counts.total == sum(parameter.numel() for parameter in model.parameters())


def test_the_trunk_doesnt_depend_on_the_vocabulary() -> None:
    assert Decoder(SHAPES[1], V).parameter_counts().trunk == Decoder(SHAPES[1], 5 * V).parameter_counts().trunk


def test_logits_can_be_computed_for_a_selection_alone() -> None:
    model = lively(SHAPES[1])
    batch = tokens()
    wanted = torch.rand(B, T, generator=torch.Generator().manual_seed(3)) < 0.5
    torch.testing.assert_close(model.head(model.hidden(batch)[wanted]), model(batch)[wanted])


def test_a_text_beyond_the_context_is_refused() -> None:
    model = lively(SHAPES[0])
    with pytest.raises(ValueError, match="32 tokens don't fit into a context of 31"):
        model(tokens(length=32))


def test_gradients_reach_every_weight() -> None:
    for config in SHAPES:
        model = lively(config)
        model(tokens()).logsumexp(-1).sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert bool(parameter.grad.abs().sum() > 0), name
