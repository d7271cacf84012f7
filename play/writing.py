"""What stands on a model's page: the game so far as the tokens of its notation, and who wrote them.

Knows: which tokens belong to which ply, and what the model wanted to write there.
Doesn't know: models, or how tokens are shown.

    >>> from chesslm.notation.registry import default_notation
    >>> board = chess.Board()
    >>> board.push_san("e4"), board.push_san("Nc6") and None
    (Move.from_uci('e2e4'), None)
    >>> decision = Decision(board.peek(), first_choice="Ke3")
    >>> [(piece.text, piece.kind) for piece in written_pieces(default_notation("pgn"), board, [None, decision])]
    [('<begin>', 'frame'), ('1.', 'frame'), ('e4', 'person'), ('Ke3', 'wanted'), ('N', 'model'), ('c6', 'model')]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import chess

from chesslm.errors import GameTooLong
from chesslm.game import Game, board_san
from chesslm.notation import Notation
from chesslm.player import Decision
from play.inert_text import printable

Kind = Literal["frame", "person", "model", "wanted"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A token on the page.

    Args:
        text: the token, made inert.
        kind: of a move by a person or by a model; a first choice that was no legal move, as text; or what stands
            around moves (numbers, marks, full stops).
        ply: of the move; of what stands around moves, the ply it stands before.
    """

    text: str
    kind: Kind
    ply: int


def written_pieces(language: Notation, board: chess.Board, decisions: Sequence[Decision | None]) -> list[Piece]:
    """The game on the board's move stack as tokens; empty where the notation can't write it.

    `decisions` has for each ply what the model thought that played it; None where a person did.
    """
    if board.root().fen() != chess.STARTING_FEN:
        return []
    try:
        # "*" stands for any result: it is cut off with the end token.
        encoded = language.encode_game(Game("", tuple(board_san(board)), "*"))
    except GameTooLong:
        return []
    texts = [printable(language.vocabulary.string_of(token_id)) for token_id in encoded.ids[:-2]]
    pieces: list[Piece] = []
    place = 0
    for ply, ((start, end), decision) in enumerate(zip(encoded.spans, decisions, strict=True)):
        pieces += [Piece(text, "frame", ply) for text in texts[place:start]]
        if decision is not None and decision.first_choice is not None and decision.first_choice_move is None:
            pieces.append(Piece(printable(decision.first_choice), "wanted", ply))
        pieces += [Piece(text, "person" if decision is None else "model", ply) for text in texts[start:end]]
        place = end
    return [*pieces, *(Piece(text, "frame", len(decisions)) for text in texts[place:])]
