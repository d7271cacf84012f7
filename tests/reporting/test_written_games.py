"""Games as models write them, read until something ends them."""

from __future__ import annotations

import pytest

from chesslm.game import Game
from chesslm.notation.registry import default_notation
from chesslm.written_game import read_written_game


@pytest.mark.parametrize("name", ["pgn", "english"])
def test_a_written_game_reads_back_to_its_end(name: str) -> None:
    notation = default_notation(name)
    game = Game("", ("f3", "e5", "g4", "Qh4#"), "0-1")
    ids = notation.encode_game(game).ids
    read = read_written_game(notation, ids)
    assert [ply.move.uci() for ply in read.plies if ply.move] == ["f2f3", "e7e5", "g2g4", "d8h4"]
    assert read.ending == "natural end"
    assert read.result == "0-1"


@pytest.mark.parametrize("name", ["pgn", "english"])
def test_reading_stops_at_a_result_a_cut_and_an_illegal_move(name: str) -> None:
    notation = default_notation(name)
    resigned = notation.encode_game(Game("", ("e4", "e5"), "1-0")).ids
    assert read_written_game(notation, resigned).ending == "result"
    assert read_written_game(notation, resigned).result == "1-0"
    assert read_written_game(notation, resigned[:-2]).ending == "cut"
    illegal = notation.encode_game(Game("", ("e4", "e5", "Ke3", "Nc6"), "1-0")).ids
    read = read_written_game(notation, illegal)
    assert (read.ending, read.num_legal_plies, read.plies[-1].error_kind) == (
        "illegal move",
        2,
        "piece doesn't move so",
    )


def test_numbers_without_moves_are_no_game() -> None:
    pgn = default_notation("pgn")
    ids = [pgn.vocabulary.begin_id] + [pgn.vocabulary.id_of(f"{number}.") for number in range(1, 40)]
    read = read_written_game(pgn, ids)
    assert read.ending == "illegal move"
    assert read.num_legal_plies == 0
