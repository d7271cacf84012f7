"""The square cloze, in a notation that writes start squares; with castling among the end squares and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import chess
import numpy as np
import torch
from torch import Tensor

from chesslm.game import RESULTS, Game
from chesslm.inference import Position
from chesslm.notation import EncodedGame, Notation
from chesslm.vocabulary import Vocabulary
from eval.cloze import NO_CASTLING, OTHER, PLAYED, cloze_columns, cloze_positions, clozes_of, writes_san
from eval.cloze import writes_start_squares as admits
from eval.contenders import Contender, FunctionModel

SPECIALS = ("<begin>", "<end>", "<pad>")
CASTLING_LINE = ("e4", "e5", "Nf3", "Nc6", "Bc4", "Bc5", "Ke2", "Ke7")


class Squares:
    """Start square, end square, promotion letter: as much of a notation as a cloze asks for."""

    name = "squares"

    def __init__(self) -> None:
        tokens = (*SPECIALS, *RESULTS, *chess.SQUARE_NAMES, *"nbrq")
        self.vocabulary = Vocabulary(tokens, *SPECIALS, results={result: result for result in RESULTS}, marks=())

    def spell(self, board: chess.Board, move: chess.Move) -> list[int]:
        uci = move.uci()
        return [self.vocabulary.id_of(part) for part in (uci[:2], uci[2:4], uci[4:]) if part]

    def ply_piece(self, san: str, *, is_white: bool) -> None:
        return None

    def encode_game(self, game: Game) -> EncodedGame:
        board, ids, spans = chess.Board(), [self.vocabulary.begin_id], []
        for san in game.san:
            move = board.parse_san(san)
            spans.append((len(ids), len(ids) + len(self.spell(board, move))))
            ids += self.spell(board, move)
            board.push(move)
        return EncodedGame([*ids, self.vocabulary.result_ids[game.result], self.vocabulary.end_id], spans)


SQUARES = cast(Notation, Squares())


def contender(contender_of: Callable[..., Contender], favour: Sequence[int]) -> Contender:
    """Likes end squares in a fixed order, whatever stands before."""
    row = torch.full((len(SQUARES.vocabulary),), -1e3)
    for place, square in enumerate(favour):
        row[SQUARES.vocabulary.id_of(chess.square_name(square))] = -float(place)

    def next_logits(tokens: Sequence[int]) -> Tensor:
        return row.clone()

    return contender_of(FunctionModel(next_logits, context_len=1_000), SQUARES)


def found_by(one: Contender, positions: Sequence[Position]) -> dict[tuple[str, str | None], Any]:
    columns = cloze_columns(one, "square", positions, seed=0)
    return {(quantity.metric, quantity.detail): quantity.numerators.tolist() for quantity, _ in columns}


def test_a_notation_of_squares_admits_the_square_cloze_alone() -> None:
    assert admits(SQUARES)
    assert not writes_san(SQUARES)


def test_scores_follow_from_the_legal_moves_of_the_given_square(
    games: list[Game], contender_of: Callable[..., Contender]
) -> None:
    favour = [int(square) for square in np.random.default_rng(6).permutation(64)]
    positions = cloze_positions(games[:20], "square", (5, 50), seed=0)
    found = found_by(contender(contender_of, favour), positions)
    for which in (PLAYED, OTHER):
        goods, exact = [], []
        for position in positions:
            board, clozes = clozes_of(position, "square", seed=0)
            for cloze in (cloze for cloze in clozes if cloze.which == which):
                start = chess.parse_square(cloze.given)
                goods.append({move.to_square for move in board.legal_moves if move.from_square == start})
                exact.append(favour[0] == board.parse_san(position.game.san[position.ply]).to_square)
        assert found["square_cloze_legal_move", which] == [favour[0] in good for good in goods]
        assert found["square_cloze_r_precision", which] == [
            sum(square in good for square in favour[: len(good)]) / len(good) for good in goods
        ]
        if which == PLAYED:
            assert found["square_cloze_exact_move", which] == exact
    assert all(position.game.san[position.ply][0] in "NBRQK" for position in positions)


def test_toshniwals_set_of_end_squares_leaves_castling_out(contender_of: Callable[..., Contender]) -> None:
    """White's king may go to e2, f1 or g1 (castling): a model that says g1 is right, but not to the paper's code."""
    position = Position(Game("", CASTLING_LINE, "*"), 6)
    favour = [chess.G1, chess.F1, chess.A8, *(s for s in chess.SQUARES if s not in (chess.G1, chess.F1, chess.A8))]
    found = found_by(contender(contender_of, favour), [position])
    assert found["square_cloze_legal_move", PLAYED] == [True]
    assert found["square_cloze_legal_move", f"{PLAYED}, {NO_CASTLING}"] == [False]
    assert found["square_cloze_r_precision", PLAYED] == [2 / 3]
    assert found["square_cloze_r_precision", f"{PLAYED}, {NO_CASTLING}"] == [1 / 2]
    assert found["square_cloze_exact_move", PLAYED] == [False]
