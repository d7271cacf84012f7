"""What a model writes where a move is due, judged strictly and tolerantly."""

from __future__ import annotations

import chess
import pytest

from chesslm.first_choice import judge_first_choice
from chesslm.notation.registry import default_notation


def test_the_other_colours_move_is_no_move_even_to_a_tolerant_reader() -> None:
    """Its SAN says nothing of colours: knights of both colours reach c6 here."""
    english = default_notation("english")
    white_to_move = chess.Board()
    for san in ("Nf3", "a6", "Ne5", "a5"):
        white_to_move.push_san(san)
    black_to_move = white_to_move.copy()
    black_to_move.push_san("a3")
    said = english.spell(black_to_move, chess.Move.from_uci("b8c6"))
    assert white_to_move.parse_san(str(english.san_of(said))) == chess.Move.from_uci("e5c6")
    found = judge_first_choice(english, white_to_move, said)
    assert (found.text, found.move) == ("Black moves knight to c6", None)
    assert (found.error_kind, found.tolerant_legal) == ("wrong colour", False)


@pytest.mark.parametrize("name", ["pgn", "english"])
def test_a_legal_move_is_legal_to_both_readers(name: str) -> None:
    notation = default_notation(name)
    board = chess.Board()
    move = chess.Move.from_uci("g1f3")
    found = judge_first_choice(notation, board, notation.spell(board, move))
    assert (found.move, found.error_kind, found.tolerant_legal) == (move, None, True)
