"""Reads what a model wrote by itself as a game, ply by ply, up to the first illegal move.

Knows: how to walk free-running tokens with a board, through the `Notation` protocol alone.
Doesn't know: who wrote the tokens or how (`inference.sample_text`), or how games are shown.

What stands between two moves (numbers, marks, full stops) is skipped and not judged: it is never part of legality
(METRICS section 2). Everything else is: the first text that is no legal move ends the reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import chess

from chesslm.errors import GameError, MoveTextError
from chesslm.game import RESULTS
from chesslm.notation.base import Notation

Ending = Literal["result", "natural end", "illegal move", "cut"]

# A move number, a mark and a full stop are at most a handful of tokens; more is no writing of a game.
MAX_TOKENS_BETWEEN_MOVES = 8


@dataclass(frozen=True, slots=True)
class WrittenPly:
    """One ply as it was written.

    Args:
        between: what was written since the move before, as text.
        text: what was written for the move.
        move: the legal move it reads as; None if it is none.
        error_kind: why not, one of `san.ERROR_KINDS`.
    """

    between: str
    text: str
    move: chess.Move | None
    error_kind: str | None


@dataclass(frozen=True, slots=True)
class WrittenGame:
    """A game as it was written.

    Args:
        plies: all plies read; only the last can be illegal.
        rest: the text after the last ply.
        ending: a result was written · the board ended the game · an illegal move · the text stopped before these.
        result: the result that was written, if one was.
    """

    plies: tuple[WrittenPly, ...]
    rest: str
    ending: Ending
    result: str | None

    @property
    def num_legal_plies(self) -> int:
        """Plies before the first illegal one."""
        return sum(ply.move is not None for ply in self.plies)


def read_written_game(notation: Notation, ids: Sequence[int]) -> WrittenGame:
    """Read free-running tokens, the begin token included or not.

    >>> from chesslm.notation.registry import default_notation
    >>> pgn = default_notation("pgn")
    >>> ids = [pgn.vocabulary.id_of(token) for token in "1. e4 e5 2. K e3".split()]
    >>> game = read_written_game(pgn, ids)
    >>> [ply.text for ply in game.plies], game.ending, game.plies[-1].error_kind
    (['e4', 'e5', 'Ke3'], 'illegal move', "piece doesn't move so")
    """
    vocabulary = notation.vocabulary
    results = {token: result for result, token in vocabulary.result_ids.items()}
    board = chess.Board()
    plies: list[WrittenPly] = []
    start = 1 if ids and ids[0] == vocabulary.begin_id else 0
    while True:
        begin = _first_token_of_a_move(notation, board, ids, start)
        result = results.get(ids[begin]) if begin < len(ids) else None
        result = result or _spelt_result(notation, ids[start:begin])
        if board.is_game_over() or (begin == len(ids) and result is None):
            ending: Ending = "natural end" if board.is_game_over() else "cut"
            return WrittenGame(tuple(plies), notation.text(ids[start:]), ending, result)
        if result is not None or ids[begin] in vocabulary.not_a_move_ids:
            return WrittenGame(tuple(plies), notation.text(ids[start:]), "result", result)
        end = begin + 1
        while end < len(ids) and (
            notation.is_complete(board, ids[begin:end]) is False or ids[end] in notation.continuations(ids[begin:end])
        ):
            end += 1
        complete = notation.is_complete(board, ids[begin:end])
        if complete is False:
            return WrittenGame(tuple(plies), notation.text(ids[start:]), "cut", None)
        between, text = notation.text(ids[start:begin]), notation.text(ids[begin:end])
        try:
            move = notation.read(board, ids[begin:end])
        except MoveTextError as error:
            plies.append(WrittenPly(between, text, None, error.kind))
            return WrittenGame(tuple(plies), notation.text(ids[end:]), "illegal move", None)
        except GameError:
            return WrittenGame(tuple(plies), notation.text(ids[start:]), "cut", None)
        plies.append(WrittenPly(between, text, move, None))
        board.push(move)
        start = end


def _spelt_result(notation: Notation, between: Sequence[int]) -> str | None:
    """The result that stands among tokens between moves: in foreign text it is several tokens."""
    text = notation.text(between) if between and not notation.vocabulary.result_ids else ""
    return next((result for result in RESULTS if result in text), None)


def _first_token_of_a_move(notation: Notation, board: chess.Board, ids: Sequence[int], start: int) -> int:
    """Where the next move begins: after tokens that can't begin one, as long as they can stand between moves."""
    begin = start
    while begin < len(ids) and begin - start < MAX_TOKENS_BETWEEN_MOVES:
        if ids[begin] in notation.vocabulary.not_a_move_ids:
            break
        if (
            ids[begin] not in notation.vocabulary.mark_ids
            and notation.is_complete(board, ids[begin : begin + 1]) is not None
        ):
            break
        begin += 1
    return begin
