"""Tiny prepared folders and tiny runs for the tests of training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chess
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from chesslm.config import TrainConfig, validate
from chesslm.files import sha256_file, write_bytes, write_json
from chesslm.game import Game, moves_digest, moves_hash
from chesslm.game_files import GAMES_FORMAT, SCHEMA, games_digest, part_name
from chesslm.notation import Notation
from chesslm.notation.registry import build_notation
from chesslm.token_files import TokenFile, token_file_name, write_token_file

SPLIT_SIZES = {"train": 37, "val": 7, "test": 3}
NOTATIONS = ("pgn", "english")


def random_games(count: int, *, seed: int, most_plies: int = 24) -> list[tuple[Game, int]]:
    """Games of uniformly random moves with their hashes."""
    generator = random.Random(seed)
    games = []
    for index in range(count):
        board = chess.Board()
        sans, ucis = [], []
        for _ in range(generator.randint(8, most_plies)):
            move = generator.choice(sorted(board.legal_moves, key=chess.Move.uci))
            sans.append(board.san(move))
            ucis.append(move.uci())
            board.push(move)
            if board.is_game_over():
                break
        result = generator.choice(("1-0", "0-1", "1/2-1/2"))
        games.append((Game(f"game{index}", tuple(sans), result), moves_hash(moves_digest(ucis))))
    return games


def tokens_of(notation: Notation, games: list[tuple[Game, int]]) -> TokenFile:
    """The token file of some games."""
    encoded = [notation.encode_game(game) for game, _ in games]
    starts = np.cumsum([0, *(len(written.ids) for written in encoded)])
    spans = [
        np.array(written.spans, dtype=np.int64).reshape(-1, 2) + start
        for written, start in zip(encoded, starts, strict=False)
    ]
    return TokenFile(
        tokens=np.array([token for written in encoded for token in written.ids], dtype=np.uint16),
        game_starts=starts.astype(np.int64),
        ply_starts=np.concatenate([span[:, 0] for span in spans]),
        ply_ends=np.concatenate([span[:, 1] for span in spans]),
        ply_game_starts=np.cumsum([0, *(len(written.spans) for written in encoded)]).astype(np.int64),
        moves_hashes=np.array([hash64 for _, hash64 in games], dtype=np.uint64),
    )


def write_data(folder: Path, *, seed: int = 5) -> Path:
    """A folder as `chesslm data prepare` makes it, of random games, with both notations."""
    games = random_games(sum(SPLIT_SIZES.values()), seed=seed)
    splits = [split for split, size in SPLIT_SIZES.items() for _ in range(size)]
    rows = [
        {
            "id": game.id,
            "san": list(game.san),
            "result": game.result,
            "split": split,
            "moves_hash": hash64,
            "source": "random",
            "source_index": index,
        }
        for index, ((game, hash64), split) in enumerate(zip(games, splits, strict=True))
    ]
    part = folder / "games" / part_name(0)
    part.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), part)
    parts = [{"file": part.name, "games": len(rows), "sha256": sha256_file(part)}]
    digest = games_digest(parts)
    write_json(
        part.with_name("manifest.json"),
        {"format": GAMES_FORMAT, "parts": parts, "games": len(rows), "games_digest": digest},
    )
    train = [game for (game, _), split in zip(games, splits, strict=True) if split == "train"]
    for name in NOTATIONS:
        notation = build_notation(name, train)
        tokens = folder / "tokens" / name
        for file, content in notation.resources().items():
            write_bytes(tokens / file, content)
        for split in SPLIT_SIZES:
            chosen = [row for row, other in zip(games, splits, strict=True) if other == split]
            write_token_file(
                tokens / token_file_name(split, 0),
                tokens_of(notation, chosen),
                notation=name,
                fingerprint=notation.vocabulary.fingerprint,
                games_digest=digest,
            )
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder that no test changes."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are fastest on one core; training sets process-wide switches, the next test finds none of it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def tiny_values(data: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """A configuration that trains in a second; `changes` are `section__key=value`."""
    values: dict[str, Any] = {
        "run": {"out": str(out), "seed": 3},
        "data": {"games": str(data), "notation": "pgn"},
        "model": {"width": 12, "depth": 2, "heads": 3, "mlp_width": 20, "context_len": 331},
        "optimiser": {"learning_rate": 0.01, "warmup_steps": 2},
        "training": {
            "steps": 7,
            "games_per_step": 11,
            "tokens_per_micro_batch": 397,
            "checkpoint_every": 3,
            "log_every": 2,
            "keep_checkpoints": 2,
            "device": "cpu",
            "threads": 1,
        },
        "validation": {"every": 4, "positions": 3, "loss_games": 2},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        values[section][name] = value
    return values


ConfigMaker = Callable[..., TrainConfig]


@pytest.fixture
def tiny(data: Path, tmp_path: Path) -> ConfigMaker:
    """Makes tiny configurations: `tiny(training__steps=5)`; the run is `tmp_path / "run"` unless `out` says more."""

    def make(out: str = "run", **changes: Any) -> TrainConfig:
        return validate(TrainConfig, tiny_values(data, tmp_path / out, **changes), source="test")

    return make


def toml_of(config: TrainConfig) -> str:
    """A configuration as a person would write it."""
    lines = []
    for name, section in config.model_dump(mode="json", exclude_defaults=True).items():
        lines.append(f"[{name}]")
        lines += [
            f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for key, value in section.items()
        ]
    return "\n".join(lines)


@pytest.fixture
def config_path(tiny: ConfigMaker, tmp_path: Path) -> Path:
    """A tiny configuration as a file; the run is `tmp_path / "run"`."""
    path = tmp_path / "tiny.toml"
    path.write_text(toml_of(tiny()), encoding="utf-8")
    return path
