"""A model from a checkpoint, untrained but real, through the whole command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import pytest

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.notation.registry import build_notation
from play.model_list import list_models
from play.opponent import Policy, open_opponent

CONTEXT_LEN = 32


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    notation = build_notation("pgn", [])
    config = TrainConfig(
        run=RunSection(out="tiny"),
        data=TrainDataSection(games="none", notation="pgn"),
        model=ModelSection(width=16, depth=1, heads=2, mlp_width=16, context_len=CONTEXT_LEN),
        training=TrainingSection(steps=1, games_per_step=1),
    )
    model = fresh_model(config.model, len(notation.vocabulary), seed=5)
    return write_checkpoint(
        tmp_path_factory.mktemp("runs") / "tiny",
        state=TrainingState(step=1),
        config=config,
        notation=notation,
        games_digest="0" * 64,
        provenance={},
        weights=model.state_dict(),
        training={},
    )


def test_a_checkpoint_plays_says_what_it_wanted_and_stands_in_the_ledger(
    checkpoint: Path, run: Callable[..., Any]
) -> None:
    lines = ["e4", "hint", "resign", "save game.pgn"]
    played = run("--model", str(checkpoint), "--ledger", "games.jsonl", lines=lines)
    assert (played.code, played.err) == (0, "")
    assert "Your opponent is tiny/step_00000001 (pgn, best legal move)." in played.out
    assert re.search(r"tiny/step_00000001 played 1\.\.\. \S+   \(legal mass \d+\.\d %\)", played.out)
    assert "But it wanted " in played.out
    entry = json.loads(Path("games.jsonl").read_text())
    digest = json.loads((checkpoint / "checkpoint.json").read_text())["model_sha256"]
    assert (entry["model"], entry["digest"], entry["notation"]) == ("tiny/step_00000001", digest, "pgn")
    assert entry["policy"] == {"temperature": 0.0, "top_k": None, "top_p": None, "seed": 0}
    assert digest in Path("game.pgn").read_text()


def test_a_game_beyond_the_context_ends_there(checkpoint: Path, run: Callable[..., Any]) -> None:
    shuffle = " ".join(["Nf3 Nf6 Ng1 Ng8", "Nc3 Nc6 Nb1 Nb8", "Na3 Na6 Nb1 Nb8"])
    played = run("--model", str(checkpoint), "--moves", shuffle, lines=["e4", "quit"])
    assert "The game has become too long for tiny/step_00000001 to write; it" in played.out


def test_the_list_of_models_knows_a_run(checkpoint: Path) -> None:
    folder = checkpoint.parents[2]
    assert (str(folder / "tiny"), "(pgn, 0 games seen)") in [
        (name, f"({about.rpartition('(')[2]}") for name, about in list_models([folder])
    ]


def test_the_policy_of_a_loaded_model_changes_without_loading_it_again(checkpoint: Path) -> None:
    opponent = open_opponent(str(checkpoint), Policy())
    drawn = opponent.under(Policy(temperature=0.5))
    assert drawn.details == "pgn, temperature 0.5, seed 0"
    assert drawn.digest == opponent.digest
    assert "can't play from there (pgn)" in opponent.refusal(chess.Board("4k3/8/8/8/8/8/8/4K3 w - - 0 1"))
    assert opponent.refusal(chess.Board()) == ""
