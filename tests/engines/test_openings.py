"""The opening book: legal, canonical, varied; and its seeded choices."""

from __future__ import annotations

import random

import chess
import pytest

from chesslm.openings import Opening, book, choose_openings, random_opening, random_plies


@pytest.mark.parametrize("opening", book(), ids=lambda opening: opening.name)
def test_each_line_is_short_legal_and_canonical_san(opening: Opening) -> None:
    assert 6 <= len(opening.san) <= 10
    board = chess.Board()
    for san in opening.san:
        move = board.parse_san(san)
        assert board.san(move) == san
        board.push(move)
    assert opening.board().move_stack == board.move_stack
    assert not board.is_game_over()


def test_the_book_has_many_lines_with_names_and_positions_of_their_own() -> None:
    assert len(book()) >= 60
    assert len({opening.name for opening in book()}) == len(book())
    assert len({opening.board().epd() for opening in book()}) == len(book())
    assert not [
        (one.name, other.name)
        for one in book()
        for other in book()
        if one != other and other.san[: len(one.san)] == one.san
    ]


def test_chosen_openings_follow_from_the_seed_and_come_once_before_any_comes_twice() -> None:
    count = len(book())
    chosen = choose_openings(count + 5, seed=3)
    assert chosen == choose_openings(count + 5, seed=3)
    assert chosen[:7] == choose_openings(7, seed=3)
    assert chosen != choose_openings(count + 5, seed=4)
    assert sorted(chosen[:count], key=lambda opening: opening.name) == sorted(book(), key=lambda opening: opening.name)


def test_random_openings_follow_from_the_seed() -> None:
    assert random_opening(8, seed=1).move_stack == random_opening(8, seed=1).move_stack
    assert len({tuple(random_opening(8, seed=seed).move_stack) for seed in range(20)}) == 20
    assert random_opening(8, seed=1).ply() == 8


def test_random_plies_stop_where_the_game_ends() -> None:
    board = chess.Board("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1")
    random_plies(board, 3, random.Random(0))
    assert board.ply() == 1
