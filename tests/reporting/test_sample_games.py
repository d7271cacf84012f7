"""Games that a model writes for the report: what is legal, what broke the rules, and what came after."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import chess
import pytest
import torch
from torch import Tensor

from chesslm.game import Game
from chesslm.notation import Notation
from chesslm.notation.registry import default_notation
from eval.contenders import FunctionModel
from eval.sample_games import SampleGame, write_sample_games


def writer(notation: Notation, *games: Sequence[int]) -> Any:
    """A loaded model that goes on as any of these games does that begins like the text, or else ends it."""
    vocabulary = notation.vocabulary

    def next_logits(tokens: Sequence[int]) -> Tensor:
        logits = torch.full((len(vocabulary),), -1e9)
        written = list(tokens)
        alike = [game for game in games if len(game) > len(written) and list(game[: len(written)]) == written]
        logits[[game[len(written)] for game in alike] or [vocabulary.end_id]] = 0.0
        return logits

    return SimpleNamespace(model=FunctionModel(next_logits, context_len=400), notation=notation)


def written_by(notation: Notation, game: Game) -> SampleGame:
    (found,) = write_sample_games(writer(notation, notation.encode_game(game).ids), num_games=1)
    return found


def test_a_game_is_shown_up_to_the_first_illegal_move() -> None:
    found = written_by(default_notation("pgn"), Game("", ("e4", "e5", "Ke3", "Nc6"), "1-0"))
    assert (found.legal_text, found.illegal_text) == ("1. e4 e5 2.", "Ke3")
    assert (found.error_kind, found.ending, found.num_legal_plies) == ("piece doesn't move so", "illegal move", 2)
    assert found.rest.startswith("Nc6")
    assert found.last_move == "e7e5"
    board = chess.Board()
    for san in ("e4", "e5"):
        board.push_san(san)
    assert found.board_fen == board.board_fen()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pgn", "1. f3 e5 2. g4 Qh4#"),
        ("english", "White moves pawn to f3. Black moves pawn to e5. White moves pawn to g4. Black moves queen to h4"),
    ],
)
def test_a_game_that_ends_by_the_rules_has_no_illegal_move(name: str, text: str) -> None:
    found = written_by(default_notation(name), Game("", ("f3", "e5", "g4", "Qh4#"), "0-1"))
    # The mark of the last move follows from it, and is read after the game has ended.
    assert f"{found.legal_text}{found.rest}".startswith(text.removesuffix("#"))
    assert (found.illegal_text, found.error_kind) == (None, None)
    assert (found.ending, found.num_legal_plies, found.last_move) == ("natural end", 4, "d8h4")


def test_a_game_without_a_legal_move_shows_the_start() -> None:
    found = written_by(default_notation("pgn"), Game("", ("Ke3",), "*"))
    assert (found.legal_text, found.illegal_text, found.num_legal_plies) == ("1.", "Ke3", 0)
    assert (found.board_fen, found.last_move) == (chess.STARTING_BOARD_FEN, None)


def test_what_follows_is_cut_short() -> None:
    moves = ("Ke3", *("e4", "e5", "Nf3", "Nc6") * 20)
    rest = written_by(default_notation("pgn"), Game("", moves, "*")).rest
    assert rest.startswith("e4")
    assert rest.endswith("…")
    assert 60 <= len(rest) <= 81


def test_each_game_has_a_seed_of_its_own_and_is_the_same_again() -> None:
    notation = default_notation("pgn")
    openings = [notation.encode_game(Game("", (san,), "*")).ids for san in ("e4", "d4", "c4", "a3", "h3")]
    games = write_sample_games(writer(notation, *openings), num_games=8)
    assert [game.seed for game in games] == list(range(8))
    assert len({game.legal_text for game in games}) > 1
    assert write_sample_games(writer(notation, *openings), num_games=3) == games[:3]
