"""What a move's text is in foreign games: SAN or UCI.

Knows: a move's text, which texts are whole moves or may become one, and which legal move a text means.
Doesn't know: tokens, numbers or separators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import chess

from chesslm.notation.char import SAN_TEXT
from chesslm.notation.last_game import LastGame
from chesslm.san import UNREADABLE, core_san, fault, judge, parse, split_mark
from chesslm.uci_moves import UCI_MOVE, judge_uci, uci_of

MARKS = ("+", "#")


class MoveText(Protocol):
    """One way to write moves.

    Attributes:
        anchor: a frequent move's text.
        references: texts that begin in every way that moves can begin.
        marks: what may stand directly behind a move's core.
    """

    anchor: str
    references: tuple[str, ...]
    marks: tuple[str, ...]

    def core(self, board: chess.Board, move: chess.Move) -> str:
        """The text of a legal move, without mark; ValueError for an illegal one."""
        ...

    def cores_and_marks(self, sans: Sequence[str]) -> list[tuple[str, str]]:
        """Of a whole game; ValueError if it isn't SAN, or not legal where that matters."""
        ...

    def sans(self, cores_and_marks: Sequence[tuple[str, str]]) -> list[str]:
        """The inverse; ValueError if they are no game."""
        ...

    def is_settled(self, text: str) -> bool | None:
        """Grammar only, without mark: a move; not yet one; it can't become one."""
        ...

    def read(self, board: chess.Board, text: str) -> chess.Move:
        """The legal move of a text without mark; raises `MoveTextError`."""
        ...

    def san_of(self, text: str) -> str | None:
        """The text as SAN, unjudged; None if it has no SAN form."""
        ...


class SanText:
    """Canonical SAN."""

    anchor: str = "e4"
    references: tuple[str, ...] = (
        *(f"{file}{rank}" for file in chess.FILE_NAMES for rank in "345"),
        *(f"{file}x{other}5" for file, other in zip("abcdefgh", "babcdefg", strict=True)),
        *(f"{piece}{square}" for piece in "NBRQK" for square in ("f3", "xd5", "e2")),
        *("Nbd2", "Rfe1", "Nbxd7", "R1e2", "O-O", "O-O-O"),
    )

    def __init__(self, *, has_marks: bool) -> None:
        self.marks: tuple[str, ...] = MARKS if has_marks else ()

    def core(self, board: chess.Board, move: chess.Move) -> str:
        """Canonical SAN without mark; ValueError for an illegal move."""
        return core_san(board, move)

    def cores_and_marks(self, sans: Sequence[str]) -> list[tuple[str, str]]:
        """Textual: no board is needed."""
        found = []
        for san in sans:
            core, mark = split_mark(san)
            if parse(core) is None:
                raise ValueError(f"{san!r} is not SAN")
            found.append((core, mark if self.marks else ""))
        return found

    def sans(self, cores_and_marks: Sequence[tuple[str, str]]) -> list[str]:
        """Joined again."""
        return [core + mark for core, mark in cores_and_marks]

    def is_settled(self, text: str) -> bool | None:
        """Whether it is SAN, or its beginning."""
        match = SAN_TEXT.fullmatch(text, partial=True)
        return None if match is None else not match.partial

    def read(self, board: chess.Board, text: str) -> chess.Move:
        """Strictly: only the canonical SAN is a move."""
        if split_mark(text)[1]:
            raise fault(board, text, UNREADABLE)
        return judge(board, text)

    def san_of(self, text: str) -> str | None:
        """As it stands."""
        return text


class UciText:
    """Start square, end square, promotion."""

    anchor: str = "e2e4"
    marks: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.references: tuple[str, ...] = tuple(
            f"{file}{rank}{file}{int(rank) + 1}" for file in chess.FILE_NAMES for rank in "123456"
        ) + tuple(f"{file}7{file}8q" for file in chess.FILE_NAMES)
        self._last_game = LastGame()

    def core(self, board: chess.Board, move: chess.Move) -> str:
        """As `chess.Move.uci`; ValueError for an illegal move."""
        return uci_of(board, move)

    def cores_and_marks(self, sans: Sequence[str]) -> list[tuple[str, str]]:
        """Needs the game replayed."""
        return [(move.uci(), "") for move in self._last_game.moves(sans)]

    def sans(self, cores_and_marks: Sequence[tuple[str, str]]) -> list[str]:
        """By replaying the game."""
        board, sans = chess.Board(), []
        for core, _ in cores_and_marks:
            move = board.parse_uci(core)
            sans.append(board.san(move))
            board.push(move)
        return sans

    def is_settled(self, text: str) -> bool | None:
        """Whether it is a pair of squares, with or without a promotion, or its beginning."""
        match = UCI_MOVE.fullmatch(text, partial=True)
        return None if match is None else not match.partial

    def read(self, board: chess.Board, text: str) -> chess.Move:
        """Strictly: castling is the king's move, and a promotion names its piece."""
        return judge_uci(board, text)

    def san_of(self, text: str) -> str | None:
        """None: what it would be in SAN depends on the position."""
        del text
        return None
