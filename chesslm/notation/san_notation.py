"""What all notations have in common that rewrite canonical SAN ply by ply.

Knows: the frame of a game (begin, plies, result, end), prompts, and how a move's SAN leads to its spellings.
Doesn't know: how one ply is written; a subclass says so.

A notation may have several wordings of a move. `encode_game` writes the one that sha256 of a fixed seed and the core
SANs up to and including the ply chooses: no board is needed, and `spell` makes the same choice.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import chess

from chesslm.game import Game
from chesslm.notation.base import EncodedGame, PlyPiece
from chesslm.notation.history import History
from chesslm.notation.stored_vocabulary import vocabulary_bytes
from chesslm.san import legal_sans, mark_after, split_mark
from chesslm.vocabulary import Vocabulary

Ids = tuple[int, ...]

_MAX_REMEMBERED = 100_000


class SanNotation(ABC):
    """The half of the `Notation` protocol that follows from writing one ply.

    Args:
        name: the registry's name of it.
        vocabulary: ids, token strings and their roles.
        follows: mark (`""`, `"+"`, `"#"`) -> ids of what follows from a move.
        seed: decides the choice between wordings; None where a move has only one.
    """

    def __init__(
        self, name: str, vocabulary: Vocabulary, follows: Mapping[str, Ids], *, seed: str | None = None
    ) -> None:
        self._name = name
        self._vocabulary = vocabulary
        self._follows = follows
        self._seed = seed
        self._remembered: dict[tuple[bool, str], tuple[Ids, ...]] = {}
        self._history = History(self._whole_ply)

    @property
    def name(self) -> str:
        """The name under which the registry knows it."""
        return self._name

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids, token strings and their roles."""
        return self._vocabulary

    @abstractmethod
    def _before(self, ply: int) -> Ids:
        """Ids that stand before a ply (a move number); GameTooLong if there are none for it."""

    @abstractmethod
    def _wordings(self, *, is_white: bool, core: str) -> tuple[Ids, ...]:
        """The ids of every wording of a core SAN; ValueError if it isn't SAN."""

    @abstractmethod
    def _is_settled(self, ids: Sequence[int]) -> bool | None:
        """What `is_complete` answers; the grammar doesn't depend on the position."""

    def encode_game(self, game: Game) -> EncodedGame:
        """Write a whole game; textual, no board is needed.

        Raises:
            GameTooLong: a move number has no token.
            ValueError: a ply isn't SAN, or the result is unknown.
        """
        if game.result not in self._vocabulary.result_ids:
            raise ValueError(f"unknown result {game.result!r}")
        ids = [self._vocabulary.begin_id]
        spans = []
        cores = ""
        for ply, san in enumerate(game.san):
            core, mark = split_mark(san)
            ids += self._before(ply)
            start = len(ids)
            ids += self._chosen(ply, core, cores)
            spans.append((start, len(ids)))
            ids += self._follows[mark]
            cores += f"{core} "
        ids += (self._vocabulary.result_ids[game.result], self._vocabulary.end_id)
        return EncodedGame(ids, spans)

    def before(self, ply: int) -> Ids:
        """What `encode_game` writes before a ply (0 is White's first move): a move number. May be empty.

        Raises:
            GameTooLong: a move number has no token.
        """
        return self._before(ply)

    def ply_piece(self, san: str, *, is_white: bool) -> PlyPiece | None:
        """What `encode_game` writes for every ply of this SAN and colour; None if that depends on the plies before.

        Raises:
            ValueError: not SAN.
        """
        if self._seed is not None:
            return None
        core, mark = split_mark(san)
        return PlyPiece(self._every(is_white=is_white, core=core)[0], self._follows[mark])

    def move_piece(self, move: chess.Move) -> PlyPiece | None:
        """None: what a move is in SAN depends on the position."""
        del move
        return None

    def end_prompt(self, board: chess.Board) -> list[int]:
        """All that stands before a result could be written here.

        Raises:
            UnsupportedPosition: the game didn't begin at the start position.
            GameTooLong: a move number has no token.
        """
        return [self._vocabulary.begin_id, *self._history.of(board).ids]

    def prompt(self, board: chess.Board) -> list[int]:
        """All that stands before the next move is written, from the begin token on; raises as `end_prompt` does."""
        return [self._vocabulary.begin_id, *self._history.of(board).ids, *self._before(len(board.move_stack))]

    def spell(self, board: chess.Board, move: chess.Move) -> list[int]:
        """The wording `encode_game` writes for a legal move; ValueError for an illegal one."""
        before = self._history.of(board).cores if self._seed is not None else ""
        return list(self._chosen(len(board.move_stack), self._core(board, move), before))

    def spellings(self, board: chess.Board, move: chess.Move) -> list[list[int]]:
        """Every wording of a legal move; the first is `spell`'s. ValueError for an illegal one."""
        chosen = self.spell(board, move)
        every = self._every(is_white=board.turn, core=self._core(board, move))
        return [chosen, *(list(ids) for ids in every if list(ids) != chosen)]

    def is_complete(self, board: chess.Board, ids: Sequence[int]) -> bool | None:
        """Grammar only: True, the move is settled; False, not yet; None, it can no longer become a move."""
        del board
        return self._is_settled(ids)

    def continuations(self, ids: Sequence[int]) -> frozenset[int]:
        """Tokens with which a settled text could go on to another move: none."""
        del ids
        return frozenset()

    def follow(self, board: chess.Board, move: chess.Move) -> list[int]:
        """What follows from a legal move before anything else is written: its mark, a full stop. May be empty."""
        mark = ""
        if board.gives_check(move):
            board.push(move)
            mark = mark_after(board)
            board.pop()
        return list(self._follows[mark])

    def resources(self) -> Mapping[str, bytes]:
        """File name -> content: `vocabulary.json` alone, where nothing was trained."""
        return {"vocabulary.json": vocabulary_bytes(self._vocabulary)}

    def _core(self, board: chess.Board, move: chess.Move) -> str:
        core = legal_sans(board).core_of.get(move)
        if core is None:
            raise ValueError(f"{move.uci()} is not legal in {board.fen()}")
        return core

    def _every(self, *, is_white: bool, core: str) -> tuple[Ids, ...]:
        found = self._remembered.get((is_white, core))
        if found is None:
            found = self._wordings(is_white=is_white, core=core)
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[is_white, core] = found
        return found

    def _chosen(self, ply: int, core: str, cores_before: str) -> Ids:
        every = self._every(is_white=ply % 2 == 0, core=core)
        if self._seed is None:
            return every[0]
        return every[choose(self._seed, cores_before, core, len(every))]

    def _whole_ply(self, ply: int, core: str, mark: str, cores_before: str) -> Ids:
        return (*self._before(ply), *self._chosen(ply, core, cores_before), *self._follows[mark])


def choose(seed: str, cores_before: str, core: str, num_wordings: int) -> int:
    """The index of the wording that a game writes for a ply.

    Args:
        seed: the notation's fixed seed.
        cores_before: the core SANs of the plies before, each followed by a space.
        core: the core SAN of the ply.
        num_wordings: how many there are.
    """
    digest = hashlib.sha256(f"{seed}{cores_before}{core}".encode("ascii")).digest()
    return int.from_bytes(digest[:8], "big") % num_wordings
