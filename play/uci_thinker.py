"""The mind behind the UCI engine: a model that is loaded when it is needed, and what it says about a position.

Knows: which options ask for another model or another policy, what strict play means, what to do where a model can't go
on, and which lines tell what it thought.
Doesn't know: the protocol's order of events (`uci_engine`) or threads (`uci_search`).

torch is imported with the first model, not with this module.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import chess

from chesslm.errors import ChesslmError, GameError, GameTooLong, UserError
from chesslm.player import Decision
from play.inert_text import inert
from play.uci_options import Settings
from play.uci_protocol import info_line, info_string

if TYPE_CHECKING:
    from chesslm.model_player import ModelPlayer

RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Thought:
    """An answer to `go`.

    Args:
        lines: info lines to send before it.
        move: legal, and one of those that were asked for; None to give up, or where nothing can be played.
    """

    lines: tuple[str, ...]
    move: chess.Move | None


class Thinker(Protocol):
    """What answers for the engine; asked from one thread."""

    def prepare(self, settings: Settings) -> None:
        """Load what these settings need, if it isn't there.

        Raises:
            UserError: it can't be loaded.
        """
        ...

    def think(self, board: chess.Board, allowed: Collection[chess.Move], settings: Settings) -> Thought:
        """Choose among `allowed` moves, which are legal; at least one. Raises as `prepare` does."""
        ...


class ModelThinker:
    """A model, or the random player."""

    def __init__(self) -> None:
        self._player: ModelPlayer | None = None
        self._name: str | None = None
        self._threads = 0

    def prepare(self, settings: Settings) -> None:
        """Import torch, load the model and let it choose once, which makes its first real choice a fast one.

        Raises:
            UserError: there is no such model.
        """
        if settings.model == RANDOM:
            return
        if self._player is not None and self._name == settings.model:
            return
        if self._player is not None:
            self._player.close()
        self._player = None
        player = _load(settings.model)
        self._set_threads(settings)
        player.choose_many([chess.Board()])
        self._player, self._name = player, settings.model

    def think(self, board: chess.Board, allowed: Collection[chess.Move], settings: Settings) -> Thought:
        """Choose by the policy; where the model can't write the game at all, give up and say why."""
        began = time.monotonic()
        self.prepare(settings)
        if settings.model == RANDOM or self._player is None:
            return random_thought(board, allowed, settings.seed, ())
        self._set_threads(settings)
        player = self._player.with_policy(
            temperature=settings.temperature,
            top_k=settings.top_k or None,
            top_p=settings.top_p if settings.top_p < 1 else None,
            seed=settings.seed,
        )
        try:
            decision = player.choose_among(board, allowed)
        except GameTooLong as error:
            return random_thought(board, allowed, settings.seed, (info_string(f"random move: {error}"),))
        except GameError as error:
            return Thought((info_string(f"no move: {error}"),), None)
        move: chess.Move | None = decision.move
        lines = [info_string(_mind(decision))]
        if settings.policy == "strict":
            move = decision.first_choice_move
            if move is None:
                lines.append(info_string(f"strict: gives up, since its first choice is illegal in {board.fen()}"))
            elif move not in allowed:
                move = decision.move
        lines += _told(board, decision, move, allowed, settings.multi_pv, time_ms=_milliseconds_since(began))
        return Thought(tuple(lines), move)

    def _set_threads(self, settings: Settings) -> None:
        if settings.threads != self._threads:
            import torch

            torch.set_num_threads(settings.threads)
            self._threads = settings.threads


def _load(name: str | None) -> ModelPlayer:
    from play.opponent import Policy, open_opponent

    try:
        player = open_opponent(name, Policy()).player
    except UserError:
        raise
    except (ChesslmError, OSError, ValueError) as error:
        # A GUI may send any text as a name: one that no file can have, or a folder that nobody may read.
        raise UserError(f"model {inert(str(name))}: {error}") from error
    from chesslm.model_player import ModelPlayer

    if not isinstance(player, ModelPlayer):
        raise UserError(f"{inert(str(name))} is not a model")
    return player


def random_thought(board: chess.Board, allowed: Collection[chess.Move], seed: int, lines: tuple[str, ...]) -> Thought:
    """A uniformly random move, the same for the same game and seed."""
    moves = " ".join(move.uci() for move in board.move_stack)
    generator = random.Random(f"{seed}|{board.root().fen()}|{moves}")
    move = generator.choice(sorted(allowed, key=chess.Move.uci))
    return Thought((*lines, info_line(move=move, rank=1, time_ms=0, score=_certain_score(board, move))), move)


def _mind(decision: Decision) -> str:
    """Legal mass and first choice, which has spaces in some notations and so comes last."""
    said = f"legal_mass {decision.legal_mass:.4f} first_choice {decision.first_choice}"
    return said if decision.first_choice_move is not None else f"{said} (illegal)"


def _told(
    board: chess.Board,
    decision: Decision,
    move: chess.Move | None,
    allowed: Collection[chess.Move],
    num_lines: int,
    *,
    time_ms: int,
) -> list[str]:
    """Probabilities, then a line for each of the best moves: first the one that is played, as match runners expect."""
    shares = {candidate: share for candidate, share in decision.candidates if candidate in allowed}
    order = [move] if move is not None else []
    order = [*order, *(candidate for candidate in shares if candidate != move)][:num_lines]
    shown = " ".join(f"{candidate.uci()} {shares[candidate]:.4f}" for candidate in order)
    return [
        info_string(f"probabilities {shown}"),
        *(
            info_line(move=candidate, rank=rank, time_ms=time_ms, score=_certain_score(board, candidate))
            for rank, candidate in enumerate(order, start=1)
        ),
    ]


def _certain_score(board: chess.Board, move: chess.Move) -> str | None:
    """What the rules alone say of a move: it mates, or it ends the game in a draw. The model itself has no score."""
    board.push(move)
    try:
        if board.is_checkmate():
            return "mate 1"
        return "cp 0" if board.is_stalemate() or board.is_insufficient_material() else None
    finally:
        board.pop()


def _milliseconds_since(began: float) -> int:
    return round(1_000 * (time.monotonic() - began))
