"""The training benchmark's table: who is compared with whom."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.bench_train import Row, ratio, ratio_to_fastest, table
from benchmarks.train_peers import GAMES_A_STEP, ROW_LEN, ROWS, our_steps, plain_steps, read_games
from chesslm.checkpoints import fresh_model
from chesslm.cli import main as chesslm
from chesslm.config import ModelSection
from data_prep.dump_generator import SAMPLE
from data_prep.dump_generator import main as make_dump

SPEEDS = {
    "train-ours": 6.0,
    "train-gpt2": 2.0,
    "decode-gpt2-64-float32": 3.0,
    "decode-llama-64-float32": 2.0,
    "decode-llama-64-bfloat16": 1.0,
    "decode-llama-1-float32": 50.0,
    "decode-ours-64-float32": 6.0,
    "decode-ours-64-bfloat16": 9.0,
    "decode-ours-64-int8": 12.0,
}


@pytest.mark.parametrize(
    ("name", "same_precision", "any_precision"),
    [
        ("train-gpt2", 3.0, None),
        ("decode-llama-64-float32", 3.0, None),
        ("decode-ours-64-float32", 2.0, 2.0),
        ("decode-ours-64-bfloat16", 9.0, 3.0),
        ("decode-ours-64-int8", None, 4.0),
    ],
)
def test_ours_is_compared_in_the_same_precision_and_with_the_fastest(
    name: str, same_precision: float | None, any_precision: float | None
) -> None:
    assert (ratio(name, SPEEDS), ratio_to_fastest(name, SPEEDS)) == (same_precision, any_precision)


def test_without_peers_there_is_no_ratio() -> None:
    alone = {"decode-ours-1-int8": 4.0}
    assert (ratio("decode-ours-1-int8", alone), ratio_to_fastest("decode-ours-1-int8", alone)) == (None, None)


def test_the_table_has_both_and_says_what_is_missing_and_that_the_machine_was_busy() -> None:
    rows = [
        Row("decode-ours-64-int8", "ours", "1M", 1, None, 7, 12.0, (12.0,), 10**6, None, 4.0),
        Row("decode-gpt2-64-float32", "peer", "1M", 1, "not installed"),
    ]
    text = table(rows, threads=[1], repeats=3, load=2.0)
    assert "| ours (1M) | 1 | 7 | 12 | 1 MB |  | 4.00 |" in text
    assert "| peer (1M) | 1 | | not installed | | | |" in text
    assert "load average 2.0" in text


def test_both_loops_learn_from_prepared_games_and_count_what_they_predict(tmp_path: Path) -> None:
    make_dump(out=tmp_path / "games.pgn.zst", games=100, source=SAMPLE, seed=3, level=1)
    data = tmp_path / "data"
    assert chesslm(["data", "prepare", str(tmp_path / "games.pgn.zst"), "--out", str(data), "--notation", "pgn"]) == 0
    games, notation = read_games(data)
    shape = ModelSection(width=16, depth=1, heads=2, mlp_width=24, context_len=512)
    ours, peer = (fresh_model(shape, len(notation.vocabulary), seed=0) for _ in range(2))
    before = ours.embedding.weight.detach().clone()
    whole = sorted(len(games.game_tokens(index)) - 1 for index in range(len(games)))
    for predicted in islice(our_steps(ours, games, notation, dtype="float32", compiled=False), 2):
        assert sum(whole[:GAMES_A_STEP]) <= predicted <= sum(whole[-GAMES_A_STEP:])
    assert not torch.equal(ours.embedding.weight, before)

    class Answering(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = peer

        def forward(self, ids: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=self.decoder(ids))

    assert next(plain_steps(Answering(), games)) == ROWS * ROW_LEN
    assert not torch.equal(peer.embedding.weight, before)
