"""What `chesslm train --estimate` says, against what can be counted or measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from chesslm import cli, train_estimate
from chesslm.batches import MicroBatch
from chesslm.checkpoints import fresh_model
from chesslm.config import TrainConfig, load_config
from chesslm.errors import ConfigError
from chesslm.flops import training_flops
from chesslm.hardware import HARDWARE, find_hardware
from chesslm.loss import autocast, summed_nats
from chesslm.token_files import read_token_file
from chesslm.train_estimate import (
    activation_bytes_per_token,
    card_seconds,
    cpu_tokens_per_s,
    estimate,
    games_to_train_on,
)

ROOT = Path(__file__).resolve().parents[2]


def test_tokens_come_from_the_token_files_and_agree_with_the_run(tiny: Any, data: Path) -> None:
    config = tiny(training__steps=37)  # 37 games, 11 a step: eleven epochs
    games = games_to_train_on(config, num_games=999)
    lens = np.diff(read_token_file(data / "tokens" / "pgn" / "train-00000.safetensors").game_starts) - 1
    assert games.num_games == 37
    assert games.tokens_per_game == pytest.approx(lens.mean())
    assert games.squared_tokens_per_game == pytest.approx((lens**2).mean())
    needed = estimate(config, games)
    assert (needed.epochs, needed.num_tokens) == pytest.approx((11, 11 * lens.sum()))
    assert needed.counts.total == 6_244


def test_matrix_products_are_counted_as_torch_counts_them() -> None:
    shape = load_config(TrainConfig, ROOT / "configs" / "demo-pgn.toml").model
    rows, T, vocabulary_len = 3, 37, 113
    model = fresh_model(shape, vocabulary_len, seed=0)
    tokens = torch.zeros(rows, T, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        summed_nats(model, MicroBatch(tokens, tokens.flatten()))
    flops = training_flops(shape, vocabulary_len, tokens=rows * T, squared_tokens=rows * T**2)
    # torch counts the products of the whole square, seen or not, or none of attention where a kernel is unknown to it.
    matrices = sum(count for operation, count in counter.get_flop_counts()["Global"].items() if "mm" in str(operation))
    assert flops.trunk + flops.head == 3 * matrices
    assert flops.attention == 3 * 2.0 * shape.depth * 2 * shape.width * rows * T * (T + 1) / 2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_are_what_torch_saves(tiny: Any, dtype: str) -> None:
    changes = {"model__width": 128, "model__heads": 4, "model__mlp_width": 352, "model__depth": 6}
    config = tiny(training__dtype=dtype, **changes)
    rows, T, vocabulary_len = 3, 127, 149
    model = fresh_model(config.model, vocabulary_len, seed=0)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage
        return tensor

    tokens = torch.zeros(rows, T, dtype=torch.int64)
    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        autocast(torch.device("cpu"), dtype),
    ):
        summed_nats(model, MicroBatch(tokens, tokens.flatten()))
    counted = sum(storage.nbytes() for storage in saved.values()) / (rows * T)
    assert activation_bytes_per_token(config, vocabulary_len) == pytest.approx(counted, rel=0.1)


def test_optimiser_memory_is_less_with_muon_and_shards_with_fsdp(tiny: Any) -> None:
    adamw, muon = (
        estimate(config, games_to_train_on(config)).memory
        for config in (tiny(), tiny(optimiser__muon_learning_rate=0.01))
    )
    assert (adamw.weights, adamw.optimiser) == (4 * 6244, 8 * 6244)
    assert muon.optimiser == 8 * 6244 - 4 * 2668
    sharded = tiny(training__parallel="fsdp")
    half = estimate(sharded, games_to_train_on(sharded), num_processes=2).memory
    assert half.total == pytest.approx(adamw.total - 8 * 6244)


def test_without_a_folder_games_are_told_or_it_is_an_error(tiny: Any) -> None:
    config = tiny(data__games="nowhere", data__max_games=50)
    with pytest.raises(ConfigError, match="nowhere: no such folder; say with --games"):
        games_to_train_on(config)
    told = games_to_train_on(config, num_games=1_000, tokens_per_game=210.0)
    assert (told.num_games, told.tokens_per_game, told.vocabulary_len) == (50, 210.0, 298)
    assumed = games_to_train_on(config, num_games=20)
    assert assumed.num_games == 20
    # Real games: about 2.6 tokens a ply in pgn.
    assert assumed.tokens_per_game / train_estimate.ASSUMED_PLIES == pytest.approx(2.65, rel=0.08)


def test_cards_share_the_work_and_one_without_bfloat16_computes_in_float32(tiny: Any) -> None:
    config = tiny(training__dtype="bfloat16")
    needed = estimate(config, games_to_train_on(config))
    a100, t4 = find_hardware("a100"), find_hardware("T4")
    one_s = card_seconds(config, needed, a100, count=1)
    assert one_s == pytest.approx(needed.flops.total / (312e12 * train_estimate.ASSUMED_UTILISATION))
    assert card_seconds(config, needed, a100, count=8) == pytest.approx(one_s / 8)
    assert t4.flops("bfloat16") == t4.flops("float32")
    assert all(card.flops("bfloat16") >= card.flops("float32") for card in HARDWARE)


def test_this_cpu_is_measured(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_estimate, "_MEASURED_S", 0.0)
    config = tiny()
    assert cpu_tokens_per_s(config, games_to_train_on(config)) > 100


@pytest.mark.parametrize("notation", ["pgn", "english"])
def test_the_textbooks_experiment_is_estimated_before_there_are_games(
    notation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    path = str(ROOT / "configs" / f"book-{notation}.toml")
    options = ("--estimate", "--hardware", "RTX 4090", "--games", "20_000_000", "--devices", "4")
    assert cli.main(["train", path, *options]) == 0
    said = capsys.readouterr().out
    assert "trunk 37,959,680" in said
    assert "117,188, 3.00 epochs" in said
    assert "hours on 4" in said
    assert "RTX4090" in said
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["train", path, "--estimate", "--hardware", "abacus"]) == 2
    assert "--hardware abacus: known are cpu, T4" in capsys.readouterr().err


def test_the_whole_table_measures_this_cpu_too(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_estimate, "_MEASURED_S", 0.0)
    assert cli.main(["train", str(config_path), "--estimate"]) == 0
    said = capsys.readouterr().out
    assert "this CPU" in said
    assert all(card.name in said for card in HARDWARE)
