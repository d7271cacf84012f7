"""A game in progress: the one truth about it for every front end, with no terminal in it.

Knows: who sits where, the position and the way to it, what the models thought, undo and redo, how the game ended, and
what is recorded of it (PGN, ledger).
Doesn't know: how moves are typed or shown.

A front end asks `mover` whose move it is, calls `play` for a person's move and `reply` for a model's; where a model's
thinking must not block, another thread calls what `thinking` gives, and `accept` takes the decision in.

    >>> from chesslm.player import RandomPlayer
    >>> session = GameSession({chess.WHITE: None, chess.BLACK: Opponent(RandomPlayer())})
    >>> session.play(chess.Move.from_uci("e2e4"))
    >>> session.reply().move == session.board.peek()
    True
    >>> session.undo(), session.redo(), session.board.ply()
    (2, 2, 2)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import chess

import chesslm
from chesslm.errors import GameTooLong
from chesslm.game import board_san
from chesslm.player import Decision, choose
from play.endings import UNFINISHED, Ending, board_ending, claimable_draw, loss_of, takes_draw
from play.ledger import LedgerEntry, append_entry
from play.opponent import Opponent
from play.pgn_out import pgn_text

PERSON = "Person"


@dataclass(frozen=True, slots=True)
class MindRecord:
    """What a model's own first choices came to over a game.

    Args:
        num_moves: its moves with a first choice on record.
        num_legal: how many of those first choices were legal.
        legal_mass: mean legal mass over its moves with one, in [0, 1]; None without any.
    """

    num_moves: int
    num_legal: int
    legal_mass: float | None


class GameSession:
    """One game between two seats; None in a seat is a person.

    Args:
        seats: who plays each colour.
        start: a board with the moves given at the beginning on its stack; the start position if absent. It is copied.

    Attributes:
        board: the position, with the game's whole move stack. For reading only.
        ending: how the game ended; None while it goes on.
        is_recorded: whether it stands in the ledger. A game is recorded once, as it first ended: what is played on
            after that (by `undo`) is practice.
    """

    def __init__(self, seats: Mapping[chess.Color, Opponent | None], *, start: chess.Board | None = None) -> None:
        self.board = chess.Board() if start is None else start.copy()
        self.seats = dict(seats)
        self.ending = board_ending(self.board)
        self.is_recorded = False
        self._given_plies = len(self.board.move_stack)
        self._decisions: list[Decision | None] = [None] * self._given_plies
        self._undone: list[tuple[chess.Move, Decision | None]] = []
        self._num_hints = self._num_undos = self._num_changes = 0
        self._started = datetime.now(UTC)

    # Who, and what was thought

    @property
    def mover(self) -> Opponent | None:
        """Who is to move; None for a person."""
        return self.seats[self.board.turn]

    @property
    def person(self) -> chess.Color | None:
        """The person's colour; None unless exactly one person plays."""
        colours = [colour for colour, seat in self.seats.items() if seat is None]
        return colours[0] if len(colours) == 1 else None

    @property
    def san(self) -> list[str]:
        """Canonical SAN of every ply."""
        return board_san(self.board)

    @property
    def last_decision(self) -> Decision | None:
        """What the model thought when it made the last move; None if a person made it, it was given, or none was."""
        return self._decisions[-1] if self._decisions else None

    @property
    def decisions(self) -> Sequence[Decision | None]:
        """What was thought for each ply so far, as `last_decision`."""
        return tuple(self._decisions)

    @property
    def is_helped(self) -> bool:
        """Whether the person has asked for hints, taken moves back or changed a seat, which the record says."""
        return bool(self._num_hints or self._num_undos or self._num_changes)

    @property
    def has_played(self) -> bool:
        """Whether a person has moved after the given moves; where models play each other, whether one has."""
        nobody = all(seat is not None for seat in self.seats.values())
        sides = [colour for colour, seat in self.seats.items() if seat is None or nobody]
        return any(ply >= self._given_plies for colour in sides for ply in self._plies_of(colour))

    @property
    def is_from_start(self) -> bool:
        """Whether the game began at chess's start position."""
        return self.board.root().fen() == chess.STARTING_FEN

    def name(self, colour: chess.Color) -> str:
        """The name of a seat, as it stands in the PGN."""
        seat = self.seats[colour]
        return PERSON if seat is None else seat.name

    def mind(self, colour: chess.Color) -> MindRecord:
        """What the first choices of the model on that side came to so far."""
        mine = [self._decisions[ply] for ply in self._plies_of(colour)]
        thought = [decision for decision in mine if decision is not None]
        written = [decision for decision in thought if decision.first_choice is not None]
        masses = [decision.legal_mass for decision in thought if decision.legal_mass is not None]
        return MindRecord(
            num_moves=len(written),
            num_legal=sum(decision.first_choice_move is not None for decision in written),
            legal_mass=sum(masses) / len(masses) if masses else None,
        )

    # Moving

    def sit(self, colour: chess.Color, seat: Opponent | None) -> None:
        """Somebody plays that colour from here on; another than before is a change if it has moved already."""
        if seat is not self.seats[colour] and any(ply >= self._given_plies for ply in self._plies_of(colour)):
            self._num_changes += 1
        self.seats[colour] = seat

    def play(self, move: chess.Move) -> None:
        """A person's move.

        Raises:
            ValueError: it is illegal, the game is over, or a model is to move.
        """
        if self.ending is not None or self.mover is not None or not self.board.is_legal(move):
            raise ValueError(f"a person can't play {move} now in {self.board.fen()}")
        self._given_plies = min(self._given_plies, len(self.board.move_stack))
        self._push(move, None)
        self._undone.clear()

    def thinking(self) -> Callable[[], Decision]:
        """The thinking of the model to move, for another thread to call: it looks at nothing that changes here.

        The call raises GameTooLong where the model can't go on (`end_too_long` ends the game), and what else the
        player raises.

        Raises:
            ValueError: the game is over, or a person is to move.
        """
        return partial(choose, self._model_to_move().player, self.board.copy())

    def accept(self, decision: Decision) -> None:
        """Play what was decided in this very position."""
        self._model_to_move()
        self._push(decision.move, decision)
        self._undone.clear()

    def reply(self) -> Decision | None:
        """Think, then `accept`. None if the game has become too long for the model, which ends it."""
        try:
            decision = self.thinking()()
        except GameTooLong:
            self.end_too_long()
            return None
        self.accept(decision)
        return decision

    def hinting(self) -> Callable[[], Decision]:
        """What the model across the board thinks of the person's position, as `thinking`; `count_hint` when it is told.

        Raises:
            ValueError: the game is over, or a model is to move, or persons play each other.
        """
        opponent = self.seats[not self.board.turn]
        if self.ending is not None or self.mover is not None or opponent is None:
            raise ValueError("there is nobody to ask for a hint")
        return partial(choose, opponent.player, self.board.copy())

    def count_hint(self) -> None:
        """The person was told a hint, which is help."""
        self._num_hints += 1

    def hint(self) -> Decision:
        """What `hinting` gives, at once and counted; raises as both do."""
        decision = self.hinting()()
        self.count_hint()
        return decision

    def undo(self) -> int:
        """Take back moves until a person is to move again, reopening an ended game; returns the number of plies.

        0, and nothing changes, where no person has moved yet.
        """
        own = [ply for colour, seat in self.seats.items() if seat is None for ply in self._plies_of(colour)]
        if not own:
            return 0
        count = len(self.board.move_stack) - max(own)
        for _ in range(count):
            self._undone.append((self.board.pop(), self._decisions.pop()))
        self.ending = None
        self._num_undos += 1
        return count

    def redo(self) -> int:
        """Play what was taken back last, up to a person's next turn; returns the number of plies."""
        count = 0
        while self._undone and (count == 0 or self.mover is not None):
            self._push(*self._undone.pop())
            count += 1
        return count

    # Ending

    def resign(self) -> None:
        """The person gives up."""
        self.ending = loss_of(self.board.turn if self.person is None else self.person)

    def claim_draw(self) -> bool:
        """Claim a draw by repetition or the fifty-move rule for the side to move; False where there is none."""
        claim = claimable_draw(self.board)
        self.ending = claim or self.ending
        return claim is not None

    def offer_draw(self) -> bool:
        """The person to move offers a draw; the model takes it or not by `endings.DRAW_RULE`."""
        if not takes_draw(self.board, not self.board.turn):
            return False
        self.ending = Ending("1/2-1/2", "agreement")
        return True

    def end_too_long(self) -> None:
        """The model can't write a game of this length: the game ends without a result."""
        self.ending = Ending("*", "game too long")

    # Records

    def pgn(self) -> str:
        """The game as PGN, unfinished or not; where a model's first choice was illegal, a comment says so."""
        ending = self.ending or UNFINISHED
        headers = {
            "Event": "chesslm play",
            "Date": self._started.strftime("%Y.%m.%d"),
            "White": self.name(chess.WHITE),
            "Black": self.name(chess.BLACK),
            "Result": ending.result,
            "TimeControl": "-",
            "Termination": f"{'unterminated' if ending.result == '*' else 'normal'}; {ending.termination}",
        }
        for colour, side in ((chess.WHITE, "White"), (chess.BLACK, "Black")):
            seat = self.seats[colour]
            headers[f"{side}Type"] = "human" if seat is None else "program"
            if seat is not None:
                headers[f"{side}Details"] = seat.details
                headers[f"{side}Digest"] = seat.digest or ""
        return pgn_text(self.board, {key: text for key, text in headers.items() if text}, self._comments())

    def ledger_entry(self, *, typed: bool) -> LedgerEntry | None:
        """The game as a line of the ledger; None unless one person plays a model, from the start, and has moved."""
        person = self.person
        if person is None or not self.is_from_start or not self.has_played:
            return None
        model, ending = self.seats[not person], self.ending or UNFINISHED
        assert model is not None, "one seat is a person's, so the other is a model's"
        return LedgerEntry(
            date=self._started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=chesslm.__version__,
            model=model.name,
            digest=model.digest,
            notation=model.notation,
            policy=model.policy,
            person="white" if person == chess.WHITE else "black",
            typed=typed,
            moves=tuple(move.uci() for move in self.board.move_stack),
            given_plies=min(self._given_plies, len(self.board.move_stack)),
            result=ending.result,
            termination=ending.termination,
            hints=self._num_hints,
            undos=self._num_undos,
            changes=self._num_changes,
        )

    def record(self, ledger: Path, *, typed: bool) -> bool:
        """Append the game to a ledger as it stands, once; False if it is there already or isn't one for a ledger.

        Raises:
            OutputError: the ledger can't be written.
        """
        entry = None if self.is_recorded else self.ledger_entry(typed=typed)
        if entry is None:
            return False
        append_entry(ledger, entry)
        self.is_recorded = True
        return True

    # Inside

    def _model_to_move(self) -> Opponent:
        if self.ending is not None or self.mover is None:
            raise ValueError("no model is to move")
        return self.mover

    def _push(self, move: chess.Move, decision: Decision | None) -> None:
        self.board.push(move)
        self._decisions.append(decision)
        self.ending = board_ending(self.board)

    def _plies_of(self, colour: chess.Color) -> list[int]:
        length = len(self.board.move_stack)
        return [ply for ply in range(length) if ((length - ply) % 2 == 0) == (self.board.turn == colour)]

    def _comments(self) -> list[str]:
        return [
            f"wanted {decision.first_choice}"
            if decision is not None and decision.first_choice is not None and decision.first_choice_move is None
            else ""
            for decision in self._decisions
        ]
