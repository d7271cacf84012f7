"""One game of a match: from its opening to its end, with what each model thought of each move.

Knows: fixtures, the ends that the rules, the strict policy, a failure or a limit bring about, and the PGN of a game.
Doesn't know: how players are asked (`match_seats`), which games are played (`match_schedule`), or files (`match_log`).

Threefold repetition and fifty moves are claimed at once, by whoever may.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import chess
import chess.pgn

from chesslm.game import moves_digest
from chesslm.openings import Opening
from chesslm.player import Decision
from eval.adjudication import By, Result, Verdict

Reason = Literal[
    "checkmate",
    "stalemate",
    "insufficient material",
    "threefold repetition",
    "fifty moves",
    "illegal first choice",
    "player failure",
    "ply limit",
    "game too long",
]

ADJUDICATED: tuple[Reason, ...] = ("ply limit", "game too long")

_DRAW: Result = "1/2-1/2"
_TERMINATIONS: dict[Reason, str] = {
    "illegal first choice": "rules infraction",
    "player failure": "emergency",
    "ply limit": "adjudication",
    "game too long": "adjudication",
}
_NOT_IN_HEADERS = str.maketrans({'"': "'", "\\": "/"})
_NOT_IN_COMMENTS = str.maketrans({"{": "(", "}": ")"})


@dataclass(frozen=True, slots=True)
class Fixture:
    """A game that is to be played.

    Args:
        number: unique in the match, from 0.
        pair: number of its pair in the match; the two games of a pair share the opening, colours swapped.
        white, black: labels of contestants.
        opening: both sides start behind it.
        cycle: how often the book has been gone through before; players with chances are seeded anew for each.
    """

    number: int
    pair: int
    white: str
    black: str
    opening: Opening
    cycle: int


@dataclass(frozen=True, slots=True)
class PlayedGame:
    """A game that has ended.

    Args:
        fixture: which one.
        result: never "*".
        reason: how it ended.
        note: more about that, for people; may be empty.
        adjudicated_by: who judged a game that couldn't go on; None for all others.
        plies: length, the opening included.
        moves_digest: first 16 hex digits of the sha256 of its moves: equal for equal games.
    """

    fixture: Fixture
    result: Result
    reason: Reason
    note: str
    adjudicated_by: By | None
    plies: int
    moves_digest: str

    @property
    def white_points(self) -> float:
        """1, 0.5 or 0."""
        return {"1-0": 1.0, _DRAW: 0.5, "0-1": 0.0}[self.result]

    @property
    def at_fault(self) -> str | None:
        """Label of who lost by a failure or an illegal first choice; None if nobody did."""
        if self.reason not in ("illegal first choice", "player failure"):
            return None
        return self.fixture.white if self.result == "0-1" else self.fixture.black

    def points_of(self, label: str) -> float:
        """1, 0.5 or 0 for one of its players."""
        return self.white_points if label == self.fixture.white else 1.0 - self.white_points


@dataclass
class OpenGame:
    """A game that is being played.

    Args:
        fixture: which one.
        max_plies: here it stops, to be adjudicated.

    Attributes:
        board: the position, with the whole game.
        ended: how and why, once it has; `needs_verdict` says that an adjudicator has the word first.
    """

    fixture: Fixture
    max_plies: int
    board: chess.Board = field(init=False)
    ended: PlayedGame | None = field(default=None, init=False)
    needs_verdict: Reason | None = field(default=None, init=False)
    _comments: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.board = self.fixture.opening.board()
        self._comments = [""] * self.board.ply()
        self._look_for_end()

    @property
    def mover(self) -> str:
        """Label of the side to move."""
        return self.fixture.white if self.board.turn == chess.WHITE else self.fixture.black

    def play(self, decision: Decision, *, strict: bool) -> None:
        """Play what the side to move decided; under the strict policy its first choice, which may lose the game."""
        move = decision.move
        if strict and decision.first_choice is not None:
            if decision.first_choice_move is None:
                kind = f" ({decision.error_kind})" if decision.error_kind else ""
                self._lose("illegal first choice", f"{self.mover} wrote {decision.first_choice!r}{kind}")
                return
            move = decision.first_choice_move
        if move not in self.board.legal_moves:
            self.fail(f"played {move.uci()}, which is illegal")
            return
        self._comments.append(_thoughts(decision, move))
        self.board.push(move)
        self._look_for_end()

    def fail(self, what: str) -> None:
        """The side to move can't go on: it loses."""
        self._lose("player failure", f"{self.mover}: {what}")

    def give_up(self) -> None:
        """A model has no room left for this game: an adjudicator decides."""
        self.needs_verdict = "game too long"

    def adjudicate(self, verdict: Verdict) -> None:
        """Take an adjudicator's word."""
        assert self.needs_verdict is not None
        self._end(verdict.result, self.needs_verdict, verdict.text, verdict.by)
        self.needs_verdict = None

    def pgn(self) -> str:
        """The ended game: headers, blank line, movetext with comments, blank line."""
        assert self.ended is not None
        game = chess.pgn.Game.from_board(self.board)
        headers = {
            "Event": "chesslm strength",
            "Round": str(self.fixture.number + 1),
            "White": self.fixture.white,
            "Black": self.fixture.black,
            "Result": self.ended.result,
            "Opening": self.fixture.opening.name,
            "PlyCount": str(self.ended.plies),
            "Termination": _TERMINATIONS.get(self.ended.reason, "normal"),
            "Reason": self.ended.reason,
            "Note": self.ended.note,
            "AdjudicatedBy": self.ended.adjudicated_by or "",
            "MovesDigest": self.ended.moves_digest,
        }
        for key, value in headers.items():
            game.headers[key] = header_text(value)
        for node, comment in zip(game.mainline(), self._comments, strict=True):
            node.comment = _plain(comment).translate(_NOT_IN_COMMENTS)
        ending = f"{self.ended.reason}: {self.ended.note}" if self.ended.note else self.ended.reason
        last = game.end()
        last.comment = "; ".join(filter(None, (last.comment, _plain(ending).translate(_NOT_IN_COMMENTS))))
        return f"{game}\n\n"

    def _look_for_end(self) -> None:
        end = natural_end(self.board)
        if end is not None:
            self._end(end[0], end[1], "", None)
        elif self.board.ply() >= self.max_plies:
            self.needs_verdict = "ply limit"

    def _lose(self, reason: Reason, note: str) -> None:
        self._end("0-1" if self.board.turn == chess.WHITE else "1-0", reason, note, None)

    def _end(self, result: Result, reason: Reason, note: str, by: By | None) -> None:
        digest = moves_digest([move.uci() for move in self.board.move_stack]).hex()[:16]
        self.ended = PlayedGame(self.fixture, result, reason, header_text(note), by, self.board.ply(), digest)


