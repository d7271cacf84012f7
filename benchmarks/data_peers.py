"""What the data benchmark measures, each in its own process: `python -m benchmarks.data_peers NAME FILE SCRATCH`.

Knows: how each peer reads a packed dump, and what it is asked for; each prints one JSON line with the games it saw.
Doesn't know: time and memory; `bench_data` watches from outside.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import zstandard

READ_GAME_GAMES = 2_000  # games that python-chess gets: it is some hundred times slower than the others
_BLOCK_LEN = 1 << 22


def read_game(file: Path, _scratch: Path) -> int:
    """python-chess, `chess.pgn.read_game`: a game tree of every game."""
    import chess.pgn

    with file.open("rb") as packed:
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        text = io.TextIOWrapper(reader, encoding="utf-8")
        return sum(1 for _ in islice(iter(lambda: chess.pgn.read_game(text), None), READ_GAME_GAMES))


def compiled_reader(file: Path, _scratch: Path) -> int:
    """rust-pgn-reader-python-binding: boards and moves of every game as arrays, on all cores."""
    import pyarrow as pa
    import rust_pgn_reader_python_binding as binding

    num_games, rest = 0, b""
    with file.open("rb") as packed:
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        while True:
            block = reader.read(_BLOCK_LEN)
            rest += block
            cut = rest.rfind(b"\n\n[Event ") if block else len(rest)
            if cut > 0:
                games = [
                    b"[Event " + game for game in rest[:cut].strip().removeprefix(b"[Event ").split(b"\n\n[Event ")
                ]
                parsed = binding.parse_games(pa.chunked_array([pa.array([game.decode() for game in games])]))
                num_games += parsed.num_games
                rest = rest[cut:]
            if not block:
                return num_games


def _ours(*notations: str, keep_duplicates: bool) -> Callable[[Path, Path], int]:
    def run(file: Path, scratch: Path) -> int:
        from data_prep.config import PrepareConfig
        from data_prep.prepare import prepare

        config = PrepareConfig.model_validate({"filters": {"keep_duplicates": keep_duplicates}})
        read: int = prepare([str(file)], scratch / "out", notations, config).games["read"]
        return read

    return run


PEERS: dict[str, Callable[[Path, Path], int]] = {
    "ours-games": _ours(keep_duplicates=True),
    "ours-pgn": _ours("pgn", keep_duplicates=True),
    "ours-pgn-unique": _ours("pgn", keep_duplicates=False),
    "ours-english": _ours("english", keep_duplicates=True),
    "compiled-reader": compiled_reader,
    "read-game": read_game,
}


def main() -> None:
    """Run one peer."""
    name, file, scratch = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    print(json.dumps({"games": PEERS[name](file, scratch)}))


if __name__ == "__main__":
    main()
