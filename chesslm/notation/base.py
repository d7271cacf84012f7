"""The `Notation` protocol: the only thing that everything downstream knows of a notation.

Knows: the contract between a chess game and its tokens.
Doesn't know: any particular notation (see `pgn.py`, `english.py`, `uci_squares.py`); `registry.py` loads one by name.

The law every notation keeps (property-tested): for each ply i of a game g that reached `board_i` before move_i,

    encode_game(g).ids up to the end of ply i  ==  prompt(board_i) + spell(board_i, move_i) + follow(board_i, move_i)

All notations write the same events in the same order: begin, plies, result, end. A result is one token everywhere.
What follows from a move (check and mate marks, a full stop) is never part of its spelling nor of legality; the next
prompt has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import chess

from chesslm.game import Game
from chesslm.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class EncodedGame:
    """A game as token ids.

    Args:
        ids: all tokens, from begin to end.
        spans: one half-open `(start, end)` a ply: where its spelling alone stands in `ids`.
    """

    ids: list[int]
    spans: list[tuple[int, int]]


class PlyPiece(NamedTuple):
    """What a ply is written with.

    Args:
        spelling: the ids that settle the move.
        follow: what follows from it: its mark, a full stop. May be empty.
    """

    spelling: tuple[int, ...]
    follow: tuple[int, ...]


class Notation(Protocol):
    """A way to write games as tokens. Loaded with its vocabulary from token files or a checkpoint."""

    @property
    def name(self) -> str:
        """The name under which the registry knows it."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids, token strings and their roles."""
        ...

    def encode_game(self, game: Game) -> EncodedGame:
        """Write a whole game; a notation that writes more than SAN says replays it.

        Raises:
            GameTooLong: a move number has no token.
            ValueError: a ply isn't SAN (or not legal, where that matters), or the result is unknown.
        """
        ...

    def before(self, ply: int) -> Sequence[int]:
        """What `encode_game` writes before a ply (0 is White's first move): a move number. May be empty.

        Raises:
            GameTooLong: a move number has no token.
        """
        ...

    def ply_piece(self, san: str, *, is_white: bool) -> PlyPiece | None:
        """What `encode_game` writes for every ply of this SAN and colour; None if that depends on the plies before.

        Raises:
            ValueError: not SAN.
        """
        ...

    def move_piece(self, move: chess.Move) -> PlyPiece | None:
        """What `encode_game` writes for every ply of these squares and this promotion; None if that depends on more."""
        ...

    def decode_game(self, ids: Sequence[int]) -> Game:
        """The inverse of `encode_game`, with an empty id.

        Raises:
            FormatError: the ids are not a whole game of this notation.
        """
        ...

    def prompt(self, board: chess.Board) -> list[int]:
        """All that stands before the next move is written, from the begin token on.

        Raises:
            UnsupportedPosition: the game didn't begin at the start position.
            GameTooLong: the move number has no token.
        """
        ...

    def end_prompt(self, board: chess.Board) -> list[int]:
        """All that stands before a result could be written here; raises as `prompt` does."""
        ...

    def spell(self, board: chess.Board, move: chess.Move) -> list[int]:
        """The wording `encode_game` writes for a legal move, up to the token that settles it."""
        ...

    def spellings(self, board: chess.Board, move: chess.Move) -> list[list[int]]:
        """Every wording of a legal move; the first is `spell`'s."""
        ...

    def follow(self, board: chess.Board, move: chess.Move) -> list[int]:
        """What follows from a legal move before anything else is written: its mark, a full stop. May be empty."""
        ...

    def is_complete(self, board: chess.Board, ids: Sequence[int]) -> bool | None:
        """Grammar only: True, the move is settled; False, not yet; None, it can no longer become a move."""
        ...

    def continuations(self, ids: Sequence[int]) -> frozenset[int]:
        """Tokens with which a settled text could go on to another move; none in most notations.

        In characters `O-O` is settled, and so is `O-O-O`: which of them is written shows only in the next token.
        """
        ...

    def read(self, board: chess.Board, ids: Sequence[int]) -> chess.Move:
        """The move that ids spell in this position; judges the decoded text, not the segmentation.

        Raises:
            UnreadableMove, AmbiguousMove, IllegalMove: only a text of `spellings` is a move.
        """
        ...

    def text(self, ids: Sequence[int]) -> str:
        """Ids as a person reads them; special tokens are written in their own spelling."""
        ...

    def san_of(self, ids: Sequence[int]) -> str | None:
        """A spelling translated to SAN text without judging it, for tolerant readers; None if it has no SAN form."""
        ...

    def resources(self) -> Mapping[str, bytes]:
        """File name -> content of what must lie beside token files and checkpoints to load this notation again.

        Always has `vocabulary.json`; a trained tokeniser adds `tokenizer.json`.
        """
        ...