def natural_end(board: chess.Board) -> tuple[Result, Reason] | None:
    """Result and reason where the rules end a game or let somebody claim a draw in this position."""
    if not any(board.generate_legal_moves()):
        if not board.is_check():
            return _DRAW, "stalemate"
        return ("0-1" if board.turn == chess.WHITE else "1-0"), "checkmate"
    if board.is_insufficient_material():
        return _DRAW, "insufficient material"
    if board.halfmove_clock >= 100:
        return _DRAW, "fifty moves"
    if board.is_repetition(3):
        return _DRAW, "threefold repetition"
    return None


def header_text(text: str) -> str:
    """A text as a PGN header can hold it: printable, without quotation marks and backslashes."""
    return _plain(text).translate(_NOT_IN_HEADERS)


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _thoughts(decision: Decision, move: chess.Move) -> str:
    """What a model thought: its first choice, the mass of all legal moves, the probability of what is played."""
    parts = []
    if decision.first_choice is not None:
        kind = f" ({decision.error_kind})" if decision.error_kind else ""
        parts.append(f"first {decision.first_choice}{kind}")
    if decision.legal_mass is not None:
        parts.append(f"legal {decision.legal_mass:.4f}")
    parts += [f"p {probability:.4f}" for candidate, probability in decision.candidates if candidate == move]
    return ", ".join(parts)
