"""A model from a checkpoint, untrained but real, through the whole command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.notation.registry import build_notation

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
