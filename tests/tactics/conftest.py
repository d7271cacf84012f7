"""Games with mates in one, a folder of them, tiny checkpoints, and players who do what a test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import chess
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.files import sha256_file, write_json
from chesslm.game import Game, moves_digest, moves_hash
from chesslm.game_files import GAMES_FORMAT, SCHEMA, games_digest, part_name
from chesslm.notation import Notation
from eval.contenders import Contender, FunctionModel
from eval.records import ModelRecord

NUM_GAMES = 60


def game_with_a_mate(seed: int) -> Game:
    """Random moves from a set of harmless ones, until White's queen and bishop stand ready; sometimes White mates.

    Whatever is played, `Qxf7#` is possible before White's fourth move or later.
    """
    generator = random.Random(seed)
    board = chess.Board()
    sans = []
    quiet = generator.sample(["a6", "b6", "c6", "d6", "g6", "h6"], 3)
    white = generator.sample(["a3", "b3", "c3", "d3", "h3"], 2)
    for san in ["e4", "e5", "Bc4", quiet[0], "Qf3", quiet[1], white[0], quiet[2]]:
        sans.append(san)
        board.push_san(san)
    for san in ["Qxf7#"] if generator.random() < 0.5 else [white[1], "Nf6"]:
        sans.append(san)
        board.push_san(san)
    return Game(f"game{seed:04d}", tuple(sans), "1-0" if board.is_checkmate() else "*")


@pytest.fixture(scope="session")
def games() -> list[Game]:
    """Different games, each with a mate in one that half of the players see."""
    found: dict[tuple[str, ...], Game] = {}
    seed = 0
    while len(found) < NUM_GAMES:
        game = game_with_a_mate(seed)
        found.setdefault(game.san, game)
        seed += 1
    return list(found.values())


FolderMaker = Callable[[Path, Mapping[str, Sequence[Game]]], Path]


@pytest.fixture(scope="session")
def make_folder() -> FolderMaker:
    """Writes a games folder: split -> games, a part a split."""

    def make(folder: Path, splits: Mapping[str, Sequence[Game]]) -> Path:
        folder.mkdir(parents=True)
        parts = []
        for index, (split, games) in enumerate(splits.items()):
            rows = [
                {"id": game.id, "san": list(game.san), "result": game.result, "split": split}
                | {"moves_hash": hash_of(game), "source": "test", "source_index": number}
                for number, game in enumerate(games)
            ]
            path = folder / part_name(index)
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
            parts.append({"file": path.name, "games": len(games), "sha256": sha256_file(path)})
        total = sum(len(games) for games in splits.values())
        content = {"format": GAMES_FORMAT, "parts": parts, "games": total, "games_digest": games_digest(parts)}
        write_json(folder / "manifest.json", content)
        return folder

    return make


def hash_of(game: Game) -> int:
    board = chess.Board()
    return moves_hash(moves_digest([board.push_san(san).uci() for san in game.san]))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, games: list[Game], make_folder: FolderMaker) -> Path:
    """Most games to test on, some to train and validate on."""
    splits = {"train": games[:10], "test": [*games[10:55], Game("nomate00", ("e4", "e5"), "*")], "val": games[55:]}
    return make_folder(tmp_path_factory.mktemp("data") / "games", splits)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, tiny_notation: Notation) -> Path:
    """A run: a tiny network that learned nothing."""
    config = TrainConfig(
        run=RunSection(out="unused", seed=1),
        data=TrainDataSection(games="unused", notation="pgn"),
        model=ModelSection(width=16, depth=1, heads=2, mlp_width=24, context_len=64),
        training=TrainingSection(steps=1, games_per_step=1),
    )
    run = tmp_path_factory.mktemp("runs") / "tiny"
    checkpoint = write_checkpoint(
        run,
        state=TrainingState(step=3, games_seen=17, tokens_seen=1_900, train_s=2.5),
        config=config,
        notation=tiny_notation,
        games_digest="0" * 64,
        provenance={},
        weights=fresh_model(config.model, len(tiny_notation.vocabulary), seed=9).state_dict(),
        training={},
    )
    write_json(run / "run.json", {"format": "chesslm-run/1", "final_checkpoint": str(checkpoint.relative_to(run))})
    return run


@pytest.fixture(scope="session")
def tiny_notation() -> Notation:
    from chesslm.notation.registry import default_notation

    return default_notation("pgn")


Choose = Callable[[chess.Board], chess.Move]
PlayerMaker = Callable[..., Contender]


@pytest.fixture(scope="session")
def player_that(tiny_notation: Notation) -> PlayerMaker:
    """Makes a contender that writes the move which a function chooses, at each of some boards."""

    def make(choose: Choose, boards: Sequence[chess.Board], *, label: str = "player") -> Contender:
        wanted = {tuple(tiny_notation.prompt(board)): tiny_notation.spell(board, choose(board)) for board in boards}

        def next_logits(tokens: Sequence[int]) -> torch.Tensor:
            logits = torch.zeros(len(tiny_notation.vocabulary))
            for num_written in range(8):
                prompt = tuple(tokens[: len(tokens) - num_written])
                spelling = wanted.get(prompt, [])
                if num_written < len(spelling) and list(tokens[len(prompt) :]) == spelling[:num_written]:
                    logits[spelling[num_written]] = 20.0
            return logits

        record = ModelRecord(
            label=label,
            kind="trained",
            source="test",
            notation="pgn",
            vocabulary_len=len(tiny_notation.vocabulary),
            vocabulary_fingerprint=tiny_notation.vocabulary.fingerprint,
            checkpoint_digest="0" * 64,
            params_trunk=0,
            params_embedding=0,
            params_head=0,
            context_len=512,
            step=0,
            games_seen=0,
            tokens_seen=0,
            train_seconds=0.0,
        )
        return Contender(record, FunctionModel(next_logits, context_len=512), tiny_notation)

    return make
