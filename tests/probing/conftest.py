"""Games to probe on, a folder of them, and runs of tiny networks."""

from __future__ import annotations

import random
from pathlib import Path

import chess
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.files import sha256_file, write_json
from chesslm.game import Game
from chesslm.game_files import GAMES_FORMAT, SCHEMA, games_digest, part_name
from chesslm.notation.registry import default_notation

NUM_GAMES = 60


def random_game(seed: int) -> Game:
    """Random legal moves, of which captures are a third."""
    generator = random.Random(seed)
    board = chess.Board()
    sans = []
    for _ in range(generator.randint(6, 40)):
        moves = list(board.legal_moves)
        if not moves:
            break
        captures = [move for move in moves if board.is_capture(move)]
        move = generator.choice(captures if captures and generator.random() < 0.3 else moves)
        sans.append(board.san(move))
        board.push(move)
    return Game(f"random{seed}", tuple(sans), "*")


@pytest.fixture(scope="session")
def games() -> list[Game]:
    return [random_game(seed) for seed in range(NUM_GAMES)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, games: list[Game]) -> Path:
    """All games to test on."""
    folder = tmp_path_factory.mktemp("data") / "games"
    folder.mkdir()
    rows = [
        {"id": game.id, "san": list(game.san), "result": "*", "split": "test", "moves_hash": number}
        | {"source": "test", "source_index": number}
        for number, game in enumerate(games)
    ]
    path = folder / part_name(0)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    parts = [{"file": path.name, "games": len(games), "sha256": sha256_file(path)}]
    content = {"format": GAMES_FORMAT, "parts": parts, "games": len(games), "games_digest": games_digest(parts)}
    write_json(folder / "manifest.json", content)
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `pgn` (two blocks) and `english` (one): tiny networks that learned nothing."""
    root = tmp_path_factory.mktemp("runs")
    for name, depth in (("pgn", 2), ("english", 1)):
        notation = default_notation(name)
        config = TrainConfig(
            run=RunSection(out="unused", seed=1),
            data=TrainDataSection(games="unused", notation=name),
            model=ModelSection(width=16, depth=depth, heads=2, mlp_width=24, context_len=420),
            training=TrainingSection(steps=1, games_per_step=1),
        )
        run = root / name
        checkpoint = write_checkpoint(
            run,
            state=TrainingState(step=3, games_seen=17, tokens_seen=1_900, train_s=2.5),
            config=config,
            notation=notation,
            games_digest="0" * 64,
            provenance={},
            weights=fresh_model(config.model, len(notation.vocabulary), seed=9).state_dict(),
            training={},
        )
        write_json(run / "run.json", {"format": "chesslm-run/1", "final_checkpoint": str(checkpoint.relative_to(run))})
    return root
