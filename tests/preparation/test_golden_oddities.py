from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import chess

from data_prep.config import PrepareConfig
from data_prep.prepare import prepare

FOLDER = Path(__file__).parent


def golden() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((FOLDER / "golden.json").read_text(encoding="ascii"))
    return entries


def test_every_oddity_has_the_outcome_that_was_agreed_on() -> None:
    script = runpy.run_path(str(FOLDER / "regenerate_golden.py"))
    assert (FOLDER / "golden.pgn").read_bytes() == b"".join(script["PIECES"])
    assert list(script["outcomes"]((FOLDER / "golden.pgn").read_bytes())) == golden()


def test_kept_games_are_canonical_and_legal() -> None:
    for entry in golden():
        if "row" not in entry:
            continue
        board = chess.Board()
        for san in entry["row"]["san"].split():
            move = board.parse_san(san)
            assert board.san(move) == san
            board.push(move)


def test_the_whole_file_is_prepared_with_every_game_accounted_for(tmp_path: Path) -> None:
    manifest = prepare([str(FOLDER / "golden.pgn")], tmp_path / "out", ["pgn"], PrepareConfig()).games
    expected: dict[str, int] = {}
    seen = set()
    for entry in golden():
        reason = entry.get("dropped")
        if reason is None and entry["row"]["san"] in seen:
            reason = "duplicate moves"
        if reason is None:
            seen.add(entry["row"]["san"])
        else:
            expected[reason] = expected.get(reason, 0) + 1
    assert manifest["dropped"] == expected
    assert manifest["kept"] == len(seen)
    assert manifest["read"] == len(golden()) == manifest["kept"] + sum(manifest["dropped"].values())
    assert manifest["corrections"] == {
        "games with corrected SAN": 2,
        "plies with corrected SAN": 5,
        "games whose result stood in one place only": 4,
    }
